"""The end of a submit task by an error: a retry must not pay for another job, unless this job failed."""

from __future__ import annotations

import re
from typing import NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowTaskTimeout,
)

from airflow_provider_twinsync._api.shown import sentence
from airflow_provider_twinsync.exceptions import JobFailedError, airflow_errors


def next_step(*, is_recorded: bool) -> str:
    """Return the advice for a job that may still finish, with and without a submit record."""
    if is_recorded:
        return (
            "A retry of this task waits for the same job and pays nothing. Without a retry left, wait for "
            "this id with a TwinSyncSensor."
        )
    return (
        "Another try of this task would submit and pay again: wait for this id with a TwinSyncSensor instead."
    )


def end_paid(
    error: BaseException, job: str | None, *, may_have_job: bool, is_recorded: bool, has_retries: bool
) -> NoReturn:
    """Raise the Airflow exception for an error.

    For example, an error of the wait skips the retries if nothing records the job.

    :param job: the TwinSync task id, if it is known.
    :param may_have_job: False if the error came before there was a job.
    :param is_recorded: whether a retry reconnects to the job.
    :param has_retries: whether the task has retries.
    """
    if isinstance(error, JobFailedError):
        raise AirflowException(f"{sentence(str(error))} A retry of this task submits a new job.") from None
    try:
        with airflow_errors(advice=next_step(is_recorded=is_recorded)):
            raise error
    except (AirflowFailException, AirflowSensorTimeout):
        raise
    except (Exception, AirflowTaskTimeout, KeyboardInterrupt) as ending:
        is_ctrl_c = isinstance(ending, KeyboardInterrupt)
        if not may_have_job or is_recorded or (is_ctrl_c and not has_retries):
            raise
        message = "Ctrl-C came before the task was done" if is_ctrl_c else str(ending)
        if not re.match(r"TS\d{3} ", message):
            message = f"TS324 The task ended after its submit, and a retry would pay again: {message}"
        which = f" (TwinSync job {job}, which is paid for)" if job and job not in message else ""
        raise AirflowFailException(f"{message}{which}") from ending
