"""One client of the benchmark of waiting: N triggers of one kind in a real ``TriggerRunner`` of Airflow.

Airflow's own runner makes the triggers from their encrypted arguments, runs each in a task with greenback's
portal, walks over all of them every second, and logs (as JSON, as it does to its supervisor; here to a file
or to nowhere). Only the supervisor at the other end of its pipe is simulated, by ``Supervisor``: it hands the
triggers over and takes the events. So this process has the parts of a triggerer and the gauges, and nothing
else; the database, which only the supervisor uses, is not measured.

The phases: one trigger from start to event, so that everything is imported; the start of the N triggers, all
at once or spread; a window in the steady state; and the end of all jobs. With ``--lifetime-s`` the window is
the whole, from the first start to the last event; with ``--standing`` no job ends, and the waits have the
ages that jobs of ten minutes have at any moment (``waiting_standing.py``).

``bench_waiting.py`` starts it. It prints its results as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import resource
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from airflow.executors.workloads import RunTrigger
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.jobs.triggerer_job_runner import TriggerRunner, messages
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time import supervisor, task_runner
from waiting_gauges import Control, Heart, cpu_s, percentile, resident_kb
from waiting_peers import POKE_INTERVAL_S, contender
from waiting_standing import handover, older, polls_due
from waiting_triggers import WARM_UP_JOB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LIMIT_S = 60.0  # of each phase but the window
SETTLE_S = 2.0
LEAD_S = 10.0  # to make the messages about thousands of triggers
NEWEST_S = 1.5  # before the window: the waits that begin with it
ENDS_PER_S = 100.0  # an event costs Airflow's runner one to two ms, which is not measured
DAG_VERSION = UUID(int=1)


class Supervisor:
    """Simulate the supervisor of Airflow's runner: send triggers, and receive their events."""

    def __init__(self) -> None:
        self._reader_task = asyncio.create_task(asyncio.Event().wait())  # the runner looks whether it is done
        self.waiting: list[RunTrigger] = []
        self.at_once = sys.maxsize  # how many are handed over in a message; there is one a second
        self.failures: list[str] = []

    async def asend(self, message: Any) -> Any:
        """Answer a message."""
        if not isinstance(message, messages.TriggerStateChanges):
            return None  # a secret to mask
        for _, lines in message.failures or ():
            self.failures.append("".join(lines or ["it ended without an event"]))
        batch, self.waiting = self.waiting[: self.at_once], self.waiting[self.at_once :]
        return messages.TriggerStateSync.model_construct(
            to_create=batch, to_cancel=set(), events_persisted=None
        )

    def send(self, message: Any) -> None:
        """Take a message that comes from a thread: a secret to mask."""


