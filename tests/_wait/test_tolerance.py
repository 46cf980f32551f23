"""How long a wait tolerates an outage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support.polls import ID, MIN_DELAY_S, NO_STATUS, SEEN, busy, code_of, poller, run, signs

from airflow_provider_twinsync._wait.outcome import Again, End, EndReason

if TYPE_CHECKING:
    from airflow_provider_twinsync.exceptions import StatusError


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


@pytest.mark.parametrize(("tolerance_s", "shown"), [(300.0, "W status_lost"), (None, "W.")])
def test_the_tolerance_may_be_known_later(tolerance_s: float | None, shown: str) -> None:
    """It is the connection's, which the triggerer has to look up; `silent_fail` has none."""
    wait = poller(tolerance_s=tolerance_s)
    steps = [wait.next(NO_STATUS, 0.0)]
    wait.tolerate(7.0)
    assert signs([*steps, wait.next(NO_STATUS, 7.0)]) == shown
