"""A relay between a client and a server, for example before an S3: it cuts connections."""

from __future__ import annotations

import select
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Relay:
    """Forward connections to a server, and cut each connection in which some words are sent.

    :ivar words: those words, in the head of a request; empty for none.
    :ivar cuts: the number of cuts.
    :ivar on_cut: is called before a cut.
    """

    def __init__(self, port: int) -> None:
        self.words = b""
        self.cuts = 0
        self.on_cut: Callable[[], None] = lambda: None
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [], 30)
                for one in ready or [None]:
                    try:
                        data = one.recv(262_144) if one else b""
                        if one is client and self.words and self.words in data[:2000]:
                            self.cuts += 1
                            self.on_cut()
                            data = b""
                        if not data:
                            return
                        (server if one is client else client).sendall(data)
                    except OSError:
                        return
