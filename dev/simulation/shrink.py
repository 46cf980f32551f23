"""Make the plan of a failing universe smaller while it still fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.simulation.plan import Universe

_PARTS = ("waits", "faults", "outages", "steps", "resets_s")


def shrink(universe: Universe, fails: Callable[[Universe], bool], *, tries: int = 150) -> Universe:
    """Return a smaller universe that fails, too: greedily leave out parts, the large ones first.

    :param fails: runs a universe, and returns whether it breaks the same promise.
    :param tries: the most universes to run.
    """

    def try_it(candidate: Universe) -> bool:
        nonlocal tries, universe
        tries -= 1
        if tries < 0 or not fails(candidate):
            return False
        universe = candidate
        return True

    for name in _PARTS:
        size = len(getattr(universe, name))
        while size:
            begin = 0
            while begin < len(part := getattr(universe, name)):
                rest = part[:begin] + part[begin + size :]
                if (name == "waits" and not rest) or not try_it(replace(universe, **{name: rest})):
                    begin += size
            size //= 2
    if universe.requests_per_second:
        try_it(replace(universe, requests_per_second=None))
    for number, wait in enumerate(universe.waits):
        if wait.restarts:
            waits = (*universe.waits[:number], replace(wait, restarts=()), *universe.waits[number + 1 :])
            try_it(replace(universe, waits=waits))
    return universe
