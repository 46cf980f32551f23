"""Answers without an end, of any form, and slow ones: one clear error, in time and with little memory."""

from __future__ import annotations

import gc
import gzip
import inspect
import itertools
import json
import random
import ssl
import threading
import time
import tracemalloc
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from support.senders import (
    LOST,
    STATUS,
    SUBMIT,
    Sender,
    settings_for,
    without_words,
)
from support.servers import NO_LEAKS, Received, answer

from airflow_provider_twinsync._api.exchange import Answered, NotSent
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._api.submit import MAX_ANSWER_BYTES
from airflow_provider_twinsync._http.sync_client import send
from airflow_provider_twinsync.exceptions import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from support.servers import Serve

pytestmark = NO_LEAKS

BOUNDS_HEADERS = "max_headers" in inspect.signature(aiohttp.ClientSession).parameters


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
