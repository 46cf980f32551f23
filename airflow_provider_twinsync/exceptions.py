"""The errors of this package, by the reaction that each one needs.

::

    TwinSyncError
    ├── UsageError               an argument or the connection is wrong, nothing was sent: correct it
    ├── RejectedError            the service refused the job: the same request is refused again
    ├── UnavailableError         no job was made: retry later
    ├── UncertainSubmitError     a submit got no usable answer: a paid job may exist, check your account
    ├── StatusError              the status is unavailable: the job continues, poll again
    │   └── NoAddressError           the job is finished, and its video has no usable address
    ├── JobFailedError           the job ended without a video: waiting for the same id fails again
    ├── WaitTimeoutError         the deadline passed: the job may still finish
    │   └── ExecutionTimeoutError    the same, for the task's execution_timeout
    ├── DownloadRefusedError     the address has no video that may be stored: the same address fails again
    ├── DownloadInterruptedError the download is incomplete: retry later
    └── VideoRejectedError       the video failed its check: the same job has the same video

Each message begins with a code, and ``docs/troubleshooting.md`` has an entry for each code:

>>> UsageError("TS109 text has 200 words, and the limit is 150.").code
'TS109'

Importing this module imports no Airflow; :func:`airflow_errors` turns these errors into Airflow's own.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class TwinSyncError(Exception):
    """Base class of the errors that this package raises.

    >>> try:
    ...     raise UnavailableError("TS202 Airflow could not look up the connection 'a'.")
    ... except TwinSyncError as error:
    ...     error.code, error.retryable, error.job_goes_on
    ('TS202', True, False)

    :cvar retryable: the same call may succeed later. For an error that is not retryable an operator skips
        the task's remaining retries. Default: False.
    :cvar job_goes_on: there is a job that may still finish, so waiting for it again makes sense. Default:
        False.
    """

    retryable: ClassVar[bool] = False
    job_goes_on: ClassVar[bool] = False

    @property
    def code(self) -> str:
        """Return the code of the message, such as ``TS204``, or an empty text without one.

        >>> UsageError("TS204 Connection 'a': the extra is not a JSON object.").code
        'TS204'
        """
        found = re.match(r"TS\d{3}\b", str(self))
        return found[0] if found else ""

    def put_subject(self, subject: str) -> None:
        """Put a subject between the code and the message.

        >>> error = UsageError("TS101 text is ''.")
        >>> error.put_subject("Part 2 of 5")
        >>> str(error)
        "TS101 Part 2 of 5: text is ''."
        """
        code, _, message = str(self).partition(" ")
        self.args = (f"{code} {subject}: {message}",)


class _LaterError(TwinSyncError):
    """Base class of the errors after which the same call may succeed later.

    :param message: what happened and what to do.
    :param retry_after_s: how many seconds the server asks clients to wait; None if it does not ask.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UsageError(TwinSyncError, ValueError):
    """An argument or a connection is wrong; nothing was sent.

    >>> isinstance(UsageError("TS101 text is ''."), ValueError)
    True
    """


class RejectedError(TwinSyncError):
    """The service refused the request and made no job.

    >>> RejectedError("The access key is wrong.", result_code=201).result_code
    201

    :param message: what happened and what to do.
    :param result_code: the ``result_code`` of the answer; None if only an HTTP status came.
    """

    def __init__(self, message: str, *, result_code: int | None = None) -> None:
        super().__init__(message)
        self.result_code = result_code


class UnavailableError(_LaterError):
    """No job was made: the service was busy, failing or unreachable, or nothing was sent.

    A connection that Airflow does not find raises this and not :class:`UsageError`: Airflow 3 reports "not
    found" also while its database is down.

    >>> UnavailableError("TwinSync is busy.", retry_after_s=60.0).retry_after_s
    60.0
    """


class UncertainSubmitError(TwinSyncError):
    """A submit was sent and no usable answer came: a job may exist, and may be billed.

    In a task of your own, call the hook inside :func:`airflow_errors`. Otherwise Airflow's retries submit
    again.

    >>> error = UncertainSubmitError("No answer came", "Check your account.")
    >>> str(error), error.retryable
    ('No answer came. Check your account.', False)

    :param what: what happened, and what may have been paid.
    :param advice: what to do now. Default: nothing.
    :ivar names_job: the answer names a job. The submit is then never repeated, even with
        ``on_uncertain_submit="retry"``. Default: False.
    """

    names_job = False

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(_joined(what, advice))
        self.what = what
        self.advice = advice


