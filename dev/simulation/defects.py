"""Defects that the simulation must find, each planted by one replacement in this process.

This is the one place that patches the shipped code: the defect is the input of the test.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync import hooks, triggers
from airflow_provider_twinsync._api import answers, status
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._http import circuit_breaker
from airflow_provider_twinsync._http.async_client import AsyncClient
from airflow_provider_twinsync._http.circuit_breaker import CircuitBreaker
from airflow_provider_twinsync._wait import poller, schedule
from airflow_provider_twinsync._wait.config import WaitConfig
from airflow_provider_twinsync._wait.outage import Outage
from airflow_provider_twinsync._wait.outcome import Again
from airflow_provider_twinsync._wait.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect.

    :param name: the defect, as docs/reliability.md lists it.
    :param owner: the class or module of the replaced name.
    :param replace: returns the replacement of the original.
    :param seed: the first universe that finds it.
    """

    name: str
    owner: Any
    attribute: str
    replace: Callable[[Any], Any]
    seed: int


@contextmanager
def planted(defect: Defect) -> Iterator[None]:
    """Plant a defect for the length of a block."""
    original = vars(defect.owner)[defect.attribute]
    setattr(defect.owner, defect.attribute, defect.replace(original))
    try:
        yield
    finally:
        setattr(defect.owner, defect.attribute, original)


def _without_handover(serialize: Any) -> Any:
    def replacement(self: Any) -> tuple[str, dict[str, Any]]:
        path, row = serialize(self)
        return path, {**row, "handover": {}}

    return replacement


def _never_closed(record: Any) -> Any:
    def replacement(self: Any, answer: Any, asked_at_s: float, now_s: float) -> None:
        shared = self._shared
        record(self, answer, asked_at_s, now_s)
        if shared is not None:
            self._shared, self._next_probe_s = shared, now_s + 30.0

    return replacement


def _without_ceiling(init: Any) -> Any:
    def replacement(self: Any, *arguments: Any) -> None:
        init(self, *arguments)
        self._ceiling = None

    return replacement


def _not_cancelled(wait: Any) -> Any:
    async def replacement(self: Any, hook: Any) -> Any:
        return await asyncio.shield(wait(self, hook))

    return replacement


def _without_last_poll(apoll: Any) -> Any:
    async def replacement(self: Any, wait: Any, elapsed_s: float) -> Any:
        if wait._deadline_s is not None and elapsed_s >= wait._deadline_s:
            return wait.timed_out(elapsed_s)
        return await apoll(self, wait, elapsed_s)

    return replacement


def _earlier(left_s: Any) -> Any:
    def replacement(self: Any, *arguments: Any) -> float | None:
        left: float | None = left_s(self, *arguments)
        return None if left is None else left - 10.0

    return replacement


def _first_job_again(read: Any) -> Any:
    def replacement(self: Any, answer: Any, *, key: str) -> Any:
        return self._last_job if self._last_answer is not None else read(self, answer, key=key)

    return replacement


async def _no_leave(self: Any) -> None:
    return


def _wall_clock(module: Any) -> Any:
    return SimpleNamespace(time=lambda: time.time(), monotonic=lambda: time.time())


DEFECTS = (
    Defect("the deadline is forgotten", WaitConfig, "deadline_s", lambda _: property(lambda _: None), 0),
    Defect("a wait loses a Retry-After", schedule, "requested_delay_s", lambda _: lambda _: 0.0, 19),
    Defect(
        "the other waits lose a Retry-After", circuit_breaker, "requested_delay_s", lambda _: lambda _: 0.0, 0
    ),
    Defect("a usable answer does not end an outage", Outage, "end", lambda _: lambda _: None, 0),
    Defect(
        "a rebuilt trigger forgets its start", triggers.TwinSyncTrigger, "serialize", _without_handover, 1
    ),
    Defect("the circuit breaker never closes", CircuitBreaker, "record", _never_closed, 1),
    Defect("the circuit breaker never opens", CircuitBreaker, "reject", lambda _: lambda *_: None, 0),
    Defect("the ceiling is ignored", AsyncClient, "__init__", _without_ceiling, 3),
    Defect("an answer about another job counts", status, "other_job", lambda _: lambda *_: None, 2),
    Defect("the wall clock counts within a trigger", triggers, "time", _wall_clock, 0),
    Defect("a cancelled trigger polls on", triggers.TwinSyncTrigger, "_wait", _not_cancelled, 0),
    Defect("the first delay is lost", Poller, "resume", lambda _: lambda *_: Again(0.1), 0),
    Defect("the key is shown", answers, "hide", lambda _: lambda text, _, limit: text[:limit], 1),
    Defect("no poll at the deadline", hooks.TwinSyncHook, "apoll", _without_last_poll, 0),
    Defect("no poll at the end of a tolerance", Poller, "turn_limit", lambda _: lambda *_: (None, False), 0),
    Defect("a tolerance ends early", Outage, "left_s", _earlier, 0),
    Defect("an outage never ends a wait", Outage, "is_over", lambda _: lambda *_: False, 2),
    Defect("a session stays open", hooks.TwinSyncHook, "aclose", lambda _: _no_leave, 0),
    Defect("polls follow without a delay", schedule, "delay_s", lambda _: lambda *_: 0.0, 0),
    Defect("the first answer without an address ends a wait", poller, "_MAX_WITHOUT_ADDRESS", lambda _: 1, 3),
    Defect(
        "a failed job is waited for",
        status,
        "_STATE_OF_CODE",
        lambda codes: {**codes, 104: JobState.RUNNING},
        0,
    ),
    Defect("an old answer counts again", Poller, "read", _first_job_again, 0),
)
