"""Reconnect a task to the job of an earlier try, or let it submit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import sentence
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._records.submit_record import HOW_TO_DELETE
from airflow_provider_twinsync.exceptions import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync._records.submit_record import RecordKeeper


def reconnect(
    keeper: RecordKeeper, get_job: Callable[[str], Job], log: Any, *, try_number: int, may_pay_twice: bool
) -> str | None:
    """Return the job that an earlier try of this task submitted, or None if this try submits.

    For example, a retry with the same inputs returns the job of the first try, unless that job has failed.

    :param keeper: the submit record.
    :param get_job: a function that requests the status of a job.
    :param log: the task's logger.
    :param try_number: the number of this try, from 1.
    :param may_pay_twice: ``on_uncertain_submit="retry"``: submit again after an uncertain submit.
    :raises UncertainSubmitError: an earlier try may have made a job.
    """
    if keeper.is_missing(try_number):
        log.warning(
            "TS317 This is try %s of this task, and Airflow has no record of a submit by an earlier one, so "
            "this try submits. If the log of an earlier try names a TwinSync job, that one is paid: wait for "
            "its id with a TwinSyncSensor. Airflow may discard a task's state after a clear, and after "
            "[state_store] default_retention_days.",
            try_number,
        )
    if keeper.is_uncertain:
        error = keeper.record.uncertain()
        names_job = keeper.record.names_job or keeper.record.twinsync_task_id is not None
        if may_pay_twice and not names_job:
            log.warning("%s It is submitted again, as on_uncertain_submit says.", sentence(error.what))
            return None
        keeper.write_reported(names_job=names_job)
        raise error
    twinsync_task_id = keeper.twinsync_task_id
    if twinsync_task_id is None:
        return None
    if not keeper.has_same_inputs:
        log.warning(
            "TS319 An earlier try of this task submitted TwinSync job %s for another text, photo, voice or "
            "address of the service; this try submits a new one. If that is not intended: a template renders "
            "to another value, or the address in the connection changed.",
            twinsync_task_id,
        )
        return None
    unavailable = None
    try:
        if get_job(twinsync_task_id).state is JobState.FAILED:
            log.info(
                "TwinSync job %s of an earlier try failed; this try submits a new one.", twinsync_task_id
            )
            return None
    except StatusError as error:
        unavailable = error
    # The first line of a task that a person has cleared to run it again.
    log.info(
        "TwinSync job %s was submitted by an earlier try of this task; this try reconnects to it and pays "
        "nothing. To force a new job, set durable=False, or %s.",
        twinsync_task_id,
        HOW_TO_DELETE,
    )
    if unavailable:
        log.warning("%s", unavailable)
    return twinsync_task_id
