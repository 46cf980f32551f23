"""Both senders over real sockets: the same request, the same answer, and no library's error."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import inspect
import itertools
import json
import random
import re
import socket
import ssl
import struct
import threading
import time
import tracemalloc
import warnings
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import aiohttp
import pytest
from support.environment import KEY
from support.servers import Received, answer, closed_port, name_with

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._api.settings import Settings, parse_connection
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._api.submit import MAX_ANSWER_BYTES
from airflow_provider_twinsync._http.async_client import join
from airflow_provider_twinsync._http.sync_client import problem_of, send
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
from airflow_provider_twinsync.exceptions import StatusError, UsageError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from support.servers import Server

    from airflow_provider_twinsync.emulator import Emulator

    Serve: TypeAlias = "Callable[..., Server]"

# A socket that is left open is found when the garbage collector meets it, and pytest then warns.
pytestmark = [
    pytest.mark.filterwarnings("error::ResourceWarning"),
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]

BOUNDS_HEADERS = "max_headers" in inspect.signature(aiohttp.ClientSession).parameters
STATUS = Request("GET", params={"taskID": "20230423_11_23_05_10279"})
SUBMIT = Request("POST", form={"text": "Hello", "key": KEY})
DONE = {"result_code": 103, "result_url": "http://127.0.0.1/a.mp4", "task_id": "1"}
UNKNOWN_ID = {"result_code": 200, "msg": "taskID missing, or not in the service queue"}
LOST, NOT_SENT = Sent(""), NotSent("")


@pytest.fixture(scope="module")
def quick_garbage_collector() -> Iterator[None]:
    """Freeze the objects of Airflow, so that each collection is quick."""
    gc.freeze()
    yield
    gc.unfreeze()


async def ask(settings: Settings, request: Request) -> Outcome:
    """Send one request from a triggerer in which nothing else waits."""
    pool = await join(settings)
    try:
        return await pool.ask(pool.address(request))
    finally:
        await pool.leave()


@dataclass(frozen=True)
class Sender:
    """One of the two clients; it checks every answer for secrets and length."""

    name: str

    def __call__(self, settings: Settings, request: Request) -> Outcome:
        got = send(settings, request) if self.name == "sync" else asyncio.run(ask(settings, request))
        if isinstance(got, (NotSent, Sent)):
            assert re.fullmatch(r"\w+(: .+)?", got.problem), "the error's name, and its text on one line"
            assert len(got.problem) < 300
            assert not re.search(r"0x[0-9a-f]{6}| object at |Traceback|" + KEY, got.problem)
            return got
        assert bool(got.head) == (request.method == "POST"), "a submit's headers may name its job"
        return replace(got, head="")

    def expects(self, wanted: Outcome) -> Outcome:
        """Return the expected answer of this client; only a submit depends on `sent`."""
        return LOST if wanted == NOT_SENT and self.name == "async" else wanted


@pytest.fixture(params=["sync", "async"])
def sender(request: pytest.FixtureRequest, quick_garbage_collector: None) -> Iterator[Sender]:
    """Each of the two."""
    yield Sender(request.param)
    gc.collect()


#: A triggerer sends no submit.
WHAT_EACH_SENDS = pytest.mark.parametrize(
    ("sender", "request_"),
    [("sync", STATUS), ("sync", SUBMIT), ("async", STATUS)],
    ids=["sync-status", "sync-submit", "async-status"],
    indirect=["sender"],
)


def settings_for(url: str, **extra: Any) -> Settings:
    extra = {"request_timeout_s": 30, **extra}
    return parse_connection("c", host=url, port=None, schema=None, password=KEY, extra=json.dumps(extra))


def without_words(got: Outcome) -> Outcome:
    """An answer without the library's words, which are the only thing that may differ."""
    return type(got)("") if isinstance(got, (NotSent, Sent)) else got


def json_body(value: Any) -> bytes:
    return json.dumps(value).encode()


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


# ---------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_endless_answer_is_not_read_on(sender: Sender, serve: Serve, packed: bool) -> None:
    """Reading ends soon after the limit, which counts the bytes before decompression."""
    piece = gzip.compress(random.Random(1).randbytes(100_000)) if packed else b" " * 100_000
    left = threading.Event()

    def respond(_: Received) -> Iterator[bytes]:
        yield answer(200, Content_Encoding="gzip" if packed else "identity")
        try:
            yield from [piece] * 1000
        finally:
            left.set()

    got = sender(settings_for(serve(respond).url), STATUS)
    if packed:
        assert without_words(got) == LOST
    else:
        assert isinstance(got, Answered)
        assert MAX_ANSWER_BYTES <= len(got.body) <= MAX_ANSWER_BYTES + 200_000
    assert left.wait(30)


