"""Downloads that are interrupted: they resume, start again, or fail after six tries, for example."""

from __future__ import annotations

import hashlib
import resource
import socket
from typing import TYPE_CHECKING, Any

import pytest
from support.servers import NO_LEAKS, answer, mp4
from support.videos import (
    CUT,
    JOB,
    OTHER_VIDEO,
    VIDEO,
    asked,
    complete,
    cut,
    files_beside,
    hang,
    head,
    in_turn,
    part_of,
    reset,
    rest,
)

from airflow_provider_twinsync.emulator import Truncated
from airflow_provider_twinsync.exceptions import DownloadInterruptedError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from support.servers import Received, Serve

    from airflow_provider_twinsync.emulator import Emulator

pytestmark = NO_LEAKS


def test_a_video_of_the_emulator_resumes_after_a_cut(
    hook: TwinSyncHook, emulator: Emulator, destination: Path, sleeps: list[float], logged: Callable[[], str]
) -> None:
    """Twice, by the emulator's own ranges and ETags."""
    import requests

    url = hook.get_job(hook.submit(**JOB)).result_url
    assert url is not None
    first = requests.get(url, timeout=10)
    emulator.world.faults.add("result", Truncated(after_bytes=5000))
    emulator.world.faults.add("result", Truncated(after_bytes=2000))
    got = hook.download(url, destination)
    assert destination.read_bytes() == first.content
    assert got["sha256"] == hashlib.sha256(first.content).hexdigest()
    entries = [entry for entry in emulator.world.journal if entry.call == "result"][1:]
    etag = first.headers["ETag"]
    assert [entry.status for entry in entries] == [200, 206, 206]
    assert [entry.headers.get("Range") for entry in entries] == [None, "bytes=5000-", "bytes=7000-"]
    assert [entry.headers.get("If-Range") for entry in entries] == [None, etag, etag]
    assert len(sleeps) == 2
    assert "from byte 5000" in logged()


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        ([cut(), rest], [None, "bytes=300000-"]),
        ([reset, rest], [None, "bytes=300000-"]),
        ([hang, rest], [None, "bytes=300000-"]),
        ([cut(1), rest], [None, "bytes=1-"]),
        ([cut(0), complete()], [None, None]),
        ([b"", complete()], [None, None]),
        ([answer(500), complete()], [None, None]),
        ([answer(503), answer(429), answer(408), complete()], [None] * 4),
        ([cut(), answer(502), rest], [None, "bytes=300000-", "bytes=300000-"]),
        # A server without support of ranges, or with another video by now, sends the complete video.
        ([cut(), complete()], [None, "bytes=300000-"]),
        ([cut(), complete(OTHER_VIDEO, ETag='"v2"')], [None, "bytes=300000-"]),
        # The answer has no strong validator.
        ([answer(200, VIDEO[:CUT], Content_Length=len(VIDEO)), complete()], [None, None]),
        # Only the structure of the video shows its length.
        ([answer(200, VIDEO[:CUT]), answer(200, VIDEO)], [None, None]),
        ([answer(200, VIDEO[:CUT], ETag='"v1"'), rest], [None, "bytes=300000-"]),
        ([cut(), part_of(VIDEO, CUT, 500_000)[:-1], rest], [None, "bytes=300000-", "bytes=499999-"]),
        ([cut(ETag='W/"v1"'), complete()], [None, None]),
        # The server does not resume.
        ([cut(), answer(416), complete()], [None, "bytes=300000-", None]),
    ],
)
def test_a_video_that_was_cut_resumes_or_starts_again(
    connect: Callable[..., None],
    serve: Serve,
    destination: Path,
    sleeps: list[float],
    answers: list[Any],
    ranges: list[str | None],
) -> None:
    """The file never has the halves of two videos."""
    connect(**({"request_timeout_s": 1} if hang in answers else {}))
    server = serve(in_turn(*answers))
    got = TwinSyncHook().download(server.url, destination)
    video = OTHER_VIDEO if answers[-1] == complete(OTHER_VIDEO, ETag='"v2"') else VIDEO
    assert destination.read_bytes() == video
    assert (got["bytes"], got["sha256"]) == (len(video), hashlib.sha256(video).hexdigest())
    assert asked(server) == ranges
    assert len(sleeps) == len(ranges) - 1
    assert files_beside(destination) == ["videos/video.mp4"]


def test_a_server_may_send_smaller_ranges_than_requested(
    hook: TwinSyncHook, serve: Serve, destination: Path, sleeps: list[float]
) -> None:
    """A complete range is not the complete video, and needs no delay."""

    def part(request: Received) -> list[bytes]:
        start = int(request.headers["range"][len("bytes=") : -1])
        data = VIDEO[start : start + 250_000]
        content_range = f"bytes {start}-{start + len(data) - 1}/{len(VIDEO)}"
        return [head(206, data, Content_Range=content_range) + data]

    server = serve(in_turn(cut(), part))
    hook.download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    assert asked(server) == [None, "bytes=300000-", "bytes=550000-"]
    assert sleeps == [1]