class Client(TriggerRunner):  # type: ignore[misc]
    """Airflow's runner of triggers, with a supervisor that is played, and a task that measures."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__()
        self.arguments = arguments
        self.contender = contender(arguments.contender)
        self.fired_at: dict[int, float] = {}
        self.found: dict[str, Any] = {}

    async def init_comms(self) -> None:
        """Begin; Airflow's own opens the pipe here."""
        self.comms_decoder = task_runner.SUPERVISOR_COMMS = Supervisor()
        self.measuring = asyncio.create_task(self.measure())

    def run_trigger(self, trigger_id: int, trigger: Any, *arguments: Any) -> Any:
        """Run a trigger as Airflow does, and note when it yields its event."""
        run = trigger.run

        async def noting() -> AsyncIterator[Any]:
            async for event in run():
                self.fired_at[trigger_id] = time.monotonic()
                yield event

        trigger.run = noting
        return super().run_trigger(trigger_id, trigger, *arguments)

    def workload(self, job: int, **more: Any) -> RunTrigger:
        """Build the supervisor's message about a trigger that a task waits for."""
        task = TaskInstanceDTO(
            id=uuid4(),
            task_id="wait",
            dag_id="bench",
            run_id="manual__2026-01-01",
            try_number=1,
            map_index=job,
            dag_version_id=DAG_VERSION,
            pool_slots=1,
            priority_weight=1,
        )
        kwargs = Trigger.encrypt_kwargs({**self.contender.arguments(job, self.arguments.port), **more})
        return RunTrigger(id=job, classpath=self.contender.classpath, encrypted_kwargs=kwargs, ti=task)

    async def measure(self) -> None:
        """Run the phases, print the results, and end the process."""
        try:
            await self.phases()
            print()
            print(json.dumps({**self.found, "failures": self.comms_decoder.failures}))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)  # to cancel thousands of triggers takes long, and nothing is measured any more

    async def phases(self) -> None:
        """Warm up, and measure."""
        self.control = Control()
        await self.control.open(self.arguments.port)
        self.heart = Heart()
        self.comms_decoder.waiting.append(self.workload(WARM_UP_JOB))
        failures = self.comms_decoder.failures
        if not await until(lambda: WARM_UP_JOB in self.fired_at or failures, LIMIT_S) or failures:
            raise RuntimeError("\n".join(["no event came while warming up", *failures]))
        await asyncio.sleep(SETTLE_S)
        before_kb = resident_kb()
        self.found["began_at"] = time.monotonic()  # files that were open before are Airflow's own
        if self.arguments.standing:
            await self.standing()
            return
        workloads = [self.workload(job) for job in range(1, self.arguments.n + 1)]
        await self.calm()
        if self.arguments.lifetime_s is None:
            await self.start(workloads)
            await self.steady()
            self.found["kb_a_trigger"] = (resident_kb() - before_kb) / self.arguments.n
            await self.end()
        else:
            await self.whole(workloads)

    async def calm(self) -> None:
        """Skip a heartbeat that other work may have delayed."""
        await asyncio.sleep(0.1)
        self.heart.read("not measured")

    async def start(self, workloads: list[RunTrigger]) -> None:
        """Hand over all triggers at once, and wait until each has asked once."""
        n, began = self.arguments.n, time.monotonic()
        self.comms_decoder.waiting = workloads
        asks = self.arguments.contender != "sleep"
        while (await self.control.ask("stats"))["jobs" if asks else "polls"] < (n if asks else 1):
            if time.monotonic() - began > LIMIT_S or (not asks and len(self.triggers) == n):
                break
            await asyncio.sleep(0.2)
        self.found["start_s"] = time.monotonic() - began
        self.found |= self.heart.read("start")
        await asyncio.sleep(POKE_INTERVAL_S)

    async def steady(self) -> None:
        """Measure N waiting triggers."""
        await self.calm()
        before, cpu_before_s, began = await self.control.ask("stats"), cpu_s(), time.monotonic()
        asks = self.arguments.contender != "sleep"
        waited_before_s = self.heart.waits.read_s()
        counts_before = {**self.heart.counts}
        await asyncio.sleep(self.arguments.window_s)
        # A slow contender polls in bursts: over too short a window its CPU time a poll would be chance.
        while asks and time.monotonic() - began < self.arguments.window_s + LIMIT_S:
            if (await self.control.ask("stats"))["polls"] - before["polls"] >= self.arguments.n:
                break
            await asyncio.sleep(1)
        window_s, used_s = time.monotonic() - began, cpu_s() - cpu_before_s
        waited_s = self.heart.waits.read_s() - waited_before_s
        stalls, after = self.heart.read("steady"), await self.control.ask("stats")
        self.found |= stalls | {
            "core_waited_s": waited_s,
            **{name: value - counts_before[name] for name, value in self.heart.counts.items()},
            "window_s": window_s,
            "cpu_s": used_s,
            "polls": after["polls"] - before["polls"],
            "polls_due": self.arguments.n * window_s / POKE_INTERVAL_S,
            "connections": after["connections"] - before["connections"],
            "sockets": after["open"],
        }

    async def end(self) -> None:
        """Let all jobs end, spread over some time, and see how soon the events come."""
        n = self.arguments.n
        if self.arguments.contender == "sleep":
            return
        await self.calm()
        over_s = self.arguments.end_s or max(10.0, n / ENDS_PER_S)
        n = min(n, round(over_s * ENDS_PER_S))
        await self.control.ask(f"finish?over_s={over_s}&count={n}")
        await until(lambda: len(self.fired_at) > n, over_s + LIMIT_S)
        self.found |= self.heart.read("end") | await self.lateness()

    async def lateness(self) -> dict[str, Any]:
        """Return the times from the service's answer, and from the end of the job, to the event."""
        ended = {int(job): times for job, times in (await self.control.ask("ended")).items()}
        known = [job for job in self.fired_at if job in ended and job != WARM_UP_JOB]
        answer_ms = [1_000 * (self.fired_at[job] - ended[job][1]) for job in known]
        unseen_s = [self.fired_at[job] - ended[job][0] for job in known]
        return {
            "events": len(known),
            "answer_to_event_p50_ms": percentile(answer_ms, 0.5),
            "answer_to_event_p99_ms": percentile(answer_ms, 0.99),
            "answer_to_event_max_ms": max(answer_ms, default=None),
            "end_to_event_p50_s": percentile(unseen_s, 0.5),
            "end_to_event_max_s": max(unseen_s, default=None),
        }

    async def standing(self) -> None:
        """Start waits of every age, the oldest first, and measure them while none ends."""
        n, window_s, spread_s = self.arguments.n, self.arguments.window_s, self.arguments.spread_s
        begins_at = time.time() + LEAD_S + spread_s
        states = [handover(job, n, window_s, begins_at) for job in range(1, n + 1)]
        waits = [self.workload(job, handover=state) for job, state in enumerate(states, start=1)]
        self.comms_decoder.at_once = math.ceil(older(n, window_s) / spread_s)
        self.comms_decoder.waiting = waits[: older(n, window_s)]
        await asyncio.sleep(begins_at - NEWEST_S - time.time())
        self.comms_decoder.at_once = sys.maxsize
        self.comms_decoder.waiting += waits[older(n, window_s) :]
        await asyncio.sleep(begins_at - time.time())
        if len(self.triggers) < n or time.time() > begins_at + 1:
            raise RuntimeError(f"only {len(self.triggers)} waits began in {spread_s} s")
        await self.steady()
        self.found["polls_due"] = polls_due(n, window_s)

    async def whole(self, workloads: list[RunTrigger]) -> None:
        """Start the triggers over some time, let every job run its time, and count until the last event."""
        n = self.arguments.n
        self.comms_decoder.at_once = max(1, round(n / self.arguments.spread_s))
        before, cpu_before_s, began = await self.control.ask("stats"), cpu_s(), time.monotonic()
        self.comms_decoder.waiting = workloads
        limit_s = 2 * (self.arguments.spread_s + self.arguments.lifetime_s) + LIMIT_S
        await until(lambda: len(self.fired_at) > n, limit_s)
        window_s, used_s = time.monotonic() - began, cpu_s() - cpu_before_s
        stalls, after = self.heart.read("steady"), await self.control.ask("stats")
        self.found |= stalls | await self.lateness()
        self.found |= {
            "window_s": window_s,
            "cpu_s": used_s,
            "polls": after["polls"] - before["polls"],
            "connections": after["connections"] - before["connections"],
            "sockets": after["open"],
        }


async def until(condition: Callable[[], object], limit_s: float) -> bool:
    """Wait for a condition, and return whether it came true."""
    began = time.monotonic()
    while not condition() and time.monotonic() - began < limit_s:  # noqa: ASYNC110  # others' conditions
        await asyncio.sleep(0.05)
    return bool(condition())


def main() -> None:
    """Set this process up as a triggerer's, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--contender", required=True)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--core", type=int, help="the only core to run on")
    parser.add_argument("--window-s", type=float, default=20.0)
    parser.add_argument("--lifetime-s", type=float, help="of each job; measures the whole")
    parser.add_argument("--standing", action="store_true", help="waits of every age, none of which ends")
    parser.add_argument("--spread-s", type=float, default=60.0, help="the time over which these are started")
    parser.add_argument("--end-s", type=float, help="the time over which jobs end, if not all of them do")
    parser.add_argument("--log", default=os.devnull, help="the file that the triggerer logs to")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    log = os.open(arguments.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    supervisor._configure_logs_over_json_channel(log)
    client = Client(arguments)
    if client.contender.patch is not None:
        client.contender.patch(arguments.port)
    client.run()


if __name__ == "__main__":
    main()
