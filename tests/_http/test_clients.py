"""Both clients over real sockets: the same request, the same answer, and no library's error."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from support.senders import (
    DONE,
    LOST,
    NOT_SENT,
    STATUS,
    SUBMIT,
    UNKNOWN_ID,
    WHAT_EACH_SENDS,
    Sender,
    json_body,
    settings_for,
    without_words,
)
from support.servers import NO_LEAKS, Received, answer, closed_port

from airflow_provider_twinsync._api.exchange import Answered, Outcome, Request, Sent
from airflow_provider_twinsync._http.sync_client import send
from airflow_provider_twinsync.emulator import (
    AcceptThenHang,
    AcceptThenReset,
    Body,
    Hang,
    HttpError,
    NotJson,
    Redirect,
    ResetBefore,
    Slow,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Serve

    from airflow_provider_twinsync.emulator import Emulator

pytestmark = NO_LEAKS


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (None, Answered(200, json_body(UNKNOWN_ID))),
        (Slow(delay_s=0.2), Answered(200, json_body(UNKNOWN_ID))),
        (Body(json={"result_code": 101}), Answered(200, json_body({"result_code": 101}))),
        (NotJson(body="<p>你好</p>"), Answered(200, "<p>你好</p>".encode())),
        (HttpError(status=503, retry_after_s=7), Answered(503, b"", 7.0)),
        (HttpError(status=429, retry_after_s=0, body="slow down"), Answered(429, b"slow down", 0.0)),
        (HttpError(status=500, body="[]"), Answered(500, b"[]")),
        (HttpError(status=502), Answered(502, b"")),
        (HttpError(status=504), Answered(504, b"")),
        (HttpError(status=404), Answered(404, b"")),
        (HttpError(status=407), Answered(407, b"")),
        (ResetBefore(), LOST),
        (AcceptThenReset(), LOST),
        (Hang(), LOST),
        (AcceptThenHang(), LOST),
        (Slow(delay_s=30), LOST),
    ],
    ids=lambda value: getattr(value, "name", None) or type(value).__name__,
)
def test_what_the_service_does_is_the_same_answer_to_both(
    sender: Sender, emulator: Emulator, fault: Any, wanted: Outcome
) -> None:
    """Also where the answer is lost every time: `aiohttp` repeats the request before it fails."""
    if fault is not None:
        emulator.world.faults.add("status", replace(fault, times=None))
    hangs = isinstance(fault, (Hang, AcceptThenHang)) or fault == Slow(delay_s=30)
    settings = settings_for(emulator.url, request_timeout_s=1 if hangs else 30)
    assert without_words(sender(settings, STATUS)) == wanted
    seen = [(entry.call, entry.taskID, entry.key) for entry in emulator.world.journal]
    assert seen[:1] == seen[-1:] == [("status", STATUS.params["taskID"], None)]
    assert len(seen) <= 2


def test_a_redirect_is_an_answer_and_is_not_followed(
    sender: Sender, emulator: Emulator, serve: Serve
) -> None:
    """A redirect of a status request causes no second request."""
    elsewhere = serve(lambda _: [answer()])
    emulator.world.faults.add("status", Redirect(location=f"{elsewhere.url}/phototalking"))
    assert sender(settings_for(emulator.url), STATUS) == Answered(302, b"")
    assert elsewhere.requests == []


@WHAT_EACH_SENDS
def test_a_redirect_that_cannot_be_read_is_an_answer(sender: Sender, request_: Request, serve: Serve) -> None:
    """Nobody wants to follow it."""
    server = serve(lambda _: [answer(302, Location="http://[::1/", Content_Length=0)])
    assert sender(settings_for(server.url), request_) == Answered(302, b"")
    assert len(server.requests) == 1


def test_an_id_with_any_characters_arrives_as_it_is(sender: Sender, emulator: Emulator) -> None:
    """Query strings are encoded by two libraries."""
    twinsync_task_id = "a b&c=d/e+f%20g#你好?"
    sender(settings_for(emulator.url), Request("GET", params={"taskID": twinsync_task_id}))
    [entry] = emulator.world.journal
    assert entry.taskID == twinsync_task_id


PACKED = gzip.compress(json_body(UNKNOWN_ID))
DATE_PAST = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        ([answer(200, b"{}")], Answered(200, b"{}")),
        ([b"HTTP/1.0 200 OK\r\n\r\n{}"], Answered(200, b"{}")),
        ([answer(200, b"2\r\n{}\r\n0\r\n\r\n", Transfer_Encoding="chunked")], Answered(200, b"{}")),
        ([answer(200, PACKED, Content_Encoding="gzip")], LOST),
        ([answer(429, PACKED, Content_Encoding="identity, x-gzip")], LOST),
        ([answer(404, b"", Content_Encoding="br")], LOST),
        ([answer(200, b"{}", Content_Encoding="identity")], Answered(200, b"{}")),
        ([answer(200, b"{}", Content_Encoding="")], Answered(200, b"{}")),
        # A body that begins as a JSON object is one, with any header.
        ([answer(200, b" {}", Content_Encoding="utf-8")], Answered(200, b" {}")),
        ([answer(503, b"", Retry_After=DATE_PAST)], Answered(503, b"", 0.0)),
        ([answer(503, b"", Retry_After="soon")], Answered(503, b"")),
        ([answer(200, b"{", Content_Length=2)], LOST),
        ([answer(200, b"5\r\n{}", Transfer_Encoding="chunked")], LOST),
        ([answer(200, b"2\r\n{}\r\n", Transfer_Encoding="chunked")], LOST),
        ([answer(200, b"zz\r\n{}\r\n", Transfer_Encoding="chunked")], LOST),
        ([answer(200, b"no gzip", Content_Encoding="gzip", Content_Length=7)], LOST),
        ([b"220 mail.example ESMTP\r\n"], LOST),
        ([], LOST),
    ],
)
def test_an_answer_is_read_by_both_alike(
    sender: Sender, serve: Serve, pieces: list[bytes], wanted: Outcome
) -> None:
    """Whole answers in every framing, and answers that end too early or are none."""
    server = serve(lambda _: pieces)
    assert without_words(sender(settings_for(server.url), STATUS)) == wanted
    assert 1 <= len(server.requests) <= 2


@WHAT_EACH_SENDS
def test_an_answer_is_asked_for_as_it_is(sender: Sender, request_: Request, serve: Serve) -> None:
    """A packed one is not unpacked: of a submit it may be the answer that names a paid job."""
    server = serve(lambda _: [answer(429, PACKED, Content_Encoding="gzip")])
    got = sender(settings_for(server.url), request_)
    assert got == Sent("Packed: HTTP 429 with Content-Encoding, which was not asked for")
    assert {request.headers["accept-encoding"] for request in server.requests} == {"identity"}


INTERIM = b"HTTP/1.1 %d Wait\r\nLink: </style.css>; rel=preload\r\n\r\n"


@WHAT_EACH_SENDS
@pytest.mark.parametrize("statuses", [[102], [103], [100], [199], [100, 102, 103, 103] * 5], ids=str)
def test_what_comes_before_the_answer_is_skipped(
    sender: Sender, request_: Request, serve: Serve, statuses: list[int]
) -> None:
    """RFC 9110, 15.2: a client has to expect interim answers, asked for or not."""
    server = serve(lambda _: [*(INTERIM % status for status in statuses), answer(200, b"{}")])
    assert sender(settings_for(server.url), request_) == Answered(200, b"{}")
    assert len(server.requests) == 1


@WHAT_EACH_SENDS
@pytest.mark.parametrize(
    "upgrade", [{}, {"Connection": "upgrade", "Upgrade": "h2c"}], ids=["bare", "with its headers"]
)
def test_another_protocol_is_no_answer(
    sender: Sender, request_: Request, serve: Serve, upgrade: dict[str, str]
) -> None:
    """101 is final, and the rest is not HTTP: it decides nothing."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in upgrade.items())
    server = serve(lambda _: [f"HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n".encode(), json_body(DONE)])
    got = sender(settings_for(server.url), request_)
    assert got == Answered(101, b""), got


