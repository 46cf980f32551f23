"""The outcome of a poll: poll again, or the end of the wait."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import Enum

from airflow_provider_twinsync.exceptions import (
    ExecutionTimeoutError,
    JobFailedError,
    NoAddressError,
    StatusError,
    TwinSyncError,
    UsageError,
    WaitTimeoutError,
)


class EndReason(Enum):
    """All the ways in which a wait ends."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STATUS_LOST = "status_lost"
    NO_ADDRESS = "no_address"
    UNUSABLE = "unusable"
    TIMEOUT = "timeout"
    EXECUTION_TIMEOUT = "execution_timeout"


_ERRORS: dict[EndReason, type[TwinSyncError]] = {
    EndReason.FAILED: JobFailedError,
    EndReason.STATUS_LOST: StatusError,
    EndReason.NO_ADDRESS: NoAddressError,
    EndReason.UNUSABLE: UsageError,
    EndReason.TIMEOUT: WaitTimeoutError,
    EndReason.EXECUTION_TIMEOUT: ExecutionTimeoutError,
}


@dataclass(frozen=True, slots=True)
class End:
    """The wait is over.

    For example, ``End(EndReason.FAILED, "7", "TS401 ...").result()`` raises ``JobFailedError("TS401 ...")``.

    :param reason: how it ended.
    :param twinsync_task_id: the job.
    :param message: what happened and what to do. Without a video it begins with its code.
    :param result_url: the address of the video; set if and only if the reason is SUCCEEDED. It is not part of
        the ``repr``, as its query may be a signature.
    :param elapsed_s: seconds from the start of the wait to its last poll; None if this process did not poll,
        or if another one counts the time.
    """

    reason: EndReason
    twinsync_task_id: str
    message: str
    result_url: str | None = field(default=None, repr=False)
    elapsed_s: float | None = field(default=None, repr=False, compare=False)

    def result(self) -> str:
        """Return the address of the video.

        :raises TwinSyncError: the wait ended without a video.
        """
        if self.reason is not EndReason.SUCCEEDED or self.result_url is None:
            raise _ERRORS.get(self.reason, StatusError)(self.message)
        return self.result_url


@dataclass(frozen=True, slots=True)
class Again:
    """Poll again after a delay.

    :param delay_s: the delay in seconds.
    :param note: a line for the task's log, if something changed.
    :param level: the `logging` level of that line.
    """

    delay_s: float
    note: str | None = None
    level: int = logging.INFO


def job_continues(twinsync_task_id: str) -> str:
    """Return the warning of a task that is stopped while its job goes on."""
    return (
        f"TS410 TwinSync job {twinsync_task_id} goes on without this task: the service has no call that "
        "stops it."
    )
