"""The step after a poll, the tolerance for an outage, the end of a wait, and the event of that end."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airflow_provider_twinsync._api.exchange import Answered, Sent
from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync._api.status import Job, JobState
from airflow_provider_twinsync._wait.config import Handover, WaitConfig
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason, job_continues
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync._wait.schedule import chance, submit_delay_s
from airflow_provider_twinsync.exceptions import (
    ExecutionTimeoutError,
    JobFailedError,
    NoAddressError,
    StatusError,
    TwinSyncError,
    UsageError,
    WaitTimeoutError,
)

ID = "20230423_11_23_05_10279"
VIDEO = f"http://api.twinsync.xyz:27323/example/{ID}.mp4"
MIN_DELAY_S = 0.1
MAX_RETRY_AFTER_S = 600.0
MAX_MESSAGE_CHARACTERS = 2_000
#: An interval that neither grows nor varies, for tests of something else.
EVERY_5_S = {"poke_interval_s": 5.0, "max_wait_s": 5.0}
#: The first delay of a wait that is resumed is so much longer, by its id.
STRETCH = 1 + chance(ID, 0)

WAITING = Job(ID, JobState.WAITING, 101, "")
RUNNING = Job(ID, JobState.RUNNING, 102, "")
DONE = Job(ID, JobState.SUCCEEDED, 103, "", VIDEO)
FAILED = Job(ID, JobState.FAILED, 104, "no face in the photo")
NO_STATUS = StatusError("HTTP 502, bad gateway")
SEEN: dict[str, Job | StatusError] = {
    "W": WAITING,
    "R": RUNNING,
    "D": DONE,
    "F": FAILED,
    "x": NO_STATUS,
}


def busy(retry_after_s: float) -> StatusError:
    return StatusError("HTTP 503", retry_after_s=retry_after_s)


def poller(*, tolerance_s: float | None = 300.0, **options: Any) -> Poller:
    """Return a wait; without a tolerance it is one with `silent_fail`."""
    wait = Poller(ID, WaitConfig(silent_fail=tolerance_s is None, **options))
    if tolerance_s is not None:
        wait.tolerate(tolerance_s)
    return wait


def run(polls: str, *, every_s: float = 10.0, **policy: Any) -> list[Again | End]:
    """Return the step after each poll: one letter a poll, one poll every so many seconds."""
    wait = poller(**policy)
    return [wait.next(SEEN[letter], n * every_s) for n, letter in enumerate(polls)]


def code_of(end: Again | End) -> str:
    """Return the code that the message of an end begins with."""
    assert isinstance(end, End)
    return end.message.partition(" ")[0]


def signs(steps: list[Again | End]) -> str:
    """Show steps in short: a dot for a silent one, i or W for a line at that level, else how it ended."""
    shown = ""
    for step in steps:
        if isinstance(step, End):
            shown += f" {step.reason.value}"
        else:
            shown += "." if step.note is None else "i" if step.level == logging.INFO else "W"
    return shown


# ------------------------------------------------------------------------------------------------- sequences


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


def test_a_wait_without_a_tolerance_retries_until_the_deadline() -> None:
    """`silent_fail` means until the deadline."""
    [step] = run("x", tolerance_s=None)
    assert isinstance(step, Again)
    assert str(step.note).startswith("TS408 ")
    assert "until the deadline" in str(step.note)


@pytest.mark.parametrize(
    ("polls", "policy", "shown"),
    [
        pytest.param("xxxx", {"tolerance_s": 30}, "W.. status_lost", id="the time is over"),
        pytest.param("xxxx", {"tolerance_s": 31}, "W...", id="the time is almost over"),
        pytest.param("xx", {"tolerance_s": 1}, "W status_lost", id="twice at least"),
        pytest.param("x", {"tolerance_s": 1}, "W", id="once is not enough"),
        pytest.param(
            "WWWWWWxxxx",
            {"tolerance_s": 30},
            "i.....W.. status_lost",
            id="from its first poll without a status",
        ),
        pytest.param("xxxWxxx", {"tolerance_s": 30}, "W..iW..", id="a good answer resets the time"),
        pytest.param("xWxWxWx", {"tolerance_s": 1}, "WiWiWiW", id="a good answer resets the count"),
        pytest.param("xRxx", {"tolerance_s": 1}, "WiW status_lost", id="after a reset it counts again"),
        pytest.param("x" * 100, {"tolerance_s": None}, "W" + "." * 99, id="no tolerance: no end"),
        pytest.param(
            "xxxx", {"tolerance_s": None, "timeout_s": 30}, "W.. timeout", id="or until the deadline"
        ),
        pytest.param("xxxD", {"tolerance_s": 30}, "W.. succeeded", id="a video that comes in time"),
        pytest.param("xxxF", {"tolerance_s": 30}, "W.. failed", id="a failure that comes in time"),
    ],
)
def test_an_outage_is_tolerated_for_a_time_and_a_number_of_polls(
    polls: str, policy: dict[str, Any], shown: str
) -> None:
    """One budget, reset by a good answer."""
    assert signs(run(polls, **policy)) == shown


def test_a_lost_status_names_the_last_state_and_answer() -> None:
    """With how long and how often, and that the job may go on."""
    end = run("Wxxxx", tolerance_s=30)[-1]
    assert code_of(end) == "TS402"
    for part in (ID, "30 s", "4 polls", "waiting", "HTTP 502, bad gateway", "may still finish"):
        assert part in end.message
    never_seen = run("xxxx", tolerance_s=30)[-1]
    assert code_of(never_seen) == "TS402"
    assert "waiting" not in never_seen.message


@dataclass
class Slow:
    """How long each poll takes, and which ones bring nothing."""

    took_s: float = 0.0
    late_s: float = 0.0


def outage_ends_at_s(
    policy: dict[str, Any], seen: StatusError, slow: Slow, after: str = ""
) -> tuple[float, int]:
    """Return when the last poll of an outage ends, from its first poll on, and how many there were."""
    wait, now_s = poller(**policy), 0.0
    for letter in after:
        step = wait.next(SEEN[letter], now_s)
        assert isinstance(step, Again)
        now_s += step.delay_s
    began_s = now_s
    for polls in range(1, 10_000):
        step = wait.next(seen, now_s, slow.took_s)
        now_s += slow.took_s
        if isinstance(step, End):
            assert step.reason is EndReason.STATUS_LOST
            return now_s - began_s, polls
        now_s += step.delay_s + slow.late_s
    pytest.fail("the outage has no end")


@pytest.mark.parametrize("tolerance_s", [1.0, 60.0, 300.0, 900.0])
@pytest.mark.parametrize(
    "seen", [NO_STATUS, busy(7), busy(86_400)], ids=["no status", "busy", "busy for a day"]
)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"poke_interval_s": 0.5, "max_wait_s": 0.5},
        {"poke_interval_s": 59.0, "max_wait_s": 59.0},
        {"poke_interval_s": 3600.0},
        {"poke_interval_s": 8.0, "exponential_backoff": True},
        {"poke_interval_s": 60.0, "timeout_s": 7200.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("after", ["", "RRR"], ids=["from the start", "later"])
def test_the_last_poll_of_an_outage_is_at_the_end_of_the_tolerance(
    arguments: dict[str, Any], seen: StatusError, tolerance_s: float, after: str
) -> None:
    """Never a whole delay later, and never after a single poll."""
    policy = {"tolerance_s": tolerance_s, **arguments}
    ends_s, polls = outage_ends_at_s(policy, seen, Slow(), after)
    assert ends_s == pytest.approx(tolerance_s, abs=2 * MIN_DELAY_S)
    assert polls >= 2


@pytest.mark.parametrize("took_s", [0.01, 5.0, 30.0])
@pytest.mark.parametrize("poke_interval_s", [2.0, 60.0, 3600.0])
def test_an_outage_of_slow_answers_ends_a_request_after_the_tolerance(
    poke_interval_s: float, took_s: float
) -> None:
    """A poll that is under way at its end is the last one."""
    policy = {"poke_interval_s": poke_interval_s, "tolerance_s": 300.0}
    ends_s, polls = outage_ends_at_s(policy, NO_STATUS, Slow(took_s))
    assert 300 <= ends_s <= 300 + took_s + MIN_DELAY_S
    assert polls >= 2


def test_one_poll_that_lasts_longer_than_the_tolerance_is_not_the_last() -> None:
    """The service is asked twice at least."""
    ends_s, polls = outage_ends_at_s({"tolerance_s": 1.0}, NO_STATUS, Slow(took_s=30.0))
    assert (ends_s, polls) == (pytest.approx(60 + MIN_DELAY_S), 2)


def test_a_machine_that_wakes_up_late_ends_the_outage_all_the_same() -> None:
    """By as much as it is late, and no delay more."""
    policy = {"poke_interval_s": 60.0, "max_wait_s": 60.0, "tolerance_s": 300.0}
    ends_s, _ = outage_ends_at_s(policy, NO_STATUS, Slow(late_s=0.7))
    assert 300 <= ends_s < 302


# ------------------------------------------------------------------------- finished, and without an address

NO_ADDRESS = NoAddressError("no address", problem="no address: HTTP 200, {}")
SEEN["n"] = NO_ADDRESS


@pytest.mark.parametrize(
    ("polls", "policy", "shown"),
    [
        pytest.param("nnnnn", {}, "W... no_address", id="five times"),
        pytest.param("nnnnD", {}, "W... succeeded", id="it comes late"),
        pytest.param("WWnnnnn", {}, "i.W... no_address", id="after the wait for it"),
        pytest.param("nnWnnnnn", {}, "W.iW... no_address", id="it was not finished"),
        pytest.param("nnxxnnnnn", {}, "W.W.W... no_address", id="an outage: counted again"),
        pytest.param("nnnnn", {"tolerance_s": None}, "W... no_address", id="with silent_fail"),
        pytest.param("nnnnn", {"tolerance_s": 0.1}, "W... no_address", id="whatever the tolerance is"),
        pytest.param("Wn", {"timeout_s": 10}, "i no_address", id="at the deadline"),
        pytest.param("Wn", {"execution_timeout_s": 10}, "i no_address", id="at the other deadline"),
    ],
)
def test_a_finished_job_without_an_address_is_asked_for_a_few_times(
    polls: str, policy: dict[str, Any], shown: str
) -> None:
    """Then the wait ends for this reason, and not for another."""
    steps = run(polls, **policy)
    assert signs(steps) == shown
    warnings = [str(step.note) for step in steps if isinstance(step, Again) and step.level > logging.INFO]
    problems = {"TS408": NO_STATUS.problem, "TS409": NO_ADDRESS.problem}
    assert all(ID in line and problems[line[:5]] in line for line in warnings if line != "None")
    if isinstance(steps[-1], End) and steps[-1].reason is EndReason.NO_ADDRESS:
        assert code_of(steps[-1]) == "TS403"
        for part in (ID, "no address: HTTP 200, {}"):
            assert part in steps[-1].message
        assert "may still finish" not in steps[-1].message
        assert "goes on" not in steps[-1].message


def test_the_address_is_asked_for_over_half_a_minute_whatever_the_interval_is() -> None:
    """A service may store the state first; an hour's interval would make hours of it."""
    for arguments in (
        {},
        {"poke_interval_s": 3600.0},
        {"poke_interval_s": 60.0, "exponential_backoff": True},
    ):
        wait, now_s = poller(**arguments), 0.0
        while isinstance(step := wait.next(NO_ADDRESS, now_s), Again):
            now_s += step.delay_s
            assert now_s < 1_000
        assert 4 <= now_s <= 30
    assert now_s == 30


