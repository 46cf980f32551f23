"""The end of a submit task by an error: a retry must not pay for another job, unless this job failed."""

from __future__ import annotations

import re
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    TaskDeferred,
)

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.submitting import Submission, submits_again
from airflow_provider_twinsync._api.shown import sentence
from airflow_provider_twinsync._wait.outcome import End, EndReason, job_continues
from airflow_provider_twinsync.exceptions import (
    JobFailedError,
    TwinSyncError,
    UncertainSubmitError,
    airflow_errors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

_T = TypeVar("_T")
#: The message of an end whose own message cannot be made.
_PAID = "TS324 The task ended after its submit, and a retry would pay again. Its log has the reason."


class Paid(Enum):
    """The payment of a submit task, as far as the task knows."""

    NOTHING = "no job was made"
    MAYBE = "a job may exist, with an unknown id"
    RECORDED = "a job exists, and a retry reconnects to it"
    UNRECORDED = "a job exists, and a retry would pay for another one"


#: From the least to the most that a retry may lose.
_DANGER = (Paid.NOTHING, Paid.RECORDED, Paid.UNRECORDED, Paid.MAYBE)


class PaidJob:
    """One submit of a task, and the job that it made or found.

    An alarm, Ctrl-C or a lack of memory may interrupt any line, so the attributes are right at every line.

    :ivar submission: how far the submit came; nothing was sent at first.
    :ivar submitting: during a submit, its inputs and its time.
    :ivar found: the job, if it is known from a record or an event.
    :ivar is_recorded: a retry reconnects to the job.
    :ivar is_waited_for: the task was deferred, so there is a job.
    :ivar has_failed: the job failed, so a retry may submit another one.
    """

    def __init__(self, found: str | None = None, *, is_recorded: bool = False, is_waited_for: bool = False):
        self.submission = Submission()
        self.submitting = ""
        self.found = found
        self.is_recorded = is_recorded
        self.is_waited_for = is_waited_for
        self.has_failed = False

    @property
    def twinsync_task_id(self) -> str | None:
        """Return the job, if it is known."""
        return self.found or self.submission.twinsync_task_id

    @property
    def paid(self) -> Paid:
        """Return the payment, as far as the task knows."""
        if self.has_failed:
            return Paid.NOTHING
        if self.is_recorded:
            return Paid.RECORDED
        if self.twinsync_task_id or self.is_waited_for:
            return Paid.UNRECORDED
        return Paid.MAYBE if self.submission.may_have_job else Paid.NOTHING

    def end(self, end: End) -> str:
        """Return the address of the video, after the end of the wait.

        :raises TwinSyncError: the wait ended without a video.
        """
        self.found = end.twinsync_task_id
        self.has_failed = end.reason is EndReason.FAILED
        return end.result()


class PaidEnd:
    """The end of a task that submits: the exception follows from the error and what is paid."""

    log: Any
    retries: int | None
    on_uncertain_submit: str
    #: The submits of this run of the task, in their order.
    _jobs: Sequence[PaidJob] = ()

    @property
    def _known_jobs(self) -> list[str]:
        """Return the jobs that may still finish, each once."""
        known = (job.twinsync_task_id for job in self._jobs if not job.has_failed)
        return list(dict.fromkeys(name for name in known if name))

    def _job_of(self, twinsync_task_id: str) -> PaidJob:
        """Return the submit of a job; after a deferral without XComs it was unknown."""
        for job in self._jobs:
            if job.twinsync_task_id == twinsync_task_id:
                return job
        known = [job for job in self._jobs if job.twinsync_task_id]
        job = PaidJob(twinsync_task_id, is_waited_for=True)
        self._jobs = [*known, job]
        return job

    @property
    def _worst(self) -> PaidJob:
        """Return the submit that a retry endangers most.

        With ``on_uncertain_submit="retry"`` a retry may pay again for an uncertain submit, and for no other.
        """
        order = sorted(_DANGER, key=lambda paid: paid is Paid.UNRECORDED and self._may_pay_twice)
        return max(self._jobs, key=lambda job: order.index(job.paid), default=PaidJob())

    @property
    def _may_pay_twice(self) -> bool:
        return self.on_uncertain_submit == "retry"

    def _with_paid_end(self, context: Context, step: Callable[[], _T]) -> _T:
        """Take a step of the task, and turn its error into the Airflow exception."""
        try:
            return step()
        except TaskDeferred:  # no end
            raise
        except BaseException as error:  # also Airflow 2's exception for a SIGTERM
            try:
                by_person = internals.is_ended_by_person(context.get("ti"), error)
                ending = error if by_person else self._end_of(error)
            except BaseException as second:  # an alarm or Ctrl-C came meanwhile
                ending = self._end_of(second)
            raise ending  # noqa: B904  # its cause is set

    def _end_of(self, error: BaseException) -> BaseException:
        worst = self._worst
        paid = worst.paid
        try:
            if paid is Paid.MAYBE:
                error = worst.submission.ended_by(error)
            retries, twice = bool(self.retries), self._may_pay_twice
            ending = airflow_error(error, paid, self._known_jobs, has_retries=retries, may_pay_twice=twice)
        except MemoryError:  # not enough for a message
            if paid in (Paid.NOTHING, Paid.RECORDED):
                raise
            ending = AirflowFailException(_PAID)
        if ending is not error:
            # No error of this package is shown twice.
            ending.__cause__ = None if isinstance(error, TwinSyncError) else error
            ending.__suppress_context__ = True
        return ending

    def on_kill(self) -> None:
        """Log that stopping the task does not stop its jobs."""
        for job in self._jobs:
            if job.submitting and job.submission.has_begun:
                self.log.warning(
                    "TS320 Stopped during a submit. A job may exist, and may be billed: %s. Check your "
                    "TwinSync account before you clear the task.",
                    job.submitting,
                )
            elif job.twinsync_task_id and not job.has_failed:
                advice = _next_step(is_recorded=job.is_recorded)
                self.log.warning("%s %s", job_continues(job.twinsync_task_id), advice)


@contextmanager
def names_part(part: str) -> Iterator[None]:
    """Put the part of a text into the message of an error that comes from its submit.

    :param part: such as ``part 2 of 5``; empty for a text of one part.
    """
    try:
        yield
    except UncertainSubmitError:  # its message has the text
        raise
    except TwinSyncError as error:
        if part:
            error.put_subject(part.capitalize())
        raise


def airflow_error(
    error: BaseException, paid: Paid, jobs: Sequence[str], *, has_retries: bool, may_pay_twice: bool
) -> BaseException:
    """Return the Airflow exception of a submit task that ends with an error.

    ======================  =================================  ========================================
    paid                    error                              Airflow exception
    ======================  =================================  ========================================
    NOTHING, RECORDED       the job failed                     ``AirflowException``: a retry submits
    NOTHING, RECORDED       any other of this package          as ``airflow_errors``
    NOTHING, RECORDED       any other                          the same
    MAYBE, and a retry may  any                                ``AirflowException``; Ctrl-C as it is
    pay twice
    MAYBE, UNRECORDED       one that skips the retries         as ``airflow_errors``
    MAYBE, UNRECORDED       Ctrl-C in a task without retries   the same
    MAYBE, UNRECORDED       any other                          ``AirflowFailException``: no retry
    ======================  =================================  ========================================

    :param paid: the payment of the submit that a retry endangers most; a job that failed is nothing.
    :param jobs: the TwinSync task ids that are known.
    :param has_retries: the task has retries.
    :param may_pay_twice: ``on_uncertain_submit="retry"``; it does not count if the answer named a job.
    """
    if isinstance(error, JobFailedError) and paid in (Paid.NOTHING, Paid.RECORDED):
        return AirflowException(f"{sentence(str(error))} A retry of this task submits a new job.")
    is_ctrl_c = isinstance(error, KeyboardInterrupt)
    if paid is Paid.MAYBE and submits_again(error, may_pay_twice=may_pay_twice):
        if not isinstance(error, UncertainSubmitError):
            return error
        advice = "A retry of this task submits again, because of on_uncertain_submit='retry'."
        return AirflowException(f"{sentence(error.what)} {advice}")
    ending = _converted(error, _next_step(is_recorded=paid is Paid.RECORDED))
    if paid in (Paid.NOTHING, Paid.RECORDED) or (is_ctrl_c and not has_retries):
        return ending
    skips_retries = isinstance(ending, (AirflowFailException, AirflowSensorTimeout))
    message = str(ending) or "Ctrl-C came before the task was done" if is_ctrl_c else str(ending)
    unnamed = [job for job in jobs if job not in message]
    if skips_retries and not unnamed:
        return ending
    if not skips_retries and not re.match(r"TS\d{3} ", message):
        message = f"TS324 The task ended after its submit, and a retry would pay again: {message}"
    which = f" (TwinSync job {', '.join(unnamed)}, which is paid for)" if unnamed else ""
    kind = type(ending) if skips_retries else AirflowFailException
    return kind(f"{message}{which}")


def _next_step(*, is_recorded: bool) -> str:
    """Return the advice for a job that may still finish, with and without a submit record."""
    if is_recorded:
        return (
            "A retry of this task waits for the same job and pays nothing. Without a retry left, wait for "
            "this id with a TwinSyncSensor."
        )
    return (
        "Another try of this task would submit and pay again: wait for this id with a TwinSyncSensor instead."
    )


def _converted(error: BaseException, advice: str) -> BaseException:
    """Return the exception that :func:`airflow_errors` raises for an error."""
    try:
        with airflow_errors(advice=advice):
            raise error
    except BaseException as converted:
        return converted
