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
from typing import TYPE_CHECKING

from support.crash_bench import Bench, Jump, Try
from support.crash_points import SHARED
from support.crash_states import OUTCOMES, State, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias


Leaves: TypeAlias = "list[tuple[State, int]]"

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

    :param bench: runs the tries.
    :param instances: the task instances; the second and later ones have the inputs of the first.
    """

    def __init__(self, bench: Bench, *instances: str) -> None:
        self.bench = bench
        self._instances = instances
        self.states: dict[str, State] = {}
        self.histories = 0
        #: The states after a run, each with the number of its points and outcomes.
        self._leaves: dict[tuple[str, Event], Leaves] = {}
        self._overlaps: dict[tuple[str, Event], Leaves] = {}

    def to(self, depth: int, *, overlaps: int, lives: int) -> None:
        """Find all states of histories of up to `depth` runs.

        :param overlaps: the number of runs, up to which two of them overlap.
        :param lives: the number of runs, up to which a job that has not failed waits, runs or is finished;
            afterwards it is finished.
        """
        levels = [Counter([self._add(State({}, {}, {}, {name: Task() for name in self._instances}))])]
        for level in range(1, depth + 1):
            here: Counter[str] = Counter()
            steps = [(levels[level - 1], self._leaves_of)]
            if 2 <= level <= overlaps:
                steps.append((levels[level - 2], self._overlaps_of))
            for starts, leaves_of in steps:
                for key, count in starts.items():
                    for event in events(self.states[key], is_short=level <= lives):
                        self._count(here, key, count, event, leaves_of)
            levels.append(here)
            self.histories += sum(here.values())

    def broken(self) -> list[State]:
        """Return the states of histories that broke a promise."""
        return [state for state in self.states.values() if state.broken]

    def stuck(self) -> list[State]:
        """Return the states in which a task makes no job after clears of it and of the other tasks."""
        found = {}
        for state in self.states.values():
            for text in ("same", "other"):
                part, _ = self._parted(state, Event(self._instances[0], is_clear=True, text=text))
                found[part.key(), text] = part
        return [part for (_, text), part in found.items() if not self._continues(part, text)]

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

    def _add(self, state: State) -> str:
        key = state.settle().key()
        self.states.setdefault(key, state)
        return key

    def _count(
        self,
        here: Counter[str],
        key: str,
        count: int,
        event: Event,
        leaves_of: Callable[[State, Event], Leaves],
    ) -> None:
        """Count the histories that go on from a state with an event."""
        part, rest = self._parted(self.states[key], event)
        for leaf, times in leaves_of(part, event):
            files, jobs = {**rest.files, **leaf.files}, {**rest.jobs, **leaf.jobs}
            here[self._add(replace(leaf, files=files, jobs=jobs))] += count * times

    def _parted(self, state: State, event: Event) -> tuple[State, State]:
        """Return the part of a state that a run can read, and the rest.

        A ledger has files of its own for each text; the bench refuses a run that opens another one.
        """
        if not self.bench.kind.has_ledger:
            return state, replace(state, files={}, jobs={})
        prefix = self.bench.hash_of(event.text)
        own = {name: data for name, data in state.files.items() if name.startswith(prefix)}
        jobs = {name: job for name, job in state.jobs.items() if job.text == event.text}
        return replace(state, files=own, jobs=jobs), replace(
            state,
            files={name: data for name, data in state.files.items() if name not in own},
            jobs={name: job for name, job in state.jobs.items() if name not in jobs},
        )

    def _leaves_of(self, state: State, event: Event) -> Leaves:
        """Return the states after an event: for each outcome of the POST, and each point of a death."""
        place = (state.key(), event.numbered(state))
        if place not in self._leaves:
            found: Counter[str] = Counter()
            started = begun(state, event)
            for outcome in OUTCOMES:
                self._run(started, event, outcome)
                found.update(self._add(one) for one in self._ends(event, outcome))
                if outcome == "accepted" and not self.bench.posts:
                    break  # the other outcomes are of a POST
            self._leaves[place] = [(self.states[key], times) for key, times in found.items()]
        return self._leaves[place]

    def _run(self, state: State, event: Event, outcome: str, jump: Jump | None = None) -> None:
        self.bench.live(*LIVES[event.others])
        self.bench.run(Try(state, event.instance, event.text, outcome, jump))

    def _ends(self, event: Event, outcome: str, since: int = 0) -> Iterator[State]:
        for point, left in self.bench.trail[since:]:
            left.trace = (*left.trace, f"{event}: {outcome}, dies before: {point}")
            yield left
        self.bench.ended.trace = (*self.bench.ended.trace, f"{event}: {outcome}, ends")
        yield self.bench.ended

    def _overlaps_of(self, state: State, event: Event) -> Leaves:
        """Return the states after a run during which another one begins and ends."""
        place = (state.key(), event.numbered(state))
        if place not in self._overlaps:
            found: Counter[str] = Counter()
            posting: set[int] = set()
            for outcome in OUTCOMES:
                started = begun(state, event)
                self._run(started, event, outcome)
                posts, trail = self.bench.posts, list(self.bench.trail)
                points = [point for point, _ in trail]
                sent = points.index("request is sent") if "request is sent" in points else len(points)
                for number, (point, paused) in enumerate(trail):
                    # Before the POST its outcome matters only if the run still sends it afterwards.
                    if point in SHARED and (outcome == "accepted" or number > sent or number in posting):
                        paused.trace = (*paused.trace, f"{event}: {outcome}, pauses before: {point}")
                        if self._overlap(found, started, paused, number, event, outcome) and number <= sent:
                            posting.add(number)
                if not (posts or posting):
                    break
            self._overlaps[place] = [(self.states[key], times) for key, times in found.items()]
        return self._overlaps[place]

    def _overlap(
        self, found: Counter[str], started: State, paused: State, number: int, event: Event, outcome: str
    ) -> bool:
        """Run each other try at a point of a run; return whether the run sends a POST after any of them."""
        sends = False
        paused = self.states[self._add(paused)]
        for other in events(paused):
            if other.text == event.text and not other.failing:
                for between, _ in self._leaves_of(paused, other):
                    jump = Jump(number, between, other.instance == event.instance)
                    self._run(started, event, outcome, jump)
                    sends |= bool(self.bench.posts)
                    found.update(self._add(one) for one in self._ends(event, outcome, number + 1))
        return sends


def events(state: State, *, is_short: bool = False) -> Iterator[Event]:
    """Yield all events that may follow a state.

    :param is_short: the history is so short that each state of a job that has not failed is an event.
    """
    for number, (name, task) in enumerate(state.tasks.items()):
        texts = ("same",) if number or not task.tries else ("same", "other")
        clears = [False] * (task.may_retry or not task.tries) + [True] * bool(task.tries)
        for is_clear, text in product(clears, texts):
            # No run before the next one of these inputs can see that a job of them fails.
            living = [one for one, job in state.jobs.items() if job.text == text and not job.has_failed]
            for fates in product((False, True), repeat=len(living)):
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
