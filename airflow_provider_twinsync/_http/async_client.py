"""The client of a triggerer: one keep-alive session for all waits over a connection.

Import it only where a request is made: ``aiohttp`` is slow to import.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from airflow_provider_twinsync._api.answers import MAX_ANSWER_BYTES
from airflow_provider_twinsync._api.exchange import NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._http.ceiling import NO_TURN, ceiling_warning, open_ceiling
from airflow_provider_twinsync._http.circuit_breaker import CircuitBreaker
from airflow_provider_twinsync._http.sync_client import answer_of, problem_of, proxy_of, tls_of
from airflow_provider_twinsync.exceptions import UnavailableError, UsageError

if sys.version_info >= (3, 11):
    from asyncio import timeout_at
else:
    from async_timeout import timeout_at

if TYPE_CHECKING:
    import ssl

    from airflow_provider_twinsync._api.settings import Settings

log = logging.getLogger(__name__)

_CHUNK_BYTES = 65_536
#: The most connections of a session, and so the most requests at once.
MAX_CONNECTIONS = 32
#: An unused connection is kept for longer than the usual delays between two polls.
_KEEP_ALIVE_S = 120.0

#: A client without members stays, without a session: its `requests_per_second` holds for later waits too.
_pools: dict[asyncio.AbstractEventLoop, dict[Settings, AsyncClient]] = {}


async def join(settings: Settings) -> AsyncClient:
    """Return the client of these settings in this event loop; its first member opens the session.

    Each member calls :meth:`AsyncClient.leave` once; the last member closes the session. For example::

        client = await join(settings)
        try:
            answer = await client.ask(client.address(request))
        finally:
            await client.leave()

    :raises UsageError: the certificates cannot be read, or the proxy or the host is not usable.
    """
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        for other in list(_pools):
            if other.is_closed():
                _pools.pop(other, None)
    clients = _pools.setdefault(loop, {})
    if settings not in clients:
        # Reading certificates blocks, and meanwhile another wait may add the client.
        tls = await asyncio.to_thread(tls_of, settings) if settings.url.startswith("https:") else True
        try:
            clients.setdefault(settings, AsyncClient(settings, tls))
        except UsageError:
            raise
        except ValueError:  # there are host names that only the library refuses
            raise UsageError(f"TS209 Connection {settings.conn_id!r}: the host is not usable.") from None
    client = clients[settings]
    client.enter()
    return client


class _Connector(aiohttp.TCPConnector):
    """Keep connections, but close one that has received more than one answer to its request.

    `aiohttp` would read the rest as the answer to the next request, which is about another job. Without the
    names that show it, no connection is kept, and each poll makes its own.
    """

    def __init__(self, tls: ssl.SSLContext | bool) -> None:
        kept: dict[str, Any] = {"keepalive_timeout": _KEEP_ALIVE_S} if _has_names() else {"force_close": True}
        super().__init__(ssl=tls, limit=0, use_dns_cache=False, **kept)

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*args, **kwargs)
        while not self.force_close and connection.protocol and connection.protocol.should_close:
            connection.close()
            connection = await super().connect(*args, **kwargs)
        return connection


def _has_names() -> bool:
    """Return whether `aiohttp` has the names that it does not document and that `_Connector` uses.

    Names: ``Connection.protocol``, ``ResponseHandler.should_close``. Checked on 3.10.0 to 3.14.5.
    """
    try:
        from aiohttp.client_proto import ResponseHandler
        from aiohttp.connector import Connection
    except ImportError:
        return False
    return hasattr(Connection, "protocol") and hasattr(ResponseHandler, "should_close")


@dataclass(frozen=True, slots=True)
class Address:
    """The address and the headers of a GET, as ``aiohttp`` takes them."""

    url: URL
    headers: dict[str, str]


@dataclass(slots=True)
class _Line:
    """A session, and the number of requests that are under way in it."""

    session: aiohttp.ClientSession
    requests: int = 0


class AsyncClient:
    """The session of all waits over one connection, their turns, and their circuit breaker.

    :func:`join` builds it.

    :param settings: the connection.
    :param tls: the trusted certificates, as ``aiohttp`` takes them.
    """

    def __init__(self, settings: Settings, tls: ssl.SSLContext | bool) -> None:
        self.settings = settings
        self.members = 0
        self._tls = tls
        self._url = URL(settings.url)
        self._proxy = proxy_of(settings, settings.url)
        self._breaker = CircuitBreaker()
        # Semaphore and ceiling are first come, first served.
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._asking = 0  # requests with a slot, or waiting for a slot
        self._ceiling = open_ceiling(settings)
        self._has_warned = False  # of a ceiling that is too low

    def enter(self) -> None:
        """Add a member. The first one opens the session."""
        if not self.members:
            self._line = self._open()
        self.members += 1
        limit = self.settings.requests_per_second
        if limit and not self._has_warned and (warning := ceiling_warning(self.members, limit)):
            self._has_warned = True
            log.warning("%s", warning)

    async def leave(self) -> None:
        """Remove a member. The last one closes the session."""
        self.members -= 1
        if not self.members:
            # It has no request under way. A member that enters meanwhile opens another session.
            await self._line.session.close()
            if self._ceiling and not self.members:
                await self._ceiling.close()

    def address(self, request: Request) -> Address:
        """Build the address for :meth:`ask`. Once a wait, this saves a tenth of the CPU of each poll."""
        return Address(self._url.with_query(request.params), request.headers)

    async def ask(
        self, address: Address, *, turn_timeout_s: float | None = None, despite_outage: bool = False
    ) -> Outcome:
        """Send a GET when it is its turn; while the circuit breaker is open, return the shared failure.

        :param address: the result of :meth:`address`.
        :param turn_timeout_s: the longest time to wait for the turn, in seconds; None for no bound.
        :param despite_outage: send the request even if the circuit breaker is open.
        """
        loop = asyncio.get_running_loop()
        give_up_at_s = None if turn_timeout_s is None else loop.time() + turn_timeout_s
        self._asking += 1
        try:
            if self._asking > MAX_CONNECTIONS:
                async with timeout_at(give_up_at_s):
                    await self._slots.acquire()
            else:  # without a timer, which would cost as much as the rest of this method
                await self._slots.acquire()
            try:
                if self._ceiling:
                    async with timeout_at(give_up_at_s):
                        await self._ceiling.turn()
                asked_at_s = time.monotonic()
                if not despite_outage and (shared := self._breaker.reject(asked_at_s)):
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
            return NotSent(NO_TURN)
        except UnavailableError as error:
            return NotSent(str(error))
        finally:
            self._asking -= 1

    async def _send(self, address: Address) -> Outcome:
        line = self._line
        line.requests += 1
        try:
            # `aiohttp` itself repeats a GET once, if a kept connection turns out to be closed.
            async with line.session.get(
                address.url, headers=address.headers, proxy=self._proxy, allow_redirects=False
            ) as response:
                content, body = response.content, b""
                while len(body) < MAX_ANSWER_BYTES and not content.at_eof():
                    body += await content.read(_CHUNK_BYTES)
                return answer_of(response.status, body, response.headers)
        except Exception as error:  # the boundary: any error of a library is no answer
            if line is self._line:
                # All its connections may lead to an old address of the service; new ones resolve its name.
                self._line = self._open()
            return Sent(problem_of(error))
        finally:
            line.requests -= 1
            if line is not self._line and not line.requests:
                await line.session.close()

    def _open(self) -> _Line:
        return _Line(
            aiohttp.ClientSession(
                connector=_Connector(self._tls),
                timeout=aiohttp.ClientTimeout(total=self.settings.request_timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                # A compressed answer of kilobytes may expand to gigabytes.
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        )
