"""The address policy, such as no request to 10.0.0.1: it checks a connection before a byte is sent."""

from __future__ import annotations

import socket
import tempfile
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from support.servers import answer

from airflow_provider_twinsync._download.address_policy import (
    AddressKind,
    classify_address,
    is_allowed,
    is_inside,
    literal_address,
    photo_warning,
)
from airflow_provider_twinsync.exceptions import DownloadRefusedError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.servers import Received, Server

    Serve = Callable[..., Server]

VIDEO = b"\0\0\0\x18ftypisom" + bytes(1000)
COMPLETE = answer(200, VIDEO, Content_Type="video/mp4", Content_Length=len(VIDEO))
#: A public address that no test connects to.
PUBLIC = "93.184.216.34"


@pytest.fixture(autouse=True)
def destination(tmp_path: Path, sleeps: list[float], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a destination, beside the temporary files. Skip every delay."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "video.mp4"


INSIDE = [
    "10.0.0.5",
    "192.168.1.20",
    "127.0.0.1",
    "127.1",
    "169.254.1.1",
    "0.0.0.0",
    "::1",
    "fd12:3456::1",
    "localhost",
    "fileserver",
    "photos.internal",
    "printer.local",
    "PRINTER.LOCAL.",
    "nas.home.arpa",
    "web.localhost",
    "router.lan",
]
OUTSIDE = [
    PUBLIC,
    "2606:4700:4700::1111",
    "h.example",
    "twinsync.oss-cn-hangzhou.aliyuncs.com",
    "internal.example",
]


@pytest.mark.parametrize("host", INSIDE)
def test_a_photo_inside_a_network_is_warned_of(host: str) -> None:
    """The service cannot open it, unless the service is inside too, as the emulator is."""
    assert is_inside(host)
    warning = photo_warning(host, "api2.sam-sara.cn")
    assert warning is not None
    assert warning.startswith("TS108 ")
    assert repr(host) in warning
    assert "docs/howto/photos.md" in warning
    for api in INSIDE:
        assert photo_warning(host, api) is None


@pytest.mark.parametrize("host", OUTSIDE)
def test_a_photo_on_the_internet_is_not_warned_of(host: str) -> None:
    """The check resolves no name."""
    assert not is_inside(host)
    assert photo_warning(host, "api2.sam-sara.cn") is None
    assert photo_warning(host, "127.0.0.1") is None


# --------------------------------------------------------------------------------------------- by a table


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        (AddressKind.PUBLIC, ["93.184.216.34", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1"]),
        (
            AddressKind.PUBLIC,
            ["2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"],
        ),
        (AddressKind.PRIVATE, ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"]),
        (AddressKind.PRIVATE, ["100.127.255.255", "198.18.0.7", "fd12:3456::1", "fc00::1", "fec0::1"]),
        (AddressKind.PRIVATE, ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1"]),
        (AddressKind.PRIVATE, ["64:ff9b:1::a00:1", "240.0.0.1", "250.1.2.3"]),
        (AddressKind.PRIVATE, ["64:ff9b:1::7f00:1", "64:ff9b:1:ffff::127.0.0.1", "64:ff9b:1::"]),
        (AddressKind.PRIVATE, ["192.0.2.1", "203.0.113.9", "2001:db8::1", "0.1.2.3", "100::1"]),
        (AddressKind.LOOPBACK, ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]),
        (AddressKind.SPECIAL, ["169.254.0.1", "169.254.170.3", "fe80::1", "fe80::1%eth0"]),
        (AddressKind.SPECIAL, ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16"]),
        (AddressKind.SPECIAL, ["fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]),
        (AddressKind.SPECIAL, ["0.0.0.0", "224.0.0.1", "224.0.1.1", "::", "ff02::1", "ff0e::1"]),
        (AddressKind.SPECIAL, ["4000::1", "::127.0.0.1"]),
    ],
)
def test_the_kind_of_an_address(kind: AddressKind, addresses: list[str]) -> None:
    """An embedded IPv4 address decides for IPv6."""
    assert {address: classify_address(address) for address in addresses} == dict.fromkeys(addresses, kind)


NAMES = {
    "in.example": ["10.1.1.1"],
    "both.example": [PUBLIC, "127.0.0.1"],
    "meta.example": ["169.254.169.254"],
}


@pytest.mark.parametrize(
    ("address", "api_host", "admitted"),
    [
        (PUBLIC, "10.0.0.1", True),
        (PUBLIC, "nowhere.example", True),
        ("10.0.0.9", PUBLIC, False),
        ("10.0.0.9", "192.168.0.1", True),
        ("10.0.0.9", "127.0.0.1", False),
        ("10.0.0.9", "in.example", True),
        ("10.0.0.9", "both.example", False),
        ("10.0.0.9", "nowhere.example", False),
        ("127.0.0.2", "127.1", True),
        ("::1", "127.0.0.1", True),
        # Not inside: anybody may add a second address to a name.
        ("127.0.0.1", "both.example", False),
        ("169.254.0.9", "169.254.1.1", False),
        ("169.254.1.1", "169.254.1.1", True),
        ("169.254.169.254", "169.254.1.1", False),
        ("169.254.169.254", "meta.example", False),
        ("169.254.169.254", "100.100.100.200", False),
        ("169.254.169.254", "169.254.169.254", True),
        ("::ffff:169.254.169.254", "169.254.169.254", True),
        ("224.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "127.0.0.1", False),
    ],
)
def test_an_address_is_allowed(address: str, api_host: str, admitted: bool) -> None:
    """A public address, or an address of the same kind as that of the service."""
    assert is_allowed(address, api_host, lambda host: NAMES.get(host, [])) is admitted


def test_a_name_is_resolved_only_if_the_result_depends_on_it() -> None:
    """Not for a video at a public address, nor if the host of the service is a numeric address."""

    def never(_: str) -> list[str]:
        raise AssertionError

    assert is_allowed(PUBLIC, "in.example", never)
    assert is_allowed("127.0.0.1", "127.0.0.1", never)


@pytest.mark.parametrize(
    ("host", "literal"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("localhost", None),
        ("a.example", None),
        ("你好.example", None),
        ("1.2.3.4.5", None),
    ],
)
def test_a_host_may_be_an_address_in_another_notation(host: str, literal: str | None) -> None:
    """As a resolver reads it."""
    assert literal_address(host) == literal


# ------------------------------------------------------------------------------------------- over a socket


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