@pytest.mark.parametrize(("retry_after_s", "delay_s"), [(None, 0.5), (1.5, 1.5), (7.0, 2.0)])
def test_a_service_may_ask_for_a_delay_before_the_address_is_asked_for(
    retry_after_s: float | None, delay_s: float
) -> None:
    """Up to the delay that the wait has for it."""
    error = NoAddressError("no address", problem="no address", retry_after_s=retry_after_s)
    step = poller(poke_interval_s=0.5, max_wait_s=0.5).next(error, 0.0)
    assert isinstance(step, Again)
    assert step.delay_s == delay_s


def test_an_outage_after_the_end_of_a_job_does_not_say_that_it_may_still_finish() -> None:
    """It is finished, for any end of the wait; another process knows it by the state that is handed over."""
    ends = [run("nxxx", timeout_s=30, tolerance_s=None)[-1], run("nxxxx", tolerance_s=30)[-1]]
    wait = poller(timeout_s=30)
    wait.resume(10, Handover(last_state="succeeded"))
    for end in (*ends, wait.next(NO_STATUS, 30)):
        assert isinstance(end, End)
        assert code_of(end) == ("TS402" if end.reason is EndReason.STATUS_LOST else "TS405")
        assert "The job is finished" in end.message
        assert "may still finish" not in end.message


