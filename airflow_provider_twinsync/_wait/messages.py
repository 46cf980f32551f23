"""The messages of a wait: the lines of its log, and its ends. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_twinsync._api.shown import shown_duration, shown_text, shown_url
from airflow_provider_twinsync._api.status import JobState

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync._wait.outage import Outage


def succeeded(job: Job, elapsed_s: float | None) -> str:
    """Return the message of a video; `elapsed_s` is None if another process counts the time."""
    after = "" if elapsed_s is None else f" after {shown_duration(elapsed_s)}"
    return f"TwinSync job {job.id} is finished{after}; its video is at {shown_url(job.result_url or '')}"


def failed(job: Job) -> str:
    """Return the message of a job that failed, with the service's own words."""
    reason = f": {job.message.rstrip('.')}." if job.message else "."
    return (
        f"TS401 TwinSync job {job.id} failed (code {job.code}){reason} Waiting again does not help: submit "
        "the text again, with another photo or text if it keeps failing."
    )


def status_lost(job_id: str, outage: Outage, now_s: float, last_state: JobState | None, problem: str) -> str:
    """Return the message of an outage that ended the wait."""
    state = f"Last state: {last_state.value}. " if last_state else ""
    return (
        f"TS402 Status of TwinSync job {job_id} unavailable for {now_s - outage.since_s:.0f} s, over "
        f"{outage.polls} polls. {state}Last answer: {problem}. {_prospect(last_state, is_seen=False)}"
    )


def without_address(job_id: str, polls: int, lasted_s: float, problem: str | None) -> str:
    """Return the message of a finished job without an address of its video."""
    return (
        f"TS403 TwinSync job {job_id} is finished and its video has no usable address, after "
        f"{'1 poll' if polls == 1 else f'{polls} polls'} over {lasted_s:.0f} s. Last answer: {problem}. More "
        "waiting does not help, and another submit is another paid job: ask the service for the video of "
        "this job."
    )


def timed_out(
    job_id: str,
    name: str,
    elapsed_s: float,
    last_state: JobState | None,
    outage: Outage,
    problem: str | None,
) -> str:
    """Return the message of a deadline, `timeout` or `execution_timeout`, with all that is known."""
    known = f"last state: {last_state.value}" if last_state else "no state seen"
    if outage.polls and problem:
        known += f"; no status for {elapsed_s - outage.since_s:.0f} s, last answer: {problem}"
    return (
        f"TS405 TwinSync job {job_id} was not finished after {elapsed_s:.0f} s, the {name} of this task "
        f"({known}). {_prospect(last_state, is_seen=not outage.polls)}"
    )


def _prospect(last_state: JobState | None, *, is_seen: bool) -> str:
    """Return a sentence about the job's future, as far as it is known."""
    if last_state is JobState.SUCCEEDED:
        return (
            "The job is finished, and its video had no usable address: wait for it again, or ask the service."
        )
    if last_state and is_seen:
        return "The job itself goes on and may still finish."
    return "If the id is right, the job may still finish."


def newer_row(job_id: str, version: int) -> str:
    """Return the message of a wait whose row is of a newer version of this package."""
    return (
        f"TS413 The wait for TwinSync job {job_id} was begun by a newer version of this package, and this "
        f"triggerer cannot read it (row version {version}): upgrade the package where the triggerer runs."
    )


def late_note(job_id: str, late_s: float, queue: str) -> str:
    """Return the line of a wait that this triggerer begins to poll late.

    Airflow hands a wait to the second triggerer as it did to the first one, so all causes are named.
    """
    return (
        f"TS414 This triggerer begins to poll TwinSync job {job_id} {late_s:.0f} s after the planned time. "
        "That is normal if the triggerer restarted, or took the wait over from another one. Otherwise no "
        f"triggerer ran the wait until now: check that one with the queue of this task, {shown_text(queue)}, "
        "in its --queues always runs and has capacity left."
    )


def outage_note(job_id: str, problem: str, tolerance_s: float | None) -> str:
    """Return the line that an outage begins with."""
    until = "until the deadline" if tolerance_s is None else f"for up to {tolerance_s:g} s"
    return f"TS408 Status of TwinSync job {job_id} unavailable ({problem}); retrying {until}"


def long_outage_note(job_id: str, problem: str, elapsed_s: float) -> str:
    """Return the line of an outage after each hour."""
    lasted = shown_duration(elapsed_s)
    return f"TS408 Status of TwinSync job {job_id} still unavailable after {lasted} ({problem})"


def no_address_note(job_id: str, problem: str) -> str:
    """Return the line of a finished job, as long as the address of its video is missing."""
    return f"TS409 TwinSync job {job_id} is finished, but its video has no usable address yet ({problem})"
