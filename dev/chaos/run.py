"""`make chaos`: videos on a real Airflow while its parts are killed, and an account of each video.

A real Airflow on PostgreSQL with two triggerers makes videos with the emulated TwinSync, over requests that
fail. Workers, triggerers and the emulator are killed (SIGKILL), and the database is stopped. Then every video
is accounted for. `--faults-only` leaves the kills out, and takes SQLite and one triggerer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import secrets
import shutil
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dev import CHECKOUT
from dev.airflow.api import AirflowApiError
from dev.airflow.emulated_twinsync import EmulatedTwinSync, order_emulator
from dev.airflow.postgres import Postgres, PostgresError
from dev.airflow.processes import ProcessDiedError
from dev.airflow.world import AirflowWorld, AirflowWorldError, free_ports
from dev.chaos.account import Account, Job, make_account, table
from dev.chaos.plan import DAG_ID, MIN_VIDEOS, POINTS, Blow, Plan, make_plan
from dev.chaos.relay import Relay
from dev.chaos.seen import Seen
from dev.demo import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RUN_TIMEOUT_S = 2400.0
JOB_S = 45.0  # how long a job takes: long enough for a kill during its wait
SHORT_JOB_S = 5.0  # where nothing is killed
TRIGGERER_AWAY_S = 40.0  # so that it is the other one that takes its waits over

#: Airflow as it is, but with shorter times until it notices that something is gone. The capacity makes two
#: triggerers share the waits, and lets one of them take over all.
SETTINGS: dict[str, dict[str, object]] = {
    "scheduler": {
        "scheduler_idle_sleep_time": 0.1,
        "task_instance_heartbeat_timeout": 20,
        "task_instance_heartbeat_timeout_detection_interval": 3,
        "orphaned_tasks_check_interval": 15,
    },
    "triggerer": {
        "job_heartbeat_sec": 2,
        "triggerer_health_check_threshold": 10,
        "max_trigger_to_select_per_loop": 5,
    },
}
EXPECTED = (AirflowApiError, AirflowWorldError, PostgresError, ProcessDiedError)


@dataclass
class Chaos:
    """One run of it."""

    plan: Plan
    clock: Clock
    airflow: AirflowWorld
    postgres: Postgres | None
    state: Path
    seen: Seen
    emulator: EmulatedTwinSync
    relay: Relay
    job_s: float
    restarts: int = 0
    faults: int = 0
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
            if blows and len(self.seen.jobs) >= blows[0].after_jobs and self._strike(blows[0]):
                blows.pop(0)
            with contextlib.suppress(AirflowApiError):  # there may be no database at the moment
                if self.airflow.api.run_state(DAG_ID, run_id) in ("success", "failed"):
                    break
                if time.monotonic() - said_at > 30:
                    said_at = time.monotonic()
                    self.clock.say(f"            {_states(self.airflow, run_id)}")
            time.sleep(1)
        self.undone = [f"not done: {blow}" for blow in blows]
        if self.plan.kills:
            self.undone += [f"no worker killed at '{one}'" for one in POINTS if not self.seen.kills[one]]
        return run_id

    def _revive(self) -> None:
        """Restart components that have ended, as the operator of an Airflow does."""
        for name in [name for name in self.airflow.components if name in self.airflow.processes.ended]:
            status = self.airflow.processes.ended.pop(name)
            self.restarts += 1
            self.clock.say(f"restarted   {name}, which had ended with status {status}")
            self.airflow.start_component(name)

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
        self.clock.say(f"back        the {blow.kind}")
        self.seen.kills[blow.kind] += 1
        return True

    def _kill_triggerer(self, name: str) -> bool:
        """Kill a triggerer and its runner in mid-wait, and see when its jobs are asked for again."""
        waits = [
            (task.group, task.map_index)
            for task in self.airflow.api.task_states(DAG_ID)
            if task.triggerer == name and task.state == "deferred"
        ]
        numbers = {video.number for video in self.plan.videos if (video.group, video.index) in waits}
        jobs = [job for job, number in self.seen.jobs.items() if number in numbers]
        if self.away or len(jobs) < 3:
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


def jobs_in(state: Path) -> list[Job]:
    """The jobs that the emulator keeps, in the order of their submits."""
    jobs = {}
    for line in state.read_text().splitlines():
        if job := json.loads(line).get("job"):
            jobs[job["id"]] = Job(job["id"], job["image_url"], job["failure"] is not None)
    return list(jobs.values())


def run(seed: int, count: int, *, kills: bool, home: Path) -> Account:
    """Run one seed, and return its account."""
    clock = Clock()
    kind = "faults and kills, PostgreSQL, two triggerers" if kills else "faults alone, SQLite"
    print(f"\nseed {seed}: {count} videos ({kind})\n", flush=True)
    videos = home.with_name(home.name + "-videos")
    shutil.rmtree(videos, ignore_errors=True)
    videos.mkdir(parents=True)
    plan = make_plan(seed, count, videos, kills=kills)
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres()) if kills else None
        airflow = stack.enter_context(
            AirflowWorld(
                home,
                CHECKOUT / "dev" / "chaos" / "dags",
                parallelism=24 if kills else 8,
                database=postgres.address if postgres else "",
                triggerers=2 if kills else 1,
                settings=SETTINGS,
            )
        )
        if postgres:
            postgres.start(airflow.processes)
        [port] = free_ports(1)
        emulator = EmulatedTwinSync(f"http://127.0.0.1:{port}", f"chaos-{secrets.token_hex(12)}")
        state = airflow.home / "twinsync-state.jsonl"
        job_s = JOB_S if kills else SHORT_JOB_S
        order(airflow, emulator, state, job_s)
        airflow.prepare()
        emulator.wait()
        seen = Seen(plan, clock)
        relay = stack.enter_context(Relay(emulator.url, seen.by_twinsync))
        api = stack.enter_context(Relay(airflow.url, seen.by_airflow))
        seen.know(f"{relay.url}/phototalking")
        airflow.start(env={"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api.url}/execution/"})
        airflow.api.add_connection(
            {
                "connection_id": "twinsync_default",
                "conn_type": "twinsync",
                "host": "127.0.0.1",
                "port": relay.port,
                "password": emulator.key,
                "extra": json.dumps({"request_timeout_s": 5, "tolerance_s": 180}),
            }
        )
        airflow.wait_for_dag(DAG_ID)
        airflow.api.unpause(DAG_ID)
        clock.say(f"healthy     Airflow at {airflow.url}, TwinSync behind {relay.url}")
        chaos = Chaos(plan, clock, airflow, postgres, state, seen, emulator, relay, job_s)
        began = time.monotonic()
        run_id = chaos.run()
        duration_s = time.monotonic() - began
        clock.say("accounting for every video")
        chaos.faults -= sum(fault["fault"] != "slow" for fault in emulator.faults())
        account = make_account(
            plan, airflow, run_id, emulator, jobs_in(state), postgres.files if postgres else []
        )
    account.undone = len(chaos.undone)
    account.complaints += chaos.undone
    account.faults = chaos.faults
    account.kills = dict(seen.kills)
    account.restarts = chaos.restarts
    account.taken_over_s = {who: sorted(times) for who, times in seen.taken_over_s.items()}
    account.duration_s = duration_s
    for line in account.complaints:
        print(f"            {line}", flush=True)
    clock.say("done" if account.is_good else "NOT GOOD")
    return account


def _states(airflow: AirflowWorld, run_id: str) -> str:
    counts: dict[str, int] = defaultdict(int)
    for task in airflow.api.task_states(DAG_ID, run_id):
        counts[task.state or "none"] += 1
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m dev chaos", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seeds", type=int, nargs="*", help="numbers; the default is three new ones")
    parser.add_argument("--videos", type=int, default=200, help="how many for each seed")
    parser.add_argument("--faults-only", action="store_true", help="kill nothing; SQLite, one triggerer")
    parser.add_argument("--home", type=Path, default=CHECKOUT / ".airflow" / "chaos", help="Airflow's folder")
    args = parser.parse_args(argv)
    if not args.faults_only and args.videos < MIN_VIDEOS:
        parser.error(f"a run with kills needs at least {MIN_VIDEOS} videos")
    seeds = args.seeds or random.SystemRandom().sample(range(1, 1000), 3)
    print(f"seeds {' '.join(map(str, seeds))}: give them again with --seeds", flush=True)
    try:
        home = args.home.resolve()
        accounts = [run(seed, args.videos, kills=not args.faults_only, home=home) for seed in seeds]
    except EXPECTED as e:
        print(f"\nerror: {e}", file=sys.stderr)
        return 1
    print("\n" + table(accounts), flush=True)
    return 0 if all(account.is_good for account in accounts) else 1
