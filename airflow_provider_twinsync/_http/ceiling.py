"""One ceiling to the requests of all processes of a connection, or of this process without a store.

The waits of a triggerer ask a :class:`Ceiling` for each turn. A worker calls :func:`wait_for_turn`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import time
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_twinsync._api.shown import shown_duration
from airflow_provider_twinsync._http.shared_store import (
    COUNT_JOB,
    TIMEOUT_S,
    UNCOUNT_JOB,
    SharedStore,
    reply_of,
    this_process,
)
from airflow_provider_twinsync._http.turn_policy import Bound, Turns
from airflow_provider_twinsync.exceptions import UsageError

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.settings import Settings

#: A submit that waits longer than this for its turn logs a line.
_LONG_S = 5.0
#: The problem of a request that was not sent, as its turn did not come in time.
NO_TURN = "no turn came in time, as too many other requests wait"
Kind = Literal["requests", "submits"]


def bound_of(settings: Settings, kind: Kind) -> Bound | None:
    """Return the bound of a connection to a kind of request, or None."""
    if kind == "submits":
        limit = settings.submits_per_minute
        return Bound("submits_per_minute", limit, 60.0) if limit else None
    limit = settings.requests_per_second
    return Bound("requests_per_second", limit, 1.0) if limit else None


def open_ceiling(settings: Settings) -> Ceiling | None:
    """Return the ceiling of the requests of a connection, or None if nothing bounds them.

    It opens nothing before its first turn.
    """
    bound = bound_of(settings, "requests")
    return Ceiling(settings, bound) if bound else None


class Ceiling:
    """The turns of all waits over a connection in one event loop.

    For example::

        ceiling = open_ceiling(settings)
        if ceiling:
            await ceiling.turn()

    :param settings: the connection.
    :param bound: its bound.
    """

    def __init__(self, settings: Settings, bound: Bound) -> None:
        self._settings = settings
        self._turns = _turns(settings, bound)
        self._lock = asyncio.Lock()  # first come, first served
        self._store: SharedStore | None = None
        self._client: Any = None

    async def turn(self) -> None:
        """Return when one request may be sent now.

        A turn that is cancelled stays with this process for its next one.

        :raises UsageError: the store is of another scheme, refuses the login, or cannot run scripts.
        :raises UnavailableError: the store did not answer in this process so far, and does not now.
        """
        async with self._lock:
            while (step := self._turns.step(time.monotonic())) != 0.0:
                if step is not None:
                    await asyncio.sleep(step)
                    continue
                if self._client is None:
                    await self._open()
                try:
                    async with timeout(TIMEOUT_S):
                        answer = await self._client.eval(*self._arguments)
                    self._turns.answered(reply_of(answer), time.monotonic())
                except Exception as error:  # of the library, or of another server
                    _failed(self._turns, self._store, error)

    async def close(self) -> None:
        """Free the sockets of the store; a later turn opens them again."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with timeout(TIMEOUT_S if self._turns.has_worked else 0):
                # The others then share the ceiling without this process.
                for name in self._arguments[2:5]:
                    await client.zrem(name, this_process())
        except Exception:  # noqa: S110  # the store forgets the process by itself
            pass
        finally:
            await client.aclose()

    async def _open(self) -> None:
        """Build the client of the store, which connects at its first command."""
        # The library takes a tenth of a second to import, and blocks meanwhile.
        store, library = await asyncio.to_thread(_load, self._settings, "redis.asyncio")
        self._arguments = store.turn_arguments(self._turns.bound)
        self._store, self._client = store, store.open(library)


def _turns(settings: Settings, bound: Bound) -> Turns:
    owner = f"Connection {settings.conn_id!r}"
    return Turns(bound, owner, has_store=settings.requests_per_second_store is not None)


def _failed(turns: Turns, store: SharedStore | None, error: Exception) -> None:
    """Fall back to the share of this process.

    :raises TwinSyncError: the store has never worked in this process.
    """
    assert store is not None  # noqa: S101  # for the type checker
    if not turns.has_worked:
        raise store.error_of(error) from None
    turns.failed(store.problem(error), time.monotonic())


def _load(settings: Settings, name: str) -> tuple[SharedStore, Any]:
    """Return the store of a connection, and its library.

    :raises UsageError: the address has another scheme, or the library is not installed.
    """
    store = SharedStore(settings)
    try:
        import_module(f"{name}.retry")
        return store, import_module(name)
    except ImportError:
        raise UsageError(
            f"TS218 {store.owner}: requests_per_second_store needs a library that is not installed: run "
            "pip install 'airflow-provider-twinsync[redis]' on each worker and triggerer."
        ) from None


