"""The circuit breaker of all waits over a connection, when the service is down."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.polls import ID

from airflow_provider_twinsync._api.exchange import Answered, Outcome, Sent
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._http.circuit_breaker import CircuitBreaker
from airflow_provider_twinsync.exceptions import StatusError

MAX_RETRY_AFTER_S = 600.0
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


def test_a_probe_that_fails_keeps_a_retry_after_that_came_meanwhile() -> None:
    """Another request was under way, and its answer asked for more than the probe's failure does."""
    line = Line()
    under_way = line.ask()
    line.fail(5)
    line.silent_for_s()
    probe = line.ask()
    line.answer(under_way, Answered(503, b"", 40.0))
    line.answer(probe, LOST)
    assert line.silent_for_s() == pytest.approx(40, abs=0.125)


def test_a_probe_of_an_earlier_outage_does_not_end_a_retry_after() -> None:
    """It fails when the breaker has been closed and is open again, and so few failures are counted."""
    line = Line()
    under_way = line.ask()
    line.fail(5)
    line.silent_for_s()
    probe = line.ask()
    line.answer(under_way, GOOD)
    line.answer(line.ask(), Answered(503, b"", 40.0))
    line.answer(probe, LOST)
    assert line.silent_for_s() == pytest.approx(40, abs=0.125)


def test_an_answer_that_works_ends_a_retry_after() -> None:
    """The next outage does not begin with it."""
    line = Line()
    under_way = line.ask()
    line.answer(line.ask(), Answered(503, b"", 40.0))
    line.answer(under_way, GOOD)
    line.fail(5)
    assert line.silent_for_s() == pytest.approx(1, abs=0.125)


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
