"""The inputs and outputs of a try, at which it may die: calls of Python's disk, sockets, pauses and log.

Nothing of the package is replaced. Each call reports to an observer before it happens.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_provider_twinsync.operators import TwinSyncSubmitOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Another process runs before these points: the try then reads or changes something that both can see.
SHARED = ("record is read", "record is written", "request is sent")


class Observer(Protocol):
    """The one to whom the calls report."""

    @property
    def is_running(self) -> bool:
        """Return whether this thread runs the try, and the try has not ended."""

    #: The connection breaks before the form is sent.
    breaks: bool

    def reach(self, point: str) -> None:
        """A call of the try comes next."""

    def is_record(self, path: Path) -> bool:
        """Return whether a file is in the ledger; the try must not open the records of other inputs."""

    def read_files(self) -> None:
        """The try has changed the ledger."""

    def settle(self, connection: socket.socket, *, is_post: bool) -> None:
        """Wait until the service has done its part."""

    def hear(self, line: str) -> None:
        """The log has another line."""


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Have the calls report to an observer, and skip the pauses."""
    passed_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal passed_s
        passed_s += seconds

    with pytest.MonkeyPatch.context() as patch:
        real_s = time.monotonic
        patch.setattr(time, "monotonic", lambda: real_s() + passed_s)
        patch.setattr(time, "sleep", sleep)
        _observe_disk(observer, patch)
        _observe_sockets(observer, patch)
        package, task = logging.getLogger("airflow_provider_twinsync"), logging.getLogger("crash points")
        handler = logging.Handler()
        handler.emit = lambda record: observer.hear(record.getMessage())  # type: ignore[method-assign]
        patch.setattr(package, "handlers", [handler])
        patch.setattr(package, "propagate", False)
        # A filter that takes every line: pytest would keep millions of them.
        patch.setattr(task, "filters", [lambda record: observer.hear(record.getMessage())])
        task.setLevel(logging.INFO)
        # The log of a task, which Airflow makes.
        patch.setattr(TwinSyncSubmitOperator, "log", task, raising=False)
        yield


def _observe_disk(observer: Observer, patch: pytest.MonkeyPatch) -> None:
    opened, moved, linked, synced = Path.open, Path.replace, os.link, os.fsync

    def open_file(path: Path, *args: Any, **kwargs: Any) -> Any:
        if observer.is_running and observer.is_record(path):
            observer.reach("draft is opened" if path.suffix == ".draft" else "record is read")
        return opened(path, *args, **kwargs)

    def change(act: Callable[..., Any]) -> Callable[..., Any]:
        def reach_and_act(source: Any, target: Any) -> Any:
            if not (observer.is_running and observer.is_record(Path(target))):
                return act(source, target)
            observer.reach("record is written")
            result = act(source, target)
            observer.read_files()
            return result

        return reach_and_act

    def sync(descriptor: int) -> None:
        if observer.is_running:
            observer.reach("disk is synchronized")
        synced(descriptor)

    patch.setattr(Path, "open", open_file)
    patch.setattr(Path, "replace", change(moved))
    patch.setattr(os, "link", change(linked))
    patch.setattr(os, "fsync", sync)


def _observe_sockets(observer: Observer, patch: pytest.MonkeyPatch) -> None:
    base: Any = socket.socket.__mro__[1]
    heads: dict[int, bytes] = {}  # of the requests that have no answer yet, by socket

    def connect(this: Any, address: Any) -> None:
        if observer.is_running:
            observer.reach("connection is made")
            heads.pop(id(this), None)
        base.connect(this, address)

    def sendall(this: Any, data: Any, *flags: int) -> None:
        if observer.is_running:
            if id(this) not in heads:
                heads[id(this)] = bytes(data[:5])
                observer.reach("head is sent")
            else:
                observer.reach("request is sent")
                if observer.breaks:
                    this.shutdown(socket.SHUT_RDWR)
                    raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        base.sendall(this, data, *flags)

    def recv_into(this: Any, *args: Any) -> int:
        if observer.is_running and id(this) in heads:
            observer.settle(this, is_post=heads.pop(id(this)) == b"POST ")
            observer.reach("answer is read")
        return int(base.recv_into(this, *args))

    for one in (connect, sendall, recv_into):
        patch.setattr(socket.socket, one.__name__, one, raising=False)
