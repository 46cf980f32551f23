"""Start processes, and end every one of them when the command that asked is gone.

The keeper leads a session of its own, so a Ctrl-C in the terminal reaches the command that the user started
and nothing else. That command holds the other end of the keeper's standard input. When it closes it, or dies
of anything (kill -9 as well), the keeper ends all processes of the session and then itself: one path for
success, for failure, for Ctrl-C and for a crash. Should the keeper itself be killed, the command that started
it ends the session (`end_session`).

Each line on standard input is a JSON object and starts one process:

    {"name": "emulator", "command": ["python", "-m", "..."], "env": {...}, "log": "/path"}
    {"name": "scheduler", "airflow": ["scheduler"], "env": {...}, "log": "/path"}

`airflow` runs that subcommand in a fork of the keeper, which has imported Airflow once. The import takes most
of the start of a component: five imports take half a minute on two cores.
On standard output the keeper writes {"started": name, "pid": n} and {"ended": name, "status": n}.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

GRACE_S = 3.0  # between asking (SIGTERM) and ending (SIGKILL); the triggerer alone would take ten seconds
PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>

# The components need these beyond `import airflow`; the keeper imports them while it is idle. Airflow 2 lacks
# some of them.
PRELOAD = (
    "airflow.cli.cli_parser",
    "airflow.api_fastapi.app",
    "airflow.dag_processing.manager",
    "airflow.executors.local_executor",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.api_fastapi.core_api.routes.public",
    "airflow.api_fastapi.core_api.routes.ui",
)


class Keeper:
    """The processes that were asked for, and those that they started."""

    def __init__(self) -> None:
        self._answers = os.dup(1)
        os.dup2(2, 1)  # Airflow's output on import goes to the log
        self._names: dict[int, str] = {}
        self._to_import: list[str] = []

    def keep(self) -> list[str] | None:
        """Follow the orders on standard input until it closes. In a fork: give the arguments for Airflow."""
        pending = b""
        while True:
            self._reap()
            if not select.select([0], [], [], 0 if self._to_import else 0.1)[0]:
                if self._to_import:
                    with contextlib.suppress(ImportError):
                        importlib.import_module(self._to_import.pop(0))
                continue
            data = os.read(0, 65536)
            if not data:
                self._end_all()
                return None
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = self._spawn(order) if "command" in order else self._fork()
                if pid == 0:
                    os.close(self._answers)
                    _become(order)
                    return list(order["airflow"])
                self._names[pid] = order["name"]
                self._tell(started=order["name"], pid=pid)

    def _spawn(self, order: dict[str, Any]) -> int:
        with Path(order["log"]).open("ab") as log:
            return subprocess.Popen(
                order["command"],
                env={**os.environ, **order["env"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                close_fds=False,  # the keeper's open files, such as the world's lock
            ).pid

    def _fork(self) -> int:
        if "airflow" not in sys.modules:
            gc.disable()  # imports leave no garbage; collecting costs a fifth of the time
            importlib.import_module("airflow")
            self._to_import = list(PRELOAD)
        gc.freeze()
        return os.fork()

    def _reap(self) -> bool:
        """Report processes that have ended; return whether any are left."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if name := self._names.pop(pid, None):
                    self._tell(ended=name, status=os.waitstatus_to_exitcode(status))
        except ChildProcessError:
            return False

    def _tell(self, **message: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._answers, json.dumps(message).encode() + b"\n")

    def _end_all(self) -> None:
        for pid in self._names:
            _kill(pid, signal.SIGTERM)  # a component ends its own workers
        deadline = time.monotonic() + GRACE_S
        session = os.getpid()
        while self._reap() or members(session):
            if time.monotonic() > deadline:
                for pid in members(session):
                    _kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def members(session: int) -> set[int]:
    """Return all living processes of a session, and their children that left it, without the leader."""
    processes = _processes()
    found = {session}
    for pid, _, _ in processes:
        with contextlib.suppress(OSError):
            if os.getsid(pid) == session:
                found.add(pid)
    found = _with_children(found, processes)
    return {pid for pid, _, state in processes if pid in found and pid != session and state != "Z"}


def descendants(pid: int) -> set[int]:
    """All processes that a process has started, and they, and so on."""
    return _with_children({pid}, _processes()) - {pid}


def _with_children(pids: set[int], processes: list[tuple[int, int, str]]) -> set[int]:
    found = set(pids)
    while more := {pid for pid, parent, _ in processes if parent in found} - found:
        found |= more
    return found


def end_session(session: int, timeout_s: float) -> None:
    """End the processes of a keeper that could not do it, and wait until they are gone."""
    deadline = time.monotonic() + timeout_s
    while (left := members(session)) and time.monotonic() < deadline:
        for pid in left:
            _kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _processes() -> list[tuple[int, int, str]]:
    """Number, parent and state of every process on the machine."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True)
        rows = [line.split() for line in listed.stdout.splitlines()]
        return [(int(row[0]), int(row[1]), row[2][0]) for row in rows]
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                found.append((int(entry.name), int(parent), state))
    return found


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _become(order: dict[str, Any]) -> None:
    """In a fork: let go of the keeper's pipes and write to the log."""
    gc.set_threshold(50_000, 20, 20)  # the API server builds its routes a fifth faster
    gc.enable()
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    os.environ.update(order["env"])


def main() -> None:
    """Run as `python -m dev.airflow.keeper` in a new session, with standard input and output as pipes."""
    # Nothing that is started here is to find the checkout's package before the installed one: neither the
    # forks, which have this path, nor the programs, which may look into their working folder first.
    sys.path.append(sys.path.pop(0))
    os.chdir("/")
    if sys.platform == "linux":  # orphans come to the keeper, which can then wait for them
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    arguments = Keeper().keep()
    if arguments is None:
        return
    from airflow.__main__ import main as airflow
    from setproctitle import setproctitle

    sys.argv = ["airflow", *arguments]
    if sys.platform != "darwin":  # where Airflow does without it, too
        setproctitle(" ".join(sys.argv))
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