def endless(packer: Any) -> Iterator[bytes]:
    """Some kilobytes on the wire that unpack to a gigabyte, in one stream."""
    yield from (packer.compress(b" " * 1_000_000) for _ in range(1000))


def deflated(window_bits: int) -> Iterator[bytes]:
    return endless(zlib.compressobj(9, zlib.DEFLATED, window_bits))


#: Zeros by the gigabyte, without making them: a member of a gzip file may be repeated.
BOMB = gzip.compress(gzip.compress(bytes(10_000_000)) * 100)
FOUND = json.dumps({"result_code": 101, "msg": "排队"}, ensure_ascii=False)
DEEP = b"[" * 100_000 + b"]" * 100_000
JSON_TYPE = {"Content_Type": "application/json"}
#: An answer, piece by piece, and the result of both clients: a part of the problem, or a state.
BAD: dict[str, tuple[Callable[[], Iterable[bytes]], str]] = {
    "50 MB, promised": (
        lambda: itertools.chain([answer(200, Content_Length=50_000_000)], [b" " * 100_000] * 500),
        "too large",
    ),
    "50 MB of digits": (
        lambda: itertools.chain([answer(200, b'{"result_code": ')], [b"1" * 100_000] * 500),
        "too large",
    ),
    "50 MB in chunks": (
        lambda: itertools.chain(
            [answer(200, Transfer_Encoding="chunked")], [b"186a0\r\n" + b" " * 100_000 + b"\r\n"] * 500
        ),
        "too large",
    ),
    "gzip": (lambda: itertools.chain([answer(200, Content_Encoding="gzip")], deflated(31)), "Packed"),
    "deflate": (lambda: itertools.chain([answer(200, Content_Encoding="deflate")], deflated(15)), "Packed"),
    "raw deflate": (
        lambda: itertools.chain([answer(200, Content_Encoding="deflate")], deflated(-15)),
        "Packed",
    ),
    "broken deflate": (
        lambda: [answer(200, b"<>", Content_Encoding="deflate", Content_Length=2)],
        "Packed",
    ),
    # Once unpacked it is a megabyte, and then a gigabyte.
    "gzip in gzip": (lambda: [answer(200, BOMB, Content_Encoding="gzip, gzip")], "Packed"),
    "an unknown packing": (
        lambda: [answer(200, b"7z<>", Content_Encoding="x-7z", Content_Length=4)],
        "Packed",
    ),
    "packed, as it says, and not JSON": (
        lambda: [answer(200, b"{}{}", Content_Encoding="br", Content_Length=4)],
        "not JSON",
    ),
    "deep lists": (lambda: [answer(200, DEEP, Content_Length=len(DEEP))], "not JSON"),
    "deep lists beside a code": (
        lambda: [answer(200, b'{"result_code": 103, "a": ' + DEEP + b"}")],
        "not JSON",
    ),
    "two codes": (lambda: [answer(200, b'{"result_code": 103, "result_code": 104}')], "not JSON"),
    "a wrong charset": (
        lambda: [answer(200, FOUND.encode(), Content_Type="application/json; charset=utf-16")],
        "waiting",
    ),
    "an unknown charset": (
        lambda: [answer(200, FOUND.encode(), Content_Type="application/json; charset=klingon")],
        "waiting",
    ),
    "another encoding": (lambda: [answer(200, FOUND.encode("gbk"), **JSON_TYPE)], "waiting"),
    "many headers": (
        lambda: itertools.chain(
            [answer(200)[:-2]], (b"X-%d: %s\r\n" % (n, b"v" * 90) for n in range(500_000))
        ),
        "no answer",
    ),
    "a header without end": (
        lambda: itertools.chain([answer(200)[:-2], b"X: "], [b"v" * 100_000] * 500),
        "no answer",
    ),
    "a status line without end": (
        lambda: itertools.chain([b"HTTP/1.1 200 "], [b"v" * 100_000] * 500),
        "no answer",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("pieces", "part"), BAD.values(), ids=BAD)
def test_a_bad_answer_is_one_clear_error_and_is_not_read_on(
    sender: Sender, serve: Serve, pieces: Callable[[], Iterable[bytes]], part: str
) -> None:
    """Both clients notice it soon, and the bytes that they read and keep are bounded."""
    if pieces is BAD["many headers"][0] and sender.name == "async" and not BOUNDS_HEADERS:
        pytest.skip("aiohttp counts the headers of an answer from 3.13.4 on")
    sent_bytes = 0

    def respond(_: Received) -> Iterator[bytes]:
        nonlocal sent_bytes
        for piece in pieces():
            yield piece
            sent_bytes += len(piece)

    settings = settings_for(serve(respond).url)
    began = time.monotonic()
    tracemalloc.start()
    try:
        got = sender(settings, STATUS)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 20, "it did not wait for its timeout"
    # What is in the sockets' buffers counts here too.
    assert sent_bytes < 20_000_000
    assert peak_bytes < 25_000_000
    try:
        found = parse_job("1", got, key="key").state.value
    except StatusError as error:
        found = str(error)
    assert part in found
    assert len(found) < 1000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("where", ["head", "line", "body"])
@pytest.mark.parametrize(
    ("sender", "over"),
    # Not async over https: aiohttp leaves the TLS connection to the loop, and a test's loop ends at once.
    [("sync", "http"), ("sync", "https"), ("sync", "proxy"), ("async", "http"), ("async", "proxy")],
    indirect=["sender"],
)
def test_a_dripping_answer_ends_with_the_timeout(
    sender: Sender, serve: Serve, certificate: Path, where: str, over: str
) -> None:
    """One byte every 0.2 s keeps a timeout between two bytes from ever passing."""
    ended = threading.Event()

    def respond(_: Received) -> Iterator[bytes]:
        start = answer(200)
        yield start[: None if where == "body" else -2]
        for byte in itertools.cycle({"head": b"X-A: b\r\n", "line": b"v", "body": b" "}[where]):
            if ended.wait(0.2):
                return
            yield bytes([byte])

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server = serve(respond, tls=tls if over == "https" else None)
    proxy = {"proxy": server.url} if over == "proxy" else {}
    url = "http://twinsync.invalid" if over == "proxy" else server.url
    settings = settings_for(url, request_timeout_s=1, verify=False, **proxy)
    began = time.monotonic()
    try:
        # A safety net, so that a sender that never ends fails the test and does not hang it.
        net = threading.Timer(20, ended.set)
        net.start()
        got = sender(settings, STATUS)
    finally:
        net.cancel()
        ended.set()
    assert time.monotonic() - began < 15
    assert without_words(got) == LOST


def test_a_proxy_that_drips_is_cut(serve: Serve) -> None:
    """The answer to a CONNECT comes before the connection is made; nothing was handed over."""
    ended = threading.Event()

    def respond(_: Received) -> Iterator[bytes]:
        yield answer(200)[:-2]
        while not ended.wait(0.1):
            yield b"X"

    settings = settings_for("https://twinsync.invalid", request_timeout_s=0.5, proxy=serve(respond).url)
    began = time.monotonic()
    with warnings.catch_warnings():
        # Python takes this end for that of the head, and its TLS then leaves the socket to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            net = threading.Timer(20, ended.set)
            net.start()
            got = send(settings, SUBMIT)
        finally:
            net.cancel()
            ended.set()
        gc.collect()
    assert time.monotonic() - began < 15
    assert got == NotSent("Timeout: no complete answer within 0.5 s")


# ------------------------------------------------------------------------------------------------------- TLS


@pytest.fixture
def tls_server(serve: Serve, certificate: Path) -> Server:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    return serve(lambda _: [answer(200, b"{}", Content_Length=2)], tls=tls)


def test_a_long_message_takes_no_time() -> None:
    """A server may choose its words; a pattern that goes back and forth would take hours."""
    assert problem_of(ValueError("<" * 1_000_000)).startswith("ValueError: <")


def test_the_test_of_a_connection_says_that_the_key_is_encrypted(
    tls_server: Server, certificate: Path, connect: Callable[..., None]
) -> None:
    """And which address it is that answers."""
    connect(host=tls_server.url, port=None, verify=str(certificate))
    _, message = TwinSyncHook().test_connection()
    assert f" Address: {tls_server.url}/phototalking. " in message
    assert message.endswith("By https: the key travels encrypted.")


def test_the_test_of_a_connection_does_not_lead_from_https_to_http(
    tls_server: Server, connect: Callable[..., None]
) -> None:
    """A server with an untrusted certificate has https."""
    connect(host=tls_server.url, port=None)
    works, message = TwinSyncHook().test_connection()
    assert not works
    assert "CERTIFICATE_VERIFY_FAILED" in message
    assert message.endswith("By https: the key would travel encrypted.")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_test_of_a_connection_says_that_certificates_are_not_checked(
    tls_server: Server, connect: Callable[..., None]
) -> None:
    """Encrypted, but perhaps to a machine in between."""
    connect(host=tls_server.url, port=None, verify=False)
    _, message = TwinSyncHook().test_connection()
    assert message.endswith("the key travels encrypted, but to any server that answers: verify is false.")


# Unverified requests are the point of these tests, so the warning about them is ignored.
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize(
    ("verify", "environment", "wanted"),
    [
        (True, None, NOT_SENT),
        (None, None, NOT_SENT),
        (False, None, Answered(200, b"{}")),
        ("false", None, Answered(200, b"{}")),
        ("the certificate", None, Answered(200, b"{}")),
        (True, "the certificate", Answered(200, b"{}")),
        ("the certificate", "another one", Answered(200, b"{}")),
        (False, "another one", Answered(200, b"{}")),
        (True, "another one", NOT_SENT),
    ],
)
def test_certificates_are_checked_as_the_connection_says(
    sender: Sender,
    tls_server: Server,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    verify: Any,
    environment: str | None,
    wanted: Outcome,
) -> None:
    """The connection rules over the environment, which counts if the connection has none."""
    import certifi

    paths = {"the certificate": str(certificate), "another one": certifi.where()}
    if environment:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", paths[environment])
    settings = settings_for(tls_server.url, verify=paths.get(verify, verify))
    assert without_words(sender(settings, STATUS)) == sender.expects(wanted)
    assert len(tls_server.requests) == (1 if isinstance(wanted, Answered) else 0)


def test_a_submit_to_a_server_that_is_not_trusted_is_not_sent(tls_server: Server) -> None:
    """The handshake comes before the key."""
    got = send(settings_for(tls_server.url), SUBMIT)
    assert isinstance(got, NotSent)
    assert "certificate" in got.problem.lower()
    assert tls_server.requests == []


@pytest.mark.parametrize(
    ("text_bytes", "read_bytes", "sent"),
    [(20_000_000, 100_000, False), (1_000, 500, True)],
    ids=["the system could not take all of it", "the system took it whole"],
)
def test_a_submit_is_sent_when_the_system_has_taken_all_of_it(
    text_bytes: int, read_bytes: int, sent: bool
) -> None:
    """Before a reset the other side may have read any part of it, but no byte that was never handed over."""
    listening = socket.create_server(("127.0.0.1", 0))

    def reset() -> None:
        connection, _ = listening.accept()
        got = 0
        while got < read_bytes:
            got += len(connection.recv(read_bytes - got))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    server = threading.Thread(target=reset)
    server.start()
    form = {**(SUBMIT.form or {}), "text": "x" * text_bytes}
    got = send(settings_for(f"http://127.0.0.1:{listening.getsockname()[1]}"), Request("POST", form=form))
    server.join()
    listening.close()
    assert type(got) is (Sent if sent else NotSent)


def test_certificates_that_are_not_there_are_the_connections_fault(sender: Sender, tmp_path: Path) -> None:
    """Before anything is sent, and by name."""
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(UsageError) as caught:
        sender(settings_for("https://twinsync.invalid", verify=missing), STATUS)
    assert caught.value.code == "TS213"
    assert missing in str(caught.value)
    assert "'c'" in str(caught.value)


@WHAT_EACH_SENDS
@pytest.mark.parametrize("named_by", ["verify", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("holds", ["nothing at all", None], ids=["no certificate", "no file"])
def test_certificates_that_cannot_be_read_send_nothing(
    sender: Sender,
    request_: Request,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named_by: str,
    holds: str | None,
) -> None:
    """A worker and a triggerer may have other environments: neither calls it a job that may exist."""
    file = tmp_path / "bundle.pem"
    if holds:
        file.write_text(holds)
    verify: str | bool = True
    if named_by == "verify":
        verify = str(file)
    else:
        monkeypatch.setenv(named_by, str(file))
    with pytest.raises(UsageError) as caught:
        sender(settings_for("https://twinsync.invalid", verify=verify), request_)
    assert caught.value.code == "TS213"


@WHAT_EACH_SENDS
def test_tls_to_a_plain_port_has_sent_nothing(sender: Sender, request_: Request, emulator: Emulator) -> None:
    """The schema of the connection is wrong: no request was made, and so no job."""
    settings = settings_for(emulator.url.replace("http:", "https:"))
    assert without_words(sender(settings, request_)) == sender.expects(NOT_SENT)
    assert emulator.world.journal == []


# ----------------------------------------------------------------------------------------------------- proxy


@pytest.mark.parametrize(
    ("named", "environment", "asked"),
    [
        (True, {}, "named"),
        (True, {"HTTP_PROXY": "other"}, "named"),
        (True, {"ALL_PROXY": "other"}, "named"),
        (True, {"HTTP_PROXY": "other", "NO_PROXY": "*"}, "named"),
        (True, {"NO_PROXY": "twinsync.invalid"}, "named"),
        (False, {"HTTP_PROXY": "other"}, "other"),
        (False, {"http_proxy": "other"}, "other"),
        (False, {"ALL_PROXY": "other"}, "other"),
        (False, {"HTTP_PROXY": "other", "NO_PROXY": "twinsync.invalid"}, None),
    ],
)
def test_the_proxy_is_the_connections_else_the_environments(
    sender: Sender,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    named: bool,
    environment: dict[str, str],
    asked: str | None,
) -> None:
    """The name of the service resolves nowhere: only a proxy can have the request."""
    proxies = {"named": serve(lambda _: [answer(200, b"n")]), "other": serve(lambda _: [answer(200, b"o")])}
    for name, value in environment.items():
        monkeypatch.setenv(name, proxies[value].url if value in proxies else value)
    extra = {"proxy": proxies["named"].url} if named else {}
    got = sender(settings_for("http://twinsync.invalid:17374", **extra), STATUS)
    assert without_words(got) == (Answered(200, asked[0].encode()) if asked else sender.expects(NOT_SENT))
    targets = {name: [request.target for request in proxy.requests] for name, proxy in proxies.items()}
    wanted = "http://twinsync.invalid:17374/phototalking?taskID=20230423_11_23_05_10279"
    assert targets == {"named": [], "other": []} | ({asked: [wanted]} if asked else {})


def test_a_proxys_password_is_used_and_not_shown(sender: Sender, serve: Serve) -> None:
    """It stands in the address of the proxy."""
    proxy = serve(lambda _: [answer(200, b"{}")])
    address = proxy.url.replace("http://", "http://ann:pass%20word@")
    assert sender(settings_for("http://twinsync.invalid", proxy=address), STATUS) == Answered(200, b"{}")
    [request] = proxy.requests
    assert request.headers["proxy-authorization"] == "Basic YW5uOnBhc3Mgd29yZA=="
    closed = address.replace(str(proxy.port), str(closed_port()))
    refused = sender(settings_for("http://twinsync.invalid", proxy=closed), STATUS)
    assert isinstance(refused, (NotSent, Sent))
    assert "pass" not in refused.problem


@WHAT_EACH_SENDS
def test_a_proxy_that_cannot_be_reached_has_sent_nothing_on(sender: Sender, request_: Request) -> None:
    """For any request."""
    proxy = f"http://127.0.0.1:{closed_port()}"
    for url in ("http://twinsync.invalid", "https://twinsync.invalid"):
        got = sender(settings_for(url, proxy=proxy), request_)
        assert without_words(got) == sender.expects(NOT_SENT)


@pytest.mark.parametrize("status", [407, 502])
def test_a_tunnel_that_is_refused_has_sent_nothing(serve: Serve, status: int) -> None:
    """The proxy was asked for a tunnel and for nothing else."""
    proxy = serve(lambda _: [answer(status)])
    got = send(settings_for("https://twinsync.invalid", proxy=proxy.url), SUBMIT)
    assert without_words(got) == NOT_SENT
    assert [request.method for request in proxy.requests] == ["CONNECT"]
    with warnings.catch_warnings():  # Python 3.10 does not close the answer of such a proxy
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_proxy_that_goes_away_may_have_sent_a_submit_on(serve: Serve) -> None:
    """It had the whole of it."""
    proxy = serve(lambda _: [])
    got = send(settings_for("http://twinsync.invalid", proxy=proxy.url), SUBMIT)
    assert [request.body for request in proxy.requests] == [f"text=Hello&key={KEY}".encode()]
    assert without_words(got) == LOST


# ------------------------------------------------------------------------------------------------ connecting


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
