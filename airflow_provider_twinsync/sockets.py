"""The connections of a session: who is on the other side, and for how long they are open.

Imported where a request is made and nowhere else, as the senders are.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from requests.utils import select_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from urllib3.connectionpool import HTTPConnectionPool


def addresses_of(host: str) -> set[str]:
    """Give the addresses of a name, or none if it has none now."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


class Connections:
    """Look after the connections of a session: limit their time, say who they lead to, and what was sent.

    The timeout of ``requests`` begins anew with every byte: an answer that drips would never end. Here the
    connections are cut when the time is up.

    :param limit_s: seconds, from the start of the block or from the last :meth:`renew`.
    :param session: the session, for requests to one address.
    :param proxies: the proxies, as ``requests`` is given them.
    :param admit: is given the address of the other side, in digits, when a connection is made and nothing is
        sent yet; what it raises ends the request.
    :param handing_over: is called when the first byte of a request is about to be handed to the system.
    """

    def __init__(
        self,
        limit_s: float,
        session: requests.Session,
        url: str,
        proxies: dict[str, str] | None,
        admit: Callable[[str], None] | None = None,
        handing_over: Callable[[], None] | None = None,
    ) -> None:
        self._limit_s = limit_s
        self._opened: list[socket.socket] = []
        self._whole = threading.Event()
        self._cut = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="twinsync-time-limit", daemon=True)
        adapter: Any = session.get_adapter(url)
        proxy = select_proxy(url, proxies)
        manager = adapter.proxy_manager_for(proxy) if proxy else adapter.poolmanager
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {
            scheme: _reporting(pool, self._opened.append, handing_over, self._whole.set, admit)
            for scheme, pool in pools.items()
        }

    def __enter__(self) -> Connections:
        self.renew()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()

    @property
    def is_over(self) -> bool:
        """Whether the connections were cut: what came is not the whole answer, even if it looks so."""
        return self._cut.is_set()

    @property
    def was_sent(self) -> bool:
        """Whether the system took every byte of a request.

        If it did not, the other side cannot have the whole of it, and of a form the last field, the key, is
        missing or cut.
        """
        return self._whole.is_set()

    def renew(self) -> None:
        """Give the whole time again, from now."""
        self._ends_at = time.monotonic() + self._limit_s

    def _watch(self) -> None:
        while not self._left.wait(max(0.0, self._ends_at - time.monotonic())):
            if time.monotonic() < self._ends_at:
                continue
            if not self._opened:  # it is the connecting that takes so long, which `requests` ends itself
                self.renew()
                continue
            self._cut.set()
            for one in self._opened:
                with suppress(OSError):
                    # Not that of an SSLSocket, which lets go of TLS first: what is sent then goes in clear.
                    socket.socket.shutdown(one, socket.SHUT_RDWR)
            return


def _reporting(
    pool: type[HTTPConnectionPool],
    opened: Callable[[socket.socket], None],
    handing_over: Callable[[], None] | None,
    whole: Callable[[], None],
    admit: Callable[[str], None] | None,
) -> type[HTTPConnectionPool]:
    """Give a kind of pool whose connections tell of themselves."""

    class Connection(pool.ConnectionCls):  # type: ignore[name-defined,misc]  # one class for each scheme
        def _new_conn(self) -> socket.socket:
            made: socket.socket = super()._new_conn()
            try:
                if admit is not None:
                    admit(made.getpeername()[0])
            except BaseException:  # whatever it is, nothing else would close it
                made.close()
                raise
            opened(made)  # what a proxy says to a CONNECT comes before the connection is made
            return made

        def connect(self) -> None:
            super().connect()
            opened(self.sock)  # TLS has put another one in its place

        def request(self, *args: Any, **kwargs: Any) -> None:
            # urllib3 makes the connection here, if it was not made before.
            if self.sock is None:
                self.connect()
            if handing_over is not None:
                handing_over()
            super().request(*args, **kwargs)
            whole()

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
