"""The deadline of a wait: its last poll, its end, and the message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.polls import EVERY_5_S, ID, MIN_DELAY_S, NO_STATUS, WAITING, busy, code_of, poller, run, signs

from airflow_provider_twinsync._wait.outcome import Again

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync.exceptions import StatusError


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