def test_ranges_without_progress_are_given_up(
    hook: TwinSyncHook, serve: Serve, destination: Path, sleeps: list[float]
) -> None:
    """A byte a request would take for ever."""

    def one_byte(request: Received) -> list[bytes]:
        start = int(request.headers["range"][len("bytes=") : -1])
        return [part_of(VIDEO, start, start + 1)]

    server = serve(in_turn(cut(), one_byte))
    with pytest.raises(DownloadInterruptedError, match="TS519 "):
        hook.download(server.url, destination)
    assert files_beside(destination) == []


@pytest.mark.parametrize("job_continues", [True, False], ids=["resumes", "starts over"])
def test_a_large_video_may_be_cut_often(
    hook: TwinSyncHook, serve: Serve, destination: Path, sleeps: list[float], job_continues: bool
) -> None:
    """As long as each answer adds a megabyte; the same bytes again are no progress."""
    video = mp4(9_500_000)

    def respond(request: Received) -> list[bytes]:
        start = int(request.headers.get("range", "bytes=0-")[len("bytes=") : -1])
        end = start + 1_000_000
        if start:
            rest = part_of(video, start, len(video))
            return [rest[: len(rest) - max(0, len(video) - end)]]
        return [answer(200, video[:end], Content_Length=len(video), ETag='"v1"' if job_continues else "")]

    server = serve(respond)
    if job_continues:
        hook.download(server.url, destination)
        assert destination.read_bytes() == video
        assert sleeps == [1] * 9
    else:
        with pytest.raises(DownloadInterruptedError, match=r"TS515 .*1000000 of 9500000 "):
            hook.download(server.url, destination)
        assert sleeps == [1, 1, 2, 4, 8, 16]


@pytest.mark.parametrize(("retry_after", "delay_s"), [("17", 17), ("0", 1), ("9999", 60), ("soon", 1)])
def test_a_busy_server_sets_the_delay(
    hook: TwinSyncHook,
    serve: Serve,
    destination: Path,
    sleeps: list[float],
    retry_after: str,
    delay_s: float,
) -> None:
    """Up to 60 seconds."""
    server = serve(in_turn(answer(503, Retry_After=retry_after), complete()))
    hook.download(server.url, destination)
    assert sleeps == [delay_s]


@pytest.mark.parametrize(
    ("respond", "code", "data"),
    [
        (in_turn(cut(ETag="")), "TS515", "300000 of 700000 "),
        (in_turn(answer(200, VIDEO[:CUT])), "TS515", "300000 of an unknown number"),
        (
            in_turn(answer(200, b"aae60\r\n" + VIDEO[:CUT], Transfer_Encoding="chunked")),
            "TS515",
            "300000 of an unknown number",
        ),
        (in_turn(reset), "TS515", ""),
        (in_turn(b""), "TS515", ""),
        (in_turn(answer(500)), "TS513", "HTTP 500"),
        (in_turn(answer(416)), "TS517", ""),
    ],
)
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_a_video_that_never_is_complete_is_given_up(
    hook: TwinSyncHook,
    serve: Serve,
    destination: Path,
    sleeps: list[float],
    respond: Callable[[Received], Iterable[bytes]],
    code: str,
    data: str,
    existing: bool,
) -> None:
    """After six tries, with longer and longer delays, and with nothing changed on the disk."""
    if existing:
        destination.write_bytes(b"yesterday's video")
    server = serve(respond)
    with pytest.raises(DownloadInterruptedError) as caught:
        hook.download(f"{server.url}/a.mp4", destination)
    assert caught.value.code == code
    assert data in str(caught.value)
    assert caught.value.retryable
    assert f"{server.url}/a.mp4" in str(caught.value)
    assert sleeps == [1, 2, 4, 8, 16]
    assert len(server.requests) == 6
    assert files_beside(destination) == (["videos/video.mp4"] if existing else [])
    assert not existing or destination.read_bytes() == b"yesterday's video"


def test_a_server_that_is_gone_is_given_up(
    hook: TwinSyncHook, destination: Path, sleeps: list[float]
) -> None:
    """A refused connection is an interruption too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DownloadInterruptedError, match=r"TS515 .*refused"):
        hook.download(f"http://127.0.0.1:{port}/a.mp4", destination)
    assert len(sleeps) == 5
    assert files_beside(destination) == []


def test_a_disk_that_was_full_for_a_while_does_no_harm(
    hook: TwinSyncHook, serve: Serve, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that failed may have written bytes: the resumed write must begin where the checksum ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def space_again(_: float) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr("time.sleep", space_again)
    server = serve(in_turn(complete(), rest))
    resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, hard))
    try:
        got = hook.download(server.url, destination)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert hashlib.sha256(destination.read_bytes()).hexdigest() == got["sha256"]
    assert destination.read_bytes() == VIDEO
