"""Running the emulator: in a thread for a test, or in the foreground for the command line."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_twinsync.emulator.guard import Guard
from airflow_provider_twinsync.emulator.ledger import kept
from airflow_provider_twinsync.emulator.server import Server
from airflow_provider_twinsync.emulator.world import World

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from typing_extensions import Self


async def serve(
    world: World,
    *,
    guard: Guard,
    host: str,
    port: int,
    stop: asyncio.Event,
    started: Callable[[int], object],
) -> None:
    """Serve a world until ``stop`` is set.

    :param guard: decides which requests are refused.
    :param started: called with the port once requests are answered.
    :raises OSError: if it cannot listen on that host and port.
    """
    server = Server(world, guard)
    bound_port = await server.start(host, port)
    try:
        started(bound_port)
        await stop.wait()
    finally:
        await server.close()


def base_url(host: str, port: int) -> str:
    """Return the address of a server that listens on a host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Emulator:
    """An emulated TwinSync for the length of a ``with`` block, in a thread of its own.

    :param key: the access key that it accepts.
    :param host: the address that it listens on.
    :param port: the port that it listens on; 0 picks a free one.
    :param waiting_s: how long a job waits (code 101), in seconds.
    :param duration_s: how long it then runs (code 102), in seconds.
    :param photos: which photos are opened: ``local`` (those on this machine and in its network; one on the
        internet is not judged, and its video shows a placeholder portrait), ``any``, or ``placeholder``
        (none but uploaded ones). With the first two, one that cannot be opened is refused (202 or 104).
    :param allowed_hosts: host names by which clients reach it, beside ``localhost`` and ``host``; a request
        with another name in its ``Host`` header is refused with HTTP 421.
    :param word_limit: how many words a text may have.
    :param state: a file that keeps the jobs and the clock, made if there is none: an emulator that is started
        with it knows the jobs of the one before, however that ended. Faults, journal and photos are not kept;
        a kept job's photo is got again from its address, or is the placeholder. ``None`` keeps nothing.
    :raises ValueError: if one of them is of the wrong type or out of its range; on entering, if the state
        file cannot be opened, read or written, or is in use by another emulator.
    :raises OSError: on entering, if it cannot listen on that host and port.
    """

    def __init__(
        self,
        *,
        key: str = "emulator-key",
        host: str = "127.0.0.1",
        port: int = 0,
        waiting_s: float = 0.0,
        duration_s: float = 0.0,
        photos: str = "local",
        allowed_hosts: Iterable[str] = (),
        word_limit: int = 150,
        state: str | os.PathLike[str] | None = None,
    ) -> None:
        if type(port) is not int or not 0 <= port <= 65535:
            raise ValueError(f"port must be a whole number from 0 to 65535, got {port!r}")
        self.key = key
        self.host = host
        self.port = port
        self.world = World(
            key=key, waiting_s=waiting_s, duration_s=duration_s, word_limit=word_limit, photos=photos
        )
        self.guard = Guard(allowed_hosts)
        self.state = None if state is None else Path(state)
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._error: BaseException | None = None

    @property
    def url(self) -> str:
        """Return the address of the server, without a path."""
        return base_url(self.host, self.port)

    def __enter__(self) -> Self:
        self._ready.clear()
        self._error = None
        self._thread = threading.Thread(target=self._run, name="twinsync-emulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with kept(self.world, self.state):
                asyncio.run(self._serve())
        except BaseException as e:  # handed to the thread that waits in __enter__
            self._error = e
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(
            self.world,
            guard=self.guard,
            host=self.host,
            port=self.port,
            stop=self._stop,
            started=self._started,
        )

    def _started(self, port: int) -> None:
        self.port = port
        self._ready.set()
