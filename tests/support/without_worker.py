"""A real Airflow that runs the DAG of waits without a worker, and at its end two examples."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync.emulator import Emulator
from airflow_provider_twinsync.emulator.faults import HttpError
from dev.airflow.world import AirflowWorld
from support.environment import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


DAGS = CHECKOUT / "tests" / "_airflow" / "without_worker_dags"
EXAMPLES = CHECKOUT / "example_dags"
DAG_ID = "waits"
KEY = "without-worker-7c10"
TIME_LIMIT_S = 300.0
WITHOUT_WORKER = {"plain", "no_xcom", "one.wait[0]", "one.wait[1]", "mapped[0]", "mapped[1]"}
STARTED_THERE = {"start", "callback", "outlets", "late_outlets"}
STARTED_ON_WORKER = {"on_worker", "end", "needs_worker", "mapped_without[0]", "mapped_without[1]"}


@dataclass(frozen=True)
class Seen:
    """The rows of a task in Airflow's database, and its log."""

    state: str
    tries: int
    pid: int | None
    hostname: str
    next_method: str | None  # a worker that ends a task clears it
    seconds: float  # of the last try
    xcoms: dict[str, str]  # as they are stored
    log: str


@dataclass(frozen=True)
class Result:
    """The tasks of the run after its end."""

    tasks: dict[str, Seen]
    first_tries: dict[str, int]  # the process of the first try, for each retried task
    asset_events: set[str]
    called_back: str
    read: dict[str, Any]
    jobs: dict[str, str]
    video: Callable[[str], str]
    cleared: Seen
    published: list[dict[str, Any]]
    fetched: dict[str, Any]
    published_job: str
    answered: dict[str, dict[str, str | None]]  # the states of the tasks, by the answer
    approved: str
    question: str

    def __getitem__(self, name: str) -> Seen:
        return self.tasks[name]


def connection(emulator: Emulator, **extra: Any) -> str:
    fields = {"schema": "http", "host": emulator.host, "port": emulator.port, "password": KEY}
    return json.dumps({"conn_type": "twinsync", **fields, "extra": extra})


def accept(emulator: Emulator) -> str:
    voice = "en-US-JennyNeural"
    return emulator.world.accept(text="Hello", image_url="https://example.com/a.jpg", pronouncer=voice).id


