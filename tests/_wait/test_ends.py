"""The end of a wait: its result, or its error."""

from __future__ import annotations

import pytest
from support.polls import ID, VIDEO, end_of

from airflow_provider_twinsync._api.status import Job, JobState
from airflow_provider_twinsync._wait.outcome import End, EndReason, job_continues
from airflow_provider_twinsync.exceptions import (
    ExecutionTimeoutError,
    JobFailedError,
    NoAddressError,
    StatusError,
    TwinSyncError,
    UsageError,
    WaitTimeoutError,
)

ERRORS: dict[EndReason, type[TwinSyncError] | None] = {
    EndReason.SUCCEEDED: None,
    EndReason.FAILED: JobFailedError,
    EndReason.STATUS_LOST: StatusError,
    EndReason.NO_ADDRESS: NoAddressError,
    EndReason.UNUSABLE: UsageError,
    EndReason.TIMEOUT: WaitTimeoutError,
    EndReason.EXECUTION_TIMEOUT: ExecutionTimeoutError,
}


@pytest.mark.parametrize("reason", EndReason)
def test_every_end_has_its_result_or_its_error(reason: EndReason) -> None:
    """And only a lost status and an execution timeout leave Airflow's retries."""
    kind, end = ERRORS[reason], end_of(reason)
    if kind is None:
        assert end.result() == VIDEO
        return
    with pytest.raises(kind) as caught:
        end.result()
    assert type(caught.value) is kind
    assert str(caught.value) == "what happened"
    assert kind.retryable is (reason in (EndReason.STATUS_LOST, EndReason.EXECUTION_TIMEOUT))


@pytest.mark.parametrize("reason", [reason for reason in EndReason if reason is not EndReason.SUCCEEDED])
def test_an_end_with_another_reason_never_gives_an_address(reason: EndReason) -> None:
    """A failed job is not a success, even with an address."""
    with pytest.raises(TwinSyncError):
        End(reason, ID, "what happened", VIDEO).result()


def test_a_success_without_an_address_is_an_unknown_status() -> None:
    """A job is not finished without its video."""
    with pytest.raises(StatusError) as caught:
        End(EndReason.SUCCEEDED, ID, "what happened").result()
    assert type(caught.value) is StatusError


def test_the_warning_of_a_stopped_task_names_its_job() -> None:
    """The service has no call that cancels a job."""
    assert job_continues(ID).startswith("TS410 ")
    assert ID in job_continues(ID)


def test_neither_a_job_nor_an_end_shows_the_query_of_its_address() -> None:
    """It may be a signature, and a repr stands in logs."""
    signed = f"{VIDEO}?Signature=secret"
    done = Job(ID, JobState.SUCCEEDED, 103, "", signed)
    assert "secret" not in repr(done) + repr(End(EndReason.SUCCEEDED, ID, "", signed))