def test_an_alarm_after_the_end_of_a_job_says_that_it_is_finished() -> None:
    """The execution_timeout of a worker rings at any time."""
    wait = poller(execution_timeout_s=60.0)
    wait.next(NO_ADDRESS, 59.0)
    end = wait.timed_out(60.0)
    assert (end.reason, code_of(end)) == (EndReason.NO_ADDRESS, "TS403")
    assert "1 poll over 1 s" in end.message


# -------------------------------------------------------------------------------------------------- deadlines


@pytest.mark.parametrize(
    ("polls", "policy", "shown"),
    [
        ("WWWW", {"timeout_s": 30}, "i.. timeout"),
        ("WWWW", {"timeout_s": 30.001}, "i..."),
        ("WWWD", {"timeout_s": 30}, "i.. succeeded"),
        ("WWWF", {"timeout_s": 30}, "i.. failed"),
        ("WWWWWWD", {"timeout_s": 60}, "i..... succeeded"),
        ("W", {"timeout_s": 0}, " timeout"),
        ("D", {"timeout_s": 0}, " succeeded"),
        ("WWWx", {"timeout_s": 30}, "i.. timeout"),
        ("WWWW", {"execution_timeout_s": 30}, "i.. execution_timeout"),
        ("WWWW", {"timeout_s": 30, "execution_timeout_s": 60}, "i.. timeout"),
        ("WWWW", {"timeout_s": 60, "execution_timeout_s": 30}, "i.. execution_timeout"),
        ("WWWW", {"timeout_s": 30, "execution_timeout_s": 30}, "i.. timeout"),
        ("W" * 100, {}, "i" + "." * 99),
    ],
)
def test_a_wait_ends_at_the_earlier_deadline_and_not_before(
    polls: str, policy: dict[str, Any], shown: str
) -> None:
    """A poll at the deadline counts; which of the two it was decides whether Airflow retries."""
    assert signs(run(polls, **policy)) == shown


