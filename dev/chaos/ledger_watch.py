"""The steps of submits as the files of a ledger show them, and the processes that take these steps.

A ledger on the disk has no relay that could hold back an answer. So a kill comes about a millisecond after
its step is stored.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from dev.chaos.plan import DAG_ID

if TYPE_CHECKING:
    from pathlib import Path

    from dev.chaos.plan import Video

JOB_TIMEOUT_S = 20.0
EVERY_S = 0.001
LOOK_EVERY_S = 0.1  # for the process of a try that has not begun


@dataclass(frozen=True)
class Worker:
    """The two processes of a task.

    :param supervisor: the parent, which Airflow's executor started.
    """

    task: int
    supervisor: int

    @classmethod
    def of_task(cls, task: int) -> Worker:
        """Return the worker of a task's process."""
        return cls(task, int(psutil.Process(task).ppid()))

    @classmethod
    def of_supervisor(cls, supervisor: int) -> Worker:
        """Return the worker of a supervisor that has begun its task."""
        return cls(int(psutil.Process(supervisor).children()[0].pid), supervisor)


@dataclass(frozen=True)
class LedgerWatch:
    """A watch over a ledger.

    :param folder: the ledger.
    :param logs: the folder of Airflow's logs.
    """

    folder: Path
    logs: Path

    def wait_for_job(self, inputs: str, job: str) -> bool:
        """Return True as soon as a record of these inputs has the job; False if that takes too long.

        :param inputs: the fingerprint of the inputs.
        """
        deadline = time.monotonic() + JOB_TIMEOUT_S
        while time.monotonic() < deadline:
            for record in self.folder.glob(f"{inputs}-*.json"):
                with contextlib.suppress(FileNotFoundError):
                    if job in record.read_text(encoding="utf-8"):
                        return True
            time.sleep(EVERY_S)
        return False

    def wait_for_report(self, inputs: str, video: Video) -> Worker | None:
        """Return the worker of a try of a submit that has just recorded its report of an uncertain submit.

        :return: None if the report came before its process was found.
        """
        worker = None
        while not any(self.folder.glob(f"{inputs}-*.reported-*")):
            if worker is None:
                worker = self.worker(video)
                time.sleep(LOOK_EVERY_S)
            else:
                time.sleep(EVERY_S)
                if not psutil.pid_exists(worker.task):
                    worker = None
        return worker

    def worker(self, video: Video) -> Worker | None:
        """Return the worker of a later try of a submit: it has the log open, and so may its child."""
        folder = f"task_id={video.group}.submit/map_index={video.index}"
        logs = {str(log) for log in self.logs.glob(f"dag_id={DAG_ID}/*/{folder}/attempt=[2-9].log")}
        if not logs:
            return None
        holders = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if logs & {file.path for file in process.open_files()}:
                    holders.append(process)
        for process in holders:
            with contextlib.suppress(psutil.Error, IndexError):
                if process.parent() not in holders:
                    return Worker.of_supervisor(process.pid)
        return None
