"""Addresses inside a network, such as 127.0.0.1, over real sockets: a refused one gets not one byte."""

from __future__ import annotations

import socket
import tempfile
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from support.servers import answer

from airflow_provider_twinsync.exceptions import DownloadRefusedError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.servers import Received, Serve

VIDEO = b"\0\0\0\x18ftypisom" + bytes(1000)
COMPLETE = answer(200, VIDEO, Content_Type="video/mp4", Content_Length=len(VIDEO))
#: A public address that no test connects to.
PUBLIC = "93.184.216.34"


@pytest.fixture(autouse=True)
def destination(tmp_path: Path, sleeps: list[float], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a destination, beside the temporary files. Skip every delay."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "video.mp4"


@dataclass
class Listener:
    """A port of this machine that answers with the video, and records the bytes of each connection."""

    listening: socket.socket
    received: list[bytes] = field(default_factory=list)
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:  # the test is over
                return
            with connection:
                connection.settimeout(30)
                data = b""
                while b"\r\n\r\n" not in data and (piece := connection.recv(1000)):
                    data += piece
                self.received.append(data)
                if data:
                    connection.sendall(COMPLETE)
            self.ended.release()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    listeners: list[Listener] = []

    def listen(address: str = "127.0.0.1") -> Listener:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listeners.append(Listener(socket.create_server((address, 0), family=family)))
        threading.Thread(target=listeners[-1].run, daemon=True).start()
        return listeners[-1]

    yield listen
    for listener in listeners:
        listener.listening.shutdown(socket.SHUT_RDWR)
        listener.listening.close()


def refused(url: str, destination: Path) -> str:
    """Return the message of the refusal, and check that no file is left."""
    with pytest.raises(DownloadRefusedError) as caught:
        TwinSyncHook().download(url, destination)
    assert list(destination.parent.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("api_host", [PUBLIC, "10.0.0.1"])
@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")])
def test_an_address_inside_is_sent_nothing(
    connect: Any,
    listen: Any,
    destination: Path,
    sleeps: list[float],
    scheme: str,
    api_host: str,
    host: str,
    address: str,
) -> None:
    """Not one byte, neither of a request nor of TLS, although the host is allowed; there is no retry."""
    connect(host=api_host, allowed_result_hosts=address)
    listener = listen(address)
    url = f"{scheme}://{host}:{listener.port}/a.mp4"
    message = refused(url, destination)
    assert listener.ended.acquire(timeout=30)
    assert listener.received == [b""]
    assert sleeps == []
    for part in ("TS502 ", address, "loopback", url, api_host, "allowed_result_hosts", "twinsync_default"):
        assert part in message


def test_a_name_that_leads_inside_is_sent_nothing(connect: Any, listen: Any, destination: Path) -> None:
    """The address of the connection decides, not the name."""
    connect(host=PUBLIC, allowed_result_hosts="localhost")
    listener = listen()
    message = refused(f"http://localhost:{listener.port}/a.mp4", destination)
    assert listener.ended.acquire(timeout=30)
    assert listener.received == [b""]
    assert "TS502 The video's host 'localhost' is 127.0.0.1" in message


@pytest.mark.parametrize("redirected", [False, True], ids=["address", "redirect"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
@pytest.mark.parametrize("api_host", ["127.0.0.1", "localhost", "http://[::1]"])
def test_an_address_inside_is_allowed_if_the_service_is_there(
    connect: Any, serve: Serve, listen: Any, destination: Path, api_host: str, address: str, redirected: bool
) -> None:
    """The videos of the emulator, or of a service inside, may be at another address inside."""
    connect(host=api_host, allowed_result_hosts=[address, "127.0.0.1"])
    listener = listen(address)
    url = f"http://{f'[{address}]' if ':' in address else address}:{listener.port}/a.mp4"
    first = serve(lambda _: [answer(302, Location=url)]).url if redirected else url
    TwinSyncHook().download(first, destination)
    assert destination.read_bytes() == VIDEO


def test_a_name_that_changes_its_address_is_sent_nothing(
    connect: Any, listen: Any, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy checks the connection: a second look-up could return another address."""
    connect(host=PUBLIC, allowed_result_hosts="cdn.invalid")
    listener = listen()
    asked: list[Any] = []

    def rebinding(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host != "cdn.invalid":  # a numeric address
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else PUBLIC
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    message = refused(f"http://cdn.invalid:{listener.port}/a.mp4", destination)
    assert listener.ended.acquire(timeout=30)
    assert listener.received == [b""]
    assert "'cdn.invalid' is 127.0.0.1" in message


def test_a_redirect_that_leads_inside_is_sent_nothing(
    connect: Any, serve: Serve, listen: Any, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy checks each hop: the first, to a public address, uses a proxy; the second does not."""
    listener = listen()

    def respond(request: Received) -> list[bytes]:
        assert request.target == f"http://{PUBLIC}/a.mp4"
        return [answer(302, Location=f"http://127.0.0.1:{listener.port}/b.mp4")]

    proxy = serve(respond)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    connect(host=PUBLIC, allowed_result_hosts="127.0.0.1")
    assert "'127.0.0.1' is 127.0.0.1" in refused(f"http://{PUBLIC}/a.mp4", destination)
    assert len(proxy.requests) == 1
    assert listener.ended.acquire(timeout=30)
    assert listener.received == [b""]


@pytest.mark.parametrize("redirected", [False, True], ids=["address", "redirect"])
@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.1", "loopback"),
        ("2130706433", "loopback"),
        ("10.0.0.1", "private"),
        ("169.254.169.254", "special"),
        ("100.100.100.200", "special"),
        ("0.0.0.0", "special"),
    ],
)
def test_a_proxy_is_not_asked_for_an_address_inside(
    connect: Any, serve: Serve, destination: Path, host: str, kind: str, redirected: bool
) -> None:
    """The proxy makes the connection, so the policy can check only a numeric address."""
    url = f"http://{host}/a.mp4"
    proxy = serve(lambda _: [answer(302, Location=url) if redirected else COMPLETE])
    connect(host=PUBLIC, allowed_result_hosts=[host], proxy=proxy.url)
    assert f" {kind} " in refused(f"http://{PUBLIC}/x.mp4" if redirected else url, destination)
    assert len(proxy.requests) == (1 if redirected else 0)


def test_the_address_of_a_proxy_is_not_checked(connect: Any, serve: Serve, destination: Path) -> None:
    """A proxy usually is inside, and the author of the connection names it."""
    proxy = serve(lambda _: [COMPLETE])
    connect(host=PUBLIC, allowed_result_hosts="cdn.invalid", proxy=proxy.url)
    TwinSyncHook().download("http://cdn.invalid/a.mp4", destination)
    assert destination.read_bytes() == VIDEO