@pytest.mark.parametrize(
    ("policy", "elapsed_s", "delay_s"),
    [
        ({"timeout_s": 60}, 0, 5),
        ({"timeout_s": 60}, 55, 5),
        ({"timeout_s": 60}, 57, 3),
        ({"timeout_s": 60}, 59.95, MIN_DELAY_S),
        ({"execution_timeout_s": 60}, 57, 3),
        ({"timeout_s": 90, "execution_timeout_s": 60}, 57, 3),
        ({"timeout_s": 3}, 0, 3),
        ({}, 1e9, 5),
    ],
)
@pytest.mark.parametrize(
    "seen", [WAITING, NO_STATUS, busy(400)], ids=["a state", "no status", "a busy service"]
)
def test_the_last_poll_is_at_the_deadline(
    policy: dict[str, Any], elapsed_s: float, delay_s: float, seen: Job | StatusError
) -> None:
    """A video that came within it is seen, and a `Retry-After` does not reach beyond it."""
    step = poller(**EVERY_5_S, **policy).next(seen, elapsed_s)
    assert isinstance(step, Again)
    if seen is WAITING or seen is NO_STATUS:
        assert step.delay_s == pytest.approx(delay_s)
    else:
        left_s = min(policy.values(), default=float("inf")) - elapsed_s
        assert step.delay_s == pytest.approx(max(min(300, left_s), MIN_DELAY_S))


UNKNOWN = StatusError("-", problem="the service does not know this id: HTTP 200, code 200")
SEEN["u"] = UNKNOWN


@pytest.mark.parametrize(
    ("polls", "parts"),
    [
        ("WWWW", ["(last state: waiting)", "The job itself goes on"]),
        ("WRRR", ["(last state: running)", "The job itself goes on"]),
        (
            "WRRx",
            ["(last state: running; no status for 0 s, last answer: HTTP 502, bad gateway)", "If the id"],
        ),
        (
            "Wxxx",
            ["(last state: waiting; no status for 20 s, last answer: HTTP 502", "If the id is right"],
        ),
        ("xxxx", ["(no state seen; no status for 30 s, last answer: HTTP 502", "If the id is right"]),
        (
            "uuuu",
            ["(no state seen; no status for 30 s, last answer: the service does not know this id"],
        ),
        (
            "Wuuu",
            ["(last state: waiting; no status for 20 s, last answer: the service does not know this id"],
        ),
    ],
)
def test_a_timeout_names_all_that_is_known_and_claims_no_more(polls: str, parts: list[str]) -> None:
    """Which limit it was, the last state, the last answer; that a job goes on only where it was just seen."""
    end = run(polls, timeout_s=30, tolerance_s=None)[-1]
    assert code_of(end) == "TS405"
    for part in (ID, "30 s, the timeout", *parts):
        assert part in end.message
    assert ("goes on" in end.message) is (polls[-1] not in "xu")


def test_a_timeout_before_the_first_answer_claims_nothing() -> None:
    """The alarm of a worker may ring in the first poll."""
    end = poller(execution_timeout_s=60.0).timed_out(60.0)
    assert code_of(end) == "TS405"
    assert "no state seen" in end.message
    assert "goes on" not in end.message


# ----------------------------------------------------------------------------------------------------- delays


@pytest.mark.parametrize(
    ("retry_after_s", "delay_s"),
    [
        (None, 5),
        (0, 5),
        (3, 5),
        (30, 30),
        (MAX_RETRY_AFTER_S, MAX_RETRY_AFTER_S),
        (86_400, MAX_RETRY_AFTER_S),
        (1e300, MAX_RETRY_AFTER_S),
    ],
)
def test_retry_after_is_honoured_up_to_ten_minutes(retry_after_s: float | None, delay_s: float) -> None:
    """It only makes a delay longer, and a wrong header does not park a task for a day."""
    seen = StatusError("HTTP 503", retry_after_s=retry_after_s)
    step = poller(**EVERY_5_S, tolerance_s=900).next(seen, 0)
    assert isinstance(step, Again)
    assert step.delay_s == delay_s


@pytest.mark.parametrize("exponential_backoff", [False, True])
@pytest.mark.parametrize("seen", [WAITING, NO_STATUS], ids=["a state", "no status"])
@pytest.mark.parametrize("poke_interval_s", [0, 0.0, 0.001])
def test_there_is_always_a_delay(
    poke_interval_s: float, seen: Job | StatusError, exponential_backoff: bool
) -> None:
    """Also with an interval of 0: nothing asks a service in a loop."""
    policy = {"poke_interval_s": poke_interval_s, "exponential_backoff": exponential_backoff}
    step = poller(**policy).next(seen, 0)
    assert isinstance(step, Again)
    assert step.delay_s == MIN_DELAY_S
    assert poller(**policy).resume(0, Handover()).delay_s == MIN_DELAY_S


