"""A small HTTP server that writes its answers byte by byte, and files in the form of a video."""

from __future__ import annotations

import random
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

Serve: TypeAlias = "Callable[..., Server]"
#: A socket that is left open is found when the garbage collector meets it, and pytest then warns.
NO_LEAKS = [
    pytest.mark.filterwarnings("error::ResourceWarning"),
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]


def box(name: bytes, *content: bytes) -> bytes:
    """A box of an MP4 file."""
    inner = b"".join(content)
    return (8 + len(inner)).to_bytes(4, "big") + name + inner


def mp4(size: int, seed: int = 1) -> bytes:
    """A file in the form of a video, of one sample that ends where the file does; no two parts are alike."""

    def movie(start: int, length: int) -> bytes:
        table = box(
            b"stbl",
            box(b"stsz", struct.pack(">4I", 0, 0, 1, length)),
            box(b"stsc", struct.pack(">5I", 0, 1, 1, 1, 1)),
            box(b"stco", struct.pack(">3I", 0, 1, start)),
        )
        return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", table))))

    ftyp = b"\0\0\0\x18ftypisom" + bytes(12)
    start = len(ftyp) + len(movie(0, 0)) + 8
    content = random.Random(seed).randbytes(size - start)
    return ftyp + movie(start, len(content)) + box(b"mdat", content)


def answer(status: int = 200, body: bytes = b"", /, **headers: str | int) -> bytes:
    """An HTTP answer, byte for byte; a header's `_` stands for a hyphen, and Content-Length is not added."""
    lines = [f"HTTP/1.1 {status} Because", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass(frozen=True)
class Received:
    """A request as it came: the target is a path, or an address where a proxy is asked."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server that answers each request with the pieces that a function gives, and then closes."""

    listening: socket.socket
    respond: Callable[[Received], Iterable[bytes]]
    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        try:
            with connection, self._wrapped(connection) as stream, stream.makefile("rb") as reader:
                method, target, _ = reader.readline().decode("latin-1").split(" ")
                headers = {}
                while line := reader.readline().decode("latin-1").strip():
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                body = reader.read(int(headers.get("content-length", 0)))
                self.requests.append(Received(method, target, headers, body))
                for piece in self.respond(self.requests[-1]):
                    stream.sendall(piece)
        except (OSError, ValueError):  # the client left, or spoke no HTTP
            return

    def _wrapped(self, connection: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def name_with(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve `twinsync.invalid` to these addresses, and other names by the system."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in ("twinsync.invalid", b"twinsync.invalid"):
            return real(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, int(port or 0))) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
