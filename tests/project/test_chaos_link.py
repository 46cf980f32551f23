"""The link that `make chaos` cuts, before a server that answers each line."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress

import pytest

from dev.chaos.link import Link

SHORT_S = 0.3


@pytest.fixture
def link():
    """A link to a server that sends back each line."""

    class Echo(socketserver.StreamRequestHandler):
        def handle(self):
            with suppress(ConnectionError):
                for line in self.rfile:
                    self.wfile.write(line)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with Link(server.server_address[1]) as link:
            yield link
        server.shutdown()
        thread.join()


def connect(link):
    """A client."""
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def test_a_link_lets_bytes_through(link):
    """Both ways, for each of its clients; an end is passed on."""
    with connect(link) as one, connect(link) as other:
        one.sendall(b"1\n")
        other.sendall(b"2\n")
        assert (one.recv(9), other.recv(9)) == (b"1\n", b"2\n")
        one.shutdown(socket.SHUT_WR)
        assert one.recv(9) == b""


def test_a_silent_cut_keeps_connections_and_bytes(link):
    """Nothing arrives, of old connections and of new ones; all of it arrives later."""
    with connect(link) as old:
        old.sendall(b"1\n")
        assert old.recv(9) == b"1\n"
        link.cut(silently=True)
        with connect(link) as new:
            for client in (old, new):
                client.sendall(b"2\n")
                client.settimeout(SHORT_S)
                with pytest.raises(TimeoutError):
                    client.recv(9)
            link.heal()
            for client in (old, new):
                client.settimeout(5)
                assert client.recv(9) == b"2\n"


def test_a_cut_with_a_reset_ends_connections(link):
    """Old ones and new ones; after it there are new ones again."""
    with connect(link) as old:
        old.sendall(b"1\n")
        assert old.recv(9) == b"1\n"
        link.cut(silently=False)
        with pytest.raises(ConnectionError):
            old.recv(9)
    with pytest.raises(ConnectionError), connect(link) as new:  # in either step
        new.recv(9)
    link.heal()
    with connect(link) as new:
        new.sendall(b"3\n")
        assert new.recv(9) == b"3\n"