def wait_until(airflow: AirflowWorld, is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIME_LIMIT_S
    while not is_so():
        airflow.processes.check()
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def poll(airflow: AirflowWorld, run_id: str) -> dict[str, Seen]:
    """Read the rows and logs of the tasks."""
    seen = {}
    with closing(sqlite3.connect(airflow.home / "airflow.db")) as database:
        for task in airflow.api.task_states(DAG_ID, run_id):
            place = (task.task_id, task.map_index)
            of_task = "where task_id = ? and map_index = ?"
            columns = "state, try_number, pid, hostname, next_method, coalesce(duration, 0)"
            [row] = database.execute(f"select {columns} from task_instance {of_task}", place)
            xcoms = dict(database.execute(f"select key, value from xcom {of_task}", place).fetchall())
            log = airflow.api.logs(DAG_ID, run_id, task) if row[1] else ""
            seen[task.name] = Seen(*row, xcoms, log)
    return seen


def ask_a_person(airflow: AirflowWorld, folder: Path) -> tuple[dict[str, str], str]:
    """Run the example of an approval once for each answer; return the runs by answer, and a question."""
    dag_id = "twinsync_approve"
    airflow.wait_for_dag(dag_id)
    airflow.api.unpause(dag_id)
    runs = {
        answer: airflow.api.trigger(dag_id, {"name": answer, "folder": str(folder)})
        for answer in ("Approve", "Reject")
    }
    for answer, run_id in runs.items():

        def state(task_id: str, run_id: str = run_id) -> str | None:
            tasks = airflow.api.task_states(dag_id, run_id)
            return next(task.state for task in tasks if task.task_id == task_id)

        def is_asked(run_id: str = run_id, state: Callable[[str], str | None] = state) -> bool:
            # Airflow 3.3.2 fails a task that goes on before the scheduler has read of the end of its first
            # process; a person is not that fast.
            event = "Received executor event with state success for task instance"
            ended = rf"{event} .*task_id='approve', run_id='{re.escape(run_id)}'"
            scheduler = airflow.processes.log("scheduler").read_text(errors="replace")
            return state("approve") == "awaiting_input" and re.search(ended, scheduler) is not None

        wait_until(airflow, is_asked, "nobody is asked")
        assert state("publish") is None
        question = airflow.api.question(dag_id, run_id, "approve")
        airflow.api.answer(dag_id, run_id, "approve", answer)
    for run_id in runs.values():
        wait_until(
            airflow,
            lambda run_id=run_id: airflow.api.run_state(dag_id, run_id) in ("success", "failed"),
            "a run that was answered does not end",
        )
    return runs, question


def run_waits(folder: Path) -> Result:
    """Run all of it: jobs finish when every wait for them has begun; then one task is cleared."""
    home, dags = folder / "airflow", shutil.copytree(DAGS, folder / "dags")
    for example in ("publish_when_ready.py", "approve.py"):
        shutil.copy(EXAMPLES / example, dags)
    with (
        Emulator(key=KEY) as quick,
        Emulator(key=KEY) as slow,
        Emulator(key=KEY) as flaky,
        AirflowWorld(home, dags, parallelism=6) as airflow,
    ):
        quick.world.waiting_s = slow.world.waiting_s = 3600.0
        flaky.world.faults.add("status", HttpError(status=500, times=3))
        connections = {
            "AIRFLOW_CONN_TWINSYNC_DEFAULT": connection(quick),
            "AIRFLOW_CONN_TWINSYNC_SLOW": connection(slow),
            "AIRFLOW_CONN_TWINSYNC_FLAKY": connection(flaky, tolerance_s=0.5),
        }
        airflow.start(env=connections)
        airflow.wait_for_dag(DAG_ID)
        airflow.api.unpause(DAG_ID)
        jobs = {
            "plain": accept(quick),
            "failed": accept(quick),
            "slow": accept(slow),
            "retried": accept(flaky),
        }
        quick.world.tasks[jobs["failed"]].failure = "no face"
        mapped = [accept(quick), accept(quick)]
        jobs |= {"0": mapped[0], "1": mapped[1]}
        run_id = airflow.api.trigger(DAG_ID, {"jobs": jobs, "mapped": mapped})

        def names(state: str) -> set[str]:
            return {task.name for task in airflow.api.task_states(DAG_ID, run_id) if task.state == state}

        all_of_them = WITHOUT_WORKER | STARTED_THERE | STARTED_ON_WORKER
        wait_until(airflow, lambda: names("deferred") >= all_of_them, "not all wait")
        quick.world.advance(7200)
        wait_until(
            airflow,
            lambda: airflow.api.run_state(DAG_ID, run_id) in ("success", "failed"),
            "the run does not end",
        )
        tasks = poll(airflow, run_id)
        with closing(sqlite3.connect(home / "airflow.db")) as database:
            history = dict(database.execute("select task_id, pid from task_instance_history").fetchall())
            events = {source for (source,) in database.execute("select source_task_id from asset_event")}
        called_back = (home / "called-back").read_text()
        read = airflow.api.xcom(DAG_ID, run_id, "read")

        quick.world.tasks[jobs["plain"]].failure = "no face any more"
        airflow.api.clear(DAG_ID, run_id, "plain")
        wait_until(airflow, lambda: "plain" in names("failed"), "what was cleared does not end")
        cleared = poll(airflow, run_id)["plain"]

        quick.world.waiting_s = 0.0
        for dag_id in ("twinsync_make_video", "twinsync_publish_video"):
            airflow.wait_for_dag(dag_id)
            airflow.api.unpause(dag_id)
        made = airflow.api.trigger("twinsync_make_video", {"destination": str(folder / "news.mp4")})

        def publishing() -> list[str]:
            query = "select run_id from dag_run where dag_id = 'twinsync_publish_video' and state = 'success'"
            with closing(sqlite3.connect(home / "airflow.db")) as database:
                return [name for (name,) in database.execute(query)]

        wait_until(airflow, lambda: bool(publishing()), "the video starts no other DAG")
        published = airflow.api.xcom("twinsync_publish_video", publishing()[0], "publish")
        fetched = airflow.api.xcom("twinsync_make_video", made, "fetch")
        published_job = list(quick.world.tasks)[-1]
        runs, question = ask_a_person(airflow, folder)
        answered = {
            answer: {task.task_id: task.state for task in airflow.api.task_states("twinsync_approve", of_it)}
            for answer, of_it in runs.items()
        }
        approved = ""
        if answered["Approve"]["publish"] == "success":
            approved = airflow.api.xcom("twinsync_approve", runs["Approve"], "publish")
    return Result(
        tasks,
        history,
        events,
        called_back,
        read,
        jobs,
        lambda name: f"{(flaky if name == 'retried' else quick).url}/example/{jobs[name]}.mp4",
        cleared,
        published,
        fetched,
        published_job,
        answered,
        approved,
        question,
    )
