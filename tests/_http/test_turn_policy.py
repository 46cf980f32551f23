"""When a process may send: alone, by the store, and by its share while the store is away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twinsync._http.turn_policy import Bound, Reply, Turns

LIMITS = st.floats(0.01, 1_000)


class Clock:
    """A clock that follows the steps of some turns."""

    def __init__(self, turns: Turns, now_s: float = 1_000.0) -> None:
        self.turns, self.now_s = turns, now_s

    def next_step(self) -> float | None:
        """Return the first step that is not a sleep."""
        while step := self.turns.step(self.now_s):
            self.now_s += step
        return step


def turns_of(limit: float, *, has_store: bool = False) -> Turns:
    return Turns(Bound("requests_per_second", limit, 1.0), "Connection 'c'", has_store=has_store)


@given(limit=LIMITS, idle_s=st.lists(st.floats(0, 5), max_size=60))
def test_alone_a_process_keeps_to_the_ceiling_in_any_time(limit: float, idle_s: list[float]) -> None:
    """With a burst of a tenth of a second, also after pauses."""
    clock, times = Clock(turns_of(limit)), []
    for pause_s in [*idle_s, *[0.0] * 20]:
        clock.now_s += pause_s
        assert clock.next_step() == 0.0
        times.append(clock.now_s)
    burst = max(1.0, limit / 10)
    for n, begin_s in enumerate(times):
        for count, end_s in enumerate(times[n:], 1):
            assert count <= (end_s - begin_s) * limit + burst + 1e-3


@given(limit=LIMITS, processes=st.integers(1, 50))
def test_without_the_store_all_processes_together_keep_to_the_ceiling(limit: float, processes: int) -> None:
    """Each has its share, and no burst."""
    turns = turns_of(limit, has_store=True)
    assert turns.step(0.0) is None
    turns.answered(Reply(True, 0.0, processes), 0.0)
    assert turns.step(0.0) == 0.0
    turns.failed("gone", 0.0)
    assert turns.step(0.0) == pytest.approx(min(processes / limit, 10.0))


def test_a_reserved_turn_that_nobody_took_is_that_of_the_next_request() -> None:
    """As after a wait that was cancelled; a turn of long ago is gone."""
    turns = turns_of(1.0, has_store=True)
    turns.answered(Reply(True, 3.0, 1), 0.0)
    assert turns.step(0.0) == 3.0
    assert turns.step(2.0) == 1.0
    assert turns.step(3.2) == 0.0
    assert turns.step(3.2) is None
    turns.answered(Reply(True, 0.0, 1), 3.2)
    assert turns.step(60.0) is None


def test_a_process_in_the_queue_asks_again_and_has_no_turn() -> None:
    """So a task that is killed there costs no turn."""
    turns = turns_of(0.1, has_store=True)
    turns.answered(Reply(False, 40.0, 4), 0.0)
    assert turns.expected_s == 40.0
    assert turns.step(0.0) == 5.0
    assert turns.step(5.0) is None
    turns.answered(Reply(False, 2.5, 4), 40.0)
    assert turns.step(40.0) == 1.5


def test_a_store_that_is_away_and_comes_back_is_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    """Three requests fail, and three succeed."""
    caplog.set_level("INFO")
    turns = turns_of(100.0, has_store=True)
    turns.answered(Reply(True, 0.0, 4), 0.0)
    for now_s in (0.0, 10.0, 20.0):
        turns.failed("gone", now_s)
    assert turns.step(30.0) is None
    for now_s in (30.0, 31.0, 32.0):
        turns.answered(Reply(True, 0.0, 4), now_s)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.records[0].getMessage().startswith("TS222 ")
    assert "100 / 4 " in caplog.records[0].getMessage()