def delays_s(polls: str, **policy: Any) -> list[float]:
    """Return the delay after each poll of a wait in which no time passes."""
    return [step.delay_s for step in run(polls, every_s=0.0, **policy) if isinstance(step, Again)]


@pytest.mark.parametrize(
    ("polls", "delays"),
    [
        pytest.param("x" * 12, [0.5] * 4 + [1, 2, 4, 8, 16, 30, 30, 30], id="a service that is down"),
        pytest.param("xxxxW", [0.5] * 5, id="four failures happen in any network"),
        pytest.param("xxxxxxWxxxxx", [0.5] * 4 + [1, 2] + [0.5] * 5 + [1], id="a good answer ends it"),
    ],
)
def test_a_service_that_is_down_is_asked_less_and_less(polls: str, delays: list[float]) -> None:
    """In both modes, and from the fifth poll without a status on."""
    assert delays_s(polls, poke_interval_s=0.5, max_wait_s=0.5, tolerance_s=None) == delays


def test_an_interval_that_is_longer_than_an_outage_asks_for_stays() -> None:
    """Such a wait is no burden."""
    assert delays_s("x" * 12, poke_interval_s=60, max_wait_s=60, tolerance_s=None) == [60] * 12


@pytest.mark.parametrize(
    ("timeout_s", "elapsed_s", "limit"),
    [
        pytest.param(None, 1e9, (None, False), id="no deadline"),
        pytest.param(60.0, 0.0, (70.0, False), id="at the start"),
        pytest.param(60.0, 59.75, (10.25, False), id="almost at the deadline"),
        pytest.param(60.0, 59.95, (10.05, True), id="too close to it for another poll"),
        pytest.param(0.2, 0.1, (10.1, False), id="not too close for another poll"),
        pytest.param(60.0, 60.0, (10.0, True), id="at the deadline"),
        pytest.param(60.0, 1e6, (10.0, True), id="after it"),
    ],
)
def test_a_poll_waits_for_its_turn_until_soon_after_the_deadline(
    timeout_s: float | None, elapsed_s: float, limit: tuple[float | None, bool]
) -> None:
    """The last poll differs from the others: it is sent to a service that is down, too."""
    longest_s, is_last = poller(timeout_s=timeout_s).turn_limit(elapsed_s)
    assert (longest_s, is_last) == (pytest.approx(limit[0]), limit[1])


@pytest.mark.parametrize(
    ("tolerance_s", "elapsed_s", "decides"),
    [
        *[(300.0, 279.0, False), (300.0, 280.0, True), (300.0, 310.0, True), (300.0, 1e6, True)],
        *[(10.0, 18.9, False), (10.0, 19.1, True), (None, 1e6, False)],
    ],
)
def test_a_poll_that_may_end_the_wait_is_sent(
    tolerance_s: float | None, elapsed_s: float, decides: bool
) -> None:
    """The answers of other waits are no reason to give up."""
    wait = poller(tolerance_s=tolerance_s)
    assert wait.turn_limit(elapsed_s) == (None, False)
    wait.next(NO_STATUS, 10.0)
    assert wait.turn_limit(elapsed_s) == (None, decides)
    wait.next(WAITING, 20.0)
    assert wait.turn_limit(elapsed_s) == (None, False)


@pytest.mark.parametrize(
    ("took_s", "delay_s"), [(0.0, 60.0), (200.0, 50.0), (249.9, MIN_DELAY_S), (400.0, MIN_DELAY_S)]
)
def test_a_slow_poll_does_not_put_off_the_last_one(took_s: float, delay_s: float) -> None:
    """Many wait for their turn: Airflow's own deadline is soon after that of the wait."""
    step = poller(poke_interval_s=60, max_wait_s=60, timeout_s=3600).next(WAITING, 3350, took_s)
    assert isinstance(step, Again)
    assert step.delay_s == pytest.approx(delay_s)


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


@pytest.mark.parametrize(("tolerance_s", "shown"), [(300.0, "W status_lost"), (None, "W.")])
def test_the_tolerance_may_be_known_later(tolerance_s: float | None, shown: str) -> None:
    """It is the connection's, which the triggerer has to look up; `silent_fail` has none."""
    wait = poller(tolerance_s=tolerance_s)
    steps = [wait.next(NO_STATUS, 0.0)]
    wait.tolerate(7.0)
    assert signs([*steps, wait.next(NO_STATUS, 7.0)]) == shown


@pytest.mark.parametrize("letter", ["W", "x"])
def test_a_wait_of_ten_thousand_polls_does_not_overflow(letter: str) -> None:
    """A float would, after 1024 doublings."""
    steps = run(letter * 10_000, exponential_backoff=True, tolerance_s=None)
    assert all(isinstance(step, Again) and 0 < step.delay_s < float("inf") for step in steps)


