"""The queue of faults that wait for their requests."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync.emulator.fault import CALLS

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator.fault import Fault

MAX_PENDING = 1000


class FaultQueue:
    """The faults that wait for their requests: first in, first out, for each call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[tuple[Fault, int | None]]] = {call: deque() for call in CALLS}

    def add(self, call: str, fault: Fault) -> None:
        """Let ``fault`` hit the next request of ``call`` that no earlier fault hits.

        :param call: ``submit``, ``status`` or ``result``.
        :param fault: the fault.
        :raises ValueError: if the call is unknown, or the fault cannot happen to it, or too many wait.
        """
        if call not in CALLS:
            raise ValueError(f"unknown call {call!r}; known: {', '.join(CALLS)}")
        if call not in fault.calls:
            raise ValueError(
                f"fault {fault.name!r} cannot happen to {call!r}, only to: {', '.join(fault.calls)}"
            )
        with self._lock:
            if sum(map(len, self._waiting.values())) >= MAX_PENDING:
                raise ValueError(f"{MAX_PENDING} faults wait already; a reset clears them")
            self._waiting[call].append((fault, fault.times))

    def take(self, call: str) -> Fault | None:
        """Return the fault that hits this request of ``call``, if any, and count the request."""
        with self._lock:
            waiting = self._waiting[call]
            if not waiting:
                return None
            fault, left = waiting.popleft()
            if left is None or left > 1:
                waiting.appendleft((fault, None if left is None else left - 1))
            return fault

    def pending(self) -> list[dict[str, Any]]:
        """Return the faults that wait, as JSON; ``times`` is the number of requests that each still hits."""
        with self._lock:
            return [
                {"call": call, "fault": fault.name, **asdict(fault), "times": left}
                for call, waiting in self._waiting.items()
                for fault, left in waiting
            ]

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            for waiting in self._waiting.values():
                waiting.clear()
