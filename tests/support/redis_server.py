"""A Redis of the tests' own, and servers that are none."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.settings import Settings, parse_connection
from support.servers import closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator


SECRET = "secret-of-redis"


def settings_of(store: str | None, **extra: Any) -> Settings:
    """Return a connection with a store."""
    extra = {"requests_per_second": 50, **({"requests_per_second_store": store} if store else {}), **extra}
    return parse_connection("c", host=None, port=None, schema=None, password="k", extra=json.dumps(extra))


class RedisServer:
    """A redis-server on a free port of loopback, without a file; it starts and ends as often as asked.

    :param password: the password that it requires, or None.
    """

    def __init__(self, password: str | None = None) -> None:
        self.port = closed_port()
        self.password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = shutil.which("redis-server")
        # No skip: a machine without one would hide that nothing of it was tested.
        assert program, "these tests need a Redis: apt-get install redis-server"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += [
            "--dir",
            tempfile.gettempdir(),
            *(["--requirepass", self.password] if self.password else []),
        ]
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        give_up_at_s = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, "redis-server ended"
                assert time.monotonic() < give_up_at_s, "redis-server did not start"
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as a machine ends."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()


@contextmanager
def redis_server(password: str | None = None) -> Iterator[RedisServer]:
    """Run a Redis."""
    server = RedisServer(password)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def false_redis(answer: bytes | None) -> Iterator[str]:
    """Run a server that answers each piece of a request with the same bytes, or never; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        try:
            while connection.recv(65_536):
                if answer is not None:
                    connection.sendall(answer)
        except OSError:  # the client left
            return

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # the test is over
                return
            kept.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield f"redis://:{SECRET}@127.0.0.1:{listening.getsockname()[1]}/0"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in kept:
            connection.close()