def test_backoff_grows_with_every_poll_of_a_wait() -> None:
    """Also with polls without a status."""
    delays = [
        step.delay_s
        for step in run("WxWxWx", poke_interval_s=8, exponential_backoff=True)
        if isinstance(step, Again)
    ]
    for polls, delay_s in enumerate(delays, start=1):
        assert 8 * 2.0 ** (polls - 2) <= delay_s <= 8 * 2.0 ** (polls - 1)


def test_a_wait_that_is_resumed_counts_one_poll() -> None:
    """The triggerer does not know how many the worker made."""
    wait = poller(poke_interval_s=8.0, exponential_backoff=True)
    wait.resume(0.0)
    step = wait.next(RUNNING, 0.0)
    assert isinstance(step, Again)
    assert step.delay_s == pytest.approx(8 * (1 + chance(ID, 2)))


@pytest.mark.parametrize(
    ("attempts", "retry_after_s", "delay_s"),
    [
        (1, None, 1),
        (2, None, 2),
        (3, None, 4),
        (4, None, None),
        (5, None, None),
        (1, 0.0, 1),
        (1, 0.5, 1),
        (1, 30.0, 30),
        (3, 2.0, 4),
        (1, 60.0, 60),
        (1, 60.5, None),
        (1, 1e9, None),
        (4, 1.0, None),
    ],
)
def test_a_submit_that_was_not_accepted_is_sent_four_times_at_most(
    attempts: int, retry_after_s: float | None, delay_s: float | None
) -> None:
    """Growing delays, or the `Retry-After`; a long one is left to Airflow's retries."""
    assert submit_delay_s(attempts, retry_after_s) == delay_s


# ------------------------------------------------------------------------------------------------------ ends

ERRORS: dict[EndReason, type[TwinSyncError] | None] = {
    EndReason.SUCCEEDED: None,
    EndReason.FAILED: JobFailedError,
    EndReason.STATUS_LOST: StatusError,
    EndReason.NO_ADDRESS: NoAddressError,
    EndReason.UNUSABLE: UsageError,
    EndReason.TIMEOUT: WaitTimeoutError,
    EndReason.EXECUTION_TIMEOUT: ExecutionTimeoutError,
}


def end_of(reason: EndReason) -> End:
    return End(reason, ID, "what happened", VIDEO if reason is EndReason.SUCCEEDED else None)


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


def test_a_failed_job_has_the_reason_of_the_service() -> None:
    """Without a reason the sentence ends there."""
    [end] = run("F")
    assert code_of(end) == "TS401"
    for part in (ID, "(code 104): no face in the photo. "):
        assert part in end.message
    silent = poller().next(Job(ID, JobState.FAILED, 104, ""), 0)
    assert code_of(silent) == "TS401"
    assert "(code 104). " in silent.message


def test_the_warning_of_a_stopped_task_names_its_job() -> None:
    """The service has no call that cancels a job."""
    assert job_continues(ID).startswith("TS410 ")
    assert ID in job_continues(ID)


# ------------------------------------------------------------------------------------------------- properties

POLLS = st.lists(
    st.tuples(
        st.sampled_from([WAITING, RUNNING, WAITING, NO_STATUS, NO_STATUS, busy(1), busy(1e6), DONE, FAILED]),
        st.floats(0, 100),
    ),
    max_size=60,
)
LIMITS = st.none() | st.floats(0, 500)
POLICIES = st.builds(
    dict[str, Any],
    poke_interval_s=st.floats(0, 100),
    exponential_backoff=st.booleans(),
    max_wait_s=LIMITS,
    tolerance_s=st.none() | st.floats(0.1, 500),
    timeout_s=LIMITS,
    execution_timeout_s=LIMITS,
)


# A busy machine is slow, and that is no failure.
@hypothesis_settings(deadline=None)
@given(POLICIES, POLLS)
def test_any_wait_ends_once_and_for_the_reason_that_was_seen(
    policy: dict[str, Any], polls: list[tuple[Job | StatusError, float]]
) -> None:
    """No end before its cause, none missing after it, and always a delay within the deadline."""
    wait = poller(**policy)
    deadline_s = min(
        (d for d in (policy["timeout_s"], policy["execution_timeout_s"]) if d is not None),
        default=float("inf"),
    )
    elapsed_s, since_s, without_status = 0.0, 0.0, 0
    for seen, delay_s in polls:
        elapsed_s += delay_s
        since_s = elapsed_s if not without_status else since_s
        without_status = without_status + 1 if isinstance(seen, StatusError) else 0
        tolerance_s = policy["tolerance_s"]
        lost = without_status >= 2 and tolerance_s is not None and elapsed_s - since_s >= tolerance_s
        step = wait.next(seen, elapsed_s)
        if isinstance(step, Again):
            assert seen not in (DONE, FAILED)
            assert not lost
            assert elapsed_s < deadline_s
            assert MIN_DELAY_S <= step.delay_s < float("inf")
            assert elapsed_s + step.delay_s <= max(deadline_s, elapsed_s + MIN_DELAY_S) + 1e-6
            continue
        assert (step.reason is EndReason.SUCCEEDED) is (seen is DONE) is (step.result_url is not None)
        assert (step.reason is EndReason.FAILED) is (seen is FAILED)
        assert (step.reason is EndReason.STATUS_LOST) is lost
        if seen not in (DONE, FAILED) and not lost:
            assert elapsed_s >= deadline_s
            earlier = policy["timeout_s"] == deadline_s
            assert step.reason is (EndReason.TIMEOUT if earlier else EndReason.EXECUTION_TIMEOUT)
        assert ID in step.message
        break


