"""The answers that a wait reads, the lines of its log, and a wait that another process resumes."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from support.polls import (
    DONE,
    EVERY_5_S,
    ID,
    MIN_DELAY_S,
    NO_STATUS,
    RUNNING,
    STRETCH,
    VIDEO,
    WAITING,
    poller,
    run,
    signs,
)

from airflow_provider_twinsync._api.exchange import Answered, Sent
from airflow_provider_twinsync._api.status import Job, JobState
from airflow_provider_twinsync._wait.config import Handover, WaitConfig
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync.exceptions import StatusError, UsageError


@pytest.mark.parametrize(
    ("polls", "shown"),
    [
        ("D", " succeeded"),
        ("F", " failed"),
        ("WWWRRRD", "i..i.. succeeded"),
        ("WRWRF", "iiii failed"),
        ("RRR", "i.."),
        ("WxW", "iWi"),
        ("WxxxW", "iW..i"),
        ("WxxxR", "iW..i"),
        ("WxWxW", "iWiWi"),
        ("WxRRW", "iWi.i"),
        ("xxW", "W.i"),
        ("xxD", "W. succeeded"),
        ("WxxF", "iW. failed"),
    ],
)
def test_a_line_is_written_where_something_changes(polls: str, shown: str) -> None:
    """One for a new state, one where an outage begins and one where it ends, and none for a poll."""
    assert signs(run(polls)) == shown


def test_a_wait_reads_the_answers_to_its_own_question() -> None:
    """Mostly one is the same as the one before, and is read once; another one is always read."""
    wait = poller()
    assert wait.request.params == {"taskID": ID}
    bodies = ["101", "101", "", "", "102", "101", f'103, "result_url": "{VIDEO}"']
    answers = [Answered(200, b'{"result_code": %s}' % body.encode()) for body in bodies]
    seen = [wait.read(answer, key="key") for answer in [*answers[:2], Sent("reset"), *answers[2:]]]
    states = [type(one).__name__ if isinstance(one, StatusError) else one.state.value for one in seen]
    assert states == [
        *["waiting"] * 2,
        *["StatusError"] * 3,
        *["running", "waiting", "succeeded"],
    ]
    busy_twice = [wait.read(Answered(503, b"", retry_after_s), key="key") for retry_after_s in (5.0, 7.0)]
    assert [getattr(one, "retry_after_s", None) for one in busy_twice] == [5.0, 7.0]


@pytest.mark.parametrize("kept", [True, False], ids=["a status", "a page"])
def test_only_the_last_status_is_kept(kept: bool) -> None:
    """It is mostly the same again; a page that came instead may be large."""
    wait = poller()
    body = b'{"result_code": 102, "msg": ""}' if kept else b"<html>"
    seen = [wait.read(Answered(200, bytes(bytearray(body))), key="key") for _ in range(2)]
    assert (seen[0] is seen[1]) == kept
    assert isinstance(seen[0], Job) == kept
    assert wait.read(Answered(200, b'{"result_code": 101}'), key="key") == Job(
        ID, JobState.WAITING, 101, "", None
    )


def test_a_wait_for_no_id_is_none() -> None:
    """Before anything is asked."""
    with pytest.raises(UsageError, match="twinsync_task_id"):
        Poller("None", WaitConfig())


def test_lines_say_what_happened_to_which_job() -> None:
    """A log of many tasks is read by the id."""
    notes = [
        step.note
        for step in run("WxxR", tolerance_s=300, **EVERY_5_S)
        if isinstance(step, Again) and step.note
    ]
    assert notes == [
        f"TwinSync job {ID} is waiting (0 s); next poll in 5 s.",
        f"TS408 Status of TwinSync job {ID} unavailable (HTTP 502, bad gateway); retrying for up to 300 s; "
        "next poll in 5 s.",
        f"Status of TwinSync job {ID} available again after 20 s: running (30 s); next poll in 5 s.",
    ]


@pytest.mark.parametrize(
    ("policy", "what_comes"),
    [
        ({}, "next poll in 5 s."),
        ({"timeout_s": 3600}, "next poll in 5 s, timeout in 60 min."),
        ({"execution_timeout_s": 90.0, "timeout_s": 3600}, "next poll in 5 s, execution_timeout in 90 s."),
        ({"timeout_s": 1.5}, "next poll in 2 s, timeout in 2 s."),
        ({"poke_interval_s": 0, "max_wait_s": 0}, "next poll in 0.1 s."),
        ({"timeout_s": 604_800}, "next poll in 5 s, timeout in 7.0 days."),
    ],
)
def test_a_line_says_what_comes_next(policy: dict[str, Any], what_comes: str) -> None:
    """The delay, and the time until the deadline, with its name."""
    [step] = run("R", **{**EVERY_5_S, **policy})
    assert isinstance(step, Again)
    assert step.note == f"TwinSync job {ID} is running (0 s); {what_comes}"


@pytest.mark.parametrize(
    ("elapsed_s", "what_comes"),
    [
        (600.0, "running (10 min); next poll in 5 s, timeout in 49 min."),
        (3_590.0, "running (60 min); next poll in 0.1 s, timeout in 0 s."),
    ],
)
def test_a_line_counts_from_the_end_of_its_poll(elapsed_s: float, what_comes: str) -> None:
    """The poll took a minute."""
    step = poller(**EVERY_5_S, timeout_s=3_600).next(RUNNING, elapsed_s, 60.0)
    assert isinstance(step, Again)
    assert str(step.note).endswith(what_comes)


def test_the_one_poll_of_a_process_that_counts_no_time_names_none() -> None:
    """In mode="reschedule" Airflow starts a process for each poll."""
    wait = Poller(ID, WaitConfig(**EVERY_5_S), is_one_poll=True)
    name = f"TwinSync job {ID}"
    assert wait.next(RUNNING, 30.0) == Again(5.0, f"{name} is running.")
    lost = f"TS408 Status of {name} unavailable (HTTP 502, bad gateway); retrying for up to 300 s."
    assert wait.next(NO_STATUS, 60.0) == Again(5.0, lost, logging.WARNING)
    end = wait.next(DONE, 90.0)
    assert end == End(EndReason.SUCCEEDED, ID, f"{name} is finished; its video is at {VIDEO}", VIDEO)


def test_the_last_line_says_where_the_video_is() -> None:
    """Without the query of its address, which may be a signature."""
    done = Job(ID, JobState.SUCCEEDED, 100, "", f"{VIDEO}?Signature=secret")
    end = poller().next(done, 754.4)
    assert isinstance(end, End)
    assert end.message == f"TwinSync job {ID} is finished after 13 min; its video is at {VIDEO}"
    assert end.result_url == f"{VIDEO}?Signature=secret"


@pytest.mark.parametrize(
    ("polls", "shown"),
    [
        ("R" * 13, "i.....i.....i"),
        ("WWWWRRRRRRR", "i...i.....i"),
        ("x" * 13, "W.....W.....W"),
        ("RRRRxRRR", "i...Wi.."),
    ],
)
def test_a_wait_of_hours_says_once_an_hour_that_it_waits(polls: str, shown: str) -> None:
    """Counted from the last line; here is a poll every ten minutes."""
    steps = run(polls, every_s=600.0, tolerance_s=None)
    assert signs(steps) == shown
    notes = [str(step.note) for step in steps if isinstance(step, Again) and step.note]
    assert all(ID in note for note in notes)
    assert all(NO_STATUS.problem in note for note in notes if note.startswith("TS408"))
    assert not notes[1:] or "still" in notes[-1] or "again" in notes[-1]


def test_the_triggerer_does_not_repeat_what_the_worker_logged() -> None:
    """Only another state is news, and after an hour that it is the same."""
    for last_state, shown in [(None, "i.i"), ("waiting", "i.i"), ("running", "..i"), ("unknown", "i.i")]:
        wait = poller()
        wait.resume(10.0, Handover(last_state=last_state))
        assert signs([wait.next(RUNNING, elapsed_s) for elapsed_s in (12.0, 3000.0, 3612.0)]) == shown


def test_a_wait_hands_over_its_last_state_and_its_outage() -> None:
    """With the next poll, in seconds from the start."""
    wait = Poller(ID, WaitConfig())
    assert wait.hand_over(started_at=1e9, next_poll_s=2.0) == Handover(1e9, 2.0)
    wait.next(RUNNING, 10.0)
    wait.next(NO_STATUS, 20.0)
    assert wait.hand_over(started_at=1e9, next_poll_s=25.0) == Handover(1e9, 25.0, 20.0, "running")
    wait.next(WAITING, 25.0)
    assert wait.hand_over(started_at=1e9, next_poll_s=30.0) == Handover(1e9, 30.0, None, "waiting")


@pytest.mark.parametrize("elapsed_s", [0, 59.99, 60, 1e6])
def test_a_wait_that_is_resumed_polls_at_least_once(elapsed_s: float) -> None:
    """Even after the deadline, for a triggerer that was down; then it ends."""
    wait = poller(**EVERY_5_S, timeout_s=60)
    step = wait.resume(elapsed_s, Handover())
    assert step.note is None
    assert step.delay_s == pytest.approx(min(5 * STRETCH, max(60 - elapsed_s, MIN_DELAY_S)))
    assert isinstance(wait.next(DONE, elapsed_s + step.delay_s), End)
    late = wait.next(WAITING, max(elapsed_s, 60))
    assert isinstance(late, End)
    assert late.reason is EndReason.TIMEOUT


@pytest.mark.parametrize(
    ("elapsed_s", "queue", "begun_there_s", "late"),
    [
        (65.0, "gpu", None, None),
        (65.1, "gpu", None, "60 s"),
        (7205.0, "gpu", None, "7200 s"),
        (7205.0, "gpu", 600.0, None),
        (7205.0, None, None, None),
    ],
)
def test_a_wait_that_a_triggerer_takes_late_has_a_note(
    elapsed_s: float, queue: str | None, begun_there_s: float | None, late: str | None
) -> None:
    """More than a minute after the poll that the worker planned, and only where its trigger has a queue."""
    handover = Handover(next_poll_s=5.0, airflow_timeout_s=begun_there_s)
    step = poller(**EVERY_5_S).resume(elapsed_s, handover, queue)
    if late is None:
        assert step.note is None
    else:
        assert step.level == logging.WARNING
        assert step.note is not None
        assert step.note.startswith("TS414 ")
        assert f" {ID} {late} after " in step.note
        assert f" '{queue}'" in step.note


@pytest.mark.parametrize(
    ("handed", "elapsed_s", "delay_s", "shown"),
    [
        pytest.param({}, 1.0, 5.0 * STRETCH, "W. status_lost", id="nothing is handed over"),
        pytest.param({"next_poll_s": 5.5}, 1.0, 4.5, "W. status_lost", id="the delay that had begun"),
        pytest.param({"next_poll_s": 60.0}, 1.0, 59.0, "W. status_lost", id="what the service asked for"),
        pytest.param({"next_poll_s": 5.0}, 5.0, 5.0 * STRETCH, "W. status_lost", id="too late for it"),
        pytest.param({"next_poll_s": 5.0}, 9e9, 0.1, " timeout", id="much too late"),
        pytest.param(
            {"next_poll_s": 6.0, "outage_since_s": 0.5}, 1.0, 5.0, ". status_lost", id="an outage goes on"
        ),
        pytest.param(
            {"next_poll_s": 6.0, "outage_since_s": 0.5},
            6.0,
            5.0 * STRETCH,
            "W. status_lost",
            id="an outage of which another triggerer may know more",
        ),
    ],
)
def test_a_wait_is_handed_over_during_a_delay(
    handed: dict[str, float], elapsed_s: float, delay_s: float, shown: str
) -> None:
    """The delay and the tolerance go on; after a restart, when others may have polled, both begin again."""
    wait = poller(**EVERY_5_S, tolerance_s=10, timeout_s=1e9)
    step: Again | End = wait.resume(elapsed_s, Handover(**handed))
    assert isinstance(step, Again)
    assert step.delay_s == pytest.approx(delay_s)
    steps = []
    while isinstance(step, Again):
        assert len(steps) < 10
        elapsed_s += step.delay_s
        steps.append(step := wait.next(NO_STATUS, elapsed_s))
    assert signs(steps) == shown
