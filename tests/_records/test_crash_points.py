"""The death of a submit task at each point, for each outcome of its POST and each next event.

`docs/reliability.md` has the table. The sizes are printed: `make crashes` shows them.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.crash_bench import KINDS, Bench, Records, Try
from support.crash_histories import Event, Walk, begun
from support.crash_points import observed
from support.crash_states import OUTCOMES, SLOW, State, Task
from support.once import ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How many runs a history has in `make crashes`, which takes too long for the other tests.
DEPTH = int(os.environ.get("TWINSYNC_CRASH_DEPTH", "0"))
FIRST = Event("run", is_clear=False)


@pytest.fixture
def bench(request, emulator, connect) -> Iterator[Bench]:
    """A bench on a file system in memory, if there is one: each record is synchronized to the disk."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        bench = Bench(KINDS[request.param], emulator, connect, Path(folder))
        with observed(bench):
            yield bench


def walk_over(bench: Bench, depth: int, **bounds: int) -> Walk:
    """Walk over all histories, and print their number."""
    began_s = time.process_time()
    walk = Walk(bench, *(("run", "next") if bench.kind.reuse == "runs" else ("run",)))
    walk.to(depth, **bounds)
    print(  # noqa: T201
        f"{depth} runs, {bounds}, {bench.kind}: {walk.histories:,} histories, {len(walk.nodes):,} states, "
        f"{bench.tries:,} tries, {time.process_time() - began_s:.0f} s"
    )
    return walk


def shown(states: list[State]) -> list[Any]:
    """Return the shortest histories for the message of a failed test."""
    return [(state.broken, *state.trace) for state in sorted(states, key=lambda one: len(one.trace))[:3]]


@ONCE
@pytest.mark.parametrize("bench", ["task state store", "ledger"], indirect=True)
def test_no_history_of_two_runs_pays_twice_or_loses_a_job(bench):
    """One after the other."""
    walk = walk_over(bench, 2, overlaps=0, lives=0)
    assert shown(walk.broken()) == []
    assert shown(walk.stuck()) == []
    assert walk.histories > 10_000


@pytest.mark.skipif(not DEPTH, reason="`make crashes` walks over longer histories")
@pytest.mark.slow
@pytest.mark.parametrize("bench", KINDS, indirect=True)
def test_no_history_pays_twice_or_loses_a_job(bench):
    """Also of runs that overlap, and of jobs that wait and run."""
    walk = walk_over(bench, DEPTH, overlaps=2, lives=2)
    assert shown(walk.broken()) == []
    assert shown(walk.stuck()) == []


class Forgetful(Records):
    """A store that loses the intents."""

    def set(self, key: str, value: Any) -> None:
        if value["twinsync_task_id"]:
            super().set(key, value)


class Lenient(Records):
    """A store that takes the record of a try which Airflow has replaced."""

    def _reach(self, point: str) -> None:
        self._bench.reach(point)


@ONCE
@pytest.mark.slow
@pytest.mark.parametrize("bench", ["task state store"], indirect=True)
@pytest.mark.parametrize(("records", "overlaps"), [(Forgetful, 0), (Lenient, 2)])
def test_the_walk_finds_a_store_that_breaks_the_promises(bench, records, overlaps):
    """The second one only in runs that overlap: the store has no exclusive create."""
    bench.records = records
    walk = walk_over(bench, 2, overlaps=overlaps, lives=0)
    assert {promise for state in walk.broken() for promise in state.broken} == {"lost", "paid twice"}


@ONCE
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("bench", ["task state store", "ledger and task state store"], indirect=True)
def test_a_killed_process_leaves_the_state_of_its_point(bench):
    """SIGKILL at each point of a first try. A process that is a copy does not see the jobs of a slow POST."""
    first = begun(State({}, {}, {}, {"run": Task()}), FIRST)
    for outcome in [name for name in OUTCOMES if name not in SLOW]:
        one = Try(first, "run", outcome=outcome)
        bench.run(one)
        for number, (point, left) in enumerate(list(bench.trail)):
            killed = bench.kill(one, number)
            assert killed.settle().key() == left.settle().key(), (outcome, point)
