"""The status request of a job, and its answer."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_twinsync._api.answers import (
    decode,
    other_job,
    read_code,
    read_json,
    shown,
)
from airflow_provider_twinsync._api.exchange import Answered, Outcome, Request
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
        """Return whether the job stays in this state."""
        return self in (JobState.SUCCEEDED, JobState.FAILED)


#: The document's table has 103 for success, its example 100 with an address: both count (our reading).
_STATE_OF_CODE = {
    100: JobState.SUCCEEDED,
    101: JobState.WAITING,
    102: JobState.RUNNING,
    103: JobState.SUCCEEDED,
    104: JobState.FAILED,
}
_UNKNOWN_ID = 200


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the service reports it.

    :param id: the TwinSync task id.
    :param state: its state.
    :param code: the ``result_code`` of the answer.
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
    """Build the status request of a job.

    A cache on the way must not answer it with an old status, or with another job's (RFC 9111, section
    5.2.1.4).

    :raises UsageError: the id is not a TwinSync task id. An example of an id is ``20230423_11_23_05_10279``.
    """
    params = {"taskID": checked_task_id(twinsync_task_id)}
    return Request("GET", params=params, headers=_NO_CACHE)


def parse_job(twinsync_task_id: str, answer: Outcome, *, key: str) -> Job:
    """Read the answer to a status request.

    The body's ``result_code`` decides if there is one, and not the HTTP status (our reading).

    :param twinsync_task_id: the job. An answer that names another job is none.
    :param key: the access key, which is hidden where the answer repeats it.
    :raises NoAddressError: the job is finished, and the answer has no usable address of its video.
    :raises StatusError: the status is unavailable; a later request may get it.
    """
    if not isinstance(answer, Answered):
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
        raise unusable("the service does not know this id" if code == _UNKNOWN_ID else "no usable status")
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


#: HTTP statuses that mean: no request succeeds now. Only the circuit breaker needs them; a wait takes every
#: unusable answer for an outage.
_DOWN_STATUSES = (429, 500, 502, 503, 504)


def outage_of(answer: Outcome) -> str | None:
    """Return the sign in an answer that the service is down for all requests, or None.

    For example, an HTTP 503 is such a sign. As in :func:`parse_job` the code of a state counts, and not the
    HTTP status.
    """
    if not isinstance(answer, Answered):
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
    if issubclass(kind, NoAddressError):
        message = f"TS403 TwinSync job {twinsync_task_id} is finished and its video has no usable address"
    else:
        message = f"TS404 Status of TwinSync job {twinsync_task_id} unavailable"
    return kind(f"{message}: {problem}.", problem=problem, retry_after_s=retry_after_s)


def describe(response: Answered, key: str, photo: str = "") -> str:
    """Return an answer for a message: the HTTP status and the start of the body, without the access key.

    :param photo: the address of the photo: an answer may repeat its signature or its login.
    """
    return f"HTTP {response.status}, {shown(decode(response.body), key, photo=photo) or 'empty body'}"


def read_retry_after(header: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, section 10.2.3).

    :param header: its value: a number of seconds, or a date.
    :param now: the present time, with its time zone.
    :return: the delay in seconds, or None if the header is missing or makes no sense.
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
