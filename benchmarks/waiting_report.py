"""Turn the results of the benchmark of waiting into the two tables: contenders, and targets.

A result is the dictionary that ``waiting_client.py`` prints, with the contender's name, N and the most file
descriptors. Everything is of one run, so that a fast machine is fast for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waiting_peers import DEFAULT_POLICY, STANDING, contender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Result = dict[str, Any]
HEADS = (
    "trigger",
    "N",
    "polls made/due",
    "CPU ms a poll",
    "beyond sleep's",
    "to bare",
    "new conn. a poll",
    "file descr.",
    "stall ms",
    "(wall)",
    "(GC pause)",
    "full GCs a minute",
    "objects a poll",
    "kB a trigger",
    "event ms",
    "core waited for",
    "patched to reach the local server",
)
LEGEND = (
    "N triggers ask every 5 s, in a real TriggerRunner; they start all at once, and the figures are those of "
    "the steady state after that. CPU is that of the whole process, user and system, and 'to bare' compares "
    "it with a bare aiohttp session; 'beyond sleep's' is without what N triggers cost that only sleep. "
    "A stall is how late a heartbeat in the event loop came, without the time in which the kernel gave the "
    "core to other programs, which (wall) has too; (GC pause) is the longest pause of Python's collector, in "
    "CPU time; full GCs are its collections of all objects, and 'objects a poll' what each poll leaves "
    "behind for them. kB is what a trigger holds beyond one that only sleeps. File descriptors are the "
    "most at any time, beyond those before the start. 'event' is the 99th percentile of the time from the "
    "service's answer to the trigger's event. 'core waited for' is the share of the time in which the client "
    "wanted its core and others had it: polls that were not made are their doing too if it is not small."
)


class Results:
    """All results of a run, and their comparisons."""

    def __init__(self, results: Iterable[Result]) -> None:
        self.all = list(results)
        self._found = {(one["contender"], one["n"]): one for one in self.all}
        #: Where the targets that name N = 5,000 are judged.
        self.n = max((one["n"] for one in self.all if one["contender"] == "twinsync"), default=0)
        if ("twinsync", 5_000) in self._found:
            self.n = 5_000
        #: The Ns that compare CPU times: with fewer triggers, other work hides them.
        known = {one["n"] for one in self.all}
        self.judged_ns = sorted(n for n in known if 1_000 <= n <= self.n) or [self.n]

    def get(self, name: str, n: int | None = None) -> Result:
        """Return a result; an empty one if it was not measured, or failed."""
        found = self._found.get((name, self.n if n is None else n), {})
        return {} if "error" in found else found

    def cpu_ms(self, one: Result) -> float | None:
        """Return the CPU time of the process for each poll."""
        return 1_000 * one["cpu_s"] / one["polls"] if one.get("polls") else None

    def own_cpu_ms(self, one: Result) -> float | None:
        """Return the CPU time for each poll, minus that of as many triggers that only sleep."""
        sleep = self.get("sleep", one.get("n"))
        if not one.get("polls") or not sleep:
            return None
        idle_s = sleep["cpu_s"] / sleep["window_s"] * one["window_s"]
        return 1_000 * max(0.0, one["cpu_s"] - idle_s) / one["polls"]

    def ratio(self, name: str, of: Callable[[Result], float | None], n: int | None = None) -> float | None:
        """Compare ours with another."""
        ours, other = of(self.get("twinsync", n)), of(self.get(name, n))
        return None if ours is None or not other else ours / other

    def own_kb(self, one: Result) -> float | None:
        """Return the memory of a trigger beyond that of a trigger that only sleeps."""
        sleep = self.get("sleep", one.get("n"))
        if "kb_a_trigger" not in one or not sleep:
            return None
        return float(one["kb_a_trigger"] - sleep["kb_a_trigger"])


def number(value: float | None, digits: int = 2) -> str:
    """Write a number; a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def rows(results: Results) -> list[list[str]]:
    """Make the lines of the table of contenders."""
    lines = []
    for one in results.all:
        label = contender(one["contender"]).label
        if "error" in one:
            lines.append([label, f"{one['n']:,}", one["error"]])
            continue
        made_of_due = one["polls"] / one["polls_due"] if one.get("polls_due") and one["polls"] else None
        bare_ms, cpu_ms = results.cpu_ms(results.get("bare", one["n"])), results.cpu_ms(one)
        waited = one["core_waited_s"] / one["window_s"] if "core_waited_s" in one else None
        lines.append(
            [
                label,
                f"{one['n']:,}",
                number(made_of_due, 3),
                number(cpu_ms, 3),
                number(results.own_cpu_ms(one), 3),
                number(cpu_ms / bare_ms if cpu_ms and bare_ms else None),
                number(one["connections"] / one["polls"] if one["polls"] else None, 3),
                number(one["file_descriptors"], 0),
                number(one["steady_stall_own_ms"], 0),
                number(one["steady_stall_wall_ms"], 0),
                number(one["steady_gc_pause_ms"], 0),
                number(
                    60 * one["full_collections"] / one["window_s"] if "full_collections" in one else None, 1
                ),
                number(one["survivors"] / one["polls"] if "survivors" in one and one["polls"] else None, 1),
                number(None if one["contender"] == "sleep" else results.own_kb(one), 1),
                number(one.get("answer_to_event_p99_ms"), 1),
                number(100 * waited if waited is not None else None, 0) + " %",
                contender(one["contender"]).patched,
            ]
        )
    return lines


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to reach."""

    figure: str
    limit: float
    measured: float | None
    unit: str = ""
    is_least: bool = False  # the limit is the least, not the most
    remark: str = ""

    @property
    def verdict(self) -> str:
        """Return "reached", or the distance from the target."""
        if self.measured is None:
            return "not measured"
        if (self.measured >= self.limit) if self.is_least else (self.measured <= self.limit):
            return "reached"
        return f"MISSED by {number(abs(self.measured - self.limit), 3)}{self.unit}"

    def cells(self) -> list[str]:
        """Make its line of the table."""
        limit = f"at {'least' if self.is_least else 'most'} {self.limit:g}{self.unit}"
        measured = "-" if self.measured is None else number(self.measured, 3) + self.unit
        return [self.figure, limit, measured, self.verdict, self.remark]


def targets(results: Results) -> list[Target]:
    """Judge ours. Of several honest ways to count a ratio of CPU times, the worst for us decides."""
    n, ours = f"N = {results.n:,}", results.get("twinsync")
    large, standing = (results.get(name, 10_000) for name in ("twinsync", STANDING.name))
    whole = results.get(DEFAULT_POLICY.name, 10_000) or next(
        (one for one in results.all if one["contender"] == DEFAULT_POLICY.name and "error" not in one), {}
    )

    def ratio(name: str, limit: float, counts: Iterable[int]) -> Target:
        found = []
        for count in counts:
            raw, own = (results.ratio(name, of, count) for of in (results.cpu_ms, results.own_cpu_ms))
            found += [(one, kind, count) for one, kind in ((raw, "of all"), (own, "beyond sleep's")) if one]
        listed = "; ".join(f"N = {count:,} {kind} {number(one)}" for one, kind, count in found)
        worst = max((one for one, _, _ in found), default=None)
        return Target(
            f"CPU a poll / {contender(name).label}",
            limit,
            worst,
            remark=f"the largest of {listed}" if found else "",
        )

    def stall(figure: str, phase: str, limit: float, of: Result) -> Target:
        def read(what: str, of: Result = of) -> str:
            return number(of.get(f"{phase}_{what}_ms"), 0)

        others = "; ".join(
            f"{label}: {read('stall_own', other)} ms, {read('stall_own_without_gc', other)} ms without"
            for label, name in (("bare aiohttp", "bare"), ("a trigger that sleeps", "sleep"))
            if (other := results.get(name, of.get("n")))
        )
        full = (
            f"; {of['full_collections']} full ones" if phase == "steady" and "full_collections" in of else ""
        )
        remark = (
            f"less waits for the core, which decides; wall clock {read('stall_wall')} ms, CPU time "
            f"{read('stall_cpu')} ms; without the garbage collector {read('stall_own_without_gc')} ms, its "
            f"longest pause {read('gc_pause')} ms{full} ({others})"
        )
        measured = of.get(f"{phase}_stall_own_ms")
        return Target(f"longest stall {figure}", limit, measured, " ms", remark=remark if of else "")

    def window(of: Result) -> str:
        return f"in {number(of.get('window_s'), 0)} s"

    def per(of: Result, name: str, by: str) -> float | None:
        return of[name] / of[by] if of.get(by) else None

    told = ("n", "polls", "cpu_s", "window_s")
    whole_n, polls, used_s, took_s = (number(whole.get(name), 0) for name in told)
    ages = "every age to 10 minutes, default policy"
    core, entered = per(standing, "cpu_s", "window_s"), per(ours, "survivors", "polls")
    made, due = (number(standing.get(name), 0) for name in ("polls", "polls_due"))
    return [
        ratio("bare", 0.6, [results.n]),
        ratio("bare", 1.15, results.judged_ns),
        ratio("http-sensor", 0.4, results.judged_ns),
        Target(f"new connections a poll, {n}", 0.01, per(ours, "connections", "polls")),
        Target(f"file descriptors, {n}", 50, ours.get("file_descriptors")),
        Target(f"polls made of those due, {n}", 0.99, per(ours, "polls", "polls_due"), "", True),
        stall(f"{window(ours)}, {n}", "steady", 20, ours),
        stall(f"{window(large)}, N = 10,000", "steady", 20, large),
        stall(f"{window(standing)}, N = 10,000 of {ages}", "steady", 20, standing),
        stall(f"when all start at once, {n}", "start", 50, ours),
        Target(
            f"a core, N = 10,000 of {ages}",
            15,
            None if core is None else 100 * core,
            " %",
            remark=f"{made} polls of {due} due {window(standing)}, {number(results.cpu_ms(standing), 3)} ms",
        ),
        Target(
            f"new objects a poll that survive two young collections, {n}",
            2,
            per(ours, "survivors_of_two", "polls"),
            remark="an upper bound; with those that only the collection of the middle generation spared: "
            f"{number(entered)}",
        ),
        Target(f"memory a trigger, {n}", 5, results.own_kb(ours), " kB"),
        Target(
            # Of a job, as a share of a core is small while the jobs start and end. 15 ms for each of 10,000
            # jobs of ten minutes is a quarter of a core.
            f"CPU a job, default policy, N = {whole_n}",
            15,
            1_000 * whole["cpu_s"] / whole["n"] if whole else None,
            " ms",
            remark=f"{used_s} s of CPU in {took_s} s, from the first start to the last event; {polls} polls",
        ),
        Target(
            f"answer to event, 99th percentile, {n}",
            10,
            ours.get("answer_to_event_p99_ms"),
            " ms",
            remark=f"median {number(ours.get('answer_to_event_p50_ms'), 1)} ms, "
            f"longest {number(ours.get('answer_to_event_max_ms'), 1)} ms",
        ),
    ]


TARGET_HEADS = ("figure", "target", "measured", "verdict", "")


def aligned(heads: Iterable[str], lines: list[list[str]], texts: int) -> str:
    """Lay a table out for a terminal: the first ``texts`` columns to the left, the others to the right."""
    table = [list(heads), *lines]
    full = [line for line in table if len(line) == len(table[0])]
    widths = [max(len(line[column]) for line in full) for column in range(len(table[0]))]

    def lay(line: list[str]) -> str:
        if len(line) < len(widths):  # a measurement that failed
            return f"{line[0]:<{widths[0]}}  {line[1]:>{widths[1]}}  {'  '.join(line[2:])}"
        return "  ".join(
            f"{cell:<{width}}" if column < texts else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()

    return "\n".join(lay(line) for line in table)


def markdown(heads: Iterable[str], lines: list[list[str]]) -> str:
    """Write a table for the documentation."""
    heads = list(heads)
    table = [heads, ["---"] * len(heads), *(line + [""] * (len(heads) - len(line)) for line in lines)]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in table)