@dataclass
class Restart:
    """The process is gone, and another resumes the wait, with the trigger's arguments, which never change.

    :param down_s: how long nobody waited.
    :param step_s: how far the wall clock was set in that time.
    """

    down_s: float
    step_s: float


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [WAITING, RUNNING, NO_STATUS, NO_STATUS, NO_STATUS, busy(1), busy(1e6), DONE, FAILED]
        ),
        st.sampled_from([0.0, 0.0, 0.5, 30.0]) | st.floats(0, 100),
    )
    | st.builds(
        Restart, st.floats(0, 1000), st.sampled_from([0.0, 0.0, -1e6, 3600.0]) | st.floats(-500, 500)
    ),
    max_size=40,
)


@hypothesis_settings(deadline=None)
@given(POLICIES, EVENTS)
def test_any_wait_ends_once_over_any_restarts(
    policy: dict[str, Any], events: list[tuple[Job | StatusError, float] | Restart]
) -> None:
    """Answers, late polls, dead triggerers, clocks that are set: one end, in time, for a reason seen.

    What is counted here is what a process can know: the wall clock when it starts, then its own.
    """
    deadline_s = min(
        (d for d in (policy["timeout_s"], policy["execution_timeout_s"]) if d is not None),
        default=float("inf"),
    )
    # The worker's poll; then its arguments go to the triggerer.
    wait, elapsed_s, lost_wall_s = poller(**policy), 0.0, 0.0
    good_at_s = 0.0  # the last good answer, or the earliest start of an outage
    pending: list[Any] = [*events, *[(WAITING, 0.0)] * 3, (DONE, 0.0)]
    step: Again | End | None = None
    handed: Handover | None = None
    ends = []
    while not ends:
        event = pending.pop(0)
        if isinstance(event, Restart) or (handed is None and step is not None):
            if isinstance(event, Restart):
                lost_wall_s = event.down_s + event.step_s
            else:
                pending.insert(0, event)
                lost_wall_s = 0.0
            if step is None:  # killed before its first poll: Airflow runs the worker again
                continue
            if handed is None:
                handed = wait.hand_over(started_at=0.0, next_poll_s=elapsed_s + step.delay_s)
            elapsed_s = max(0.0, elapsed_s + lost_wall_s)
            wait = poller(**policy)
            step = wait.resume(elapsed_s, handed)
            since_s = wait.hand_over(started_at=0.0, next_poll_s=0.0).outage_since_s
            assert since_s in (None, handed.outage_since_s)
            assert since_s is None or elapsed_s < handed.next_poll_s, "no process can have polled since"
            good_at_s = elapsed_s if since_s is None else since_s
        else:
            seen, late_s = event
            elapsed_s += (0.0 if step is None else step.delay_s) + late_s
            found = wait.next(seen, elapsed_s)
            if isinstance(found, End):
                ends.append(found)
                break
            assert seen not in (DONE, FAILED)
            assert elapsed_s < deadline_s, "none waits after the deadline"
            good_at_s = good_at_s if isinstance(seen, StatusError) else elapsed_s
            step = found
        assert MIN_DELAY_S <= step.delay_s < float("inf")
        assert elapsed_s + step.delay_s <= max(deadline_s, elapsed_s + MIN_DELAY_S) + 1e-6
    [end] = ends
    assert (end.reason is EndReason.SUCCEEDED) is (seen is DONE) is (end.result_url is not None)
    assert (end.reason is EndReason.FAILED) is (seen is FAILED)
    if end.reason in (EndReason.TIMEOUT, EndReason.EXECUTION_TIMEOUT):
        assert elapsed_s >= deadline_s, "no end before the deadline says timeout"
    if end.reason is EndReason.STATUS_LOST:
        assert isinstance(seen, StatusError)
        assert policy["tolerance_s"] is not None
        assert elapsed_s - good_at_s >= policy["tolerance_s"]


# ---------------------------------------------------------------------------------------------------- events

#: The event of version 0.1.0 in Airflow's database: each later version must read it.
GOLDEN_EVENT = {
    "reason": "succeeded",
    "twinsync_task_id": ID,
    "message": "what happened",
    "result_url": VIDEO,
}


@pytest.mark.parametrize("reason", EndReason)
def test_an_event_brings_the_end_of_a_wait_across_the_database(reason: EndReason) -> None:
    """As plain JSON, for any reason."""
    from airflow_provider_twinsync._wait.event import make_event, read_event

    event = make_event(end_of(reason))
    assert read_event(json.loads(json.dumps(event))) == end_of(reason)


