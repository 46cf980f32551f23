"""Find the job of an earlier submit, or let this try submit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import sentence
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync.exceptions import StatusError, UnavailableError, VideoRejectedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync._records.keeper import RecordKeeper

#: The delay between two looks at the record of another task that submits.
_LOOK_EVERY_S = 1.0


def find_job(
    keeper: RecordKeeper,
    get_job: Callable[[str], Job],
    log: Any,
    *,
    try_number: int,
    may_pay_twice: bool,
    patience_s: float,
    admit: Callable[[], Any] | None = None,
) -> str | None:
    """Return the job that an earlier submit made, or None if this try submits; the intent is then stored.

    For example, a retry with the same inputs returns the job of the first try, unless that job has failed.

    :param keeper: the submit records.
    :param get_job: a function that requests the status of a job.
    :param log: the task's logger.
    :param try_number: the number of this try, from 1.
    :param may_pay_twice: ``on_uncertain_submit="retry"``: submit again after an uncertain submit.
    :param patience_s: how long to wait for the job of another task that submits.
    :param admit: a function that waits until this try may submit, before its intent is stored.
    :raises UncertainSubmitError: an earlier try may have made a job.
    :raises VideoRejectedError: an earlier try, or a row with the same inputs, rejected the video of its job.
    :raises UnavailableError: another task submits and has no id yet, or the records cannot be read.
    :raises TwinSyncError: as ``admit``.
    """
    store = keeper.store
    # A job that exists needs no admission, so the records are read first if there is one.
    if store is None or not store.creates or admit:
        keeper.read()
    elif keeper.write_intent():
        _warn_of_missing(keeper, try_number, log)
        return None
    else:
        keeper.read()
    _warn_of_missing(keeper, try_number, log)
    give_up_at = time.monotonic() + patience_s
    while True:
        if (known := keeper.twinsync_task_id) is not None:
            if _is_wanted(keeper, known, get_job, log):
                return known
        elif keeper.is_open:
            if keeper.follow():
                continue
            if keeper.record.is_of_other and not keeper.record.is_damaged:
                if time.monotonic() >= give_up_at:
                    raise _other_submits(keeper, patience_s)
                time.sleep(_LOOK_EVERY_S)
                keeper.read()
                continue
            _report(keeper, log, may_pay_twice=may_pay_twice)
        if admit:
            admit()
        if keeper.write_intent():
            return None
        keeper.read()


def _warn_of_missing(keeper: RecordKeeper, try_number: int, log: Any) -> None:
    if keeper.store is not None and keeper.is_missing(try_number):
        log.warning(
            "TS317 This is try %s of this task, and there is no record of a submit by an earlier one, so "
            "this try submits. If the log of an earlier try names a TwinSync job, that one is paid: wait for "
            "its id with a TwinSyncSensor. %s",
            try_number,
            keeper.store.why_missing,
        )


def _other_submits(keeper: RecordKeeper, patience_s: float) -> UnavailableError:
    assert keeper.store is not None  # noqa: S101  # for the type checker
    return UnavailableError(
        f"TS330 Another task began to submit the same inputs at {keeper.record.marked_at} "
        f"({keeper.record.owner}), and has no job after {patience_s:.0f} s more. This task submitted "
        "nothing. If the other task was killed, clear it: it then reports the uncertain submit. If it cannot "
        f"be cleared, check your account and {keeper.store.how_to_delete}."
    )


def _report(keeper: RecordKeeper, log: Any, *, may_pay_twice: bool) -> None:
    """Report an uncertain submit, unless a person has decided.

    :raises UncertainSubmitError: there may be a job.
    """
    if not keeper.is_uncertain:
        return
    assert keeper.store is not None  # noqa: S101  # for the type checker
    error = keeper.record.uncertain(keeper.store.how_to_delete)
    names_job = keeper.record.names_job or keeper.record.twinsync_task_id is not None
    if not may_pay_twice or names_job:
        log.warning("%s", error)  # before the record: a person may clear a task that dies here
        keeper.write_reported(names_job=names_job)
        raise error
    log.warning("%s The task submits again, because of on_uncertain_submit='retry'.", sentence(error.what))


def _is_wanted(keeper: RecordKeeper, job: str, get_job: Callable[[str], Job], log: Any) -> bool:
    """Return whether a job serves this try: it is of the same inputs, and neither failed nor is rejected.

    :raises VideoRejectedError: Airflow retries a task that died after it had rejected the video, or another
        instance of the mapped task has rejected it.
    """
    assert keeper.store is not None  # noqa: S101  # for the type checker
    if not keeper.has_same_inputs:
        log.warning(
            "TS319 An earlier try of this task submitted TwinSync job %s for another text, photo, voice or "
            "address of the service; this try submits a new one. If that is not intended: a template renders "
            "to another value, or the address in the connection changed.",
            job,
        )
        return False
    if keeper.record.rejected is not None:
        if keeper.is_rejected_by_this_task and not keeper.store.has_next():
            error = VideoRejectedError(
                f"TS533 An earlier try of this task, or a row with the same inputs, rejected the video of "
                f"TwinSync job {job}, and this try does not submit again. Clear the task to submit a new "
                f"job. {keeper.record.rejected}"
            )
            error.parts = {}  # it is marked
            raise error
        log.info("The video of TwinSync job %s failed its check; this try submits a new one.", job)
        return False
    unavailable = None
    try:
        if get_job(job).state is JobState.FAILED:
            log.info("TwinSync job %s of an earlier submit failed; this try submits a new one.", job)
            return False
    except StatusError as error:
        unavailable = error
        if keeper.store.has_next():  # it failed, and the service may have forgotten it
            return False
    # The first line of a task that a person has cleared to run it again.
    log.info(
        "TwinSync job %s was submitted by %s; this try reconnects to it and pays nothing. To force a new "
        "job, set durable=False (not with reuse='runs'), or %s.",
        job,
        keeper.record.owner or "an earlier try of this task",
        keeper.store.how_to_delete,
    )
    if unavailable:
        log.warning("%s", unavailable)
    return True
