"""The connections of a session: their time limit, the other side's address, and the progress of a request.

Import it only where a request is made, as the clients do.

These names of urllib3 and of ``http.client`` are not documented. Checked with urllib3 2.2.1 to 2.8.0; a
test hides each.

=========================================  ===============================================================
name                                       without it
=========================================  ===============================================================
``pool_classes_by_scheme``                 nothing is sent, and an error names it
``ConnectionCls``                          nothing is sent, and an error names it
``_new_conn``                              a download is refused; an answer has the time limit of ``requests``
``connect``, ``request``                   a submit without an answer is uncertain (``progress.py``)
``_dns_host``                              a name without its last dot: the resolver may complete it
``HTTPResponse._read_status``              an interim answer (1xx) is the final one: a submit is uncertain
=========================================  ===============================================================
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse, parse_headers
from typing import TYPE_CHECKING, Any

from requests.utils import select_proxy
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from airflow_provider_twinsync._http.network import resolve
from airflow_provider_twinsync._http.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from urllib3.connectionpool import HTTPConnectionPool

#: The most 1xx answers before the real one; a real server sends one or two.
_MAX_INTERIM_ANSWERS = 100


class UnobservedError(Exception):
    """The library made a connection and did not report it, so its address is unknown."""


class ObservedSession:
    """Limit the time of a session's connections, check their addresses, and record the progress of a request.

    The timeout of ``requests`` begins again with every byte and with every address of a name: an answer that
    drips would never end. Here one limit is for all of it: the name, the connection, TLS, and the answer.
    When the time is up the connections are cut. For example::

        with ObservedSession(30.0, session, url, None) as limit, session.get(url, timeout=30.0) as response:
            ...
        assert limit.progress.was_sent

    :param limit_s: seconds, from the start of the block or from the last :meth:`renew`.
    :param session: the session, for requests to one address.
    :param url: that address.
    :param proxies: the proxies, as ``requests`` takes them.
    :param admit: is called with the numeric address of the other side when a connection is made and nothing
        is sent yet; an error that it raises ends the request.
    :param progress: the progress of a request, which the connections report; the default is a new one.
    """

    def __init__(
        self,
        limit_s: float,
        session: requests.Session,
        url: str,
        proxies: dict[str, str] | None,
        admit: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._limit_s = limit_s
        self.admit = admit
        self.progress = progress or Progress()
        # Second handles of the sockets: TLS takes the first handles over.
        self._opened: list[socket.socket] = []
        # A handle that is closed while it is used may have the number of another file. An error in a block of
        # the lock must not keep `__exit__` waiting, so the same thread may take it twice.
        self._lock = threading.RLock()
        self._cut = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run_timer, name="twinsync-time-limit", daemon=True)
        adapter: Any = session.get_adapter(url)
        proxy = select_proxy(url, proxies)
        manager = adapter.proxy_manager_for(proxy) if proxy else adapter.poolmanager
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: _reporting(pool, self) for scheme, pool in pools.items()}

    def __enter__(self) -> ObservedSession:
        self.renew()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        with self._lock:
            for one in self._opened:
                one.close()

    @property
    def is_over(self) -> bool:
        """Return whether the connections were cut: the answer is then never complete, even if it seems so."""
        return self._cut.is_set()

    @property
    def left_s(self) -> float:
        """Return the seconds until the connections are cut."""
        return max(0.0, self._ends_at - time.monotonic())

    def check_observed(self) -> None:
        """Check that the address of the connection was admitted, if that is asked for.

        :raises UnobservedError: no connection was reported.
        """
        if self.admit is not None and not self._opened:
            raise UnobservedError

    def renew(self) -> None:
        """Start the limit again, from now."""
        self._ends_at = time.monotonic() + self._limit_s

    def opened(self, made: socket.socket) -> None:
        """Limit the time of a connection."""
        with self._lock:
            self._opened.append(made.dup())
            if self.is_over:
                self._cut_all()

    def give_up(self) -> None:
        """Record that the time is up before there is a connection."""
        self._cut.set()

    def _run_timer(self) -> None:
        while not self._left.wait(self.left_s):
            if self.left_s:
                continue
            with self._lock:
                self._cut.set()
                self._cut_all()
            return

    def _cut_all(self) -> None:
        for one in self._opened:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _FinalResponse(HTTPResponse):
    """An answer without the interim answers (1xx) before it (RFC 9110, section 15.2).

    ``http.client`` skips 100 alone; 101 is final. If a later Python has no ``_read_status``, an interim
    answer counts as the final one, and a submit is then uncertain.
    """

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MAX_INTERIM_ANSWERS):
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= line[1] < 200 or line[1] == 101:
                return line
            parse_headers(self.fp)
        raise HTTPException(f"more than {_MAX_INTERIM_ANSWERS} interim answers (1xx)")


def _reporting(pool: type[HTTPConnectionPool], limit: ObservedSession) -> type[HTTPConnectionPool]:
    """Build a pool class with connections that report to the limit."""

    class Connection(pool.ConnectionCls):  # type: ignore[name-defined,misc]  # one class for each scheme
        response_class = _FinalResponse

        def _new_conn(self) -> socket.socket:
            made = self._connected()
            try:
                if limit.admit is not None:
                    limit.admit(made.getpeername()[0])
                limit.opened(made)  # the answer of a proxy to a CONNECT comes before the connection is made
            except BaseException:  # nothing else would close it
                made.close()
                raise
            return made

        def _connected(self) -> socket.socket:
            """Connect to the first address that answers; each has its share of the time that is left.

            urllib3 gives each address all of the time, and a silent one would leave none to the next.
            """
            # urllib3's `host` lacks the last dot of a name, which keeps the name from being completed.
            this: Any = self
            name, timeout = getattr(this, "_dns_host", this.host), this.timeout
            try:
                addresses = resolve(name.strip("[]"), this.port, limit.left_s)
                for number, address in enumerate(addresses):
                    if not (left_s := limit.left_s):
                        break
                    this.host, this.timeout = address, left_s / (len(addresses) - number)
                    try:
                        made: socket.socket = super()._new_conn()
                    except (NewConnectionError, ConnectTimeoutError) as error:  # refused; silent
                        if number == len(addresses) - 1 and isinstance(error, NewConnectionError):
                            raise
                    else:
                        made.settimeout(timeout)
                        return made
            except socket.gaierror as error:
                raise NameResolutionError(name, self, error) from error
            except TimeoutError:  # of the resolver
                pass
            finally:
                this.host, this.timeout = name, timeout
            limit.give_up()
            raise ConnectTimeoutError(self, "no address answered in time")

        def connect(self) -> None:
            limit.progress.start()
            try:
                super().connect()
            except BaseException:  # an alarm or Ctrl-C, too
                limit.progress.not_connected()
                raise

        def request(self, *args: Any, **kwargs: Any) -> None:
            # urllib3 makes the connection here, if it was not made before.
            if self.sock is None:
                self.connect()
            limit.check_observed()
            limit.progress.hand_over()
            try:
                super().request(*args, **kwargs)
            except OSError as error:  # any other error leaves open how much the socket took
                # The error of the system has a number. A signal's handler may raise a TimeoutError without
                # one, and after the last byte.
                if error.errno is not None:
                    limit.progress.cut()
                raise
            limit.progress.complete()

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
