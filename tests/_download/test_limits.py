"""Limits of a download, such as ``max_video_mb``: its time, its memory and its size."""

from __future__ import annotations

import ssl
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from support.servers import NO_LEAKS, answer, name_with
from support.videos import (
    CUT,
    VIDEO,
    asked,
    complete,
    cut,
    files_beside,
    head,
    in_turn,
    part_of,
    rest,
    slowly,
)

from airflow_provider_twinsync.exceptions import DownloadInterruptedError, DownloadRefusedError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.servers import Received, Serve

pytestmark = NO_LEAKS


@pytest.mark.slow
@pytest.mark.parametrize("over", ["http", "https", "proxy"])
@pytest.mark.parametrize(
    ("start", "pieces"),
    [
        (head()[:-2], [b"X"]),
        (head() + VIDEO[:12], [b"\0"]),
        # The end of the connection is the end of such a video, but not if the client has cut it.
        (answer(200), [b"\0\0\0\x18ftyp"]),
        (answer(200, Transfer_Encoding="chunked") + b"c\r\n" + VIDEO[:12] + b"\r\n", [b"1\r\n0\r\n"]),
        (answer(200, Transfer_Encoding="chunked"), [b"0"]),
        (answer(200, Transfer_Encoding="chunked") + b"c\r\n" + VIDEO[:12] + b"\r\n0\r\n", [b"X"]),
    ],
    ids=["head", "body", "body of unknown length", "chunks", "length of a chunk", "trailer"],
)
def test_an_answer_that_drips_is_cut(
    connect: Callable[..., None],
    serve: Serve,
    destination: Path,
    certificate: Path,
    sleeps: list[float],
    monkeypatch: pytest.MonkeyPatch,
    start: bytes,
    pieces: list[bytes],
    over: str,
) -> None:
    """With a byte from time to time, a timeout between two bytes would never pass."""
    # Another test counts the tries; here each takes its real time limit.
    monkeypatch.setattr("airflow_provider_twinsync._download.transfer._MAX_TRIES", 1)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server = serve(slowly(start, pieces * 400, 0.05), tls if over == "https" else None)
    proxy = {"proxy": server.url} if over == "proxy" else {}
    connect(request_timeout_s=0.8, verify=str(certificate), **proxy)
    began = time.monotonic()
    with pytest.raises(DownloadInterruptedError, match=r"TS515 .*8 kB in 0\.8 s") as caught:
        TwinSyncHook().download(f"{server.url}/a.mp4", destination)
    assert time.monotonic() - began < 10  # to its end it would take 20 s
    assert f"{server.url}/a.mp4" in str(caught.value)
    assert len(server.requests) == 1
    assert sleeps == []
    assert files_beside(destination) == []


@pytest.mark.slow
def test_a_slow_video_may_take_many_times_the_timeout(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """As long as it is not slower than 10 kB/s."""
    connect(request_timeout_s=1.5)
    pieces = [VIDEO[at : at + 50_000] for at in range(0, len(VIDEO), 50_000)]
    server = serve(slowly(head(), pieces, 0.3))
    began = time.monotonic()
    TwinSyncHook().download(server.url, destination)
    assert time.monotonic() - began > 4
    assert destination.read_bytes() == VIDEO
    assert len(server.requests) == 1


@pytest.mark.slow
def test_the_head_of_an_answer_has_a_time_of_its_own(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """The body has its full time, also if the head was late."""
    connect(request_timeout_s=4)
    # Each of the two delays is a little more than half of the time limit.
    server = serve(slowly(b"", [head(), VIDEO], 2.1))
    TwinSyncHook().download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    assert len(server.requests) == 1


@pytest.mark.parametrize("answers", [False, True], ids=["none answers", "the last one answers"])
def test_the_limit_bounds_connecting(
    connect: Callable[..., None],
    serve: Serve,
    destination: Path,
    silent: Callable[[int, int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    answers: bool,
) -> None:
    """All addresses of a name together have the time of a request; each has its share of it."""
    # Another test counts the tries; here each takes its real time limit.
    monkeypatch.setattr("airflow_provider_twinsync._download.transfer._MAX_TRIES", 1)
    connect(request_timeout_s=1, allowed_result_hosts="twinsync.invalid")
    server = serve(lambda _: [complete()])
    addresses = silent(server.port, 1 if answers else 8)
    name_with([*addresses, "127.0.0.1"] if answers else addresses, monkeypatch)
    began = time.monotonic()
    if answers:
        TwinSyncHook().download(f"http://twinsync.invalid:{server.port}/a.mp4", destination)
        assert destination.read_bytes() == VIDEO
    else:
        with pytest.raises(DownloadInterruptedError, match="TS515 "):
            TwinSyncHook().download(f"http://twinsync.invalid:{server.port}/a.mp4", destination)
    assert 0.4 < time.monotonic() - began < 5


def test_a_video_that_was_too_slow_resumes(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """The received bytes are kept."""
    connect(request_timeout_s=1)
    server = serve(in_turn(slowly(cut(), [VIDEO[at : at + 1] for at in range(CUT, CUT + 200)], 0.1), rest))
    TwinSyncHook().download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    [_, again] = asked(server)
    assert CUT < int(str(again)[len("bytes=") : -1]) < CUT + 150  # of 200, after 10 in a second


def test_a_video_is_never_completely_in_memory(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """Fifty megabytes need less than four."""

    def respond(_: Received) -> Iterator[bytes]:
        yield head(200, Content_Length=50_000_000)
        yield from [b"\0\0\0\x18ftyp" + bytes(999_992)] * 50

    server = serve(respond)
    tracemalloc.start()
    try:
        got = hook.download(server.url, destination)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert got["bytes"] == 50_000_000


def test_a_video_may_be_as_large_as_the_connection_allows(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """A megabyte is a million bytes."""
    connect(max_video_mb=0.7)
    TwinSyncHook().download(serve(lambda _: [complete()]).url, destination)
    assert destination.stat().st_size == 700_000


@pytest.mark.parametrize("promised", [True, False], ids=["promised", "not promised"])
def test_a_video_that_is_too_large_is_refused(
    connect: Callable[..., None], serve: Serve, destination: Path, sleeps: list[float], promised: bool
) -> None:
    """At the head of the answer if that has a length, else when the limit is passed."""
    connect(max_video_mb=0.5)

    def respond(_: Received) -> Iterator[bytes]:
        yield head(200, bytes(500_001)) if promised else answer(200)
        yield from [VIDEO] * 30

    server = serve(respond)
    with pytest.raises(DownloadRefusedError, match=r"TS514 .* 0\.5 MB.*max_video_mb"):
        TwinSyncHook().download(server.url, destination)
    assert len(server.requests) == 1
    assert sleeps == []
    assert files_beside(destination) == []


def test_a_video_that_grows_over_its_resumptions_is_refused(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """The limit counts the bytes of the file, not those of one answer."""
    connect(max_video_mb=0.5)

    def more(request: Received) -> Iterator[bytes]:
        start = int(request.headers["range"][len("bytes=") : -1])
        yield part_of(bytes(450_000), start, start, Content_Length=500_000)
        yield bytes(500_000)

    server = serve(in_turn(answer(200, VIDEO[:100_000], Content_Length=450_000, ETag='"v1"'), more))
    with pytest.raises(DownloadRefusedError, match="TS514 "):
        TwinSyncHook().download(server.url, destination)
    assert files_beside(destination) == []
