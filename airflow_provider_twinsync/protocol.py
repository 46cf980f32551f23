"""What to send to TwinSync and what its answers mean.

Pure: no input or output, no clock, no Airflow, nothing but the standard library. Both senders of the hook
turn a :class:`Request` into an :data:`Answer`; everything that is decided about one is decided here, once.

The service's document leaves some questions open. Where a rule below is our reading of one, and not the
document's own word, its comment says "our reading".
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import quote, quote_plus

from airflow_provider_twinsync.arguments import (
    DEFAULT_TEXT_LIMIT_WORDS,
    checked_photo,
    checked_pronouncer,
    checked_task_id,
    checked_text,
    is_http_url,
    one_line,
    shown_address,
    shown_text,
)
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    StatusError,
    UnavailableError,
    UncertainSubmitError,
)

DEFAULT_SCHEME = "http"
DEFAULT_HOST = "api2.sam-sara.cn"
DEFAULT_PORT = 17374
DEFAULT_PATH = "/phototalking"
#: The document's example answers with a video on this host, which is not the API's own.
DOCUMENTED_RESULT_HOST = "api.twinsync.xyz"

#: An answer is some hundred bytes; one that is longer than this is not read further.
MAX_ANSWER_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the API, for a sender to carry.

    :param method: the HTTP method.
    :param params: the query.
    :param form: the form fields of a POST, the access key among them: never shown.
    """

    method: str
    params: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.

    :param status: the HTTP status.
    :param body: the body as it came, up to :data:`MAX_ANSWER_BYTES`.
    :param retry_after_s: the ``Retry-After`` header in seconds, if there was one that made sense.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing usable came back.

    :param sent: False only where it is certain that the service received nothing.
    :param problem: what the transport says, for a person.
    """

    sent: bool
    problem: str


Answer = Response | NoAnswer


class TaskState(Enum):
    """The states of a job. A code that is in no table is none of these, and never success."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether the job will stay in this state."""
        return self in (TaskState.SUCCEEDED, TaskState.FAILED)


#: The document's table says 103 for success, its example shows 100 with an address: both are (our reading).
_STATE_OF_CODE = {
    100: TaskState.SUCCEEDED,
    101: TaskState.WAITING,
    102: TaskState.RUNNING,
    103: TaskState.SUCCEEDED,
    104: TaskState.FAILED,
}
_UNKNOWN_TASK = 200


@dataclass(frozen=True, slots=True)
class TwinSyncTask:
    """A job as the service reports it.

    :param id: the TwinSync task id.
    :param state: where the job is.
    :param code: the ``result_code`` that said so.
    :param message: the service's own ``msg``, on one line and shortened, or an empty string.
    :param result_url: the address of the video; set if and only if the state is SUCCEEDED.
    """

    id: str
    state: TaskState
    code: int
    message: str
    result_url: str | None = None


# ---------------------------------------------------------------------------------------------- what to send


def build_submit(
    *,
    text: Any,
    image_url: Any,
    pronouncer: Any,
    key: str,
    text_limit_words: int = DEFAULT_TEXT_LIMIT_WORDS,
) -> Request:
    """Make the request that submits a job.

    :param text: what the person says; at most ``text_limit_words`` words.
    :param image_url: the http(s) address of the photo.
    :param pronouncer: a Microsoft text-to-speech voice, for example ``zh-CN-XiaohanNeural``.
    :param key: the access key.
    :param text_limit_words: the longest text that the account may send.
    :raises UsageError: an argument is not what the service could accept.
    """
    form = {
        "text": checked_text(text, text_limit_words),
        "image_url": checked_photo(image_url),
        "pronouncer": checked_pronouncer(pronouncer),
        # Last: the service takes nothing from a form that was cut on its way, as that has no whole key.
        "key": key,
    }
    return Request("POST", form=form)


def build_key_check(key: str) -> Request:
    """Make a submit without a text: it is answered, and no job is made (our reading)."""
    return Request("POST", form={"key": key})


def build_status(twinsync_task_id: Any) -> Request:
    """Make the request that asks for a job's status.

    :raises UsageError: the id is empty, or not a text.
    """
    return Request("GET", params={"taskID": checked_task_id(twinsync_task_id)})


def fingerprint(url: str, text: str, image_url: str, pronouncer: str) -> str:
    """Give a short name for what a submit asks of which service: the same inputs, the same name."""
    return hashlib.sha256(json.dumps([url, text, image_url, pronouncer]).encode()).hexdigest()[:32]


# --------------------------------------------------------------------------------------- what an answer means

_REJECTED = {
    200: "a parameter is missing or wrong",
    201: "the access key is missing or wrong: mend the password of the connection",
    202: "the address of the photo is missing or unusable: check that it opens from the internet",
}
_BUSY = 203

#: HTTP statuses that say nothing about whether a POST was accepted, though they are below 500 (RFC 9110).
_UNCERTAIN_CLIENT_ERRORS = (408, 409, 425)


