"""The errors of this package, split by what the caller should do.

::

    TwinSyncError
    ├── UsageError               our fault, nothing was sent: mend the argument or connection it names
    ├── RejectedError            the service said no: the same request gets the same answer
    ├── UnavailableError         nothing was accepted, if it was sent at all: later may work
    ├── UncertainSubmitError     a submit got no usable answer: a paid job may exist, look before another
    ├── StatusError              the status is unavailable: the job goes on, ask again
    │   └── NoAddressError           the job is finished, and its video has no usable address
    ├── JobFailedError           the job ended without a video: the same id fails again
    ├── WaitTimeoutError         the deadline passed: the job may still finish
    │   └── ExecutionTimeoutError    the same, and it was the task's execution_timeout
    ├── DownloadRefusedError     what the address gives is not wanted: the same address gives it again
    └── DownloadInterruptedError the video did not arrive whole: later may work

Importing this module imports no Airflow; :func:`airflow_errors` is where the tree meets Airflow's own.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class TwinSyncError(Exception):
    """Everything that this package raises on purpose.

    :cvar retryable: whether doing the same thing again later may bring another result. An operator that
        meets an error that is not retryable skips the task's remaining retries.
    :cvar job_goes_on: whether there is a job that may still finish, so that waiting for it again makes sense.
    """

    retryable: ClassVar[bool] = False
    job_goes_on: ClassVar[bool] = False

    @property
    def code(self) -> str:
        """The code of the message, such as ``TS204``; ``docs/troubleshooting.md`` has an entry for each."""
        found = re.search(r"\bTS\d{3}\b", str(self))
        return found[0] if found else ""


class _LaterError(TwinSyncError):
    """Doing the same again later may work.

    :param message: what happened and what to do.
    :param retry_after_s: how long the other side asked us to stay away, in seconds, if it did.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UsageError(TwinSyncError, ValueError):
    """An argument or a connection is wrong; nothing was sent."""


class RejectedError(TwinSyncError):
    """The service refused the request and made no job.

    :param message: what happened and what to do.
    :param result_code: the ``result_code`` of the answer, or None where only an HTTP status came.
    """

    def __init__(self, message: str, *, result_code: int | None = None) -> None:
        super().__init__(message)
        self.result_code = result_code


class UnavailableError(_LaterError):
    """Nothing was accepted: the service was busy, failing, or could not be reached, or nothing was sent.

    A connection that Airflow does not find is one of these and no :class:`UsageError`: Airflow 3 says "not
    found" of a database that is away for a moment, too.
    """


class UncertainSubmitError(TwinSyncError):
    """A submit was sent and no usable answer came: a job may exist, and may be billed.

    In a task of your own, call the hook inside :func:`airflow_errors`, or Airflow's retries send it again.

    :param what: what happened, and what may have been paid.
    :param advice: what to do now.
    :ivar names_job: whether the answer names a job: then it is never sent again, whoever asks for that.
    """

    names_job = False

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(_joined(what, advice))
        self.what = what
        self.advice = advice


class StatusError(_LaterError):
    """The answer to a status request says nothing certain about the job.

    :param message: what happened, to which job.
    :param problem: what happened alone, for a message that names the job already.
    :param retry_after_s: how long the service asked us to stay away, in seconds, if it did.
    """

    job_goes_on = True

    def __init__(
        self, message: str, *, problem: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.problem = problem or message


class NoAddressError(StatusError):
    """The service reports success, and gives no http(s) address of the video.

    A wait asks a few times more, and then ends with this: the job is finished and paid for, so neither more
    waiting nor another submit is right. Ask the service for the video.
    """

    retryable = False
    job_goes_on = False


class JobFailedError(TwinSyncError):
    """The service reports that the job failed (code 104)."""


class WaitTimeoutError(TwinSyncError):
    """The ``timeout`` of the wait passed before the video was there."""

    job_goes_on = True


class ExecutionTimeoutError(WaitTimeoutError):
    """The task's ``execution_timeout`` passed before the video was there."""

    retryable = True


class DownloadRefusedError(TwinSyncError):
    """The address, or what it gives, is not a video that we may store; nothing was stored."""


class DownloadInterruptedError(_LaterError):
    """The video did not arrive whole; the destination is as it was."""


@contextmanager
def airflow_errors(*, skip: bool = False, advice: str = "") -> Iterator[None]:
    """Turn this package's errors into the Airflow exceptions that make Airflow do what they call for.

    ``AirflowSensorTimeout`` and ``AirflowFailException`` skip the remaining retries, ``AirflowTaskTimeout``
    and ``AirflowException`` leave them. A task of your own that uses the hook wraps its calls in this::

        with airflow_errors():
            TwinSyncHook().submit(text=..., image_url=..., pronouncer=...)

    :param skip: skip the task instead, whatever the error is (``soft_fail`` and ``never_fail`` of a sensor).
    :param advice: a sentence to add where the job goes on, on how to wait for it again.
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
    """Return two sentences as two: a message may end with what the other side said."""
    if not advice:
        return message
    return f"{message} {advice}" if message.endswith((".", "!", "?")) else f"{message}. {advice}"
