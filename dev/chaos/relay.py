"""A relay on loopback before a real server: it sees every exchange, and can keep an answer back.

Chaos uses one before TwinSync and one before Airflow's API, to end a worker exactly between two of its steps.
Neither side can distinguish the relay from the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp
import psutil
from aiohttp import web
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}
_MAX_BODY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and the answer of the server.

    :param client_port: the port that the client sent it from.
    :param status: 0 as long as the server has not got the request.
    """

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    client_port: int
    status: int = 0
    answer: bytes = b""

    def client(self) -> int | None:
        """Return the process that waits for the answer, or None if it is gone."""
        for connection in psutil.net_connections("tcp"):
            if connection.laddr.port == self.client_port and connection.pid is not None:
                return int(connection.pid)
        return None


class InThread(ABC):
    """A server for the length of a `with` block, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    @abstractmethod
    async def _start(self) -> None:
        """Start to listen."""

    @abstractmethod
    async def _close(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait_for(self._start())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._wait_for(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, what: object) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(60)  # type: ignore[arg-type]


class Relay(InThread):
    """A relay of HTTP.

    :param upstream: where the real server is.
    :param seen: called with every exchange before its answer goes back; True keeps the answer back.
    :param arrives: called with every request before the server gets it; True keeps the request back.
    """

    def __init__(
        self,
        upstream: str,
        seen: Callable[[Exchange], bool],
        arrives: Callable[[Exchange], bool] = lambda exchange: False,
    ) -> None:
        super().__init__()
        self._upstream = upstream
        self._seen = seen
        self._arrives = arrives

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen, again on the same port."""
        self._wait_for(self._open())

    def shut(self) -> None:
        """Listen no more, as a server that is down: a client is refused the connection."""
        self._wait_for(self._site.stop())

    async def _start(self) -> None:
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.port = 0
        await self._open()

    async def _open(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = int(self._runner.addresses[0][1])

    async def _close(self) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP]
        peer = request.transport.get_extra_info("peername") if request.transport else None
        exchange = Exchange(request.method, request.path, dict(request.query), body, peer[1] if peer else 0)
        if await asyncio.to_thread(self._arrives, exchange):
            return _reset(request)
        answer = bytearray()
        is_whole = True
        try:
            async with self._session.request(
                request.method,
                URL(self._upstream + request.raw_path, encoded=True),
                headers=headers,
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as upstream:
                try:
                    async for chunk in upstream.content.iter_any():
                        answer += chunk
                except aiohttp.ClientPayloadError:
                    is_whole = False
        except (aiohttp.ClientError, OSError):
            return _reset(request)
        exchange = replace(exchange, status=upstream.status, answer=bytes(answer))
        if await asyncio.to_thread(self._seen, exchange):
            return _reset(request)
        response = web.StreamResponse(status=upstream.status)
        for name, value in upstream.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                response.headers.add(name, value)
        if "Content-Length" not in upstream.headers and upstream.status not in (204, 304):
            response.content_length = len(answer)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await response.write(bytes(answer))
            if not is_whole and request.transport:
                request.transport.close()
        return response


def _reset(request: web.Request) -> web.Response:
    if request.transport:
        abort(request.transport)
    return web.Response()


def abort(transport: asyncio.WriteTransport) -> None:
    """End a connection with a TCP RST, as a process that dies, or a hop that fails, does."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it is closed
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