def test_an_event_of_the_first_release_is_read() -> None:
    """A task may be deferred over an upgrade; a later release may add fields."""
    from airflow_provider_twinsync._wait.event import make_event, read_event

    assert make_event(end_of(EndReason.SUCCEEDED)) == GOLDEN_EVENT
    assert read_event(GOLDEN_EVENT) == end_of(EndReason.SUCCEEDED)
    assert read_event({**GOLDEN_EVENT, "more": 1}) == end_of(EndReason.SUCCEEDED)
    values = ["succeeded", "failed", "status_lost", "no_address", "unusable", "timeout", "execution_timeout"]
    assert [reason.value for reason in EndReason] == values


def event(**changes: Any) -> dict[str, Any]:
    return {**GOLDEN_EVENT, **changes}


@pytest.mark.parametrize(
    "rubbish",
    [
        None,
        "succeeded",
        5,
        [],
        [("reason", "succeeded")],
        {},
        {"status": "success"},
        {"reason": "succeeded"},
        event(reason="done"),
        event(reason="SUCCEEDED"),
        event(reason=None),
        event(reason=["succeeded"]),
        event(reason={}),
        event(result_url=None),
        event(result_url=""),
        event(result_url="ftp://h/a.mp4"),
        event(result_url=5),
        event(result_url=[VIDEO]),
        event(reason="failed"),
        event(reason="timeout"),
        *(
            pytest.param(changed)
            for changed in [
                event(reason="failed", result_url=""),
                event(reason="failed", result_url="None"),
                event(reason="timeout", result_url=5),
                event(reason="failed", result_url=None, message=None),
                event(twinsync_task_id=None),
                event(twinsync_task_id=["x"], message={}),
            ]
        ),
    ],
    ids=str,
)
def test_an_event_that_is_none_is_one_clear_error(rubbish: Any) -> None:
    """It never becomes a success; it leaves the retries, because the job goes on."""
    from airflow_provider_twinsync._wait.event import read_event

    with pytest.raises(StatusError) as caught:
        read_event(rubbish)
    assert caught.value.code == "TS407"
    assert f": {shown_text(rubbish)}. " in str(caught.value)


@pytest.mark.parametrize(("field", "limit"), [("twinsync_task_id", 250), ("message", 2_000)])
def test_a_text_of_an_event_has_a_limit(field: str, limit: int) -> None:
    """On its way in, and on its way out."""
    from airflow_provider_twinsync._wait.event import make_event, read_event

    for length, kept in [(limit, "x" * limit), (limit + 1, "x" * limit + "…")]:
        end = replace(end_of(EndReason.TIMEOUT), **{field: "x" * length})
        assert make_event(end)[field] == kept
        found = read_event({**make_event(end_of(EndReason.TIMEOUT)), field: "x" * length})
        assert getattr(found, field) == kept


def test_the_error_about_an_event_is_of_bounded_length() -> None:
    """For any event."""
    from airflow_provider_twinsync._wait.event import read_event

    with pytest.raises(StatusError) as caught:
        read_event({"rubbish": "x" * 100_000})
    assert len(str(caught.value)) <= MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize("reason", EndReason)
def test_what_an_event_brings_is_bounded_printable_and_on_one_line(reason: EndReason) -> None:
    """On its way in, and again on its way out: others may write to the database."""
    from airflow_provider_twinsync._wait.event import make_event, read_event

    strange = "a\r\nb\u202e\u2028\x85\x1b[31m" + "x\u0301" * 100 + "\u0301" * 900_000
    end = End(reason, strange, strange, VIDEO if reason is EndReason.SUCCEEDED else None)
    for made in (
        make_event(end),
        {**make_event(end_of(reason)), "twinsync_task_id": strange, "message": strange},
    ):
        found = read_event(json.loads(json.dumps(made)))
        for text in (found.twinsync_task_id, found.message):
            assert text.isprintable()
            assert len(text) <= MAX_MESSAGE_CHARACTERS + 1
            assert "\u0301" * 5 not in text


@pytest.mark.parametrize(
    "url", ["http://h/a\u202eb", "http://h/a\nb", "http://h/" + "a" * 900_000, "javascript:1"]
)
def test_an_event_with_an_address_that_is_none_is_no_success(url: str) -> None:
    """The address of an event is stored, logged and linked."""
    from airflow_provider_twinsync._wait.event import read_event

    with pytest.raises(StatusError) as caught:
        read_event(event(result_url=url))
    assert caught.value.code == "TS407"
    assert str(caught.value).isprintable()


def test_neither_a_job_nor_an_end_shows_the_query_of_its_address() -> None:
    """It may be a signature, and a repr stands in logs."""
    signed = f"{VIDEO}?Signature=secret"
    done = Job(ID, JobState.SUCCEEDED, 103, "", signed)
    assert "secret" not in repr(done) + repr(End(EndReason.SUCCEEDED, ID, "", signed))
