"""All histories of crashes up to a depth: a walk over the states that tries and deaths lead to.

A history is a sequence of runs. Before each run comes an event: a retry, a clear by a person, or the run of
another task; with the same or other inputs; and each job lives or fails. In a run the service decides, and
the process ends or dies at any point. Or another process runs at a point, and then the first one continues.
Histories that lead to equal states are continued once. Nothing is sampled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from support.crash_bench import Bench, Jump, Try
from support.crash_points import SHARED
from support.crash_states import OUTCOMES, State, Task

if TYPE_CHECKING:
    from collections.abc import Iterator


#: The key of a part of a state, and the task instances.
Place: TypeAlias = "tuple[str, tuple[tuple[str, Task], ...]]"
Node: TypeAlias = "tuple[tuple[str, ...], tuple[tuple[str, Task], ...]]"
Leaves: TypeAlias = "Counter[Place]"

#: The states of a job that does not fail: seconds that it waits, and seconds that it runs.
LIVES = {"waits": (1e6, 0.0), "runs": (0.0, 1e6), "is finished": (0.0, 0.0)}


@dataclass(frozen=True)
class Event:
    """A run begins.

    :param instance: the task instance, which is named by its run.
    :param is_clear: a person clears the task; otherwise it is a first try, or a retry of Airflow.
    :param text: `same` or `other`.
    :param failing: the jobs that have failed since the last run.
    :param others: the state of all other jobs.
    """

    instance: str
    is_clear: bool
    text: str = "same"
    failing: tuple[str, ...] = ()
    others: str = "is finished"

    def numbered(self, state: State) -> Event:
        """Return the event with the places of its jobs, which equal states share, for their ids."""
        places = {name: str(number) for number, name in enumerate(state.jobs)}
        return replace(self, failing=tuple(places[name] for name in self.failing))

    def __str__(self) -> str:
        kind = "clear" if self.is_clear else "try"
        failed = f", {len(self.failing)} jobs failed" if self.failing else ""
        return f"{kind} of {self.instance} with {self.text} inputs{failed}, else {self.others}"


class Walk:
    """The walk over the histories of a kind of record.

    A ledger has files of its own for each text, and the bench refuses a run that opens others. So a node of
    the walk has a part for each text, and a run changes one of them.

    :param bench: runs the tries.
    :param instances: the task instances; the second and later ones have the inputs of the first.
    """

    def __init__(self, bench: Bench, *instances: str) -> None:
        self.bench = bench
        self.histories = 0
        self.nodes: set[Node] = set()
        self._parts: dict[str, State] = {}
        self._after: dict[tuple[Place, Event, bool], Leaves] = {}
        place = self._add(State({}, {}, {}, {name: Task() for name in instances}))
        self._first: Node = ((place[0],) * (2 if bench.kind.has_ledger else 1), place[1])

    def to(self, runs: int, *, overlaps: int, lives: int) -> None:
        """Find all states of histories of up to some runs.

        :param overlaps: the number of runs, up to which two of them overlap.
        :param lives: the number of runs, up to which a job that has not failed waits, runs or is finished;
            afterwards it is finished.
        """
        levels = [Counter([self._first])]
        for level in range(1, runs + 1):
            here: Counter[Node] = Counter()
            for start in levels[level - 1]:
                self._count(here, start, levels[level - 1][start], is_short=level <= lives, overlap=False)
            if 2 <= level <= overlaps:
                for start in levels[level - 2]:
                    self._count(here, start, levels[level - 2][start], is_short=level <= lives, overlap=True)
            levels.append(here)
            self.nodes.update(here)
            self.histories += sum(here.values())

    def broken(self) -> list[State]:
        """Return the states of histories that broke a promise."""
        return [part for part in self._parts.values() if part.broken]

    def stuck(self) -> list[State]:
        """Return the states in which a task makes no job after clears of it and of the other tasks."""
        places = {
            (part, tasks, text)
            for parts, tasks in self.nodes
            for text, part in zip(("same", "other"), parts * (3 - len(parts)), strict=False)
        }
        found = [(self._state((part, tasks)), text) for part, tasks, text in places]
        return [state for state, text in found if not self._continues(state, text)]

    def _continues(self, state: State, text: str) -> bool:
        begun_tasks = [name for name, task in state.tasks.items() if task.tries]
        for name in begun_tasks:
            works, after = self._clear_twice(state, name, text)
            for other in begun_tasks:
                if not works and other != name:
                    _, after = self._clear_twice(after, other, text)
                    works, after = self._clear_twice(after, name, text)
            if not works:
                return False
        return True

    def _clear_twice(self, state: State, instance: str, text: str) -> tuple[bool, State]:
        """Clear a task: its first try may report, and the second one submits."""
        works = False
        for _ in range(2):
            if not works:
                event = Event(instance, is_clear=True, text=text)
                works = self.bench.run(Try(begun(state, event), instance, text)).ended == "success"
                state = self.bench.ended
        return works, state

    def _add(self, state: State) -> Place:
        key = state.settle().key()
        self._parts.setdefault(key, state)
        return key, tuple(state.tasks.items())

    def _state(self, place: Place) -> State:
        return replace(self._parts[place[0]], tasks=dict(place[1]))

    def _count(self, here: Counter[Node], start: Node, count: int, *, is_short: bool, overlap: bool) -> None:
        """Count the histories that go on from a node."""
        parts, tasks = start
        for number, text in enumerate(("same", "other")):
            number = min(number, len(parts) - 1)  # the only part is of all texts
            place = parts[number], tasks
            for event in events(self._state(place), text, is_short=is_short):
                for (part, after), times in self._leaves(place, event, overlap=overlap).items():
                    here[(*parts[:number], part, *parts[number + 1 :]), after] += count * times

    def _leaves(self, place: Place, event: Event, *, overlap: bool = False) -> Leaves:
        """Return the places after an event, each with the number of outcomes and points that lead there."""
        state = self._state(place)
        memo = place, event.numbered(state), overlap
        if memo not in self._after:
            found: Leaves = Counter()
            started = begun(state, event)
            if overlap:
                self._overlap(found, started, event)
            else:
                for outcome in OUTCOMES:
                    self._run(started, event, outcome)
                    found.update(self._ends(event, outcome))
                    if outcome == "accepted" and not self.bench.posts:
                        break  # the other outcomes are of a POST
            self._after[memo] = found
        return self._after[memo]

    def _run(self, state: State, event: Event, outcome: str, jump: Jump | None = None) -> None:
        self.bench.live(*LIVES[event.others])
        self.bench.run(Try(state, event.instance, event.text, outcome, jump))

    def _ends(self, event: Event, outcome: str, since: int = 0) -> Iterator[Place]:
        for point, left in self.bench.trail[since:]:
            left.trace = (*left.trace, f"{event}: {outcome}, dies before: {point}")
            yield self._add(left)
        self.bench.ended.trace = (*self.bench.ended.trace, f"{event}: {outcome}, ends")
        yield self._add(self.bench.ended)

    def _overlap(self, found: Leaves, started: State, event: Event) -> None:
        """Find the places after a run during which another one begins and ends."""
        posting: set[int] = set()
        for outcome in OUTCOMES:
            self._run(started, event, outcome)
            posts, trail = self.bench.posts, list(self.bench.trail)
            points = [point for point, _ in trail]
            sent = points.index("request is sent") if "request is sent" in points else len(points)
            for number, (point, paused) in enumerate(trail):
                # Before the POST its outcome matters only if the run still sends it afterwards.
                if point in SHARED and (outcome == "accepted" or number > sent or number in posting):
                    paused.trace = (*paused.trace, f"{event}: {outcome}, pauses before: {point}")
                    place = self._add(paused)
                    for jump in self._jumps(place, event, number):
                        self._run(started, event, outcome, jump)
                        found.update(self._ends(event, outcome, number + 1))
                        if self.bench.posts and number <= sent:
                            posting.add(number)
            if not (posts or posting):
                break

    def _jumps(self, place: Place, event: Event, number: int) -> Iterator[Jump]:
        """Yield the states after each run of another try, which begins while a run has stopped at a point."""
        for other in events(self._state(place), event.text):
            is_second = other.instance == event.instance
            # The clear of a task that runs is a retry: Airflow leaves its max_tries as it is.
            if not other.failing and not (is_second and other.is_clear):
                for between in self._leaves(place, other):
                    yield Jump(number, self._state(between), is_second)


def events(state: State, text: str, *, is_short: bool = False) -> Iterator[Event]:
    """Yield all events with a text that may follow a state.

    :param is_short: the history is so short that each state of a job that has not failed is an event.
    """
    # No run before the next one of these inputs can see that a job of them fails.
    living = [one for one, job in state.jobs.items() if job.text == text and not job.has_failed]
    for number, (name, task) in enumerate(state.tasks.items()):
        if text == "other" and (number or not task.tries):
            continue  # the first run has the same inputs, as all runs of the other tasks
        clears = [False] * (task.may_retry or not task.tries) + [True] * bool(task.tries)
        for is_clear, fates in product(clears, product((False, True), repeat=len(living))):
            failing = tuple(one for one, fails in zip(living, fates, strict=True) if fails)
            for others in LIVES if is_short and len(failing) < len(living) else ("is finished",):
                yield Event(name, is_clear, text, failing, others)


def begun(state: State, event: Event) -> State:
    """Return the state in which the try of an event begins."""
    task = state.tasks[event.instance]
    begun = replace(task, tries=task.tries + 1, clears=task.clears + event.is_clear, may_retry=True)
    stored = str(list(state.entries()))
    jobs = {
        name: replace(
            job,
            has_failed=job.has_failed or name in event.failing,
            # A person decides: the report of this task was there, and no record has the id.
            is_released=job.is_released
            or (event.is_clear and job.is_reported and job.instance == event.instance and name not in stored),
        )
        for name, job in state.jobs.items()
    }
    return replace(state, tasks={**state.tasks, event.instance: begun}, jobs=jobs)
