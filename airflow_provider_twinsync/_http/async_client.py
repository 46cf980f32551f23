"""The sender of a triggerer: one keep-alive session for all waits over a connection.

Imported where a request is made and nowhere else, because ``aiohttp`` is slow to import.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiolimiter import AsyncLimiter
from yarl import URL

from airflow_provider_twinsync._api.answers import MAX_ANSWER_BYTES
from airflow_provider_twinsync._api.exchange import Answer, NoAnswer, Request
from airflow_provider_twinsync._http.circuit_breaker import CircuitBreaker
from airflow_provider_twinsync._http.sync_client import answer_of, problem_of, proxy_of, tls_of
from airflow_provider_twinsync.exceptions import UsageError

if sys.version_info >= (3, 11):
    from asyncio import timeout_at
else:
    from async_timeout import timeout_at

if TYPE_CHECKING:
    import ssl

    from airflow_provider_twinsync._api.settings import Settings

_CHUNK_BYTES = 65_536
#: The most connections of a session, and so the most requests at once.
MAX_CONNECTIONS = 32
#: An unused connection is kept for longer than the usual pauses between two looks.
_KEEP_ALIVE_S = 120.0
#: Where the requests are bounded, as many may be made at once as in this time: a timer that rings late must
#: not cost turns.
_BURST_S = 0.1

#: They stay when nobody is in them, without a session: a bound to the requests outlives a single one.
_pools: dict[asyncio.AbstractEventLoop, dict[Settings, AsyncClient]] = {}


async def join(settings: Settings) -> AsyncClient:
    """Give the pool of these settings in this event loop; the first who joins opens its session.

    Who joins has to call :meth:`AsyncClient.leave` once; the last one closes it.

    :raises UsageError: the certificates to trust cannot be read, or the host is none.
    """
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        for other in list(_pools):
            if other.is_closed():
                _pools.pop(other, None)
    pools = _pools.setdefault(loop, {})
    if settings not in pools:
        # Reading certificates blocks, and meanwhile another may make the pool.
        tls = await asyncio.to_thread(tls_of, settings) if settings.url.startswith("https:") else True
        try:
            pools.setdefault(settings, AsyncClient(settings, tls))
        except UsageError:
            raise
        except ValueError:  # there are host names that only the library refuses
            raise UsageError(f"Connection {settings.conn_id!r}: the host is not usable.") from None
    pool = pools[settings]
    pool.enter()
    return pool


class _Connector(aiohttp.TCPConnector):
    """Closes a kept connection on which more has come than was asked for.

    `aiohttp` would take that for the answer to the next request, which is of another job.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*args, **kwargs)
        while connection.protocol and connection.protocol.should_close:
            connection.close()
            connection = await super().connect(*args, **kwargs)
        return connection


@dataclass(frozen=True, slots=True)
class Address:
    """The address and the headers of a GET, as ``aiohttp`` takes them."""

    url: URL
    headers: dict[str, str]


@dataclass(slots=True)
class _Line:
    """A session, and how many requests are under way in it."""

    session: aiohttp.ClientSession
    requests: int = 0


class AsyncClient:
    """A session, the turns of those who use it, and what they know of the service; :func:`join` gives it.

    :param settings: the connection.
    :param tls: what to trust, in the words of ``aiohttp``.
    """

    def __init__(self, settings: Settings, tls: ssl.SSLContext | bool) -> None:
        self.settings = settings
        self.members = 0
        self._tls = tls
        self._url = URL(settings.url)
        self._proxy = proxy_of(settings, settings.url)
        self._breaker = CircuitBreaker()
        # Semaphore and lock let those who wait pass in the order in which they came; the limiter does not.
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._asking = 0  # with a slot or waiting for one
        self._gate = asyncio.Lock()
        self._limiter: AsyncLimiter | None = None
        if settings.requests_per_second:
            burst = max(1.0, _BURST_S * settings.requests_per_second)
            self._limiter = AsyncLimiter(burst, burst / settings.requests_per_second)

    def enter(self) -> None:
        """Open the session, if nobody else is there."""
        if not self.members:
            self._line = self._open()
        self.members += 1

    async def leave(self) -> None:
        """Close the session, if nobody else is there."""
        self.members -= 1
        if not self.members:
            # It has no request under way. Who enters while this one is closed opens another.
            await self._line.session.close()

    def address(self, request: Request) -> Address:
        """Return the address for :meth:`ask`: built once a wait, it saves a tenth of the CPU of each poll."""
        return Address(self._url.with_query(request.params), request.headers)

    async def ask(
        self, address: Address, *, patience_s: float | None = None, in_any_case: bool = False
    ) -> Answer:
        """Send a GET when it is its turn; while the service is down, give what the last one who tried got.

        :param address: what :meth:`address` gave.
        :param patience_s: the longest to wait for the turn, in seconds; None for no such bound.
        :param in_any_case: send it to a service that is down, too.
        """
        loop = asyncio.get_running_loop()
        give_up_at_s = None if patience_s is None else loop.time() + patience_s
        self._asking += 1
        try:
            if self._asking > MAX_CONNECTIONS:
                async with timeout_at(give_up_at_s):
                    await self._slots.acquire()
            else:  # without a timer, which would cost as much as the rest of this method
                await self._slots.acquire()
            try:
                if self._limiter:
                    async with timeout_at(give_up_at_s), self._gate:
                        await self._limiter.acquire()
                asked_at_s = time.monotonic()
                if not in_any_case and (shared := self._breaker.reject(asked_at_s)):
                    return shared
                answer = None
                try:
                    answer = await self._send(address)
                    return answer
                finally:
                    self._breaker.record(answer, asked_at_s, time.monotonic())
            finally:
                self._slots.release()
        except asyncio.TimeoutError:
            return NoAnswer(False, "no turn to ask came in time, as too many others wait for one")
        finally:
            self._asking -= 1

    async def _send(self, address: Address) -> Answer:
        line = self._line
        line.requests += 1
        try:
            # `aiohttp` sends a GET once more by itself, if a connection that was kept turns out to be closed.
            async with line.session.get(
                address.url, headers=address.headers, proxy=self._proxy, allow_redirects=False
            ) as response:
                content, body = response.content, b""
                while len(body) < MAX_ANSWER_BYTES and not content.at_eof():
                    body += await content.read(_CHUNK_BYTES)
                return answer_of(response.status, body, response.headers)
        except Exception as error:  # the boundary: whatever a library raises is no answer
            if line is self._line:
                # All its connections may lead where the service was before; new ones look its name up.
                self._line = self._open()
            return NoAnswer(True, problem_of(error))
        finally:
            line.requests -= 1
            if line is not self._line and not line.requests:
                await line.session.close()

    def _open(self) -> _Line:
        connector = _Connector(ssl=self._tls, limit=0, keepalive_timeout=_KEEP_ALIVE_S, use_dns_cache=False)
        return _Line(
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self.settings.request_timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                # An answer that unpacks to gigabytes fits into some kilobytes.
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        )
