"""Fetching a video over real sockets: the whole of it and nothing else, whatever the server does."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import resource
import socket
import ssl
import tempfile
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from support.environment import KEY
from support.servers import Received, answer, mp4, name_with

from airflow_provider_twinsync._download.validators import is_mismatch
from airflow_provider_twinsync.emulator import Body, FailJob, HttpError, Truncated, WrongVideo
from airflow_provider_twinsync.exceptions import (
    DownloadInterruptedError,
    DownloadRefusedError,
    TwinSyncError,
    UsageError,
)
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from support.servers import Server

    from airflow_provider_twinsync.emulator import Emulator

    Answering: TypeAlias = "bytes | Callable[[Received], Iterable[bytes]]"
    Serve: TypeAlias = "Callable[..., Server]"

pytestmark = [
    pytest.mark.filterwarnings("error::ResourceWarning"),
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]

JOB = {"text": "Hello", "image_url": "https://host.invalid/a.jpg", "pronouncer": "en-US-AriaNeural"}
#: Larger than what is read at once.
VIDEO, OTHER_VIDEO = mp4(700_000), mp4(650_000, seed=2)
CUT = 300_000


@pytest.fixture(autouse=True)
def _no_pause(sleeps: list[float]) -> None:
    """No test waits for a pause."""


@pytest.fixture
def destination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to write, in a folder of its own; the temporary folder lies in the same place."""
    for name in ("videos", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "videos" / "video.mp4"


def files_beside(destination: Path) -> list[str]:
    """All that is in the destination's folder, and in the temporary one."""
    root = destination.parents[1]
    return sorted(str(path.relative_to(root)) for path in root.glob("*/**/*"))


def head(status: int = 200, data: bytes = VIDEO, /, **headers: str | int) -> bytes:
    headers = {"Content_Type": "video/mp4", "Content_Length": len(data), "ETag": '"v1"', **headers}
    return answer(status, **headers)


def whole(data: bytes = VIDEO, /, **headers: str | int) -> bytes:
    return head(200, data, **headers) + data


def cut(at: int = CUT, /, **headers: str | int) -> bytes:
    """The head promises the whole video, and the connection ends before."""
    return head(**headers) + VIDEO[:at]


def rest(request: Received) -> list[bytes]:
    """What a server does that knows ranges, and still has the same video."""
    assert request.headers["if-range"] == '"v1"'
    start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
    data = VIDEO[start:]
    content_range = f"bytes {start}-{len(VIDEO) - 1}/{len(VIDEO)}"
    return [head(206, data, Content_Range=content_range) + data]


def part_of(data: bytes, start: int, end: int, /, **headers: str | int) -> bytes:
    """A part of the video, without a length of its own."""
    content_range = f"bytes {start}-{end - 1}/{len(data)}"
    return answer(206, data[start:end], **{"Content_Range": content_range, "ETag": '"v1"', **headers})


def in_turn(*answers: Answering) -> Callable[[Received], Iterable[bytes]]:
    """Answer the first request so and the second so; the last answer is given for ever."""
    turns = itertools.chain(answers, itertools.repeat(answers[-1]))

    def respond(request: Received) -> Iterable[bytes]:
        turn = next(turns)
        return turn(request) if callable(turn) else [turn]

    return respond


def asked(server: Server) -> list[str | None]:
    """The ranges that were asked for."""
    return [request.headers.get("range") for request in server.requests]


# --------------------------------------------------------------------------------------------------- whole


def test_the_file_is_the_emulators_video(hook: TwinSyncHook, emulator: Emulator, destination: Path) -> None:
    """Byte for byte, with its checksum, its size and its type; the key goes nowhere."""
    import requests

    url = hook.get_job(hook.submit(**JOB)).result_url
    assert url is not None
    got = hook.download(url, destination)
    video = requests.get(url, timeout=10).content
    assert destination.read_bytes() == video
    assert got == {
        "path": str(destination),
        "bytes": len(video),
        "sha256": hashlib.sha256(video).hexdigest(),
        "content_type": "video/mp4",
        "duration_s": 1.0,
    }
    assert [entry.key for entry in emulator.world.journal if entry.call == "result"] == [None, None]


@pytest.mark.parametrize(
    ("pieces", "content_type"),
    [
        ([whole()], "video/mp4"),
        ([whole(Content_Type="Video/MP4; codecs=avc1")], "video/mp4"),
        # What is an MP4 is one, whatever the header says: nothing is unpacked.
        ([whole(Content_Encoding="gzip")], "video/mp4"),
        ([b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n" + whole()], "video/mp4"),
        ([whole(Content_Type="application/octet-stream")], "application/octet-stream"),
        ([answer(200, VIDEO)], ""),
        ([answer(200, Transfer_Encoding="chunked"), b"aae60\r\n", VIDEO, b"\r\n0\r\n\r\n"], ""),
    ],
)
def test_a_video_may_come_in_any_framing(
    hook: TwinSyncHook, serve: Serve, destination: Path, pieces: list[bytes], content_type: str
) -> None:
    """With a length or without, in chunks, byte by byte; the type may be missing or general."""
    server = serve(lambda _: pieces)
    got = hook.download(f"{server.url}/a.mp4", destination)
    assert destination.read_bytes() == VIDEO
    assert (got["bytes"], got["content_type"]) == (len(VIDEO), content_type)
    assert got["sha256"] == hashlib.sha256(VIDEO).hexdigest()
    [request] = server.requests
    assert request.headers["accept-encoding"] == "identity"
    assert "authorization" not in request.headers
    assert KEY not in repr(request)
    assert files_beside(destination) == ["videos/video.mp4"]


def drip(*pieces: bytes) -> Callable[[Received], Iterator[bytes]]:
    """Send pieces with a pause in between, so that they arrive one by one."""

    def respond(_: Received) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            threading.Event().wait(0.05)

    return respond


def test_the_first_bytes_may_come_one_by_one(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """What tells a video from something else is then in no single piece."""
    hook.download(serve(drip(head(), VIDEO[:3], VIDEO[3:5], VIDEO[5:])).url, destination)
    assert destination.read_bytes() == VIDEO
    with pytest.raises(DownloadRefusedError, match=r"it begins b'GIF89aft'"):
        hook.download(serve(drip(head(), b"GIF8", b"9aftyp")).url, destination)


def test_an_existing_file_is_replaced(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """In one step: whoever reads the old one meanwhile reads it to its end."""
    older = b"an older and longer video" * 100_000
    destination.write_bytes(older)
    with destination.open("rb") as reader:
        hook.download(serve(lambda _: [whole()]).url, destination)
        assert reader.read() == older
    assert destination.read_bytes() == VIDEO


# -------------------------------------------------------------------------------------------- interrupted


def test_a_video_of_the_emulator_goes_on_where_it_was_cut(
    hook: TwinSyncHook, emulator: Emulator, destination: Path, sleeps: list[float], logged: Callable[[], str]
) -> None:
    """Twice; the emulator's own ranges and ETags decide."""
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


def reset(_: Received) -> Iterator[bytes]:
    """The connection is reset in the middle: nothing more comes than what had come."""
    yield cut()
    raise ConnectionResetError


def hang(_: Received) -> Iterator[bytes]:
    yield cut()
    threading.Event().wait(3)


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        ([cut(), rest], [None, "bytes=300000-"]),
        ([reset, rest], [None, "bytes=300000-"]),
        ([hang, rest], [None, "bytes=300000-"]),
        ([cut(1), rest], [None, "bytes=1-"]),
        ([cut(0), whole()], [None, None]),
        ([b"", whole()], [None, None]),
        ([answer(500), whole()], [None, None]),
        ([answer(503), answer(429), answer(408), whole()], [None] * 4),
        ([cut(), answer(502), rest], [None, "bytes=300000-", "bytes=300000-"]),
        # A server that knows no ranges, or has another video by now, gives the whole of it.
        ([cut(), whole()], [None, "bytes=300000-"]),
        ([cut(), whole(OTHER_VIDEO, ETag='"v2"')], [None, "bytes=300000-"]),
        # Nothing names this version of the video, or nothing that vouches for every byte.
        ([answer(200, VIDEO[:CUT], Content_Length=len(VIDEO)), whole()], [None, None]),
        # Nothing says how long it is, but the video itself does.
        ([answer(200, VIDEO[:CUT]), answer(200, VIDEO)], [None, None]),
        ([answer(200, VIDEO[:CUT], ETag='"v1"'), rest], [None, "bytes=300000-"]),
        ([cut(), part_of(VIDEO, CUT, 500_000)[:-1], rest], [None, "bytes=300000-", "bytes=499999-"]),
        ([cut(ETag='W/"v1"'), whole()], [None, None]),
        # The server has thought better of it.
        ([cut(), answer(416), whole()], [None, "bytes=300000-", None]),
    ],
)
def test_a_video_that_was_cut_goes_on_or_starts_again(
    connect: Callable[..., None],
    serve: Serve,
    destination: Path,
    sleeps: list[float],
    answers: list[Any],
    ranges: list[str | None],
) -> None:
    """What is in the file in the end is one video, and never two halves."""
    connect(**({"request_timeout_s": 1} if hang in answers else {}))
    server = serve(in_turn(*answers))
    got = TwinSyncHook().download(server.url, destination)
    video = OTHER_VIDEO if answers[-1] == whole(OTHER_VIDEO, ETag='"v2"') else VIDEO
    assert destination.read_bytes() == video
    assert (got["bytes"], got["sha256"]) == (len(video), hashlib.sha256(video).hexdigest())
    assert asked(server) == ranges
    assert len(sleeps) == len(ranges) - 1
    assert files_beside(destination) == ["videos/video.mp4"]


def test_a_server_may_give_smaller_parts_than_asked_for(
    hook: TwinSyncHook, serve: Serve, destination: Path, sleeps: list[float]
) -> None:
    """A part that has come whole is not yet the whole video, and no reason to wait."""

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


@pytest.mark.parametrize("job_continues", [True, False], ids=["goes on", "starts over"])
def test_a_large_video_may_be_cut_often(
    hook: TwinSyncHook, serve: Serve, destination: Path, sleeps: list[float], job_continues: bool
) -> None:
    """As long as each answer brings a good deal more than was there; the same again is no progress."""
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
        with pytest.raises(DownloadInterruptedError, match="1000000 of 9500000 bytes"):
            hook.download(server.url, destination)
        assert sleeps == [1, 1, 2, 4, 8, 16]


def test_a_length_that_is_stated_is_believed(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """Whatever the last box of the video may say."""
    hook.download(serve(lambda _: [whole(VIDEO + b"more")]).url, destination)
    assert destination.read_bytes() == VIDEO + b"more"


LONG_AGO = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("said", "asked_with"),
    [
        ({"Date": "Wed, 21 Oct 2015 07:28:01 GMT"}, LONG_AGO),
        # It may have changed again in that second, or nobody knows when it was sent.
        ({"Date": LONG_AGO}, None),
        ({}, None),
        ({"Date": "rubbish"}, None),
        ({"Date": "Wed, 21 Oct 2015 07:28:01 GMT", "ETag": 'W/"v1"'}, LONG_AGO),
    ],
)
def test_a_date_names_a_version_where_no_etag_does(
    hook: TwinSyncHook, serve: Serve, destination: Path, said: dict[str, str], asked_with: str | None
) -> None:
    """`Last-Modified`, where RFC 9110 allows it in `If-Range` (8.8.2.2, 13.1.5)."""
    start = answer(200, VIDEO[:CUT], Content_Length=len(VIDEO), Last_Modified=LONG_AGO, **said)
    server = serve(in_turn(start, whole()))
    hook.download(server.url, destination)
    assert [request.headers.get("if-range") for request in server.requests] == [None, asked_with]
    assert destination.read_bytes() == VIDEO


@pytest.mark.parametrize(
    ("validator", "said", "is_other"),
    [
        ('"1"', {"ETag": '"1"'}, False),
        ('"1"', {"ETag": '"2"'}, True),
        # RFC 9110, 15.3.7: a part has the ETag that the whole had.
        ('"1"', {}, True),
        (LONG_AGO, {"Last-Modified": LONG_AGO}, False),
        (LONG_AGO, {"Last-Modified": "Wed, 21 Oct 2015 07:28:01 GMT"}, True),
        (LONG_AGO, {}, False),
        (None, {"ETag": '"1"'}, True),
    ],
)
def test_what_is_another_version(validator: str | None, said: dict[str, str], is_other: bool) -> None:
    """In case of doubt, it is."""
    assert is_mismatch(validator, said) is is_other


@pytest.mark.parametrize(
    ("etag", "total"),
    [({"ETag": '"v2"'}, 700_000), ({"ETag": 'W/"v1"'}, 700_000), ({}, 700_000), ({"ETag": '"v1"'}, 650_000)],
    ids=str,
)
def test_a_part_of_another_video_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path, etag: dict[str, str], total: int
) -> None:
    """Its ETag, or the lack of one, or the size of the whole, tells it."""
    other = answer(
        206, (OTHER_VIDEO * 2)[CUT:total], Content_Range=f"bytes {CUT}-{total - 1}/{total}", **etag
    )
    server = serve(in_turn(cut(), other, whole()))
    hook.download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    assert asked(server) == [None, "bytes=300000-", None]


def test_what_a_video_begins_with_is_checked_across_a_cut(
    hook: TwinSyncHook, serve: Serve, destination: Path
) -> None:
    """Four bytes of something else, and the rest of it: not an MP4, though no single answer shows it."""
    data = b"GIF89a--" + VIDEO[8:]

    def more(request: Received) -> list[bytes]:
        return [head(206, data[4:], Content_Range=f"bytes 4-{len(data) - 1}/{len(data)}") + data[4:]]

    with pytest.raises(DownloadRefusedError, match="not an MP4 video"):
        hook.download(serve(in_turn(head() + data[:4], more)).url, destination)
    assert files_beside(destination) == []


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-699999/700000",
        "bytes 300001-699999/700000",
        "bytes */700000",
        "bytes 300000-699999/*",
        "300000-699999/700000",
        "bytes 300000-/700000",
        "",
    ],
)
def test_another_part_than_asked_for_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path, content_range: str
) -> None:
    """It is not even looked at: the video starts again."""
    wrong = head(206, VIDEO[CUT:], Content_Range=content_range) + VIDEO[CUT:]
    server = serve(in_turn(cut(), wrong, whole()))
    hook.download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    assert asked(server) == [None, "bytes=300000-", None]


