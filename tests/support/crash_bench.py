"""One try of a submit task, and the state that its death leaves at each of its points.

A process that is killed leaves the stores, the service and the log as they are at that moment. So a try runs
to its end, with the state outside of it copied before each point: each copy is the state after a death there.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.submit import fingerprint
from support.crash_states import BREAKS, OUTCOMES, SLOW, TEXTS, State, left_by
from support.drive import Run, Store, run_task
from support.submits import INPUTS, code_of, submit

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_twinsync.emulator import Emulator

_LIMIT_S, _SHORT_LIMIT_S = 5.0, 0.1
_SKIPS_RETRIES = ("success", "AirflowFailException", "AirflowSensorTimeout")


class ReplacedError(RuntimeError):
    """Airflow 3.3 gives each try an id of its own, and the store knows the newest alone (HTTP 404)."""


class Records(Store):
    """The task state store of Airflow, with points."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench

    def get(self, key: str) -> Any:
        self._reach("record is read")
        return super().get(key)

    def set(self, key: str, value: Any) -> None:
        self._reach("record is written")
        super().set(key, value)
        self._bench.note("rows", self.rows)

    def _reach(self, point: str) -> None:
        self._bench.reach(point)
        if self._bench.is_replaced:
            raise ReplacedError


@dataclass(frozen=True)
class Kind:
    """The stores of the records of a task."""

    has_ledger: bool = False
    has_store: bool = False
    reuse: str = "tries"


KINDS = {
    "task state store": Kind(has_store=True),
    "ledger": Kind(has_ledger=True),
    "ledger and task state store": Kind(has_ledger=True, has_store=True),
    "ledger of all runs": Kind(has_ledger=True, reuse="runs"),
}


@dataclass(frozen=True)
class Jump:
    """Another process runs before a point of a try, and leaves a state.

    :param replaces: Airflow has begun another try of the same task.
    """

    point: int
    state: State
    replaces: bool


@dataclass(frozen=True)
class Try:
    """A try of a task: the state before it, the task instance, the text, and the outcome of its POST."""

    state: State
    instance: str
    text: str = "same"
    outcome: str = "accepted"
    jump: Jump | None = None