def test_interim_answers_without_end_are_cut(serve: Serve) -> None:
    """No real server sends a hundred of them."""
    left = threading.Event()

    def respond(_: Received) -> Iterator[bytes]:
        try:
            yield from itertools.repeat(INTERIM % 103)
        finally:
            left.set()

    got = send(settings_for(serve(respond).url), SUBMIT)
    assert isinstance(got, Sent)
    assert "interim answers" in got.problem
    assert left.wait(30)


@WHAT_EACH_SENDS
def test_what_cannot_be_reached_has_received_nothing(sender: Sender, request_: Request) -> None:
    """A closed port, and a name that nobody has (RFC 6761, section 6.4)."""
    for url in (f"http://127.0.0.1:{closed_port()}", "http://twinsync.invalid", "https://twinsync.invalid"):
        assert without_words(sender(settings_for(url), request_)) == sender.expects(NOT_SENT), url


@WHAT_EACH_SENDS
def test_a_host_that_does_not_take_the_connection_in_time_has_received_nothing(
    sender: Sender, request_: Request
) -> None:
    """A full backlog on loopback drops the first packet, as a firewall would."""
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        got = sender(settings_for(url, request_timeout_s=0.5), request_)
        assert without_words(got) == sender.expects(NOT_SENT)


@pytest.mark.parametrize(
    "fault", [Hang(), AcceptThenHang(), ResetBefore(), AcceptThenReset()], ids=lambda fault: fault.name
)
def test_a_submit_that_left_may_have_been_received(emulator: Emulator, fault: Any) -> None:
    """Sent is sent, with any answer, and it is sent once."""
    emulator.world.faults.add("submit", fault)
    hangs = isinstance(fault, (Hang, AcceptThenHang))
    got = send(settings_for(emulator.url, request_timeout_s=1 if hangs else 30), SUBMIT)
    assert without_words(got) == LOST
    assert [entry.key for entry in emulator.world.journal] == ["accepted"]
