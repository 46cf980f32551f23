"""The watch of `make chaos` over a ledger."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from dev.airflow.airflow2 import Airflow2World
from dev.airflow.world import AirflowWorld
from dev.chaos.ledger_watch import LedgerWatch, Worker
from dev.chaos.plan import make_plan
from dev.chaos.run import Release

INPUTS = "00ff"
#: A process that has a log open and starts a child, which inherits the log or not; it prints both ids.
SUPERVISOR = """
import os, subprocess, sys
with open(sys.argv[1], "a") as log:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    child = subprocess.Popen(command, pass_fds=[log.fileno()] if sys.argv[2] == "both" else [])
    print(os.getpid(), child.pid, flush=True)
    child.wait()
"""


@pytest.fixture
def watch(tmp_path):
    """A watch over an empty ledger."""
    (tmp_path / "ledger").mkdir()
    return LedgerWatch(tmp_path / "ledger", tmp_path / "logs")


def test_a_job_is_seen_in_the_record_of_its_inputs(watch):
    """Not in one of others, and not before it is there."""
    (watch.folder / "11ff-1234.json").write_text('{"twinsync_task_id": "job_1"}')
    record = watch.folder / f"{INPUTS}-1234.json"
    record.write_text('{"twinsync_task_id": null}')
    found = []
    thread = threading.Thread(target=lambda: found.append(watch.wait_for_job(INPUTS, "job_1")))
    thread.start()
    thread.join(0.2)
    assert not found
    record.write_text('{"twinsync_task_id": "job_1"}')
    thread.join(5)
    assert found == [True]


@pytest.mark.parametrize("holders", ["supervisor", "both"])
@pytest.mark.parametrize("attempt", [1, 2])
def test_the_processes_of_a_later_try_are_found_by_its_log(watch, tmp_path, holders, attempt):
    """Airflow 3's supervisor alone has the log open; the task of Airflow 2 has it too."""
    video = make_plan(1, 20, tmp_path, kills=False).videos[3]
    tries = watch.logs / "dag_id=twinsync_chaos" / "run_id=r" / f"task_id={video.group}.submit"
    log = tries / f"map_index={video.index}" / f"attempt={attempt}.log"
    log.parent.mkdir(parents=True)
    assert watch.worker(video) is None
    command = [sys.executable, "-c", SUPERVISOR, str(log), holders]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        supervisor, task = map(int, process.stdout.readline().split())
        found = watch.worker(video)
        process.stdin.close()
    assert found == (Worker(task, supervisor) if attempt == 2 else None)


def test_a_report_before_its_process_was_found_kills_nothing(watch, tmp_path):
    """There is nobody to kill, and the plan's kill counts as not done."""
    (watch.folder / f"{INPUTS}-1234.1.reported-5678.json").touch()
    video = make_plan(1, 20, tmp_path, kills=False).videos[3]
    assert watch.wait_for_report(INPUTS, video) is None


@pytest.mark.parametrize(
    ("version", "asked", "ledger", "world"),
    [
        ("2.11.2", False, True, Airflow2World),
        ("3.1.8", False, True, AirflowWorld),
        ("3.3.2", False, False, AirflowWorld),
        ("3.3.2", True, True, AirflowWorld),
        ("3.10.0", False, False, AirflowWorld),
    ],
)
def test_an_airflow_without_a_task_state_store_has_a_ledger(tmp_path, version, asked, ledger, world):
    """The store came with 3.3."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho {version}\n")
    python.chmod(0o755)
    release = Release.of(python, ledger=asked)
    assert (release.version, release.ledger, release.world) == (version, ledger, world)
