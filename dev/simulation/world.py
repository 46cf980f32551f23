"""Run the plan of a universe: the shipped trigger and client against the shipped emulator, in simulated time.

`simloom` has the event loop, the clock and the network: nothing sleeps, and no packet leaves the process. The
triggerer and the service are two hosts. A wait's driver does as Airflow's triggerer: it stores the row of a
trigger, runs the trigger, cancels it, and builds it again from the row.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import simloom
from airflow.triggers.base import TriggerEvent

from airflow_provider_twinsync import hooks
from airflow_provider_twinsync._http import async_client
from airflow_provider_twinsync._wait.config import Handover, WaitConfig, trigger_row
from airflow_provider_twinsync.emulator import HttpError
from airflow_provider_twinsync.emulator.guard import Guard
from airflow_provider_twinsync.emulator.server import Server
from airflow_provider_twinsync.emulator.world import JournalEntry, Task, World
from airflow_provider_twinsync.triggers import TwinSyncTrigger
from dev.simulation import logs

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from dev.simulation.plan import Outage, Universe, Wait

NAME, PORT = "twinsync.test", 17374
URL = f"http://{NAME}:{PORT}"
EPOCH_S = 1_704_067_200.0  # of the simulated wall clock
#: A wait that has not ended by then never ends.
END_S = 2_500.0
#: No universe needs a fifth of these requests.
_MAX_POLLS = 5_000
_JOB_WAITS_S, _JOB_RUNS_S = 3.0, 5.0
_MOMENT_S = 1e-5
_GARBAGE_STEPS = 20_000
_CONNECTION = "AIRFLOW_CONN_TWINSYNC_DEFAULT"


@dataclass(slots=True)
class Span:
    """A time in which one trigger of a wait ran.

    :param elapsed_s: the time since the start of the wait when the trigger began, on the wall clock.
    """

    begins_s: float
    elapsed_s: float
    ends_s: float = END_S


@dataclass(slots=True)
class Followed:
    """The triggers, rows and events of a wait, as its driver saw them."""

    spans: list[Span] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Record:
    """The record of a universe.

    :param journal: the requests that the service received.
    :param log: all that was logged.
    :param left: the tasks, sessions and connections that were still open after the last wait.
    :param events: simloom's log of all steps; two runs are the same if its digest is.
    """

    waits: dict[int, Followed] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    error: str = ""
    events: Any = field(default=None, repr=False)


def run(universe: Universe) -> Record:
    """Run a universe, and return its record."""
    record = Record({wait.number: Followed() for wait in universe.waits})
    logs.lines.clear()
    connection = {"conn_type": "twinsync", "host": NAME, "port": PORT, "password": universe.key}
    extra = {
        "tolerance_s": universe.tolerance_s,
        "request_timeout_s": universe.request_timeout_s,
        "requests_per_second": universe.requests_per_second,
    }
    os.environ[_CONNECTION] = json.dumps({**connection, "extra": extra})

    async def main(simulated: Any) -> None:
        await _Run(universe, record, simulated).run()

    result = simloom.run(
        main,
        seed=universe.seed,
        scheduler=_Work,
        gc_interval=_GARBAGE_STEPS,
        raise_on_error=False,
        virtual_time=True,
        seed_randomness=True,
        wall_epoch=EPOCH_S,
    )
    record.log = list(logs.lines)
    record.events = result.log
    if result.error is not None:
        record.error = f"{type(result.error).__name__}: {result.error}"
    return record


class _Work:
    """Run any callback that is ready, and let each take a moment.

    Without the moment a timer that rings a rounding error too early, as the limiter's may, is set again for
    the same instant, for ever.
    """

    descriptor = "work"

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def pick(self, ready: Sequence[asyncio.Handle]) -> int:
        self._loop._now += _MOMENT_S
        return self._loop.tape.draw("sched.pick", len(ready)) if len(ready) > 1 else 0


class _Run:
    """One universe while it runs."""

    def __init__(self, universe: Universe, record: Record, simulated: Any) -> None:
        self.universe, self.record, self.net = universe, record, simulated.net
        self.triggerer, self.service = simulated.host("triggerer"), simulated.host("service")
        self.never = asyncio.Event()
        self.emulated = World(key=universe.key, waiting_s=_JOB_WAITS_S, duration_s=_JOB_RUNS_S)
        for wait in universe.waits:
            if wait.ready_s is not None:
                created_at_s = EPOCH_S + wait.ready_s - _JOB_WAITS_S - _JOB_RUNS_S
                failure = "no face in the photo" if wait.fails else None
                self.emulated.put(Task(wait.job, "", "", "", created_at_s, failure))

    async def run(self) -> None:
        """Run all waits to their ends, and check that nothing is left."""
        self._step(0.0)
        self.net.dns.register(NAME)
        self.service.spawn(self._serve)
        disturbances = [asyncio.ensure_future(one) for one in self._disturbances()]
        drivers = [self.triggerer.spawn(self._follow(wait)) for wait in self.universe.waits]
        pending = set(drivers)
        while pending and time.monotonic() < END_S and len(self.emulated.journal) < _MAX_POLLS:
            _, pending = await asyncio.wait(pending, timeout=10.0)
        for task in disturbances:
            task.cancel()
        await asyncio.sleep(1.0)  # closed connections are so after a moment
        for driver in drivers:
            if driver.done():
                driver.result()
        self._note_left()
        self.record.journal = self.emulated.journal

    # ------------------------------------------------------------------------------------ the triggerer

    async def _follow(self, wait: Wait) -> None:
        followed = self.record.waits[wait.number]
        await asyncio.sleep(wait.starts_s)
        began_s, started_at = time.monotonic(), time.time()
        followed.rows.append(json.dumps(self._row(wait, started_at)))
        restarts = list(wait.restarts)
        while True:
            span = Span(time.monotonic(), max(0.0, time.time() - started_at))
            followed.spans.append(span)
            trigger = TwinSyncTrigger(**json.loads(followed.rows[-1]))
            if trigger.handover.airflow_timeout_s is not None:
                ends_at = datetime.fromtimestamp(
                    started_at + trigger.handover.airflow_timeout_s, timezone.utc
                )
                trigger.timeout_after = ends_at  # type: ignore[attr-defined]
            followed.rows.append(json.dumps(trigger.serialize()[1]))
            task = asyncio.ensure_future(_first_event(trigger))
            lasts_s = began_s + restarts[0][0] - time.monotonic() if restarts else None
            await asyncio.wait([task], timeout=lasts_s)
            if task.done():
                span.ends_s = time.monotonic()
                followed.events.append(json.loads(json.dumps(task.result())))
                return
            task.cancel()
            await asyncio.wait([task])
            span.ends_s = time.monotonic()
            if not task.cancelled():
                followed.events.append(task.result())
                return
            _, gone_s = restarts.pop(0)
            await asyncio.sleep(gone_s)

    def _row(self, wait: Wait, started_at: float) -> dict[str, Any]:
        config = WaitConfig(
            poke_interval_s=wait.poke_interval_s,
            exponential_backoff=wait.exponential_backoff,
            max_wait_s=wait.max_wait_s,
            silent_fail=wait.silent_fail,
            timeout_s=wait.timeout_s,
            execution_timeout_s=wait.execution_timeout_s,
        )
        handover = Handover(started_at)
        if wait.beginner == "worker":
            handover = Handover(started_at, wait.next_poll_s, 0.0 if wait.in_outage else None, "waiting")
        elif wait.beginner == "triggerer" and wait.deadline_s is not None:
            handover = Handover(airflow_timeout_s=wait.deadline_s + 60.0)
        return trigger_row(wait.job, hooks.DEFAULT_CONN_ID, config, handover)

    # -------------------------------------------------------------------------------------- the service

    async def _serve(self) -> None:
        server = Server(self.emulated, Guard([NAME]))
        await server.start(self.net.dns.resolve(NAME), PORT)
        await self.never.wait()

    # ------------------------------------------------------------------------------------- disturbances

    def _disturbances(self) -> list[Coroutine[Any, Any, None]]:
        universe = self.universe
        steps = [self._at(one.at_s, self._step, one.by_s) for one in universe.steps]
        faults = [
            self._at(one.at_s, self.emulated.faults.add, "status", one.fault) for one in universe.faults
        ]
        resets = [
            self._at(at_s, self.net.reset_connections, self.triggerer, self.service)
            for at_s in universe.resets_s
        ]
        return [*steps, *faults, *resets, *(self._away(one) for one in universe.outages)]

    async def _at(self, at_s: float, act: Any, *arguments: Any) -> None:
        await asyncio.sleep(at_s)
        act(*arguments)

    def _step(self, by_s: float) -> None:
        """Step the wall clock of the triggerer. The service is another machine, with a clock of its own."""
        before = time.time
        time.time = lambda: before() + by_s  # simloom sets it back after the run
        self.emulated.offset_s -= by_s

    async def _away(self, outage: Outage) -> None:
        await asyncio.sleep(outage.at_s)
        if outage.kind == "off":
            self.service.crash()
        elif outage.kind == "silent":
            self.net.partition([self.triggerer], [self.service])
        elif outage.kind == "no_name":
            address = self.net.dns._records.pop(NAME)
        else:
            self.emulated.faults.clear()
            self.emulated.faults.add("status", HttpError(502, times=None))
        await asyncio.sleep(outage.lasts_s)
        if outage.kind == "off":
            self.service.restart()
        elif outage.kind == "silent":
            self.net.heal()
        elif outage.kind == "no_name":
            self.net.dns.register(NAME, address)
        else:
            self.emulated.faults.clear()

    # ------------------------------------------------------------------------------------------ the end

    def _note_left(self) -> None:
        left = self.record.left
        clients = async_client._pools.get(asyncio.get_running_loop(), {}).values()
        left += [f"a member of {client.settings.conn_id}" for client in clients if client.members]
        left += [f"{client._asking} requests with a turn" for client in clients if client._asking]
        left += ["a session" for client in clients if not client._line.session.closed]
        mine = [one for one in self.net._live_transports.values() if one.owner is self.triggerer]
        left += ["a connection" for _ in mine]
        left += [f"the task {task.get_name()}" for task in self.triggerer._live_tasks()]


async def _first_event(trigger: TwinSyncTrigger) -> Any:
    events = trigger.run()
    try:
        async for event in events:
            return event.payload if isinstance(event, TriggerEvent) else repr(event)
    finally:
        await events.aclose()  # type: ignore[attr-defined]
    return None
