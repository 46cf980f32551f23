"""When to poll again: the delays of one wait, and those of a service in difficulties."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.polls import ID

from airflow_provider_twinsync._wait.config import DEFAULT_POKE_INTERVAL_S, Handover, WaitConfig
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync._wait.schedule import (
    DEFAULT_MAX_WAIT_S,
    chance,
    delay_s,
    outage_delay_s,
    requested_delay_s,
)

SHARE, JITTER = 0.05, 0.1

#: A thousand jobs of one batch: their ids differ in few characters, as the service makes them.
BATCH = [f"20230423_11_23_{n // 20:02}_{10_000 + n}" for n in range(1000)]


def busiest(times_s: list[float], window_s: float = 0.1) -> int:
    """Return the largest number of times within one window."""
    times_s = sorted(times_s)
    most = first = 0
    for last, time_s in enumerate(times_s):
        while times_s[first] <= time_s - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


# ------------------------------------------------------------------------------------- the delays of one wait


@pytest.mark.parametrize(
    ("policy", "elapsed_s", "least_s", "most_s"),
    [
        pytest.param({}, 0.0, 2.0, 2.2, id="the floor"),
        pytest.param({}, 40.0, 2.0, 2.2, id="the floor until its share is reached"),
        pytest.param({}, 100.0, 5.0, 5.5, id="a share"),
        pytest.param({}, 600.0, 30.0, 33.0, id="a share of more"),
        pytest.param({}, 1200.0, 60.0, 60.0, id="the ceiling"),
        pytest.param({}, 1e9, 60.0, 60.0, id="the ceiling for ever"),
        pytest.param({"poke_interval_s": 10.0}, 0.0, 10.0, 11.0, id="another floor"),
        pytest.param({"poke_interval_s": 10.0}, 400.0, 20.0, 22.0, id="its share"),
        pytest.param({"poke_interval_s": 90.0}, 0.0, 90.0, 90.0, id="a floor above the default ceiling"),
        pytest.param({"poke_interval_s": 90.0}, 1e9, 90.0, 90.0, id="it stays"),
        pytest.param({"max_wait_s": 20.0}, 1e9, 20.0, 20.0, id="a lower ceiling"),
        pytest.param({"max_wait_s": 300.0}, 1e9, 300.0, 300.0, id="a higher ceiling"),
        pytest.param({"max_wait_s": 300.0}, 2000.0, 100.0, 110.0, id="and on its way there"),
        pytest.param({"max_wait_s": 1.0}, 1e9, 1.0, 1.0, id="a ceiling below the floor"),
        pytest.param({"poke_interval_s": 0.0}, 0.0, 0.0, 0.0, id="no floor"),
        pytest.param({"poke_interval_s": 0.0}, 100.0, 5.0, 5.5, id="no floor, and a share all the same"),
    ],
)
def test_a_delay_is_a_share_of_the_time_waited_between_a_floor_and_a_ceiling(
    policy: dict[str, Any], elapsed_s: float, least_s: float, most_s: float
) -> None:
    """And a tenth more at most, but for the first one; the ceiling is one for all."""
    delays = [delay_s(WaitConfig(**policy), poll, elapsed_s, job) for job in BATCH for poll in (2, 3, 30)]
    assert least_s <= min(delays)
    assert max(delays) <= most_s
    # Some delays come near to each bound.
    assert min(delays) == pytest.approx(least_s, rel=0.01)
    assert max(delays) == pytest.approx(most_s, rel=0.01)


@pytest.mark.parametrize(
    ("policy", "elapsed_s", "least_s", "most_s"),
    [
        pytest.param({}, 0.0, 2.0, 4.0, id="the floor"),
        pytest.param({}, 100.0, 5.0, 10.0, id="a share"),
        pytest.param({"max_wait_s": 3.0}, 0.0, 2.0, 3.0, id="the ceiling"),
        pytest.param({"poke_interval_s": 90.0}, 0.0, 90.0, 90.0, id="a floor above the default ceiling"),
    ],
)
def test_the_first_delay_sets_waits_apart(
    policy: dict[str, Any], elapsed_s: float, least_s: float, most_s: float
) -> None:
    """It is up to twice as long."""
    delays = [delay_s(WaitConfig(**policy), 1, elapsed_s, job) for job in BATCH]
    assert least_s <= min(delays) <= least_s * 1.01
    assert most_s * 0.99 <= max(delays) <= most_s


@pytest.mark.parametrize("interval_s", [0.5, 5.0, 60.0, 3600.0])
@pytest.mark.parametrize("elapsed_s", [0.0, 100.0, 1e9])
def test_a_ceiling_at_the_floor_is_an_exact_interval(interval_s: float, elapsed_s: float) -> None:
    """Without a jitter, for any job. For example, 5 s and 5 s is always 5 s."""
    policy = WaitConfig(poke_interval_s=interval_s, max_wait_s=interval_s)
    assert {delay_s(policy, poll, elapsed_s, job) for job in BATCH for poll in (1, 30)} == {interval_s}


@hypothesis_settings(deadline=None)
@given(st.floats(0, 1e6), st.none() | st.floats(0, 1e6), st.integers(1, 10**6), st.floats(0, 1e12), st.text())
def test_any_delay_is_within_its_bounds(
    floor_s: float, ceiling_s: float | None, polls: int, elapsed_s: float, job: str
) -> None:
    """For any arguments."""
    delay = delay_s(WaitConfig(poke_interval_s=floor_s, max_wait_s=ceiling_s), polls, elapsed_s, job)
    bound_s = max(DEFAULT_MAX_WAIT_S, floor_s) if ceiling_s is None else ceiling_s
    least_s = min(max(floor_s, SHARE * elapsed_s), bound_s)
    assert least_s <= delay <= bound_s
    assert delay <= least_s * (2 if polls == 1 else 1 + JITTER) * (1 + 1e-9)


def test_the_jitter_is_another_for_each_job_and_poll_and_the_same_in_each_run() -> None:
    """A test or a rerun can know the delay."""
    spreads = [chance(job, poll) for job in BATCH[:100] for poll in range(10)]
    assert len(set(spreads)) > 990
    assert all(0 <= spread < 1 for spread in spreads)
    assert 0.45 < sum(spreads) / len(spreads) < 0.55
    assert spreads == [chance(job, poll) for job in BATCH[:100] for poll in range(10)]


def test_jobs_that_are_alike_at_one_poll_are_not_so_at_the_next() -> None:
    """With a CRC, which is linear, they would be: waits that ask together would do so for ever."""
    alike = sorted(BATCH, key=lambda job: chance(job, 2))
    gaps = [abs(chance(one, 3) - chance(other, 3)) for one, other in pairwise(alike)]
    assert sum(gaps) / len(gaps) == pytest.approx(1 / 3, abs=0.05)


def test_waits_that_began_together_drift_apart() -> None:
    """A thousand with the default policy, half a minute later."""
    policy = WaitConfig()
    asked_at_s = []
    for job in BATCH:
        poll, now_s = 1, 0.0
        while (now_s := now_s + delay_s(policy, poll, now_s, job)) <= 60:
            poll += 1
            if now_s > 30:
                asked_at_s.append(now_s)
    assert busiest(asked_at_s) < 120


@pytest.mark.parametrize(
    ("elapsed_s", "least_s", "most_s", "most_at_once"),
    [(0.0, 2.0, 4.0, 80), (100.0, 5.0, 10.0, 50), (600.0, 30.0, 60.0, 20), (1e6, 60.0, 120.0, 15)],
)
def test_waits_that_are_resumed_together_do_not_poll_together(
    elapsed_s: float, least_s: float, most_s: float, most_at_once: int
) -> None:
    """A triggerer that was killed leaves thousands, and another one resumes all of them at once."""
    delays = [Poller(job, WaitConfig()).resume(elapsed_s, Handover()).delay_s for job in BATCH]
    assert least_s <= min(delays) < least_s * 1.05
    assert most_s * 0.95 < max(delays) <= most_s
    assert busiest(delays) <= most_at_once


def test_a_delay_that_was_handed_over_is_kept() -> None:
    """It is the delay of the poll before, which had an answer."""
    waits = [Poller(job, WaitConfig()) for job in BATCH]
    assert {wait.resume(1.0, Handover(next_poll_s=3.5)).delay_s for wait in waits} == {2.5}


def test_the_defaults_are_those_of_the_documents() -> None:
    """Floor, ceiling, and no backoff."""
    assert (DEFAULT_POKE_INTERVAL_S, DEFAULT_MAX_WAIT_S) == (2.0, 60.0)
    assert WaitConfig() == WaitConfig(poke_interval_s=2.0, exponential_backoff=False, max_wait_s=None)


@pytest.mark.parametrize("poke_interval_s", [2.0, 8.0, 60.0])
@pytest.mark.parametrize("polls", range(1, 25))
def test_backoff_is_within_the_bounds_of_base_sensor_operator(polls: int, poke_interval_s: float) -> None:
    """Compared with the real one, for intervals that it does not round."""
    from airflow.providers.common.compat.sdk import BaseSensorOperator

    class Sensor(BaseSensorOperator):
        def poke(self, context: Any) -> bool:
            return False

    low_s, high_s = poke_interval_s * 2.0 ** (polls - 2), poke_interval_s * 2.0 ** (polls - 1)
    policy = WaitConfig(poke_interval_s=poke_interval_s, exponential_backoff=True)
    for n in range(20):
        sensor = Sensor(
            task_id=f"s{n}", poke_interval=poke_interval_s, exponential_backoff=True, timeout=1e11
        )
        theirs_s = sensor._get_next_poke_interval(0.0, lambda: 0.0, polls)
        assert low_s <= theirs_s <= high_s
        assert low_s <= delay_s(policy, polls, 0.0, f"{ID}{n}") <= high_s


def test_backoff_differs_from_job_to_job_and_not_from_run_to_run() -> None:
    """Jobs that started together do not poll together; a test or a rerun can know the delay."""
    policy = WaitConfig(poke_interval_s=8, exponential_backoff=True)
    delays = [delay_s(policy, 5, 0.0, f"job {n}") for n in range(100)]
    assert len(set(delays)) > 90
    assert max(delays) - min(delays) > 32
    assert delays == [delay_s(policy, 5, 0.0, f"job {n}") for n in range(100)]


@pytest.mark.parametrize("polls", [1, 2, 10, 100, 10_000])
@pytest.mark.parametrize("max_wait_s", [0.5, 30.0, 3600.0])
def test_backoff_does_not_grow_beyond_max_wait(polls: int, max_wait_s: float) -> None:
    """As in `BaseSensorOperator`."""
    policy = WaitConfig(poke_interval_s=8, exponential_backoff=True, max_wait_s=max_wait_s)
    assert delay_s(policy, polls, 0.0, ID) <= max_wait_s
    assert delay_s(policy, 10_000, 0.0, ID) == max_wait_s


# ---------------------------------------------------------------------------------- a service in difficulties


@pytest.mark.parametrize(
    ("failures", "delay_s"),
    [
        *[(n, 0) for n in range(5)],
        (5, 1),
        (6, 2),
        (7, 4),
        (8, 8),
        (9, 16),
        (10, 30),
        (11, 30),
        (10_000, 30),
        (10**400, 30),
    ],
    ids=lambda value: str(value)[:6],
)
def test_a_service_that_failed_often_is_left_alone_for_longer_and_longer(
    failures: int, delay_s: float
) -> None:
    """Four failures happen in any network; the fifth in a row is an outage."""
    assert outage_delay_s(failures) == delay_s


@pytest.mark.parametrize(
    ("asked_s", "delay_s"),
    [(None, 0), (0.0, 0), (0.5, 0.5), (600.0, 600), (601.0, 600), (86_400.0, 600), (1e300, 600)],
)
def test_a_service_gets_the_delay_that_it_asks_for_up_to_ten_minutes(
    asked_s: float | None, delay_s: float
) -> None:
    """A wrong header must not park a task for a day."""
    assert requested_delay_s(asked_s) == delay_s
