"""When to poll again: the delays of one wait, and the circuit breaker when the service is down."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airflow_provider_twinsync._api.exchange import Answered, Outcome, Sent
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._http.circuit_breaker import CircuitBreaker
from airflow_provider_twinsync._wait.config import DEFAULT_POKE_INTERVAL_S, Handover, WaitConfig
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync._wait.schedule import (
    DEFAULT_MAX_WAIT_S,
    chance,
    delay_s,
    outage_delay_s,
    requested_delay_s,
)
from airflow_provider_twinsync.exceptions import StatusError

ID = "20230423_11_23_05_10279"
SHARE, JITTER = 0.05, 0.1
MAX_RETRY_AFTER_S = 600.0

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


GOOD, DOWN, LOST = Answered(200, b"good"), Answered(502, b"down"), Sent("lost")


class Line:
    """All waits over one connection: their circuit breaker, and a clock that moves with each request."""

    def __init__(self) -> None:
        self.breaker = CircuitBreaker()
        self.now_s = 1000.0

    def ask(self) -> float | None:
        """Return the time of a request, or None if the open breaker answered it."""
        self.now_s += 2.0**-20
        return self.now_s if self.breaker.reject(self.now_s) is None else None

    def answer(self, asked_at_s: float | None, answer: Outcome | None) -> None:
        assert asked_at_s is not None, "no request went out"
        self.now_s += 2.0**-20
        self.breaker.record(answer, asked_at_s, self.now_s)

    def fail(self, times: int, answer: Outcome = DOWN) -> None:
        for _ in range(times):
            self.answer(self.ask(), answer)

    @property
    def is_down(self) -> bool:
        """Return whether the breaker would answer at least one of two requests."""
        would = copy.deepcopy(self.breaker)
        return [would.reject(self.now_s) for _ in range(2)] != [None, None]

    def shared(self) -> Sent:
        """Return the answer of the open breaker."""
        shown = self.breaker.reject(self.now_s)
        assert isinstance(shown, Sent)
        return shown

    def silent_for_s(self) -> float:
        """Wait until the next probe; return how long that took."""
        began_s = self.now_s
        while copy.deepcopy(self.breaker).reject(self.now_s) is not None:
            self.now_s += 0.125
            assert self.now_s - began_s < 2000, "there is no further probe"
        return self.now_s - began_s


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (DOWN, "HTTP 502"),
        (LOST, "lost"),
        *[(Answered(status, b""), f"HTTP {status}") for status in (429, 500, 503, 504)],
    ],
    ids=str,
)
def test_the_fifth_failure_in_a_row_is_an_outage(failure: Outcome, problem: str) -> None:
    """For a second first; below that every wait polls."""
    line = Line()
    line.fail(4, failure)
    assert not line.is_down
    line.fail(1, failure)
    assert line.is_down
    assert problem in line.shared().problem
    assert line.silent_for_s() == pytest.approx(1, abs=0.125)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 404, 408, 501])
def test_a_service_that_answers_is_not_down(status: int) -> None:
    """Such an answer begins the count again, and closes the breaker."""
    line = Line()
    for _ in range(3):
        line.fail(4)
        line.answer(line.ask(), Answered(status, b""))
        assert not line.is_down
    line.fail(7 - 2)
    assert line.is_down
    line.silent_for_s()
    line.answer(line.ask(), Answered(status, b""))
    assert not line.is_down
    line.fail(4)
    assert not line.is_down


def test_there_is_one_probe_at_a_time_and_less_and_less() -> None:
    """All others get the failure of the last probe, at once, however long the next one takes."""
    line = Line()
    line.fail(5)
    delays = []
    for n in range(8):
        delays.append(line.silent_for_s())
        probe_at_s = line.ask()
        assert probe_at_s is not None
        line.now_s += 1e4
        assert [line.ask() for _ in range(3)] == [None] * 3
        line.answer(probe_at_s, Sent(f"probe {n}"))
        assert f"probe {n}" in line.shared().problem
    assert delays == pytest.approx([1, 2, 4, 8, 16, 30, 30, 30], abs=0.125)


def test_a_probe_that_is_cancelled_lets_the_next_one_begin_at_once() -> None:
    """It changes nothing: neither a longer delay nor an end."""
    line = Line()
    line.fail(6 - 1)
    line.silent_for_s()
    for _ in range(3):
        probe_at_s = line.ask()
        assert line.ask() is None
        line.answer(probe_at_s, None)
        assert line.is_down
    line.answer(line.ask(), DOWN)
    assert line.silent_for_s() == pytest.approx(2, abs=0.125)


def test_a_request_that_is_cancelled_while_all_is_well_changes_nothing() -> None:
    """Nor does it count as a failure, or as a good answer."""
    line = Line()
    line.fail(4)
    for _ in range(9):
        line.answer(line.ask(), None)
    assert not line.is_down
    line.fail(1)
    assert line.is_down


def test_those_under_way_when_it_went_down_do_not_make_it_worse() -> None:
    """A hundred requests that fail together are one outage; only a probe makes the delay longer."""
    line = Line()
    under_way = [line.ask() for _ in range(100)]
    for asked_at_s in under_way[:50]:
        line.answer(asked_at_s, DOWN)
    assert line.silent_for_s() == pytest.approx(1, abs=0.125)
    probe_at_s = line.ask()
    for asked_at_s in under_way[50:99]:
        line.answer(asked_at_s, LOST)
    assert line.ask() is None, "one probe"
    line.answer(probe_at_s, DOWN)
    assert line.silent_for_s() == pytest.approx(2, abs=0.125)
    line.answer(under_way[99], GOOD)
    assert not line.is_down, "it may be good news, too"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked_s", "silent_s"), [(0.0, 0), (7.0, 7), (600.0, 600), (86_400.0, 600), (1e300, 600)]
)
def test_a_service_that_asks_to_be_left_alone_is_so_at_once(
    status: int, asked_s: float, silent_s: float
) -> None:
    """By all waits; the shared failure has no Retry-After, or they would poll together."""
    line = Line()
    line.answer(line.ask(), Answered(status, b"busy", asked_s))
    assert line.is_down is (silent_s > 0)
    if silent_s:
        assert f"HTTP {status}" in line.shared().problem
    assert line.silent_for_s() == pytest.approx(silent_s, abs=0.125)


def test_a_retry_after_of_a_request_that_was_under_way_counts_too() -> None:
    """The longer delay holds."""
    line = Line()
    under_way = [line.ask() for _ in range(8)]
    for asked_at_s in under_way[:5]:
        line.answer(asked_at_s, DOWN)
    line.answer(under_way[5], Answered(503, b"", 40.0))
    line.answer(under_way[6], Answered(503, b"", 20.0))
    line.answer(under_way[7], DOWN)
    assert line.silent_for_s() == pytest.approx(40, abs=0.125)


@pytest.mark.parametrize("code", [101, 103, 104, "103"])
@pytest.mark.parametrize("retry_after_s", [None, 30.0])
def test_an_answer_with_the_code_of_a_state_is_not_shared(code: Any, retry_after_s: float | None) -> None:
    """It is the end of one job, with any HTTP status, and no outage: another job must not get it."""
    line = Line()
    body = json.dumps({"result_code": code, "msg": "", "result_url": "http://h/another.mp4"}).encode()
    line.fail(9, Answered(503, body, retry_after_s))
    assert not line.is_down
    line.fail(5)
    assert line.is_down
    line.silent_for_s()
    line.answer(line.ask(), Answered(503, body, retry_after_s))
    assert not line.is_down


@pytest.mark.parametrize(
    "failure",
    [
        LOST,
        Answered(500, b'{"result_code": 103, "result_url": "http://h/another.mp4"'),
        Answered(500, b'{"result_code": true, "result_url": "http://h/another.mp4"}'),
        Answered(503, b'{"result_code": 203, "msg": "busy: http://h/another.mp4"}', 30.0),
        Answered(503, b'{"result_code": 103, "result_code": 104, "result_url": "http://h/a.mp4"}', 30.0),
    ],
    ids=str,
)
def test_the_shared_failure_is_about_no_job(failure: Outcome) -> None:
    """Nor does it repeat the answer to another wait."""
    line = Line()
    while not line.is_down:
        line.fail(1, failure)
    with pytest.raises(StatusError) as caught:
        parse_job(ID, line.shared(), key="key")
    assert caught.value.code == "TS404"
    assert "another wait" in str(caught.value)
    assert "mp4" not in str(caught.value)
    assert caught.value.retry_after_s is None


ANSWERS: list[Outcome | None] = [
    DOWN,
    DOWN,
    DOWN,
    LOST,
    None,
    GOOD,
    Answered(404, b""),
    Answered(503, b"", 5.0),
    Answered(429, b"", 1e6),
]
STEPS = st.lists(
    st.sampled_from(["ask", "ask", "last poll"])
    | st.tuples(st.integers(0, 40), st.sampled_from(ANSWERS))
    | st.floats(0.01, 700),
    max_size=120,
)


@hypothesis_settings(deadline=None)
@given(STEPS)
def test_any_requests_make_one_probe_at_a_time_and_an_end(steps: list[Any]) -> None:
    """Requests that overlap, are cancelled or never answered, and polls that the breaker does not stop."""
    line = Line()
    under_way: list[float] = []
    probes: set[float] = set()
    for step in steps:
        if isinstance(step, float):
            line.now_s += step
        elif step == "last poll":
            line.now_s += 2.0**-20
            under_way.append(line.now_s)
        elif isinstance(step, str):
            was_down = line.is_down
            if (asked_at_s := line.ask()) is not None:
                under_way.append(asked_at_s)
                if was_down:
                    assert not probes, "there is another probe"
                    probes.add(asked_at_s)
            else:
                assert was_down
                assert line.shared()
        elif under_way:
            number, answer = step
            asked_at_s = under_way.pop(number % len(under_way))
            line.answer(asked_at_s, answer)
            probes.discard(asked_at_s)
            if isinstance(answer, Answered) and answer.status < 429:
                assert not line.is_down, "all ask after a good answer"
    if not probes:
        assert line.silent_for_s() <= MAX_RETRY_AFTER_S + 0.125
