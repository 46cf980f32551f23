"""The data in the messages of a wait."""

from __future__ import annotations

import pytest

from airflow_provider_twinsync._api.status import Job, JobState
from airflow_provider_twinsync._wait import messages
from airflow_provider_twinsync._wait.outage import Outage

ID = "20230423_11_23_05_10279"
VIDEO = f"http://api.twinsync.xyz:27323/example/{ID}.mp4"


def outage(polls: int) -> Outage:
    """Return an outage with a poll a minute, from 60 s on."""
    outage = Outage()
    for number in range(1, polls + 1):
        outage.record(60.0 * number)
    return outage


@pytest.mark.parametrize(("elapsed_s", "after"), [(None, ""), (90.0, " after 90 s")])
def test_a_video_has_its_time_if_this_process_counts_it(elapsed_s: float | None, after: str) -> None:
    """And its address."""
    message = messages.succeeded(Job(ID, JobState.SUCCEEDED, 103, "", VIDEO), elapsed_s)
    assert f"{ID} is finished{after}; " in message
    assert message.endswith(f" {VIDEO}")


@pytest.mark.parametrize(
    ("words", "reason"),
    [("", "."), ("no face", ": no face."), ("..no face..", ": ..no face."), ("2X.", ": 2X.")],
)
def test_a_failed_job_has_the_words_of_the_service(words: str, reason: str) -> None:
    """With one full stop."""
    message = messages.failed(Job(ID, JobState.FAILED, 104, words))
    assert message.startswith("TS401 ")
    assert f" {ID} failed (code 104){reason} " in message


@pytest.mark.parametrize(("last_state", "state"), [(None, ""), (JobState.WAITING, "Last state: waiting. ")])
def test_a_lost_status_has_the_outage_and_the_last_state(last_state: JobState | None, state: str) -> None:
    """It does not claim that the job goes on."""
    message = messages.status_lost(ID, outage(3), 180.0, last_state, "HTTP 502")
    assert message.startswith("TS402 ")
    assert f" {ID} unavailable for 120 s, over 3 polls. {state}Last answer: HTTP 502. If the id " in message


@pytest.mark.parametrize(("polls", "shown"), [(1, "1 poll"), (5, "5 polls")])
def test_a_video_without_an_address_has_the_number_of_polls(polls: int, shown: str) -> None:
    """And the last answer."""
    message = messages.without_address(ID, polls, 30.0, "HTTP 200")
    assert message.startswith("TS403 ")
    assert f"{ID} " in message
    assert f" {shown} over 30 s. Last answer: HTTP 200. " in message


@pytest.mark.parametrize(
    ("polls", "last_state", "problem", "known"),
    [
        (0, None, None, "(no state seen)"),
        (0, JobState.RUNNING, None, "(last state: running)"),
        (0, JobState.RUNNING, "HTTP 502", "(last state: running)"),  # of an outage that is over
        (
            2,
            JobState.RUNNING,
            "HTTP 502",
            "(last state: running; no status for 240 s, last answer: HTTP 502)",
        ),
        (2, None, "HTTP 502", "(no state seen; no status for 240 s, last answer: HTTP 502)"),
    ],
)
def test_a_timeout_has_the_last_state_and_the_outage(
    polls: int, last_state: JobState | None, problem: str | None, known: str
) -> None:
    """The job certainly goes on only if its state was just seen."""
    message = messages.timed_out(ID, "timeout", 300.0, last_state, outage(polls), problem)
    assert message.startswith("TS405 ")
    assert f"{ID} was not finished after 300 s, the timeout of this task {known}. " in message
    assert ("goes on" in message) is (last_state is not None and not polls)


@pytest.mark.parametrize(("tolerance_s", "until"), [(None, "until the deadline"), (0.5, "for up to 0.5 s")])
def test_the_line_of_an_outage_has_its_tolerance(tolerance_s: float | None, until: str) -> None:
    """Another one after each hour has the time waited."""
    assert messages.outage_note(ID, "HTTP 502", tolerance_s).endswith(
        f"{ID} unavailable (HTTP 502); retrying {until}"
    )
    assert messages.long_outage_note(ID, "HTTP 502", 3_600.0).endswith("after 60 min (HTTP 502)")
    assert messages.no_address_note(ID, "HTTP 200").endswith("(HTTP 200)")
    notes = [
        messages.outage_note(ID, "", None),
        messages.long_outage_note(ID, "", 0.0),
        messages.no_address_note(ID, ""),
    ]
    assert [note.partition(f" {ID} ")[0].partition(" ")[0] for note in notes] == ["TS408", "TS408", "TS409"]
