"""A kill of `TwinSyncVideoOperator` at each crash point: a retry pays for no part twice."""

from __future__ import annotations

import json
import os
import select
import signal
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest
from support.crash_points import observed
from support.drive import Run, run_task
from support.once import ONCE
from support.submits import INPUTS, code_of

from airflow_provider_twinsync.operators import TwinSyncVideoOperator

if TYPE_CHECKING:
    import socket
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    ONCE,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
PARTS = ["One. ", "Two."]


class Machine:
    """An observer (see `support.crash_points`) that kills its process at a point.

    :param dies_at: the number of the point; None to count them.
    """

    breaks = False

    def __init__(self, folder: Path, dies_at: int | None = None) -> None:
        self.folder = folder
        self.points: list[str] = []
        self._dies_at = dies_at
        self._thread = threading.get_ident()

    @property
    def is_running(self) -> bool:
        return threading.get_ident() == self._thread

    def reach(self, point: str) -> None:
        if self._dies_at == len(self.points):
            os.kill(os.getpid(), signal.SIGKILL)
        self.points.append(point)

    def is_record(self, path: Path) -> bool:
        """Return True also for the video, which appears by a rename."""
        return self.folder in path.parents

    def read_files(self) -> None:
        """Do nothing: no other process reads the ledger."""

    def settle(self, connection: socket.socket, *, is_post: bool) -> None:
        select.select([connection], [], [])

    def hear(self, line: str) -> None:
        """Do nothing: the operator keeps its own log."""


def make(folder: Path, **instance: int) -> Run:
    operator = TwinSyncVideoOperator(
        **{**INPUTS, "text": "".join(PARTS), "task_id": "video"},
        destination=str(folder / "a.mp4"),
        ledger=str(folder / "ledger"),
        deferrable=False,
        poke_interval=0,
        retries=2,
    )
    return run_task(operator, task_id="video", **instance)


def killed(folder: Path, point: int) -> None:
    """Run a first try in a process, and kill the process at a point."""
    child = os.fork()
    if not child:
        try:
            with observed(Machine(folder, point)):
                make(folder)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def recorded(ledger: Path) -> int:
    """Return the number of jobs in a ledger."""
    records = [json.loads(path.read_text()) for path in ledger.glob("*.json")]
    return len({record["twinsync_task_id"] for record in records if record["twinsync_task_id"]})


def test_no_death_pays_for_a_part_twice(emulator, connect, tmp_path, monkeypatch):
    """A part is uncertain only if no answer to its POST was read: a person decides about that part alone."""
    connect(text_limit_words=1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "counted").mkdir()
    counting = Machine(tmp_path / "counted")
    with observed(counting):
        assert make(tmp_path / "counted").ended == "success"
    uncertain = []
    for number, point in enumerate(counting.points):
        folder = tmp_path / str(number)
        folder.mkdir()
        emulator.world.tasks.clear()
        killed(folder, number)
        unknown = len(emulator.world.tasks) - recorded(folder / "ledger")
        run = make(folder, try_number=2)
        if run.ended != "success":
            assert code_of(run.error) in ("TS313", "TS314"), (number, point, run.error)
            uncertain.append(point)
            run = make(folder, clears=1, try_number=3)
        else:
            assert not unknown, (number, point)
        # A job of unknown id is paid for, and the person who clears the task pays for its part again.
        assert len(emulator.world.tasks) == len(PARTS) + unknown, (number, point)
        assert run.ended == "success", (number, point, run.error)
        assert {path.name for path in folder.iterdir() if path.suffix == ".mp4"} == {"a.mp4"}
        assert not list(tmp_path.glob("twinsync-*-parts-*")), (number, point)
    print(f"{len(counting.points)} points, {len(uncertain)} of them uncertain")  # noqa: T201
    # For each part, from the intent to the record of the job.
    assert len(uncertain) % len(PARTS) == 0
    assert "head is sent" in uncertain
    assert "answer is read" in uncertain
