"""What to send to TwinSync and what its answers mean.

Pure: no input or output, no clock, no Airflow, nothing but the standard library. Both senders of the hook
turn a :class:`Request` into an :data:`Answer`; everything that is decided about one is decided here, once.

The service's document leaves some questions open. Where a rule below is our reading of one, and not the
document's own word, its comment says "our reading".
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from airflow_provider_twinsync._api.answers import (
    MAX_ANSWER_BYTES,
    is_damaged,
    mentions_job,
    named_job,
    read_code,
    read_json,
    shown,
)
from airflow_provider_twinsync._api.exchange import Answer, NoAnswer, Request, Response
from airflow_provider_twinsync._api.redaction import hide, holds
from airflow_provider_twinsync._api.shown import shown_address, shown_text
from airflow_provider_twinsync._api.status import describe
from airflow_provider_twinsync._api.validation import (
    DEFAULT_TEXT_LIMIT_WORDS,
    checked_photo,
    checked_pronouncer,
    checked_task_id,
    checked_text,
)
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    UnavailableError,
    UncertainSubmitError,
    UsageError,
)

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
#: Of a job: an answer with one of these says that there is one, whatever else it says.
_CODES_OF_A_JOB = (100, 101, 102, 103, 104)

#: HTTP statuses with which a server sends a POST elsewhere and has not processed it (RFC 9110, section 15.4).
#: 302 and 303 are not among them: web frameworks give them after they processed a form.
_REDIRECTS = (301, 307, 308)
#: HTTP statuses with which a server, or a front end, refuses a request before it is processed (RFC 9110,
#: section 15.5; RFC 6585). Others below 500 may come after the request was passed on: 408, 409, 425, nginx's
#: 499, the 460 of AWS, and what nobody knows.
_REFUSALS = (400, 401, 402, 403, 404, 405, 407, 411, 413, 414, 415, 417, 421, 422, 426, 428, 431, 451)


def parse_submit(request: Request, answer: Answer, *, sent_at: datetime) -> str:
    """Read the answer to a submit.

    :param request: what was sent: its key is hidden where the answer repeats it.
    :param sent_at: when it was sent, with its time zone: a person may have to look for a job of that time.
    :return: the TwinSync task id of the new job.
    :raises RejectedError: refused, no job was made.
    :raises UnavailableError: nothing was accepted, sending it again is safe.
    :raises UncertainSubmitError: a job may exist; it must not be sent again blindly. Every answer that names
        a job and is no success is one of these, whatever its code and its HTTP status are.
    """
    form = request.form or {}
    key = form.get("key", "")
    if isinstance(answer, NoAnswer):
        problem = shown(answer.problem, key)
        if answer.sent:
            raise uncertain(request, sent_at, f"it was sent and no answer came: {problem}")
        raise UnavailableError(f"TwinSync could not be reached: {problem}. No job was made.")
    photo = form.get("image_url", "")
    said = describe(answer, key, photo)
    code, task_id = None, None
    with suppress(ValueError):
        payload = read_json(answer.body)
        code, task_id = read_code(payload), payload.get("task_id")
    if code == 100 and (checked := _checked_task_id(task_id, key)):
        return checked
    if job := named_job(answer.body, photo) or named_job(answer.head.encode(), photo):
        named = task_id.strip() if code == 100 and isinstance(task_id, str) and task_id.strip() else job
        raise _names_a_job(request, sent_at, named, said, is_accepted=code == 100)
    if len(answer.body) >= MAX_ANSWER_BYTES:
        raise uncertain(request, sent_at, f"the answer is too large to be read, and may name a job: {said}")
    if code == 100:
        raise uncertain(request, sent_at, f"the service accepted it but gave no task id: {said}")
    if code is None:
        raise _submit_error_without_code(request, sent_at, answer, said)
    if code in _REJECTED:
        raise RejectedError(
            f"TwinSync refused the job: {_REJECTED[code]}. It answered {said}", result_code=code
        )
    if code == _BUSY or (answer.status == 429 and code not in _CODES_OF_A_JOB):
        raise _not_accepted(request, sent_at, answer, said)
    raise uncertain(request, sent_at, f"the service gave an answer that is in no table: {said}")


def _checked_task_id(task_id: Any, key: str) -> str | None:
    """Return the id of an accepted job, or None if a wait would refuse the id."""
    if isinstance(task_id, int) and not isinstance(task_id, bool):
        task_id = str(task_id)
    with suppress(UsageError):
        checked = checked_task_id(task_id)
        if not holds(checked, key):  # it goes into addresses, XComs and logs
            return checked
    return None


def _names_a_job(
    request: Request, sent_at: datetime, job: str, said: str, *, is_accepted: bool
) -> UncertainSubmitError:
    key = (request.form or {}).get("key", "")
    name = shown_text(hide(job, key, 2_000), 300)
    if is_accepted:
        problem = f"the service accepted it and gave no id that could be waited for: {name}, in {said}"
    else:
        problem = f"the answer is no success, and names the job {name}: {said}"
    advice = f"Ask the service for the job {name}"
    if _checked_task_id(job, key):
        advice += ", or wait for it with a TwinSyncSensor"
    return uncertain(request, sent_at, problem, advice=f"It is not sent again. {advice}.", names_job=True)


_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def parse_key_check(request: Request, answer: Answer) -> tuple[bool, str]:
    """Read the answer to a submit without a text.

    :return: whether the service was reached and accepts the key, and a sentence for a person.
    """
    try:
        # When it was sent is of no interest: without a text there can be no job to look for.
        parse_submit(request, answer, sent_at=_NEVER)
    except RejectedError as error:
        if error.result_code == 200:
            return True, "The service is reached and does not object to the access key (no job was made)."
        if error.result_code == 201:
            return False, "The service is reached, but it rejects the access key."
        return False, str(error)
    except UnavailableError as error:
        return False, str(error)
    except UncertainSubmitError:
        # Not in that error's words, which are of a job that may have been paid.
        key = (request.form or {})["key"]
        said = shown(answer.problem, key) if isinstance(answer, NoAnswer) else describe(answer, key)
        return False, f"No usable answer: {said}"
    return False, "The service accepted a job without a text: is this TwinSync?"


def _not_accepted(
    request: Request, sent_at: datetime, response: Response, said: str
) -> UnavailableError | UncertainSubmitError:
    """Build the error of a submit that may be sent again, unless the answer may name a job after all."""
    if mentions_job(response.body, (request.form or {}).get("image_url", "")):
        return uncertain(request, sent_at, f"the answer may name a job: {said}")
    return UnavailableError(
        f"TwinSync is busy or failing and made no job: {said}", retry_after_s=response.retry_after_s
    )


_LOOK = (
    "It is not sent again for that reason. Look at your account, or ask the service, for a job of that "
    "time. If there is none, clear this task to submit it."
)


def uncertain(
    request: Request, sent_at: datetime, problem: str, *, advice: str = _LOOK, names_job: bool = False
) -> UncertainSubmitError:
    """Build the error of a submit that may or may not have made a job.

    :param problem: what happened, without a full stop.
    :param advice: what a person has to do, in sentences.
    :param names_job: whether the answer names a job.
    """
    form = request.form or {}
    when = sent_at.astimezone(timezone.utc).isoformat(timespec="seconds")
    what = f"Whether TwinSync made a job from the submit of {when} is unknown: {problem}."
    error = unresolved(what, shown_job(form.get("text"), form.get("image_url")), advice)
    error.names_job = names_job
    return error


def unresolved(what: str, job: str, advice: str = _LOOK) -> UncertainSubmitError:
    """Build the error of a submit of this or an earlier try that may or may not have made a job.

    :param what: what happened, in a sentence.
    :param job: what was submitted, as :func:`shown_job` returns it.
    :param advice: what a person has to do, in sentences.
    """
    return UncertainSubmitError(f"{what} It may have been paid: {job}.", advice)


def shown_job(text: Any, image_url: Any) -> str:
    """Return what a job is made of, for a person who has to find it.

    The photo's address is without its login and its query, which may be a signature.
    """
    return f"the text {shown_text(text)} and the photo {shown_address(image_url)}"


def _submit_error_without_code(
    request: Request, sent_at: datetime, response: Response, said: str
) -> RejectedError | UnavailableError | UncertainSubmitError:
    """Judge an answer without a ``result_code``, and without a job, by its HTTP status (our reading)."""
    status = response.status
    if is_damaged(response.body):  # it may have named a job
        return uncertain(request, sent_at, f"the answer was cut or damaged: {said}")
    if status == 429:  # RFC 6585, section 4: too many requests, and this one is not processed
        return _not_accepted(request, sent_at, response, said)
    if status in _REDIRECTS:
        return RejectedError(
            "The address of the connection redirects elsewhere, and a submit is not sent after it "
            f"({said}). Put the final address into the connection."
        )
    if status in _REFUSALS:
        return RejectedError(
            f"The server refused the request ({said}). Check host, port, path and proxy of the connection."
        )
    return uncertain(request, sent_at, f"the answer cannot be understood: {said}")
