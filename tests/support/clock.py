"""A clock that stands still until somebody sleeps, for the worker, the triggerer and the emulator alike.

It stands in for `time` and `asyncio.sleep`, which are Python's; nothing of the package is replaced.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

_REAL_SLEEP = asyncio.sleep


class Clock:
    """A clock that starts at 0, with calls at given times."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []
        self._planned: list[tuple[float, Callable[[], Any]]] = []
        self._wall_step_s = 0.0
        wall_s, monotonic_s = time.time(), time.monotonic()
        patch.setattr(time, "time", lambda: wall_s + self._wall_step_s + self.now_s)
        patch.setattr(time, "monotonic", lambda: monotonic_s + self.now_s)
        patch.setattr(time, "sleep", self.sleep)
        patch.setattr(asyncio, "sleep", self._async_sleep)

    def at(self, now_s: float, do: Callable[[], Any]) -> None:
        """Do something as soon as it is so late."""
        self._planned.append((now_s, do))

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an operator or NTP does."""
        self._wall_step_s += seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds
        due = [one for one in self._planned if one[0] <= self.now_s]
        self._planned = [one for one in self._planned if one not in due]
        for _, do in due:
            do()

    async def _async_sleep(self, seconds: float, result: Any = None) -> Any:
        if seconds > 0:
            self.sleep(seconds)
        return await _REAL_SLEEP(0, result)
