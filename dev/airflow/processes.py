"""Processes of a world that all end with it, however that ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dev import CHECKOUT
from dev.airflow.keeper import descendants, end_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

STOP_TIMEOUT_S = 30.0


class ProcessDiedError(Exception):
    """A process ended that was to go on; the message holds the end of its log."""


@dataclass
class Processes:
    """Starts processes through a keeper (see `keeper.py`), which ends them when this process goes.

    :param python: the Python that has Airflow.
    :param log_folder: where each process has a log, named after it.
    :param env: the environment of all of them.
    :param keep_open: descriptors that stay open until the last of them has ended.
    """

    python: Path
    log_folder: Path
    env: Mapping[str, str]
    keep_open: Sequence[int] = ()
    pids: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log_folder.mkdir(parents=True, exist_ok=True)
        with self.log("keeper").open("ab") as log:
            self._keeper = subprocess.Popen(
                [str(self.python), "-m", "dev.airflow.keeper"],
                cwd=CHECKOUT,
                env=dict(self.env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                pass_fds=tuple(self.keep_open),
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def log(self, name: str) -> Path:
        """The file a process writes to."""
        return self.log_folder / f"{name}.log"

    def log_tail(self, name: str, lines: int = 25) -> str:
        """The last lines a process wrote."""
        path = self.log(name)
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start a program."""
        self._order(name, command=list(command), env=dict(env or {}))

    def start_airflow(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        """Start one of Airflow's subcommands, as `airflow ARGUMENTS` would."""
        self._order(name, airflow=arguments, env=dict(env or {}))

    def check(self, *, may_end: str = "") -> None:
        """Raise if anything has ended that was to go on.

        :param may_end: a process that may end with status 0.
        :raises ProcessDiedError: with the name and the end of the log.
        """
        if self._keeper.poll() is not None:
            self.ended.setdefault("keeper", self._keeper.returncode)
        for name, status in list(self.ended.items()):
            if name != may_end or status != 0:
                raise ProcessDiedError(
                    f"{name} ended with status {status}. Its last lines:\n{self.log_tail(name)}"
                )

    def wait_for_end(self, name: str, timeout_s: float) -> None:
        """Wait for a process that is meant to end.

        :raises ProcessDiedError: if it fails, or does not end in time.
        """
        deadline = time.monotonic() + timeout_s
        while name not in self.ended:
            self.check(may_end=name)
            if time.monotonic() > deadline:
                raise ProcessDiedError(f"{name} did not end in {timeout_s:.0f} s:\n{self.log_tail(name)}")
            time.sleep(0.05)
        self.check(may_end=name)
        del self.ended[name]

    def kill(self, name: str, number: int = signal.SIGKILL, *, children: bool = False) -> list[int]:
        """Send a signal to a process that is to end by it, and wait until it has.

        :param children: send it to the processes that it started too.
        :return: the numbers of those that it was sent to.
        :raises ProcessDiedError: if it does not end.
        """
        pids = [self.pids[name], *(descendants(self.pids[name]) if children else [])]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while name not in self.ended:
            if time.monotonic() > deadline:
                raise ProcessDiedError(f"{name} did not end by signal {number}:\n{self.log_tail(name)}")
            time.sleep(0.02)
        del self.ended[name]
        return pids

    def close(self) -> None:
        """End them all, and wait until they are gone."""
        if self._keeper.stdin:
            with contextlib.suppress(BrokenPipeError):  # an order that a killed keeper did not take
                self._keeper.stdin.close()
        try:
            self._wait_for_all()
        finally:  # a signal may have come while waiting; the end is waited for all the same
            self._wait_for_all()

    def _wait_for_all(self) -> None:
        if self._keeper.wait(STOP_TIMEOUT_S) != 0:  # it was killed, or failed: it has ended nothing
            end_session(self._keeper.pid, STOP_TIMEOUT_S)
        self._listener.join(STOP_TIMEOUT_S)

    def _order(self, name: str, **order: object) -> None:
        assert self._keeper.stdin is not None
        line = json.dumps({"name": name, "log": str(self.log(name)), **order})
        try:
            self._keeper.stdin.write(line.encode() + b"\n")
            self._keeper.stdin.flush()
        except BrokenPipeError:
            raise ProcessDiedError(
                f"the keeper is gone. Its last lines:\n{self.log_tail('keeper')}"
            ) from None

    def _listen(self) -> None:
        assert self._keeper.stdout is not None
        with self._keeper.stdout as lines:
            for line in lines:
                message = json.loads(line)
                if "started" in message:
                    self.pids[message["started"]] = message["pid"]
                else:
                    self.ended[message["ended"]] = message["status"]
