"""The time limit of names, connections and handshakes."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.senders import (
    NOT_SENT,
    WHAT_EACH_SENDS,
    Sender,
    settings_for,
    without_words,
)
from support.servers import NO_LEAKS, answer, closed_port, name_with

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Request, Sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import Serve

pytestmark = NO_LEAKS


@pytest.mark.slow
@WHAT_EACH_SENDS
@pytest.mark.parametrize("over", ["http", "https", "proxy", "https over proxy"])
def test_the_limit_bounds_connecting(
    sender: Sender,
    request_: Request,
    silent: Callable[[int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    over: str,
) -> None:
    """A name with eight addresses, none of which answers: all of them together have the time of a request."""
    port = closed_port()
    name_with(silent(port), monkeypatch)
    proxy = {"proxy": f"http://twinsync.invalid:{port}"} if "proxy" in over else {}
    host = "service.invalid" if proxy else f"twinsync.invalid:{port}"
    settings = settings_for(
        f"{'https' if 'https' in over else 'http'}://{host}", request_timeout_s=1, **proxy
    )
    began = time.monotonic()
    got = sender(settings, request_)
    assert 0.9 < time.monotonic() - began < 3
    assert without_words(got) == sender.expects(NOT_SENT)
    if sender.name == "sync":
        assert isinstance(got, (NotSent, Sent))
        assert got.problem == "Timeout: no complete answer within 1 s"


@WHAT_EACH_SENDS
def test_an_address_that_answers_is_found_among_silent_ones(
    sender: Sender,
    request_: Request,
    serve: Serve,
    silent: Callable[[int, int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A broken first address, as of IPv6 in many networks, leaves time for the second one."""
    server = serve(lambda _: [answer(200, b"{}")])
    name_with([*silent(server.port, 1), "127.0.0.1"], monkeypatch)
    settings = settings_for(f"http://twinsync.invalid:{server.port}", request_timeout_s=2)
    assert sender(settings, request_) == Answered(200, b"{}")


@WHAT_EACH_SENDS
def test_an_address_that_answers_is_found_among_those_that_refuse(
    sender: Sender, request_: Request, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If all addresses of a name refuse, the answer comes at once."""
    server = serve(lambda _: [answer(200, b"{}")])
    name_with(["127.0.0.2", "127.0.0.1"], monkeypatch)
    assert sender(settings_for(f"http://twinsync.invalid:{server.port}"), request_) == Answered(200, b"{}")
    got = sender(settings_for(f"http://twinsync.invalid:{closed_port()}"), request_)
    assert without_words(got) == sender.expects(NOT_SENT)
    assert isinstance(got, (NotSent, Sent))
    assert "refused" in got.problem or "Connect call failed" in got.problem


@pytest.mark.slow
@WHAT_EACH_SENDS
def test_a_name_server_that_does_not_answer_is_not_waited_for(
    sender: Sender, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing interrupts the system's resolver: it is left to a thread."""
    answered, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host in ("twinsync.invalid", b"twinsync.invalid"):
            answered.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    settings = settings_for("http://twinsync.invalid", request_timeout_s=1)
    # An event loop that ends waits for its threads; one of a triggerer does not end.
    timer = threading.Timer(2, answered.set)
    timer.start()
    began = time.monotonic()
    got = sender(settings, request_)
    assert time.monotonic() - began < 5
    assert without_words(got) == sender.expects(NOT_SENT)
    answered.set()
    timer.join()


@pytest.mark.slow
@WHAT_EACH_SENDS
@pytest.mark.parametrize("over", ["direct", "proxy"])
def test_a_handshake_that_drips_is_cut(sender: Sender, request_: Request, serve: Serve, over: str) -> None:
    """TLS is made before anything is sent: one byte every now and then keeps it going."""
    ended = threading.Event()

    def drip(stream: socket.socket) -> None:
        # A handshake record of 16 kB, which takes an hour at this rate.
        for byte in itertools.chain(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", itertools.repeat(0)):
            if ended.wait(0.2):
                return
            stream.sendall(bytes([byte]))

    def listen(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.recv(65_536)
                if over == "proxy":
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    connection.recv(65_536)
                drip(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=listen, args=(listening,))
        thread.start()
        here = f"127.0.0.1:{listening.getsockname()[1]}"
        host, proxy = ("service.invalid", {"proxy": f"http://{here}"}) if over == "proxy" else (here, {})
        began = time.monotonic()
        try:
            net = threading.Timer(20, ended.set)
            net.start()
            got = sender(settings_for(f"https://{host}", request_timeout_s=1, **proxy), request_)
        finally:
            net.cancel()
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert time.monotonic() - began < 10
    assert without_words(got) == sender.expects(NOT_SENT)