class Bench:
    """The machine of a history: its disk, Airflow, the service, and the try that runs.

    :param kind: one of `KINDS`.
    :param folder: an empty folder.
    """

    records: type[Records] = Records

    def __init__(self, kind: Kind, emulator: Emulator, connect: Callable[..., None], folder: Path) -> None:
        self.kind = kind
        self.tries = 0
        self.is_replaced = False
        self.breaks = False
        self._world, self._url = emulator.world, f"{emulator.url}/phototalking"
        self._connect, self._limit_s = connect, 0.0
        self._folder, self._notes = folder / "ledger", folder / "notes"
        self._folder.mkdir()
        self._made: dict[str, Any] = {}  # the jobs, by id
        self._lines: list[str] = []
        self._dies_at: int | None = None
        self._is_active = False
        self._thread = threading.get_ident()

    def run(self, one: Try) -> Run:
        """Run a try to its end; `trail` has the states of a death at each point, and `ended` the last one."""
        limit_s = _SHORT_LIMIT_S if one.outcome in SLOW else _LIMIT_S
        while True:
            self._begin(one, limit_s)
            run = self._finish()
            # On a busy machine a short limit may be over before the POST is sent (TS305).
            is_early = not self.posts or any(code_of(line) == "TS305" for line in self._lines)
            if one.outcome not in SLOW or not is_early or limit_s > _LIMIT_S:
                return run
            limit_s *= 4

    def kill(self, one: Try, point: int) -> State:
        """Run a try in a process, kill the process at a point, and return the state that is left."""
        self._begin(one, _LIMIT_S)
        self._notes.write_text("")
        child = os.fork()
        if not child:
            self._dies_at = point
            try:
                self._finish()
            finally:
                os._exit(1)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        for line in self._notes.read_text().splitlines():
            kind, value = json.loads(line)
            if kind == "rows":
                self._store.rows = value
            else:
                self._lines.append(value)
        self.read_files()
        return self._freeze()

    def _begin(self, one: Try, limit_s: float) -> None:
        self.tries += 1
        if limit_s != self._limit_s:
            self._connect(request_timeout_s=limit_s)
            self._limit_s = limit_s
        self._try, self._base, self._jump = one, one.state, one.jump
        self._lines, self._since = [], 0
        self.trail: list[tuple[str, State]] = []
        self.is_replaced, self._is_reported, self.breaks = False, False, one.outcome == BREAKS
        self._store = self.records(self)
        self._install(one.state)
        self._world.journal.clear()
        self._world.faults.clear()
        for fault in OUTCOMES[one.outcome]:
            self._world.faults.add("submit", fault)

    def _finish(self) -> Run:
        one, task = self._try, self._try.state.tasks[self._try.instance]
        ledger = {"ledger": str(self._folder), "reuse": self.kind.reuse} if self.kind.has_ledger else {}
        operator = submit(text=TEXTS[one.text], **ledger)
        store = self._store if self.kind.has_store else None
        self._is_active = True
        run = run_task(operator, store=store, clears=task.clears, try_number=task.tries, run_id=one.instance)
        self.reach("end is reported")  # Airflow does not know it yet
        self._is_active = False
        if run.error:
            self.hear(str(run.error))  # Airflow logs it
        self.posts = sum(entry.call == "submit" for entry in self._world.journal)
        self.ended = self._freeze()
        if not self.is_replaced:
            after = replace(self._base.tasks[one.instance], may_retry=run.ended not in _SKIPS_RETRIES)
            self.ended.tasks[one.instance] = after
        return run

    # ------------------------------------------------------------------------------------------ the state

    def live(self, waits_s: float, runs_s: float) -> None:
        """Set how long each job waits and runs."""
        self._world.waiting_s, self._world.duration_s = waits_s, runs_s

    def hash_of(self, text: str) -> str:
        """Return the beginning of the names of the records of a text."""
        return fingerprint(self._url, TEXTS[text], INPUTS["image_url"], INPUTS["pronouncer"])

    def _install(self, state: State) -> None:
        for path in self._folder.iterdir():
            path.unlink()
        for name, data in state.files.items():
            (self._folder / name).write_bytes(data)
        self._files = dict(state.files)
        self._store.rows = dict(state.rows.get(self._try.instance, {}))
        self._world.tasks.clear()
        for name, job in state.jobs.items():
            # A failed job is so old that no state of younger jobs hides its failure.
            failed = {"failure": "no face", "created_at_s": 0.0} if job.has_failed else {}
            self._world.tasks[name] = replace(self._made[name], **failed)

    def _freeze(self) -> State:
        """Copy the state outside of the process."""
        for name, made in self._world.tasks.items():
            self._made.setdefault(name, made)
        own = {self._try.instance: dict(self._store.rows)} if self.kind.has_store else {}
        return left_by(
            replace(self._base, rows={**self._base.rows, **own}, files=dict(self._files)),
            self._try.instance,
            self._try.text,
            jobs=list(self._world.tasks),
            lines=self._lines[self._since :],
            is_for_all=self.kind.reuse == "runs",
            is_reported=self._is_reported,
        )

    # -------------------------------------------------------------------- the observer of the points

    @property
    def is_running(self) -> bool:
        """As `Observer`."""
        return self._is_active and threading.get_ident() == self._thread

    def reach(self, point: str) -> None:
        """Copy the state; then another process may run."""
        if not self.is_running:
            return
        if self._dies_at == len(self.trail):
            os.kill(os.getpid(), signal.SIGKILL)
        self._is_active = False
        self.trail.append((point, self._freeze()))
        if self._jump and self._jump.point == len(self.trail) - 1:
            self._base, self._since = self._jump.state, len(self._lines)
            # The second try has reported the intent of this one, which is yet to send its POST.
            self._is_reported = self._jump.state.reports() > self.trail[-1][1].reports()
            self._install(self._jump.state)
            self.is_replaced = self._jump.replaces
        self._is_active = True

    def is_record(self, path: Path) -> bool:
        """As `Observer`."""
        is_ours = path.parent == self._folder
        assert not is_ours or path.name.startswith((".", self.hash_of(self._try.text)))
        return is_ours

    def read_files(self) -> None:
        """Read the ledger; no code reads the drafts that a death leaves."""
        before, self._is_active = self._is_active, False
        paths = [path for path in self._folder.iterdir() if path.suffix != ".draft"]
        self._files = {path.name: path.read_bytes() for path in sorted(paths)}
        self._is_active = before

    def settle(self, connection: socket.socket, *, is_post: bool) -> None:
        """Wait for the answer or, if none will come, until the service has taken the POST.

        The time limit may cut the connection meanwhile; a POST that is cut on its way is never taken.
        """
        if not (is_post and self._try.outcome in SLOW):
            select.select([connection], [], [])
            return
        accepts, give_up_s = self._try.outcome != "no answer in time", time.perf_counter() + 2
        while time.perf_counter() < give_up_s:
            if len(self._world.tasks) > len(self._base.jobs) if accepts else self._world.journal:
                return
            threading.Event().wait(0.001)

    def hear(self, line: str) -> None:
        """As `Observer`."""
        self._lines.append(line)
        self.note("line", line)

    def note(self, kind: str, value: Any) -> None:
        """Write down a change in a process that will be killed."""
        if self._dies_at is not None:
            before, self._is_active = self._is_active, False
            with self._notes.open("a") as notes:
                notes.write(json.dumps([kind, value]) + "\n")
            self._is_active = before
