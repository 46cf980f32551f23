"""Host names and their addresses, within a time limit."""

from __future__ import annotations

import queue
import socket
import threading
from typing import Any


def resolve(name: str, port: int | None, limit_s: float) -> list[str]:
    """Return the addresses of a name, in the order in which to try them.

    For example, ``resolve("localhost", 80, 5.0)`` is ``["127.0.0.1"]``. Nothing can interrupt the system's
    resolver, which may take half a minute (resolv.conf(5)): so it runs in a thread. A thread that is too late
    ends by itself, and its answer is not used.

    :param limit_s: seconds to wait for the answer.
    :raises OSError: the name has no address, or the answer did not come in time (a ``TimeoutError``).
    """
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            # Numeric, with the network interface of a link-local address, a separate number in `found`.
            numeric = [socket.getnameinfo(one[4], socket.NI_NUMERICHOST)[0] for one in found]
            answers.put(list(dict.fromkeys(numeric)))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, name="twinsync-resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, limit_s))
    except queue.Empty:
        raise TimeoutError("the name server did not answer in time") from None
    if isinstance(answer, Exception):
        raise answer
    found: list[str] = answer
    return found


def addresses_of(host: str, limit_s: float) -> set[str]:
    """Return the addresses of a name: an empty set if it has none now, or if they do not come in time."""
    try:
        return set(resolve(host, None, limit_s))
    except (OSError, UnicodeError):
        return set()
