"""`make simulate`: run universes, and replay, shrink and show those that break a promise."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from dev.simulation import logs, world
from dev.simulation.defects import DEFECTS, planted
from dev.simulation.invariants import Broken, check
from dev.simulation.plan import Universe, make_universe
from dev.simulation.shrink import shrink

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: In how many universes a defect must be found.
MAX_UNIVERSES = 500
#: A process runs this many chunks of universes.
_CHUNKS, _CHUNK = 25, 4
#: With another release of `aiohttp` or of Airflow, a seed gives a universe that differs a little.
_RECORDED = 25


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--universes", type=int, default=200, help="how many to run (200)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="run this universe twice, and shrink it if it fails")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes (1)")
    how = ("recorded", "search")
    parser.add_argument(
        "--defects", choices=how, help="find each planted defect, in its recorded universe or any"
    )
    options = parser.parse_args(arguments)
    logs.prepare()
    if options.seed is not None:
        return replay(options.seed)
    # `aiohttp` keeps the applications of a process, and with each the whole universe of its server.
    pool = multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=_CHUNKS)
    with pool:
        if options.defects:
            find_it = partial(find, is_search=options.defects == "search")
            return show_defects(pool.imap(find_it, range(len(DEFECTS))))
        seeds = range(options.first, options.first + options.universes)
        return explore(pool.imap_unordered(try_seed, seeds, chunksize=_CHUNK))


def try_seed(seed: int) -> tuple[int, list[Broken], Counter[str]]:
    """Run the universe of a seed."""
    universe = make_universe(seed)
    record = world.run(universe)
    counts = Counter({"universes": 1, "waits": len(universe.waits), "polls": len(record.journal)})
    counts["faults"] = sum(entry.fault is not None for entry in record.journal)
    counts["outages"], counts["clock steps"] = len(universe.outages), len(universe.steps)
    for followed in record.waits.values():
        counts["rebuilt triggers"] += len(followed.spans) - 1
        counts["simulated seconds"] += round(sum(one.ends_s - one.begins_s for one in followed.spans))
        counts.update(f"ends: {event['reason']}" for event in followed.events)
    return seed, check(universe, record), counts


def explore(outcomes: Iterable[tuple[int, list[Broken], Counter[str]]]) -> int:
    """Show each failing universe as it comes, and the sums at the end."""
    began_s, failed, total = time.perf_counter(), list[int](), Counter[str]()
    for seed, broken, counts in outcomes:
        total.update(counts)
        if broken:
            failed.append(seed)
            print(
                f"seed {seed}: {broken[0]}" + (f", and {len(broken) - 1} more" if broken[1:] else ""),
                flush=True,
            )
    total["universes that break a promise"] = len(failed)
    for name, count in total.items():
        print(f"| {name} | {count:,.0f} |")
    print(f"| seconds of this machine | {time.perf_counter() - began_s:,.0f} |")
    if failed:
        print(f"Replay and shrink one: make simulate SEED={min(failed)}", file=sys.stderr)
    return 1 if failed else 0


def replay(seed: int) -> int:
    """Run a universe twice, show its broken promises, and the smallest plan that breaks the first of them."""
    universe = make_universe(seed)
    first = world.run(universe)
    digest = first.events.digest()
    print(f"seed {seed}: {digest}")
    if world.run(universe).events.digest() != digest:
        print("The second run differs from the first.", file=sys.stderr)
        return 1
    broken = check(universe, first)
    if not broken:
        print("All promises are kept.")
        return 0
    print(*broken, sep="\n")
    smallest = shrink(universe, partial(breaks, promise=broken[0].promise))
    print("The smallest universe that breaks the first promise:", *_lines(smallest), sep="\n")
    print(*check(smallest, world.run(smallest)), sep="\n")
    return 1


def breaks(universe: Universe, promise: str) -> bool:
    """Return whether a universe breaks a promise."""
    return any(one.promise == promise for one in check(universe, world.run(universe)))


def find(number: int, *, is_search: bool) -> tuple[str, int | None, str]:
    """Return the name of a defect, the first universe that finds it, and the promise that it breaks.

    :param is_search: try all universes, and not only the recorded one and a few after it.
    """
    defect = DEFECTS[number]
    with planted(defect):
        for seed in range(MAX_UNIVERSES) if is_search else range(defect.seed, defect.seed + _RECORDED):
            if broken := try_seed(seed)[1]:
                return defect.name, seed, broken[0].promise
    return defect.name, None, ""


def show_defects(found: Iterable[tuple[str, int | None, str]]) -> int:
    """Print the table of docs/reliability.md; return 1 if a defect is not found."""
    missed = 0
    print("| defect | seed | promise that it breaks |", "| --- | --: | --- |", sep="\n")
    for name, seed, promise in found:
        print(f"| {name} | {'none' if seed is None else seed} | {promise} |", flush=True)
        missed += seed is None
    return 1 if missed else 0


def _lines(universe: Universe) -> list[str]:
    lines = []
    for field in fields(universe):
        value = getattr(universe, field.name)
        if field.repr:
            lines += (
                [f"    {field.name}:", *(f"        {one}" for one in value)]
                if isinstance(value, tuple)
                else [f"    {field.name}: {value}"]
            )
    return lines
