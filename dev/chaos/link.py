"""A relay on loopback before a TCP server, and a network between the two that fails when chaos wants it.

Chaos has one before PostgreSQL, which all parts of Airflow use.
"""

from __future__ import annotations

import asyncio
import contextlib

from dev.chaos.relay import InThread, abort

CHUNK_BYTES = 1 << 16


class Link(InThread):
    """A link for the length of a `with` block.

    :param upstream_port: the port of the server.
    """

    def __init__(self, upstream_port: int) -> None:
        super().__init__()
        self._upstream_port = upstream_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._refuses = False

    def cut(self, *, silently: bool) -> None:
        """Cut it.

        :param silently: nothing arrives any more, and no connection ends, as if a router dropped all packets;
            else all connections end by a TCP RST, and new ones do so too.
        """
        self._wait_for(self._cut(silently))

    def heal(self) -> None:
        """Let it work again: also bytes arrive that a silent cut kept back."""
        self._wait_for(self._heal())

    async def _cut(self, silently: bool) -> None:
        if silently:
            self._works.clear()
            return
        self._refuses = True
        for writer in self._writers:
            abort(writer.transport)

    async def _heal(self) -> None:
        self._refuses = False
        self._works.set()

    async def _start(self) -> None:
        self._works = asyncio.Event()
        self._works.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        self._server.close()
        for writer in self._writers:
            abort(writer.transport)
        await self._heal()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            abort(writer.transport)
            return
        await self._works.wait()
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            abort(writer.transport)
            return
        both = {writer, up_writer}
        self._writers |= both
        try:
            await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
        finally:
            self._writers -= both
            for each in both:
                abort(each.transport)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                data = await reader.read(CHUNK_BYTES)
                await self._works.wait()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            writer.close()  # PostgreSQL has no half-open connections
