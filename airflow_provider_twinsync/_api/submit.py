"""Build the request of a submit, and read its answer.

Pure: no input or output, no clock, no Airflow, nothing but the standard library. The HTTP client only turns a
:class:`Request` into an :data:`Outcome`; this module decides the meaning of the answer.

The service's document leaves some questions open. The comment of a rule that is our interpretation of the
document has the words "our reading".
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
    secrets_of,
    shown,
)
from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._api.photo import Photo, http_photo
from airflow_provider_twinsync._api.redaction import hide, holds
from airflow_provider_twinsync._api.shown import sentence, shown_text
from airflow_provider_twinsync._api.status import describe
from airflow_provider_twinsync._api.validation import (
    checked_task_id,
    checked_text,
)
from airflow_provider_twinsync._api.voice_check import checked_pronouncer, refuse_misspelt
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    UnavailableError,
    UncertainSubmitError,
    UsageError,
)
from airflow_provider_twinsync.text import DEFAULT_TEXT_LIMIT_WORDS
from airflow_provider_twinsync.voices import all_voices

# ---------------------------------------------------------------------------------------------------- request


def build_submit(
    *,
    text: Any,
    image_url: Any,
    pronouncer: Any,
    key: str,
    text_limit_words: int = DEFAULT_TEXT_LIMIT_WORDS,
    any_voice: bool = False,
) -> Request:
    """Build the request that creates a job.

    :param text: the text that the person in the photo speaks; at most ``text_limit_words`` words.
    :param image_url: the photo, or its http(s) address.
    :param pronouncer: a Microsoft text-to-speech voice, for example ``zh-CN-XiaohanNeural``.
    :param key: the access key.
    :param text_limit_words: the longest text that the account may submit.
    :param any_voice: accept a voice that looks like a misspelling of a known one.
    :raises UsageError: the service cannot accept one of the arguments.
    """
    voice = checked_pronouncer(pronouncer)
    if not any_voice:
        refuse_misspelt(voice, all_voices())
    form = {
        "text": checked_text(text, text_limit_words),
        "image_url": (photo := image_url if isinstance(image_url, Photo) else http_photo(image_url)).url,
        "pronouncer": voice,
        # Last: a form that was cut on its way has no complete key, so the service refuses it.
        "key": key,
    }
    return Request("POST", form=form, photo=photo)


def fingerprint(url: str, text: str, photo: str, pronouncer: str) -> str:
    """Return a hash of the inputs of a submit and the address of the service, 32 hexadecimal digits.

    :param photo: the identity of the photo.
    """
    return hashlib.sha256(json.dumps([url, text, photo, pronouncer]).encode()).hexdigest()[:32]


# ----------------------------------------------------------------------------------------------------- answer

_REJECTED = {
    200: ("TS301", "a parameter is missing or wrong"),
    201: ("TS302", "the access key is missing or wrong: correct the password of the connection"),
    202: (
        "TS303",
        "the address of the photo is missing or unusable: check that it opens from the internet",
    ),
}
_BUSY = 203
#: The codes of a job: an answer with one of these means that there is a job.
_CODES_OF_A_JOB = (100, 101, 102, 103, 104)

#: HTTP statuses that redirect a POST which the server has not processed (RFC 9110, section 15.4).
#: 302 and 303 are not among them: web frameworks return them after they processed a form.
_REDIRECTS = (301, 307, 308)
#: HTTP statuses with which a server, or a front end, refuses a request before it is processed (RFC 9110,
#: section 15.5; RFC 6585). Others below 500 may come after the request was passed on: 408, 409, 425, nginx's
#: 499, the 460 of AWS, and unknown ones.
_REFUSALS = (400, 401, 402, 403, 404, 405, 407, 411, 413, 414, 415, 417, 421, 422, 426, 428, 431, 451)


def parse_submit(request: Request, answer: Outcome, *, sent_at: datetime) -> str:
    """Read the answer to a submit.

    :param request: the submit: its key is hidden if the answer repeats it.
    :param sent_at: the time of the submit, with its time zone, to find its job in the account.
    :return: the TwinSync task id of the new job.
    :raises RejectedError: the service refused the submit; there is no job.
    :raises UnavailableError: the service accepted nothing; another submit is safe.
    :raises UncertainSubmitError: there may be a job, so another submit may pay twice. Every answer that names
        a job and is no success is one of these, with any code and any HTTP status.
    """
    form = request.form or {}
    key, photo = form.get("key", ""), form.get("image_url", "")
    if isinstance(answer, NotSent):
        problem = shown(answer.problem, key, photo=photo)
        raise UnavailableError(f"TS305 TwinSync could not be reached: {problem}. No job was made.")
    if isinstance(answer, Sent):
        raise uncertain(request, sent_at, f"no answer came: {shown(answer.problem, key, photo=photo)}")
    seen = describe(answer, key, photo)
    code, task_id = None, None
    with suppress(ValueError):
        payload = read_json(answer.body)
        code, task_id = read_code(payload), payload.get("task_id")
    if code == 100 and (checked := _checked_task_id(task_id, request)):
        return checked
    if job := named_job(answer.body, photo) or named_job(answer.head.encode(), photo):
        named = task_id.strip() if code == 100 and isinstance(task_id, str) and task_id.strip() else job
        raise _names_a_job(request, sent_at, named, seen, is_accepted=code == 100)
    if len(answer.body) >= MAX_ANSWER_BYTES:
        problem = f"the answer is too large to be read, and may name a job: {seen}"
        raise uncertain(request, sent_at, problem, code="TS312")
    if code == 100:
        problem = f"the service accepted it and gave no task id: {seen}"
        raise uncertain(request, sent_at, problem, code="TS311")
    if code is None:
        raise _error_without_code(request, sent_at, answer, seen)
    if code in _REJECTED:
        number, problem = _REJECTED[code]
        raise RejectedError(
            f"{number} TwinSync refused the job: {problem}. It answered {seen}", result_code=code
        )
    if code == _BUSY or (answer.status == 429 and code not in _CODES_OF_A_JOB):
        raise _not_accepted(request, sent_at, answer, seen)
    raise uncertain(request, sent_at, f"the answer has a code that is not documented: {seen}")


def _checked_task_id(task_id: Any, request: Request) -> str | None:
    """Return the id of an accepted job, or None if a wait would refuse the id."""
    if isinstance(task_id, int) and not isinstance(task_id, bool):
        task_id = str(task_id)
    with suppress(UsageError):
        checked = checked_task_id(task_id)
        # It goes into addresses, XComs and logs.
        if not any(holds(checked, secret) for secret in _secrets(request)):
            return checked
    return None


def _secrets(request: Request) -> list[str]:
    form = request.form or {}
    return [*secrets_of(form.get("image_url", "")), form.get("key", "")]


def _names_a_job(
    request: Request, sent_at: datetime, job: str, seen: str, *, is_accepted: bool
) -> UncertainSubmitError:
    name = job
    for secret in _secrets(request):
        name = hide(name, secret, 2_000)
    name = shown_text(name, 300)
    if is_accepted:
        code = "TS311"
        problem = f"the service accepted it and gave no id that could be waited for: {name}, in {seen}"
    else:
        code = "TS310"
        problem = f"the answer is no success, and names the job {name}: {seen}"
    advice = f"Ask the service for the job {name}"
    if _checked_task_id(job, request):
        advice += ", or wait for it with a TwinSyncSensor"
    return uncertain(
        request, sent_at, problem, code=code, advice=f"It is not submitted again. {advice}.", names_job=True
    )


def _not_accepted(
    request: Request, sent_at: datetime, response: Answered, seen: str
) -> UnavailableError | UncertainSubmitError:
    """Return the error of a submit that may be repeated, unless the answer may name a job."""
    if mentions_job(response.body, (request.form or {}).get("image_url", "")):
        return uncertain(request, sent_at, f"the answer may name a job: {seen}", code="TS312")
    return UnavailableError(
        f"TS304 TwinSync is busy or failing and made no job: {seen}", retry_after_s=response.retry_after_s
    )


def _error_without_code(
    request: Request, sent_at: datetime, response: Answered, seen: str
) -> RejectedError | UnavailableError | UncertainSubmitError:
    """Return the error of an answer without a ``result_code`` and a job, by its HTTP status (our reading)."""
    status = response.status
    if is_damaged(response.body):  # it may have named a job
        return uncertain(request, sent_at, f"the answer was cut or damaged: {seen}", code="TS312")
    if status == 429:  # RFC 6585, section 4: too many requests, and this one is not processed
        return _not_accepted(request, sent_at, response, seen)
    if status in _REDIRECTS:
        return RejectedError(
            f"TS306 The address of the connection redirects elsewhere ({seen}), and a submit does not follow "
            "a redirect. Put the final address into the connection."
        )
    if status in _REFUSALS:
        return RejectedError(
            f"TS307 The server refused the request ({seen}). Check host, port, path and proxy of the "
            "connection."
        )
    # Also 500 to 504: a front end may have passed the request on before it answers with one of these.
    return uncertain(request, sent_at, f"the answer cannot be understood: {seen}")


# --------------------------------------------------------------------------------------------------- messages

_CHECK_ACCOUNT = (
    "It is not submitted again. Check your account, or ask the service, for a job of that time. If there is "
    "none, clear this task to submit it."
)


def uncertain(
    request: Request,
    sent_at: datetime,
    problem: str,
    *,
    code: str = "TS309",
    advice: str = _CHECK_ACCOUNT,
    names_job: bool = False,
) -> UncertainSubmitError:
    """Return the error of a submit that may or may not have created a job.

    :param problem: what happened, without a full stop.
    :param code: the code of the message.
    :param advice: the next steps for a person, in sentences.
    :param names_job: whether the answer names a job.
    """
    text = (request.form or {}).get("text")
    photo = request.photo.shown if request.photo else None
    when = sent_at.astimezone(timezone.utc).isoformat(timespec="seconds")
    summary = f"{code} Whether TwinSync made a job from the submit of {when} is unknown: {problem}."
    error = unresolved(summary, shown_job(text, photo), advice)
    error.names_job = names_job
    return error


def unresolved(summary: str, job: str, advice: str = _CHECK_ACCOUNT) -> UncertainSubmitError:
    """Return the error of an uncertain submit of this or an earlier try.

    :param summary: what happened, in a sentence that begins with the code.
    :param job: the inputs, as :func:`shown_job` returns them.
    :param advice: the next steps for a person, in sentences.
    """
    return UncertainSubmitError(f"{summary} It may have been paid: {job}.", advice)


def shown_job(text: Any, photo: Any) -> str:
    """Return the inputs of a job, to find it in the account.

    >>> shown_job("Hello", "https://example.com/anna.jpg")
    "the text 'Hello' and the photo 'https://example.com/anna.jpg'"

    :param photo: the photo as ``Photo.shown`` has it, without a login and a signature.
    """
    return f"the text {shown_text(text)} and the photo {shown_text(photo)}"


def given_up(error: UnavailableError, attempts: int) -> UnavailableError:
    """Return the error of a submit that the service did not accept in any attempt.

    :param error: the error of the last attempt.
    :param attempts: the number of attempts.
    """
    times = "once" if attempts == 1 else f"{attempts} times"
    delay_s = error.retry_after_s
    asked = (
        f", and TwinSync asks for a delay of {delay_s:.0f} s: set the task's retry_delay to that"
        if delay_s
        else ""
    )
    return UnavailableError(
        f"{sentence(str(error))} It was submitted {times}{asked}.", retry_after_s=error.retry_after_s
    )