def test_a_part_of_another_version_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path
) -> None:
    """A server may know ranges and not `If-Range`; the ETag of the part tells (RFC 9110, 15.3.7.3)."""
    part = OTHER_VIDEO[CUT:]
    content_range = f"bytes {CUT}-{len(OTHER_VIDEO) - 1}/{len(OTHER_VIDEO)}"
    other = head(206, part, ETag='"v2"', Content_Range=content_range) + part
    server = serve(in_turn(cut(), other, whole(OTHER_VIDEO, ETag='"v2"')))
    hook.download(server.url, destination)
    assert destination.read_bytes() == OTHER_VIDEO


@pytest.mark.parametrize(("retry_after", "delay_s"), [("17", 17), ("0", 1), ("9999", 60), ("soon", 1)])
def test_a_busy_server_says_how_long(
    hook: TwinSyncHook,
    serve: Serve,
    destination: Path,
    sleeps: list[float],
    retry_after: str,
    delay_s: float,
) -> None:
    """Within reason."""
    server = serve(in_turn(answer(503, Retry_After=retry_after), whole()))
    hook.download(server.url, destination)
    assert sleeps == [delay_s]


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (in_turn(cut(ETag="")), "300000 of 700000 bytes"),
        (in_turn(answer(200, VIDEO[:CUT])), "300000 of an unknown number of bytes"),
        (
            in_turn(answer(200, b"aae60\r\n" + VIDEO[:CUT], Transfer_Encoding="chunked")),
            "300000 of an unknown number of bytes",
        ),
        (in_turn(reset), "did not arrive whole"),
        (in_turn(b""), "did not arrive whole"),
        (in_turn(answer(500)), "HTTP 500"),
        (in_turn(answer(416)), "would not go on"),
    ],
)
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_a_video_that_never_comes_whole_is_given_up(
    hook: TwinSyncHook,
    serve: Serve,
    destination: Path,
    sleeps: list[float],
    respond: Callable[[Received], Iterable[bytes]],
    said: str,
    existing: bool,
) -> None:
    """After some tries, with longer and longer pauses, and with nothing changed on the disk."""
    if existing:
        destination.write_bytes(b"yesterday's video")
    server = serve(respond)
    with pytest.raises(DownloadInterruptedError, match=said) as caught:
        hook.download(f"{server.url}/a.mp4", destination)
    assert caught.value.retryable
    assert f"{server.url}/a.mp4" in str(caught.value)
    assert sleeps == [1, 2, 4, 8, 16]
    assert len(server.requests) == 6
    assert files_beside(destination) == (["videos/video.mp4"] if existing else [])
    assert not existing or destination.read_bytes() == b"yesterday's video"