def parse_submit(request: Request, answer: Answer, *, sent_at: datetime) -> str:
    """Read the answer to a submit.

    :param request: what was sent: its key is hidden where the answer repeats it.
    :param sent_at: when it was sent, with its time zone: a person may have to look for a job of that time.
    :return: the TwinSync task id of the new job.
    :raises RejectedError: refused, no job was made.
    :raises UnavailableError: nothing was accepted, sending it again is safe.
    :raises UncertainSubmitError: a job may exist; it must not be sent again blindly.
    """
    if isinstance(answer, NoAnswer):
        if answer.sent:
            raise uncertain(request, sent_at, f"it was sent and no answer came: {one_line(answer.problem)}")
        raise UnavailableError(f"TwinSync could not be reached: {one_line(answer.problem)}. No job was made.")
    shown = describe(answer, hide=(request.form or {}).get("key"))
    try:
        payload = _read_json(answer.body)
        code = _read_code(payload)
    except ValueError:
        raise _submit_error_without_code(request, sent_at, answer, shown) from None
    if code == 100:
        task_id = payload.get("task_id")
        if isinstance(task_id, int) and not isinstance(task_id, bool):
            task_id = str(task_id)
        if isinstance(task_id, str) and task_id.strip():
            return task_id.strip()
        raise uncertain(request, sent_at, f"the service accepted it but gave no task id: {shown}")
    if code in _REJECTED:
        raise RejectedError(f"TwinSync refused the job: {_REJECTED[code]}. It answered {shown}", code=code)
    if code == _BUSY or answer.status in (429, 503):
        raise _unavailable(answer, shown)
    raise uncertain(request, sent_at, f"the service gave an answer that is in no table: {shown}")


_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def parse_key_check(request: Request, answer: Answer) -> tuple[bool, str]:
    """Read the answer to a submit without a text.

    :return: whether the service was reached and accepts the key, and a sentence for a person.
    """
    try:
        # When it was sent is of no interest: without a text there can be no job to look for.
        parse_submit(request, answer, sent_at=_NEVER)
    except RejectedError as error:
        if error.code == 200:
            return True, "The service is reached and does not object to the access key (no job was made)."
        if error.code == 201:
            return False, "The service is reached, but it rejects the access key."
        return False, str(error)
    except UnavailableError as error:
        return False, str(error)
    except UncertainSubmitError:
        # Not in that error's words, which are of a job that may have been paid.
        said = (
            answer.problem
            if isinstance(answer, NoAnswer)
            else describe(answer, hide=(request.form or {})["key"])
        )
        return False, f"No usable answer: {one_line(said)}"
    return False, "The service accepted a job without a text: is this TwinSync?"


def _unavailable(response: Response, shown: str) -> UnavailableError:
    return UnavailableError(
        f"TwinSync is busy or failing and made no job: {shown}", retry_after_s=response.retry_after_s
    )


def uncertain(request: Request, sent_at: datetime, problem: str) -> UncertainSubmitError:
    """Say of a submit that a job may exist, and what to look for."""
    form = request.form or {}
    when = sent_at.astimezone(timezone.utc).isoformat(timespec="seconds")
    return unresolved(
        f"Whether TwinSync made a job from the submit of {when} is unknown: {problem}.",
        shown_job(form.get("text"), form.get("image_url")),
    )


def unresolved(what: str, job: str) -> UncertainSubmitError:
    """Say what a person has to do about a submit that may or may not have made a job.

    :param what: what happened, in a sentence.
    :param job: what was submitted, as :func:`shown_job` says it.
    """
    return UncertainSubmitError(
        f"{what} It may have been paid: {job}.",
        "It is not sent again for that reason. Look at your account, or ask the service, for a job of that "
        "time. If there is none, clear this task to submit it.",
    )


def shown_job(text: Any, image_url: Any) -> str:
    """Say what a job is made of, for a person who has to find it."""
    return f"the text {shown_text(text)} and the photo {shown_address(image_url)}"


def _submit_error_without_code(
    request: Request, sent_at: datetime, response: Response, shown: str
) -> RejectedError | UnavailableError | UncertainSubmitError:
    """Judge an answer without a ``result_code`` by its HTTP status (our reading)."""
    status = response.status
    if status == 503 and _is_lost_behind_a_proxy(response.body):
        return uncertain(request, sent_at, f"a proxy lost the service after it had passed it on: {shown}")
    if status in (429, 503):
        return _unavailable(response, shown)
    # 303 says of a POST that it was processed, and where to see the result (RFC 9110, 15.4.4).
    if 300 <= status < 400 and status != 303:
        return RejectedError(
            "The address of the connection redirects elsewhere, and a submit is not sent after it "
            f"({shown}). Put the final address into the connection."
        )
    if 400 <= status < 500 and status not in _UNCERTAIN_CLIENT_ERRORS:
        return RejectedError(
            f"The server refused the request ({shown}). Check host, port, path and proxy of the connection."
        )
    return uncertain(request, sent_at, f"the answer cannot be understood: {shown}")


