"""Carry out the plan of chaos while the videos are made: faults, kills and outages."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dev.airflow.api import AirflowApiError
from dev.airflow.emulated_twinsync import order_emulator
from dev.chaos.history import History
from dev.chaos.plan import DAG_ID, POINTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.airflow.emulated_twinsync import EmulatedTwinSync
    from dev.airflow.postgres import Postgres
    from dev.airflow.world import AirflowWorld
    from dev.chaos.link import Link
    from dev.chaos.plan import Blow, Plan
    from dev.chaos.relay import Relay
    from dev.chaos.seen import Seen
    from dev.demo import Clock

RUN_TIMEOUT_S = 2400.0
TRIGGERER_AWAY_S = 40.0  # so that it is the other one that takes its waits over


@dataclass
class Chaos:
    """One run of it."""

    plan: Plan
    clock: Clock
    airflow: AirflowWorld
    postgres: Postgres | None
    link: Link | None
    state: Path
    seen: Seen
    emulator: EmulatedTwinSync
    relay: Relay
    job_s: float
    restarts: int = 0
    silent: int = 0  # looks in a row at a scheduler without a heartbeat
    faults: int = 0
    history: History = field(default_factory=History)
    undone: list[str] = field(default_factory=list)
    away: str = ""  # a triggerer that was killed

    def run(self) -> str:
        """Start the run, follow the plan, and wait for the end; return the run's id."""
        conf: dict[str, list[dict[str, str]]] = defaultdict(list)
        for video in self.plan.videos:
            conf[video.group].append(video.conf())
        run_id = self.airflow.api.trigger(DAG_ID, dict(conf))
        self.clock.say(f"asked for   {len(self.plan.videos)} videos")
        blows = list(self.plan.blows)
        streams = {call: self.plan.faults(call) for call in ("submit", "status", "result")}
        deadline = time.monotonic() + RUN_TIMEOUT_S
        said_at = time.monotonic()
        while time.monotonic() < deadline:
            self._revive()
            self._feed(streams)
            due = [blow for blow in blows if len(self.seen.jobs) >= blow.after_jobs]
            if struck := next(filter(self._strike, due), None):  # one that is too early holds up no other
                blows.remove(struck)
            with contextlib.suppress(AirflowApiError):  # there may be no database at the moment
                if self.airflow.api.run_state(DAG_ID, run_id) in ("success", "failed"):
                    break
                if time.monotonic() - said_at > 30:
                    said_at = time.monotonic()
                    self.history.take(self.emulator.journal())
                    self._probe()
                    self.clock.say(f"            {_states(self.airflow, run_id)}")
            time.sleep(1)
        self.history.take(self.emulator.journal())
        self.undone = [f"not done: {blow}" for blow in blows]
        if self.plan.kills:
            self.undone += [f"no worker killed at '{one}'" for one in POINTS if not self.seen.kills[one]]
        return run_id

    def _revive(self) -> None:
        """Restart components that have ended, as the operator of an Airflow does."""
        for name in [name for name in self.airflow.components if name in self.airflow.processes.ended]:
            status = self.airflow.processes.ended.pop(name)
            self.restarts += 1
            self.silent = 0
            self.clock.say(f"restarted   {name}, which had ended with status {status}")
            self.airflow.start_component(name)

    def _probe(self) -> None:
        """Restart a scheduler that hangs, as a liveness probe does: that of Airflow 2 may, at its end."""
        unhealthy = self.airflow.api.unhealthy()
        is_silent = "scheduler" in unhealthy and "metadatabase" not in unhealthy
        self.silent = self.silent + 1 if is_silent else 0
        if self.silent == 2:
            self.silent = 0
            self.restarts += 1
            self.clock.say("restarted   scheduler, which had no heartbeat")
            self.airflow.processes.kill("scheduler", children=True)
            self.airflow.start_component("scheduler")

    def _feed(self, streams: dict[str, Iterator[dict[str, Any]]]) -> None:
        """Keep some faults waiting at the emulator."""
        waiting = self.emulator.faults()
        for call, stream in streams.items():
            for _ in range(sum(fault["call"] == call for fault in waiting), 20):
                fault = next(stream)
                self.faults += fault["fault"] != "slow"
                self.emulator.add_fault(fault)

    def _strike(self, blow: Blow) -> bool:
        """Carry out a blow of the plan; return False if it is too early."""
        if blow.kind == "triggerer":
            return self._kill_triggerer(blow.target)
        if blow.kind == "emulator":
            self.relay.shut()
            self.history.take(self.emulator.journal())
            self.faults -= sum(fault["fault"] != "slow" for fault in self.emulator.faults())
            self.airflow.processes.kill("emulator")
            self.clock.say(f"killed      the emulator, for {blow.lasts_s:.1f} s")
            time.sleep(blow.lasts_s)
            order(self.airflow, self.emulator, self.state, self.job_s)
            self.emulator.wait()
            self.relay.open()
        if blow.kind == "database" and self.postgres:
            self.clock.say(f"stopped     the database, for {blow.lasts_s:.1f} s")
            self.postgres.stop(self.airflow.processes)
            time.sleep(blow.lasts_s)
            self.postgres.start(self.airflow.processes)
        if blow.kind == "link" and self.link:
            self.clock.say(f"cut         the link to the database {blow.target}, for {blow.lasts_s:.1f} s")
            self.link.cut(silently=blow.target == "silently")
            time.sleep(blow.lasts_s)
            self.link.heal()
        self.clock.say(f"back        the {blow.kind}")
        self.seen.kills[blow.kind] += 1
        return True

    def _kill_triggerer(self, name: str) -> bool:
        """Kill a triggerer and its runner in mid-wait, and see when its jobs are asked for again.

        :param name: the one to kill, unless the other one has all waits.
        """
        waits = defaultdict(list)
        for task in self.airflow.api.task_states(DAG_ID):
            if task.triggerer and task.state == "deferred":
                waits[task.triggerer].append((task.group, task.map_index))
        name = name if name in waits else next(iter(waits), "")
        numbers = {video.number for video in self.plan.videos if (video.group, video.index) in waits[name]}
        jobs = [job for job, number in self.seen.jobs.items() if number in numbers]
        if self.away or not jobs:
            return False
        killed_at = time.monotonic()
        pids = self.airflow.processes.kill(name, children=True)
        self.clock.say(f"killed      {name} and its runner ({len(pids)} processes), in {len(jobs)} waits")
        self.seen.kills["triggerer"] += 1

        self.away = name

        def come_back() -> None:
            time.sleep(TRIGGERER_AWAY_S)
            # A wait that ended in the moment of the kill is asked for by nobody.
            again = [min((at for at in self.seen.asked_at[job] if at > killed_at), default=0) for job in jobs]
            times = [at - killed_at for at in again if at]
            self.seen.taken_over_s["triggerer"] += times
            self.clock.say(f"taken over  {len(times)} waits of {name}; it is started again")
            self.airflow.start_component(name)
            self.away = ""

        threading.Thread(target=come_back, daemon=True).start()
        return True


def order(airflow: AirflowWorld, emulator: EmulatedTwinSync, state: Path, job_s: float) -> None:
    """Have the emulator started, for the first time or again, on the same port with the same jobs."""
    order_emulator(
        airflow.processes,
        port=urlsplit(emulator.url).port or 0,
        key=emulator.key,
        state=state,
        waiting_s=job_s / 5,
        duration_s=job_s * 4 / 5,
    )


def _states(airflow: AirflowWorld, run_id: str) -> str:
    counts: dict[str, int] = defaultdict(int)
    for task in airflow.api.task_states(DAG_ID, run_id):
        counts[task.state or "none"] += 1
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