class StatusError(_LaterError):
    """The status of a job is unavailable; the job itself continues.

    >>> error = StatusError("Status of TwinSync job 7 unavailable: HTTP 502", problem="HTTP 502")
    >>> error.problem, error.job_goes_on
    ('HTTP 502', True)

    :param message: what happened, and to which job.
    :param problem: what happened, for a message that names the job already. Default: ``message``.
    :param retry_after_s: how many seconds the service asks clients to wait; None if it does not ask.
    """

    job_goes_on = True

    def __init__(
        self, message: str, *, problem: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.problem = problem or message


class NoAddressError(StatusError):
    """The service reports success without an http(s) address of the video.

    A wait polls a few more times and then raises this. The job is finished and paid for: do not submit again,
    but ask the service for the video.

    >>> NoAddressError.retryable, NoAddressError.job_goes_on
    (False, False)
    """

    retryable = False
    job_goes_on = False


class JobFailedError(TwinSyncError):
    """The service reports that the job failed (code 104).

    >>> JobFailedError.retryable
    False
    """


class WaitTimeoutError(TwinSyncError):
    """The ``timeout`` of the wait passed before the video was there.

    >>> WaitTimeoutError.retryable, WaitTimeoutError.job_goes_on
    (False, True)
    """

    job_goes_on = True


class ExecutionTimeoutError(WaitTimeoutError):
    """The task's ``execution_timeout`` passed before the video was there.

    >>> ExecutionTimeoutError.retryable, ExecutionTimeoutError.job_goes_on
    (True, True)
    """

    retryable = True


class DownloadRefusedError(TwinSyncError):
    """The address is not allowed, or its content is not a video; nothing was stored.

    >>> DownloadRefusedError.retryable
    False
    """


class DownloadInterruptedError(_LaterError):
    """The download is incomplete, and the destination is unchanged.

    >>> DownloadInterruptedError("The video is incomplete.").retryable
    True
    """


class VideoRejectedError(TwinSyncError):
    """The video failed its check: it is black, frozen, silent, too short or too long, or cannot be decoded.

    >>> error = VideoRejectedError("TS530 The video ...", checks={"length_s": 12.0, "longest_silent_s": 6.2})
    >>> error.checks["longest_silent_s"], error.retryable
    (6.2, False)

    :param message: each failed number with its limit.
    :param checks: the numbers of the check; empty if the video could not be decoded.
    :ivar parts: the numbers of the check of each bad part of a text, by the position of the part, from 0.
    :ivar path: the address of the rejected video, if it is kept; else None.
    """

    def __init__(self, message: str, *, checks: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.checks = dict(checks or {})
        self.parts = {0: self.checks}
        self.path: str | None = None


@contextmanager
def airflow_errors(*, skip: bool = False, advice: str = "") -> Iterator[None]:
    """Turn this package's errors into the Airflow exceptions with the right reaction.

    ``AirflowSensorTimeout`` and ``AirflowFailException`` skip the remaining retries, ``AirflowTaskTimeout``
    and ``AirflowException`` leave them. Other errors pass unchanged. Use it in a task of your own that calls
    the hook::

        @task
        def submit() -> str:
            with airflow_errors():
                return TwinSyncHook().submit(
                    text="Hello.",
                    image_url="https://example.com/anna.jpg",
                    pronouncer="en-US-JennyNeural",
                )

    :param skip: raise ``AirflowSkipException`` for every error (``soft_fail`` and ``never_fail`` of a
        sensor). Default: False.
    :param advice: a sentence on how to wait for the job again, for an error after which the job continues.
        Default: none.
    """
    from airflow.providers.common.compat.sdk import (
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )

    try:
        yield
    except TwinSyncError as error:
        kind: type[BaseException]
        if skip:
            kind = AirflowSkipException
        elif isinstance(error, ExecutionTimeoutError):
            kind = AirflowTaskTimeout
        elif isinstance(error, WaitTimeoutError):
            kind = AirflowSensorTimeout
        elif error.retryable:
            kind = AirflowException
        else:
            kind = AirflowFailException
        raise kind(_joined(str(error), advice if error.job_goes_on else "")) from None


def _joined(message: str, advice: str) -> str:
    """Join two sentences; a message may end with text of the service, without a full stop."""
    if not advice:
        return message
    return f"{message} {advice}" if message.endswith((".", "!", "?")) else f"{message}. {advice}"