def _is_lost_behind_a_proxy(body: bytes) -> bool:
    """Whether these are the words of an Envoy, and so of Istio, whose connection to the service ended.

    Its 503 comes when the request was passed on, too (envoyproxy/envoy#6190, istio/istio#55138); its words
    tell that from a connection that it could not make.
    """
    text = body.lower()
    not_connected = b"connection failure" in text or b"connection timeout" in text
    return b"reset before headers" in text and not not_connected


def parse_task(twinsync_task_id: str, answer: Answer) -> TwinSyncTask:
    """Read the answer to a status request.

    The body's ``result_code`` decides where there is one, whatever the HTTP status is (our reading).

    :raises StatusError: the answer says nothing certain; asking again is the right thing for a while.
    """
    if isinstance(answer, NoAnswer):
        raise _no_status(twinsync_task_id, f"no answer: {one_line(answer.problem)}")
    try:
        payload = _read_json(answer.body)
        code = _read_code(payload)
    except ValueError as error:
        raise _no_usable_status(twinsync_task_id, str(error), answer) from None
    state = _STATE_OF_CODE.get(code)
    if state is None:
        trouble = "the service does not know this id" if code == _UNKNOWN_TASK else "no usable status"
        raise _no_usable_status(twinsync_task_id, trouble, answer)
    result_url = None
    if state is TaskState.SUCCEEDED:
        result_url = payload.get("result_url")
        if not is_http_url(result_url):
            trouble = "the service reports success without the address of a video"
            raise _no_usable_status(twinsync_task_id, trouble, answer)
    message = payload.get("msg")
    message = one_line(message) if isinstance(message, str) else ""
    return TwinSyncTask(twinsync_task_id, state, code, message, result_url)


#: HTTP statuses that say: not now, whatever was asked for.
_DOWN_STATUSES = (429, 500, 502, 503, 504)


def outage_of(answer: Answer) -> str | None:
    """Say what of an answer means that the service is down, whoever asks it for what; None if it is not.

    As in :func:`parse_task` an answer with the code of a state is one, whatever its HTTP status is.
    """
    if isinstance(answer, NoAnswer):
        return answer.problem
    if answer.status not in _DOWN_STATUSES:
        return None
    with suppress(ValueError):
        if _read_code(_read_json(answer.body)) in _STATE_OF_CODE:
            return None
    return f"HTTP {answer.status}"


def _no_status(twinsync_task_id: str, problem: str, retry_after_s: float | None = None) -> StatusError:
    return StatusError(
        f"The status of TwinSync job {twinsync_task_id} could not be had: {problem}.",
        problem=problem,
        retry_after_s=retry_after_s,
    )


def _no_usable_status(twinsync_task_id: str, trouble: str, answer: Response) -> StatusError:
    return _no_status(twinsync_task_id, f"{trouble}: {describe(answer)}", answer.retry_after_s)


def _read_json(body: bytes) -> dict[str, Any]:
    if len(body) >= MAX_ANSWER_BYTES:
        raise ValueError("the answer is too large")
    try:
        payload = _JSON.decode(_decode(body))
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON that can be read") from None
    if not isinstance(payload, dict):
        raise ValueError("the answer is not a JSON object")
    return payload


def _decode(body: bytes) -> str:
    """Read a body as the text that it is meant to be.

    A wrong character in `msg` must not hide a code and an id, which are plain ASCII.
    """
    return body.decode(json.detect_encoding(body), errors="replace")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says two things under one name: which of the codes would count?"""
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("duplicate keys")
    return unique


_JSON = json.JSONDecoder(object_pairs_hook=_unique_keys)


def _read_code(payload: dict[str, Any]) -> int:
    """Give ``result_code`` as a number; a string of digits is read as its number (our reading)."""
    code = payload.get("result_code")
    if isinstance(code, str) and re.fullmatch(r"[0-9]{1,9}", code):
        return int(code)
    if isinstance(code, int) and not isinstance(code, bool):
        return code
    raise ValueError("the answer has no result_code that is a number")


def describe(response: Response, *, hide: str | None = None) -> str:
    """Show an answer to a person: the HTTP status and the start of the body, on one line.

    :param hide: a secret that the answer may repeat.
    """
    text = _decode(response.body)
    for form in _forms_of(hide) if hide else ():
        text = text.replace(form, "***")
    return f"HTTP {response.status}, {one_line(text) or 'empty body'}"


def _forms_of(secret: str) -> set[str]:
    """Give the ways in which an answer may write a text: as it is, in JSON, in an address, in a page."""
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_php = {form.replace("/", r"\/") for form in in_json}
    return {secret, *in_json, *in_php, quote(secret), quote_plus(secret), html.escape(secret)}


def read_retry_after(header: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, section 10.2.3).

    :param header: its value: a number of seconds, or a date.
    :param now: the present time, with its time zone.
    :return: seconds to stay away, or None where there is no such header that makes sense.
    """
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        return None
    return max(0.0, (date - now).total_seconds())
