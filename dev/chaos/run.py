"""`make chaos`: videos on a real Airflow while its parts are killed, and an account of each video.

A real Airflow on PostgreSQL with two triggerers makes videos with the emulated TwinSync, over requests that
fail. Workers, triggerers and the emulator are killed (SIGKILL), the database is stopped, and the link to it
is cut. Then every video is accounted for, and `check.py` reads the history of POSTs. `--faults-only` leaves
the kills out, and takes SQLite and one triggerer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev import CHECKOUT
from dev.airflow.airflow2 import Airflow2World
from dev.airflow.api import AirflowApiError
from dev.airflow.emulated_twinsync import EmulatedTwinSync
from dev.airflow.postgres import Postgres, PostgresError
from dev.airflow.processes import ProcessDiedError
from dev.airflow.world import AirflowWorld, AirflowWorldError, free_ports
from dev.chaos.account import LEDGER, STORE, Account, make_account, table
from dev.chaos.blows import Chaos, order
from dev.chaos.check import check
from dev.chaos.history import jobs_in
from dev.chaos.ledger_watch import LedgerWatch
from dev.chaos.link import Link
from dev.chaos.plan import DAG_ID, MIN_VIDEOS, make_plan
from dev.chaos.relay import Relay
from dev.chaos.seen import Seen
from dev.demo import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB_S = 45.0  # how long a job takes: long enough for a kill during its wait
SHORT_JOB_S = 5.0  # where nothing is killed

#: Airflow as it is, but with shorter times until it notices that something is gone. The capacity makes two
#: triggerers share the waits, and lets one of them take over all.
SETTINGS: dict[str, dict[str, object]] = {
    "scheduler": {
        "scheduler_idle_sleep_time": 0.1,
        "task_instance_heartbeat_timeout": 20,
        "task_instance_heartbeat_timeout_detection_interval": 3,
        "orphaned_tasks_check_interval": 15,
        # In the words of Airflow 2:
        "scheduler_zombie_task_threshold": 20,
        "zombie_detection_interval": 3,
    },
    "triggerer": {
        "job_heartbeat_sec": 2,
        "triggerer_health_check_threshold": 10,
        "max_trigger_to_select_per_loop": 5,
    },
}
EXPECTED = (AirflowApiError, AirflowWorldError, PostgresError, ProcessDiedError)


@dataclass(frozen=True)
class Release:
    """The Airflow of a run, and the place of its submit records.

    :param python: the Python that has it.
    :param version: such as ``3.3.2``.
    :param ledger: the records are in a ledger, and not in Airflow's task state store.
    """

    python: Path
    version: str
    ledger: bool

    @classmethod
    def of(cls, python: Path, *, ledger: bool) -> Release:
        """Return that of a Python. Below 3.3 there is no task state store."""
        code = "from importlib.metadata import version; print(version('apache-airflow'))"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        version = done.stdout.strip()
        return cls(python, version, ledger or tuple(map(int, version.split(".")[:2])) < (3, 3))

    @property
    def world(self) -> type[AirflowWorld]:
        """The kind of its world."""
        return Airflow2World if self.version.startswith("2.") else AirflowWorld

    @property
    def record(self) -> str:
        """The place of the submit records."""
        return LEDGER if self.ledger else STORE


def run(seed: int, count: int, release: Release, *, kills: bool, home: Path) -> Account:
    """Run one seed, and return its account."""
    clock = Clock()
    kind = "faults and kills, PostgreSQL, two triggerers" if kills else "faults alone, SQLite"
    kind += f", Airflow {release.version}, {release.record}"
    print(f"\nseed {seed}: {count} videos ({kind})\n", flush=True)
    videos, ledger = home.with_name(f"{home.name}-videos"), home.with_name(f"{home.name}-ledger")
    for folder in (videos, ledger):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    plan = make_plan(seed, count, videos, kills=kills)
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres()) if kills else None
        link = stack.enter_context(Link(postgres.port)) if postgres else None
        airflow = stack.enter_context(
            release.world(
                home,
                CHECKOUT / "dev" / "chaos" / "dags",
                parallelism=24 if kills else 8,
                database=postgres.address(link.port) if postgres and link else "",
                triggerers=2 if kills else 1,
                python=release.python,
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
        seen = Seen(plan, clock, LedgerWatch(ledger, airflow.home / "logs") if release.ledger else None)
        relay = stack.enter_context(Relay(emulator.url, seen.by_twinsync, seen.before_twinsync))
        extra: dict[str, object] = {"request_timeout_s": 5, "tolerance_s": 180}
        env = {}
        if release.ledger:
            extra["ledger"] = str(ledger)
        else:
            api = stack.enter_context(Relay(airflow.url, seen.by_airflow))
            env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"{api.url}/execution/"
        seen.know(f"{relay.url}/phototalking")
        airflow.start(env=env)
        airflow.api.add_connection(
            {
                "connection_id": "twinsync_default",
                "conn_type": "twinsync",
                "host": "127.0.0.1",
                "port": relay.port,
                "password": emulator.key,
                "extra": json.dumps(extra),
            }
        )
        airflow.wait_for_dag(DAG_ID)
        airflow.api.unpause(DAG_ID)
        clock.say(f"healthy     Airflow at {airflow.url}, TwinSync behind {relay.url}")
        chaos = Chaos(plan, clock, airflow, postgres, link, state, seen, emulator, relay, job_s)
        began = time.monotonic()
        run_id = chaos.run()
        duration_s = time.monotonic() - began
        clock.say("accounting for every video")
        chaos.faults -= sum(fault["fault"] != "slow" for fault in emulator.faults())
        jobs = jobs_in(state)
        more_files = [*ledger.rglob("*"), *(postgres.files if postgres else [])]
        account = make_account(plan, airflow, run_id, emulator, jobs, more_files)
    history = home.with_name(f"{home.name}-history-{seed}.jsonl")
    lines = chaos.history.lines(jobs, account.ends, job_s=job_s, now_s=time.time())
    history.write_text("\n".join(lines) + "\n", encoding="utf-8")
    verdict = check(history.read_text(encoding="utf-8").splitlines())
    clock.say(f"checked     {history}: {verdict}")
    account.take(verdict)
    account.airflow, account.record = release.version, release.record
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m dev chaos", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seeds", type=int, nargs="*", help="numbers; the default is three new ones")
    parser.add_argument("--videos", type=int, default=200, help="how many for each seed")
    parser.add_argument("--faults-only", action="store_true", help="kill nothing; SQLite, one triggerer")
    parser.add_argument("--home", type=Path, default=CHECKOUT / ".airflow" / "chaos", help="Airflow's folder")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the one that has Airflow")
    parser.add_argument("--ledger", action="store_true", help="keep the records there; always below 3.3")
    args = parser.parse_args(argv)
    if not args.faults_only and args.videos < MIN_VIDEOS:
        parser.error(f"a run with kills needs at least {MIN_VIDEOS} videos")
    seeds = args.seeds or random.SystemRandom().sample(range(1, 1000), 3)
    print(f"seeds {' '.join(map(str, seeds))}: give them again with --seeds", flush=True)
    try:
        home = args.home.resolve()
        release = Release.of(args.python.absolute(), ledger=args.ledger)
        kills = not args.faults_only
        accounts = [run(seed, args.videos, release, kills=kills, home=home) for seed in seeds]
    except EXPECTED as e:
        print(f"\nerror: {e}", file=sys.stderr)
        return 1
    print("\n" + table(accounts), flush=True)
    return 0 if all(account.is_good for account in accounts) else 1
