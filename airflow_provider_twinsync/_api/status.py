"""Ask for the status of a job, and read the answer."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_twinsync._api.answers import (
    MAX_ANSWER_BYTES,
    decode,
    other_job,
    read_code,
    read_json,
    secrets_of,
    shown,
)
from airflow_provider_twinsync._api.exchange import Answer, NoAnswer, Request, Response
from airflow_provider_twinsync._api.redaction import hide, holds
from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync._api.validation import (
    checked_task_id,
    is_http_url,
)
from airflow_provider_twinsync.exceptions import (
    NoAddressError,
    StatusError,
)

if TYPE_CHECKING:
    from datetime import datetime


class JobState(Enum):
    """The states of a job. A code that is in no table is none of these, and never success."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether the job will stay in this state."""
        return self in (JobState.SUCCEEDED, JobState.FAILED)


#: The document's table says 103 for success, its example shows 100 with an address: both are (our reading).
_STATE_OF_CODE = {
    100: JobState.SUCCEEDED,
    101: JobState.WAITING,
    102: JobState.RUNNING,
    103: JobState.SUCCEEDED,
    104: JobState.FAILED,
}


_UNKNOWN_TASK = 200


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the service reports it.

    :param id: the TwinSync task id.
    :param state: where the job is.
    :param code: the ``result_code`` that said so.
    :param message: the service's own ``msg``, on one line and shortened, or an empty string.
    :param result_url: the address of the video; set if and only if the state is SUCCEEDED. It is not part of
        the ``repr``, as its query may be a signature.
    """

    id: str
    state: JobState
    code: int
    message: str
    result_url: str | None = field(default=None, repr=False)


_NO_CACHE = {"Cache-Control": "no-cache"}


def build_status(twinsync_task_id: Any) -> Request:
    """Build the request that asks for a job's status.

    A cache on the way must not answer it with an old status, or with another job's (RFC 9111, section
    5.2.1.4).

    :raises UsageError: the id is none that a service could have given.
    """
    params = {"taskID": checked_task_id(twinsync_task_id)}
    return Request("GET", params=params, headers=_NO_CACHE)


def parse_job(twinsync_task_id: str, answer: Answer, *, key: str) -> Job:
    """Read the answer to a status request.

    The body's ``result_code`` decides where there is one, whatever the HTTP status is (our reading).

    :param twinsync_task_id: the job that was asked for; an answer that names another one is none.
    :param key: the access key, which is hidden where the answer repeats it.
    :raises NoAddressError: the job is finished, and the answer has no usable address of its video.
    :raises StatusError: the answer says nothing certain; asking again is the right thing for a while.
    """
    if isinstance(answer, NoAnswer):
        raise _no_status(twinsync_task_id, f"no answer: {shown(answer.problem, key)}")

    def unusable(problem: str, kind: type[StatusError] = StatusError) -> StatusError:
        problem = f"{problem}: {describe(answer, key)}"
        return _no_status(twinsync_task_id, problem, answer.retry_after_s, kind)

    try:
        payload = read_json(answer.body)
        code = read_code(payload)
    except ValueError as error:
        raise unusable(str(error)) from None
    if other := other_job(payload, twinsync_task_id):
        raise unusable(f"the answer is about another job, {shown_text(hide(other, key, 300))}")
    state = _STATE_OF_CODE.get(code)
    if state is None:
        raise unusable("the service does not know this id" if code == _UNKNOWN_TASK else "no usable status")
    result_url = None
    if state is JobState.SUCCEEDED:
        result_url = payload.get("result_url")
        result_url = result_url.strip() if isinstance(result_url, str) else None
        if not is_http_url(result_url):
            raise unusable("the service reports success without the address of a video", NoAddressError)
        parts = urlsplit(result_url)
        # The address goes into XComs and logs. A host's name is no secret.
        if holds(parts._replace(netloc=parts.netloc.rpartition("@")[0]).geturl(), key):
            raise unusable("the address of the video has the access key in it", NoAddressError)
    message = payload.get("msg")
    message = shown(message, key) if isinstance(message, str) else ""
    return Job(twinsync_task_id, state, code, message, result_url)


def outage_of(answer: Answer) -> str | None:
    """Say what of an answer means that the service is down, whoever asks it for what; None if it is not.

    As in :func:`parse_job` an answer with the code of a state is one, whatever its HTTP status is.
    """
    if isinstance(answer, NoAnswer):
        return answer.problem
    if answer.status not in _DOWN_STATUSES:
        return None
    with suppress(ValueError):
        if read_code(read_json(answer.body)) in _STATE_OF_CODE:
            return None
    return f"HTTP {answer.status}"


def _no_status(
    twinsync_task_id: str,
    problem: str,
    retry_after_s: float | None = None,
    kind: type[StatusError] = StatusError,
) -> StatusError:
    return kind(
        f"The status of TwinSync job {twinsync_task_id} could not be had: {problem}.",
        problem=problem,
        retry_after_s=retry_after_s,
    )


def describe(response: Response, key: str, photo: str = "") -> str:
    """Return an answer for a person: the HTTP status and the start of the body, without the access key.

    :param photo: the address of the photo: an answer may repeat its signature or its login.
    """
    text = decode(response.body)
    for secret in secrets_of(photo):
        text = hide(text, secret, MAX_ANSWER_BYTES)
    return f"HTTP {response.status}, {shown(text, key) or 'empty body'}"


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


#: HTTP statuses that say: not now, whatever was asked for.
_DOWN_STATUSES = (429, 500, 502, 503, 504)