# ----------------------------------------------------------------------------------------- in a worker

#: The turns of this process, and the client of the store, by connection and kind.
_of_process: dict[tuple[int, Settings, Kind], _Worker] = {}
# A client that outlives the interpreter's modules prints a traceback (redis 5.0).
atexit.register(_of_process.clear)


class _Worker:
    """The turns of a worker's process for one kind of request."""

    def __init__(self, settings: Settings, bound: Bound) -> None:
        self.turns = _turns(settings, bound)
        self.store: SharedStore | None = None
        if settings.requests_per_second_store is not None:
            self.store, library = _load(settings, "redis")
            self.ask = partial(self.store.open(library).eval, *self.store.turn_arguments(bound))


def wait_for_turn(
    settings: Settings, kind: Kind, *, limit_s: float | None = None, task_log: Any = None
) -> bool:
    """Block until one request may be sent now; return False if no turn comes in time.

    A connection without the bound has a turn at once.

    :param kind: ``"requests"`` for ``requests_per_second``, ``"submits"`` for ``submits_per_minute``.
    :param limit_s: the longest time to wait, in seconds; None for no bound.
    :param task_log: logs one line if the wait is long.
    :raises UsageError: the store is of another scheme, refuses the login, or cannot run scripts.
    :raises UnavailableError: the store did not answer in this process so far, and does not now.
    """
    bound = bound_of(settings, kind)
    if bound is None:
        return True
    name = (os.getpid(), settings, kind)
    worker = _of_process.get(name) or _of_process.setdefault(name, _Worker(settings, bound))
    turns = worker.turns
    give_up_at_s = None if limit_s is None else time.monotonic() + limit_s
    while (step := turns.step(time.monotonic())) != 0.0:
        now_s = time.monotonic()
        if step is None:
            try:
                turns.answered(reply_of(worker.ask()), time.monotonic())
            except Exception as error:  # of the library, or of another server
                _failed(turns, worker.store, error)
            continue
        if give_up_at_s is not None and now_s + step > give_up_at_s:
            return False
        expected_s = max(step, turns.expected_s)
        if task_log and expected_s > _LONG_S:
            task_log.info(
                "Waiting for a turn: %s is %g, and the turn comes in about %s.",
                bound.name,
                bound.limit,
                shown_duration(expected_s),
            )
            task_log = None
        time.sleep(step)
    return True


def count_job(settings: Settings, limit: int) -> str | None:
    """Count one more job of the day in the store; return the day, or None if it has as many as it may have.

    :raises UsageError: as :func:`wait_for_turn`.
    :raises UnavailableError: the store does not answer.
    """
    day = _run(settings, COUNT_JOB, limit)
    return None if int(day) < 0 else str(int(day))


def uncount_job(settings: Settings, day: str) -> None:
    """Take a job off the count of its day; the errors are those of :func:`count_job`."""
    _run(settings, UNCOUNT_JOB, day)


def check_store(settings: Settings) -> None:
    """Check that the store of a connection, if it has one, answers and runs scripts.

    :raises UsageError: as :func:`wait_for_turn`.
    :raises UnavailableError: the store does not answer.
    """
    if settings.requests_per_second_store is not None:
        _run(settings, "return redis.call('TIME')[1]", "")


def _run(settings: Settings, script: str, argument: Any) -> Any:
    """Run a script over a connection of its own: a submit is rare."""
    store, library = _load(settings, "redis")
    client = store.open(library)
    try:
        return client.eval(script, 1, f"{store.prefix}:jobs", argument)
    except Exception as error:  # of the library, or of another server
        raise store.error_of(error) from None
    finally:
        client.close()


# ----------------------------------------------------------------------------------------- a low ceiling


def ceiling_warning(waits: int, requests_per_second: float) -> str | None:
    """Return a warning for a ceiling below one request per wait and hour, or None.

    >>> ceiling_warning(1_000, 0.1)[:5], ceiling_warning(10, 0.1)
    ('TS223', None)

    :param waits: the waits of this process over the connection.
    :param requests_per_second: the ceiling of the connection.
    """
    if requests_per_second * 3600 >= waits:
        return None
    return (
        f"TS223 requests_per_second is {requests_per_second:g}, and {waits:,} waits share it: each one polls "
        f"once in {shown_duration(waits / requests_per_second)}. Raise it, or start fewer waits at once: one "
        f"poll an hour for each takes {waits / 3600:.2g}."
    )