def test_a_server_that_is_gone_is_given_up(
    hook: TwinSyncHook, destination: Path, sleeps: list[float]
) -> None:
    """A refused connection is an interruption like any other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DownloadInterruptedError, match="refused"):
        hook.download(f"http://127.0.0.1:{port}/a.mp4", destination)
    assert len(sleeps) == 5
    assert files_beside(destination) == []


def test_a_disk_that_was_full_for_a_while_spoils_nothing(
    hook: TwinSyncHook, serve: Serve, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that failed may have written something: what goes on must begin where the checksum is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def space_again(_: float) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr("time.sleep", space_again)
    server = serve(in_turn(whole(), rest))
    resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, hard))
    try:
        got = hook.download(server.url, destination)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert hashlib.sha256(destination.read_bytes()).hexdigest() == got["sha256"]
    assert destination.read_bytes() == VIDEO


# ------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([whole(b"<html>an error page</html>")], "not an MP4 video"),
        (
            [whole(b"<html>an error page</html>", Content_Type="text/html; charset=utf-8")],
            "gives 'text/html'",
        ),
        ([whole(Content_Type="application/json")], "gives 'application/json'"),
        ([whole(b"")], "not an MP4 video"),
        ([whole(b"ftyp")], "not an MP4 video"),
        ([head(), b"GIF8", b"9a", VIDEO], "not an MP4 video"),
        ([whole(gzip.compress(VIDEO), Content_Encoding="gzip")], "not an MP4 video .*'gzip'"),
        ([answer(400)], "HTTP 400"),
        ([answer(304)], "HTTP 304"),
        ([answer(204)], "HTTP 204"),
    ],
)
def test_what_is_no_video_is_refused(
    hook: TwinSyncHook,
    serve: Serve,
    destination: Path,
    sleeps: list[float],
    pieces: list[bytes],
    said: str,
) -> None:
    """At once, for it would be the same again; and nothing of it is kept."""
    destination.write_bytes(b"yesterday's video")
    server = serve(lambda _: pieces)
    with pytest.raises(DownloadRefusedError, match=said) as caught:
        hook.download(f"{server.url}/a.mp4", destination)
    assert f"{server.url}/a.mp4" in str(caught.value)
    assert len(server.requests) == 1
    assert sleeps == []
    assert files_beside(destination) == ["videos/video.mp4"]
    assert destination.read_bytes() == b"yesterday's video"


def test_a_wrong_video_of_the_emulator_is_refused(
    hook: TwinSyncHook, emulator: Emulator, destination: Path
) -> None:
    """The right type, and no MP4."""
    url = hook.get_job(hook.submit(**JOB)).result_url
    assert url is not None
    emulator.world.faults.add("result", WrongVideo())
    with pytest.raises(DownloadRefusedError, match="this is"):
        hook.download(url, destination)
    assert files_beside(destination) == []


def test_a_video_may_be_as_large_as_the_connection_says(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """A megabyte is a million bytes."""
    connect(max_video_mb=0.7)
    TwinSyncHook().download(serve(lambda _: [whole()]).url, destination)
    assert destination.stat().st_size == 700_000


def slowly(start: bytes, pieces: Iterable[bytes], every_s: float) -> Callable[[Received], Iterator[bytes]]:
    """Send the start at once, and then a piece every now and then, until the client has left."""

    def respond(_: Received) -> Iterator[bytes]:
        yield start
        for piece in pieces:
            threading.Event().wait(every_s)
            yield piece

    return respond


@pytest.mark.parametrize("over", ["http", "https", "proxy"])
@pytest.mark.parametrize(
    ("start", "pieces"),
    [
        (head()[:-2], [b"X"]),
        (head() + VIDEO[:12], [b"\0"]),
        # The end of the connection is the end of such a video; that we cut it must not pass for it.
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
    """A byte now and then keeps a timeout between two bytes from ever passing."""
    # How many there are is tested elsewhere; here each takes its time limit for real.
    monkeypatch.setattr("airflow_provider_twinsync._download.transfer._MAX_TRIES", 1)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server = serve(slowly(start, pieces * 400, 0.05), tls if over == "https" else None)
    proxy = {"proxy": server.url} if over == "proxy" else {}
    connect(request_timeout_s=0.8, verify=str(certificate), **proxy)
    began = time.monotonic()
    with pytest.raises(
        DownloadInterruptedError, match=r"too slowly, with less than 8 kB in 0\.8 s"
    ) as caught:
        TwinSyncHook().download(f"{server.url}/a.mp4", destination)
    assert time.monotonic() - began < 10  # to its end it would take 20 s
    assert f"{server.url}/a.mp4" in str(caught.value)
    assert len(server.requests) == 1
    assert sleeps == []
    assert files_beside(destination) == []


def test_a_slow_video_may_take_many_times_the_timeout(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """As long as it comes at some rate."""
    connect(request_timeout_s=1.5)
    pieces = [VIDEO[at : at + 50_000] for at in range(0, len(VIDEO), 50_000)]
    server = serve(slowly(head(), pieces, 0.3))
    began = time.monotonic()
    TwinSyncHook().download(server.url, destination)
    assert time.monotonic() - began > 4
    assert destination.read_bytes() == VIDEO
    assert len(server.requests) == 1


def test_the_head_of_an_answer_has_a_time_of_its_own(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """A server may think for a while: that is not taken from the time of the body."""
    connect(request_timeout_s=4)
    # Each of the two pauses is half of the time limit and a little more.
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
    # How many tries there are is tested elsewhere; here each takes its time limit for real.
    monkeypatch.setattr("airflow_provider_twinsync._download.transfer._MAX_TRIES", 1)
    connect(request_timeout_s=1, allowed_result_hosts="twinsync.invalid")
    server = serve(lambda _: [whole()])
    addresses = silent(server.port, 1 if answers else 8)
    name_with([*addresses, "127.0.0.1"] if answers else addresses, monkeypatch)
    began = time.monotonic()
    if answers:
        TwinSyncHook().download(f"http://twinsync.invalid:{server.port}/a.mp4", destination)
        assert destination.read_bytes() == VIDEO
    else:
        with pytest.raises(DownloadInterruptedError, match="no address answered in time"):
            TwinSyncHook().download(f"http://twinsync.invalid:{server.port}/a.mp4", destination)
    assert 0.4 < time.monotonic() - began < 5


def test_a_video_that_was_too_slow_goes_on_where_it_was(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """What had come is kept."""
    connect(request_timeout_s=1)
    server = serve(in_turn(slowly(cut(), [VIDEO[at : at + 1] for at in range(CUT, CUT + 200)], 0.1), rest))
    TwinSyncHook().download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    [_, again] = asked(server)
    assert CUT < int(str(again)[len("bytes=") : -1]) < CUT + 150  # of 200, after 10 in a second


def test_a_video_is_never_whole_in_memory(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """Fifty megabytes pass through two."""

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


@pytest.mark.parametrize("promised", [True, False], ids=["promised", "unsaid"])
def test_a_video_that_is_too_large_is_refused(
    connect: Callable[..., None], serve: Serve, destination: Path, sleeps: list[float], promised: bool
) -> None:
    """At its head where that says so, else when the limit is passed."""
    connect(max_video_mb=0.5)

    def respond(_: Received) -> Iterator[bytes]:
        yield head(200, bytes(500_001)) if promised else answer(200)
        yield from [VIDEO] * 30

    server = serve(respond)
    with pytest.raises(DownloadRefusedError, match=r"larger than 0\.5 MB.*max_video_mb"):
        TwinSyncHook().download(server.url, destination)
    assert len(server.requests) == 1
    assert sleeps == []
    assert files_beside(destination) == []


def test_a_video_that_grows_over_its_resumptions_is_refused(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """The limit counts what is in the file, and not what one answer brings."""
    connect(max_video_mb=0.5)

    def more(request: Received) -> Iterator[bytes]:
        start = int(request.headers["range"][len("bytes=") : -1])
        yield part_of(bytes(450_000), start, start, Content_Length=500_000)
        yield bytes(500_000)

    server = serve(in_turn(answer(200, VIDEO[:100_000], Content_Length=450_000, ETag='"v1"'), more))
    with pytest.raises(DownloadRefusedError, match="larger than"):
        TwinSyncHook().download(server.url, destination)
    assert files_beside(destination) == []


# ---------------------------------------------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/a.mp4",
        "http://127.0.0.1.:{port}/a.mp4",
        "http://[::ffff:127.0.0.1]:{port}/a.mp4",
        "http://127.0.0.1@localhost:{port}/a.mp4",
        "http://localhost:{port}#@127.0.0.1/a.mp4",
    ],
)
@pytest.mark.parametrize("redirected", [False, True], ids=["address", "redirect"])
def test_a_host_that_is_not_allowed_gets_no_request(
    hook: TwinSyncHook, serve: Serve, destination: Path, address: str, redirected: bool
) -> None:
    """Also where it is the same machine, and also where an allowed host redirects to it."""
    server = serve(lambda _: [whole()])
    url = address.format(port=server.port)
    first = serve(lambda _: [answer(302, Location=url)]).url if redirected else url
    with pytest.raises(DownloadRefusedError, match="not allowed") as caught:
        hook.download(first, destination)
    assert "allowed_result_hosts" in str(caught.value)
    assert "'twinsync_default'" in str(caught.value)
    assert server.requests == []
    assert files_beside(destination) == []


@pytest.mark.parametrize("redirected", [False, True], ids=["address", "redirect"])
def test_a_host_that_can_be_read_in_two_ways_gets_no_request(
    hook: TwinSyncHook, serve: Serve, destination: Path, redirected: bool
) -> None:
    """What is checked and what is asked must be the same."""
    server = serve(lambda _: [whole()])
    url = f"http://localhost:{server.port}\\@127.0.0.1/a.mp4"
    first = serve(lambda _: [answer(302, Location=url)]).url if redirected else url
    with pytest.raises((DownloadRefusedError, UsageError)):
        hook.download(first, destination)
    assert server.requests == []
    assert files_beside(destination) == []


def test_a_host_can_be_allowed(connect: Callable[..., None], serve: Serve, destination: Path) -> None:
    """By the connection."""
    connect(allowed_result_hosts="LocalHost, other.invalid")
    server = serve(lambda _: [whole()])
    TwinSyncHook().download(f"http://localhost:{server.port}/a.mp4", destination)
    assert destination.read_bytes() == VIDEO


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_a_redirect_to_an_allowed_host_is_followed(
    hook: TwinSyncHook, serve: Serve, destination: Path, status: int, absolute: bool
) -> None:
    """To another port, or to a path beside."""
    server = serve(lambda request: [whole() if request.target == "/new/b.mp4" else answer(404)])
    location = f"{server.url}/new/b.mp4" if absolute else "../new/b.mp4"
    first = serve(
        lambda request: [whole() if request.target == "/new/b.mp4" else answer(status, Location=location)]
    )
    hook.download(f"{first.url}/old/a.mp4", destination)
    assert destination.read_bytes() == VIDEO
    assert len(server.requests) == (1 if absolute else 0)
    assert len(first.requests) == (1 if absolute else 2)


@pytest.mark.parametrize("location", ["/a.mp4", "", "/a.mp4?again"])
def test_a_redirect_in_a_circle_ends(
    hook: TwinSyncHook, serve: Serve, destination: Path, location: str
) -> None:
    """After some rounds, and without a retry."""
    server = serve(lambda _: [answer(302, Location=location)])
    with pytest.raises(DownloadRefusedError, match="redirects more than 5 times"):
        hook.download(f"{server.url}/a.mp4", destination)
    assert len(server.requests) == 6
    assert files_beside(destination) == []


@pytest.mark.parametrize(
    "location",
    [
        "ftp://127.0.0.1/a.mp4",
        "file:///etc/passwd",
        "http://[::1/",
        "/\xe9.mp4",
    ],
)
def test_a_redirect_to_what_is_no_web_address_is_refused(
    hook: TwinSyncHook, serve: Serve, destination: Path, location: str
) -> None:
    """By name."""
    server = serve(lambda _: [answer(302, Location=location)])
    with pytest.raises((DownloadRefusedError, UsageError)):
        hook.download(f"{server.url}/a.mp4", destination)
    assert files_beside(destination) == []


@pytest.mark.parametrize("url", ["", None, "None", "a.mp4", "s3://bucket/a.mp4", "file:///etc/passwd", 7])
def test_an_address_that_is_none_is_named(hook: TwinSyncHook, destination: Path, url: Any) -> None:
    """Before anything is opened."""
    with pytest.raises(UsageError, match="result_url"):
        hook.download(url, destination)
    assert files_beside(destination) == []


# -------------------------------------------------------------------------------------------------- expired


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("after", [b"", cut()], ids=["at once", "in the middle"])
def test_an_address_that_has_expired_is_asked_for_again(
    hook: TwinSyncHook, emulator: Emulator, serve: Serve, destination: Path, status: int, after: bytes
) -> None:
    """By the job's id: the file is then the new address's."""
    import requests

    twinsync_task_id = hook.submit(**JOB)
    server = serve(in_turn(*([after] if after else []), answer(status)))
    got = hook.download(f"{server.url}/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    video = requests.get(f"{emulator.url}/example/{twinsync_task_id}.mp4", timeout=10).content
    assert destination.read_bytes() == video
    assert got["sha256"] == hashlib.sha256(video).hexdigest()
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status", "result", "result"]


def test_an_address_is_asked_for_again_once(
    hook: TwinSyncHook, emulator: Emulator, destination: Path
) -> None:
    """An address that is new and gives nothing either is the end."""
    twinsync_task_id = hook.submit(**JOB)
    emulator.world.faults.add("result", HttpError(status=404, times=None))
    with pytest.raises(DownloadRefusedError, match=r"HTTP 404.*it is the new address.*another submit"):
        hook.download(f"{emulator.url}/example/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    assert [entry.call for entry in emulator.world.journal] == ["submit", "result", "status", "result"]
    assert files_beside(destination) == []


def test_an_address_that_has_expired_without_an_id_says_what_to_give(
    hook: TwinSyncHook, emulator: Emulator, destination: Path
) -> None:
    """The id of the job."""
    with pytest.raises(DownloadRefusedError, match="twinsync_task_id"):
        hook.download(f"{emulator.url}/example/old.mp4", destination)
    assert len(emulator.world.journal) == 1
    assert files_beside(destination) == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (HttpError(status=503), "The status of TwinSync job {id} could not be had"),
        (Body(json={"result_code": 102}), "TwinSync job {id} is not finished (running): try again later"),
        (None, "TwinSync job {id} failed. There is no video to be had"),
    ],
    ids=["no status", "not finished", "failed"],
)
def test_an_address_that_cannot_be_asked_for_again_is_an_error(
    hook: TwinSyncHook, emulator: Emulator, destination: Path, fault: Any, said: str
) -> None:
    """The status may be unavailable, the job may go on (it should not), or turn out to have failed."""
    emulator.world.faults.add("submit", FailJob())
    twinsync_task_id = hook.submit(**JOB)
    if fault is not None:
        emulator.world.faults.add("status", fault)
    with pytest.raises(TwinSyncError) as caught:
        hook.download(f"{emulator.url}/example/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    assert caught.value.retryable is (fault is not None)
    # The message says both: what has expired, and what could not be had.
    assert "gives nothing (HTTP 404)" in str(caught.value)
    assert said.format(id=twinsync_task_id) in str(caught.value)
    assert files_beside(destination) == []


def test_a_video_at_a_new_address_is_another_one(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """Two files may have the same ETag, and the same size: what names a version names it at one address."""
    other = mp4(len(VIDEO), seed=2)
    old = iter([cut(), answer(404)])

    def respond(request: Received) -> list[bytes]:
        if request.target.startswith("/old.mp4"):
            return [next(old)]
        if request.target == "/new.mp4":
            return [part_of(other, CUT, len(other)) if "range" in request.headers else whole(other)]
        return [answer(200, json.dumps({"result_code": 103, "result_url": f"{server.url}/new.mp4"}).encode())]

    server = serve(respond)
    connect(port=server.port)
    TwinSyncHook().download(f"{server.url}/old.mp4", destination, twinsync_task_id="1")
    assert destination.read_bytes() == other


# ------------------------------------------------------------------------------------------------ messages


def test_an_error_names_the_job_and_no_secret(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """A query may be a signature that lets anybody have the video."""
    server = serve(lambda _: [answer(400)])
    url = f"{server.url.replace('//', '//ann:word@')}/a.mp4?sig=5d41#x"
    for arguments, job in (({}, ""), ({"twinsync_task_id": "2026_1"}, "TwinSync job 2026_1: ")):
        with pytest.raises(DownloadRefusedError) as caught:
            hook.download(url, destination, **arguments)
        said = f"{job}The server answers HTTP 400, and not with a video: {server.url}/a.mp4."
        assert str(caught.value) == said


def test_what_is_in_an_error_is_bounded(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """A header may have some sixty thousand characters."""
    long = "x" * 50_000
    for pieces in ([answer(200, Content_Type=long)], [answer(206, Content_Range=long)]):
        with pytest.raises(TwinSyncError) as caught:
            hook.download(serve(in_turn(*pieces)).url, destination)
        assert len(str(caught.value)) < 300
