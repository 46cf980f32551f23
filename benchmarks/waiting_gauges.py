"""The gauges of the client of the benchmark of waiting, such as its CPU time, and of the server.

A stall is how late a heartbeat in the event loop comes. It is counted three times, as machines are shared:

* by the wall clock;
* less the time in which the loop's thread wanted the core and the kernel gave it to another program
  (``run_delay`` of Linux's schedstat), which the triggers do not cause: this is the figure of the targets.
  Without schedstat, it is the wall clock's;
* as no more than the CPU time of the loop's thread, in which a trigger that blocks does not show.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

HEARTBEAT_S = 0.005


class Waits:
    """The time that this thread has waited for a core that other programs had, in seconds."""

    def __init__(self) -> None:
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._file = -1

    def read_s(self) -> float:
        """Read the time; 0 without schedstat."""
        return int(os.pread(self._file, 99, 0).split()[1]) / 1e9 if self._file >= 0 else 0.0


class Heart:
    """Beats in the event loop, and notes the latest beats and the longest pause of the garbage collector."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.waits = Waits()
        self.gc_s = self.gc_began = 0.0
        #: Full collections, which stall the loop, and the objects that those of the middle generation left.
        #: When these are a quarter of all that it knows, Python makes a full one (see `gc.set_threshold`).
        #: The third are those of them that survived two collections, as the others were new when the one of
        #: the middle generation came. It is an upper bound: the garbage of each generation is not known.
        self.counts = {"full_collections": 0, "survivors": 0, "survivors_of_two": 0}
        gc.callbacks.append(self._collecting)
        self._forget()
        self._set()

    def _forget(self) -> None:
        self.worst_s = {"wall": 0.0, "own": 0.0, "own_without_gc": 0.0, "cpu": 0.0}
        self.gc_longest_s = 0.0

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            if info["generation"] == 1:
                self.new, self.older = (len(gc.get_objects(generation)) for generation in (0, 1))
            self.gc_began = time.thread_time()
            return
        if info["generation"] == 1:
            left = self.new + self.older - info["collected"]
            self.counts["survivors"] += left
            self.counts["survivors_of_two"] += min(left, self.older)
        self.counts["full_collections"] += info["generation"] == 2
        took_s = time.thread_time() - self.gc_began
        self.gc_s += took_s
        self.gc_longest_s = max(self.gc_longest_s, took_s)

    def _set(self) -> None:
        self.cpu, self.waited_s, self.gc_before_s = time.thread_time(), self.waits.read_s(), self.gc_s
        self.due = self.loop.time() + HEARTBEAT_S
        self.loop.call_at(self.due, self._beat)

    def _beat(self) -> None:
        late_s = self.loop.time() - self.due
        own_s = late_s - (self.waits.read_s() - self.waited_s)
        for name, value in (
            ("wall", late_s),
            ("own", own_s),
            ("own_without_gc", own_s - (self.gc_s - self.gc_before_s)),
            ("cpu", min(late_s, time.thread_time() - self.cpu)),
        ):
            if value > self.worst_s[name]:
                self.worst_s[name] = value
        self._set()

    def read(self, phase: str) -> dict[str, float]:
        """Return the worst values since the last reading, in milliseconds."""
        found = {f"{phase}_stall_{name}_ms": 1_000 * value for name, value in self.worst_s.items()}
        found[f"{phase}_gc_pause_ms"] = 1_000 * self.gc_longest_s
        self._forget()
        return found


class Control:
    """Asks the server for its counts, over a connection that it does not count."""

    async def open(self, port: int) -> None:
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)

    async def ask(self, path: str) -> dict[str, Any]:
        """Send a request, and decode the answer."""
        self.writer.write(f"GET /control/{path} HTTP/1.1\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        answer: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        return answer


def cpu_s() -> float:
    """Return the CPU time of this process, user and system, with all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_kb() -> int:
    """Return the memory that this process holds, after its garbage is collected."""
    gc.collect()
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise SystemExit("This benchmark needs the VmRSS of Linux.")


def percentile(values: list[float], share: float) -> float | None:
    """Return the value that this share of the values does not pass; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
