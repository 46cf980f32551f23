"""The delay after a poll, and after a submit that was not accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.polls import EVERY_5_S, ID, MIN_DELAY_S, NO_STATUS, RUNNING, WAITING, poller, run

from airflow_provider_twinsync._wait.config import Handover
from airflow_provider_twinsync._wait.outcome import Again
from airflow_provider_twinsync._wait.schedule import chance, submit_delay_s
from airflow_provider_twinsync.exceptions import StatusError

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.status import Job

MAX_RETRY_AFTER_S = 600.0


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
    wait.resume(0.0, Handover())
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
