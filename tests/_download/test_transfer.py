"""Downloads over real sockets: for example after a cut, the file has the complete video and nothing else."""

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
def _no_delay(sleeps: list[float]) -> None:
    """Skip every delay."""


@pytest.fixture
def destination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a destination in a folder of its own, beside the temporary folder."""
    for name in ("videos", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "videos" / "video.mp4"


def files_beside(destination: Path) -> list[str]:
    """Return all names in the folder of the destination and in the temporary folder."""
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
    """Answer as a server that supports ranges and still has the same video."""
    assert request.headers["if-range"] == '"v1"'
    start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
    data = VIDEO[start:]
    content_range = f"bytes {start}-{len(VIDEO) - 1}/{len(VIDEO)}"
    return [head(206, data, Content_Range=content_range) + data]


def part_of(data: bytes, start: int, end: int, /, **headers: str | int) -> bytes:
    """Return an answer with a range of the video, without a length of its own."""
    content_range = f"bytes {start}-{end - 1}/{len(data)}"
    return answer(206, data[start:end], **{"Content_Range": content_range, "ETag": '"v1"', **headers})


def in_turn(*answers: Answering) -> Callable[[Received], Iterable[bytes]]:
    """Answer each request with the next answer; repeat the last answer for ever."""
    turns = itertools.chain(answers, itertools.repeat(answers[-1]))

    def respond(request: Received) -> Iterable[bytes]:
        turn = next(turns)
        return turn(request) if callable(turn) else [turn]

    return respond


def asked(server: Server) -> list[str | None]:
    """Return the requested ranges."""
    return [request.headers.get("range") for request in server.requests]


# ------------------------------------------------------------------------------------------------ complete


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
        # The bytes are an MP4 already: a wrong header changes nothing, as the download unpacks nothing.
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
    """Send pieces with a short delay in between, so that they arrive one by one."""

    def respond(_: Received) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            threading.Event().wait(0.05)

    return respond


def test_the_first_bytes_may_come_one_by_one(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """No single piece has the complete signature then."""
    hook.download(serve(drip(head(), VIDEO[:3], VIDEO[3:5], VIDEO[5:])).url, destination)
    assert destination.read_bytes() == VIDEO
    with pytest.raises(DownloadRefusedError, match=r"TS512 .*b'GIF89aft'"):
        hook.download(serve(drip(head(), b"GIF8", b"9aftyp")).url, destination)


def test_an_existing_file_is_replaced(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """In one step: a reader of the old file reads it to its end."""
    older = b"an older and longer video" * 100_000
    destination.write_bytes(older)
    with destination.open("rb") as reader:
        hook.download(serve(lambda _: [whole()]).url, destination)
        assert reader.read() == older
    assert destination.read_bytes() == VIDEO


# -------------------------------------------------------------------------------------------- interrupted


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


def reset(_: Received) -> Iterator[bytes]:
    """Reset the connection in the middle of the body."""
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
        # A server without support of ranges, or with another video by now, sends the complete video.
        ([cut(), whole()], [None, "bytes=300000-"]),
        ([cut(), whole(OTHER_VIDEO, ETag='"v2"')], [None, "bytes=300000-"]),
        # The answer has no strong validator.
        ([answer(200, VIDEO[:CUT], Content_Length=len(VIDEO)), whole()], [None, None]),
        # Only the structure of the video shows its length.
        ([answer(200, VIDEO[:CUT]), answer(200, VIDEO)], [None, None]),
        ([answer(200, VIDEO[:CUT], ETag='"v1"'), rest], [None, "bytes=300000-"]),
        ([cut(), part_of(VIDEO, CUT, 500_000)[:-1], rest], [None, "bytes=300000-", "bytes=499999-"]),
        ([cut(ETag='W/"v1"'), whole()], [None, None]),
        # The server does not resume.
        ([cut(), answer(416), whole()], [None, "bytes=300000-", None]),
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
    video = OTHER_VIDEO if answers[-1] == whole(OTHER_VIDEO, ETag='"v2"') else VIDEO
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


def test_a_promised_length_decides(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """The structure of the video does not matter then."""
    hook.download(serve(lambda _: [whole(VIDEO + b"more")]).url, destination)
    assert destination.read_bytes() == VIDEO + b"more"


LONG_AGO = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "if_range"),
    [
        ({"Date": "Wed, 21 Oct 2015 07:28:01 GMT"}, LONG_AGO),
        # The video may have changed again in that second, or the answer has no date.
        ({"Date": LONG_AGO}, None),
        ({}, None),
        ({"Date": "rubbish"}, None),
        ({"Date": "Wed, 21 Oct 2015 07:28:01 GMT", "ETag": 'W/"v1"'}, LONG_AGO),
    ],
)
def test_a_date_is_the_validator_without_a_strong_etag(
    hook: TwinSyncHook, serve: Serve, destination: Path, headers: dict[str, str], if_range: str | None
) -> None:
    """`Last-Modified`, where RFC 9110 allows it in `If-Range` (8.8.2.2, 13.1.5)."""
    start = answer(200, VIDEO[:CUT], Content_Length=len(VIDEO), Last_Modified=LONG_AGO, **headers)
    server = serve(in_turn(start, whole()))
    hook.download(server.url, destination)
    assert [request.headers.get("if-range") for request in server.requests] == [None, if_range]
    assert destination.read_bytes() == VIDEO


@pytest.mark.parametrize(
    ("validator", "headers", "is_other"),
    [
        ('"1"', {"ETag": '"1"'}, False),
        ('"1"', {"ETag": '"2"'}, True),
        # RFC 9110, 15.3.7: a 206 repeats the ETag of the 200.
        ('"1"', {}, True),
        (LONG_AGO, {"Last-Modified": LONG_AGO}, False),
        (LONG_AGO, {"Last-Modified": "Wed, 21 Oct 2015 07:28:01 GMT"}, True),
        (LONG_AGO, {}, False),
        (None, {"ETag": '"1"'}, True),
    ],
)
def test_a_validator_does_not_match(validator: str | None, headers: dict[str, str], is_other: bool) -> None:
    """In doubt, it does not."""
    assert is_mismatch(validator, headers) is is_other


@pytest.mark.parametrize(
    ("etag", "total"),
    [({"ETag": '"v2"'}, 700_000), ({"ETag": 'W/"v1"'}, 700_000), ({}, 700_000), ({"ETag": '"v1"'}, 650_000)],
    ids=str,
)
def test_a_range_of_another_video_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path, etag: dict[str, str], total: int
) -> None:
    """Its ETag, the lack of an ETag, or the size of the video shows it."""
    other = answer(
        206, (OTHER_VIDEO * 2)[CUT:total], Content_Range=f"bytes {CUT}-{total - 1}/{total}", **etag
    )
    server = serve(in_turn(cut(), other, whole()))
    hook.download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    assert asked(server) == [None, "bytes=300000-", None]


def test_the_signature_is_checked_across_a_cut(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """The first four bytes of a picture, and then the rest: no single answer has the signature."""
    data = b"GIF89a--" + VIDEO[8:]

    def more(request: Received) -> list[bytes]:
        return [head(206, data[4:], Content_Range=f"bytes 4-{len(data) - 1}/{len(data)}") + data[4:]]

    with pytest.raises(DownloadRefusedError, match="TS512 "):
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
def test_another_range_than_requested_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path, content_range: str
) -> None:
    """The video starts again."""
    wrong = head(206, VIDEO[CUT:], Content_Range=content_range) + VIDEO[CUT:]
    server = serve(in_turn(cut(), wrong, whole()))
    hook.download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    assert asked(server) == [None, "bytes=300000-", None]


def test_a_range_with_another_validator_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path
) -> None:
    """A server may support ranges and not `If-Range`; the ETag decides (RFC 9110, 15.3.7.3)."""
    part = OTHER_VIDEO[CUT:]
    content_range = f"bytes {CUT}-{len(OTHER_VIDEO) - 1}/{len(OTHER_VIDEO)}"
    other = head(206, part, ETag='"v2"', Content_Range=content_range) + part
    server = serve(in_turn(cut(), other, whole(OTHER_VIDEO, ETag='"v2"')))
    hook.download(server.url, destination)
    assert destination.read_bytes() == OTHER_VIDEO


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
    server = serve(in_turn(answer(503, Retry_After=retry_after), whole()))
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
    ("pieces", "code", "data"),
    [
        ([whole(b"<html>an error page</html>")], "TS512", "b'<html>an'"),
        (
            [whole(b"<html>an error page</html>", Content_Type="text/html; charset=utf-8")],
            "TS511",
            "'text/html'",
        ),
        ([whole(Content_Type="application/json")], "TS511", "'application/json'"),
        ([whole(b"")], "TS512", "b''"),
        ([whole(b"ftyp")], "TS512", "b'ftyp'"),
        ([head(), b"GIF8", b"9a", VIDEO], "TS512", "b'GIF8"),
        ([whole(gzip.compress(VIDEO), Content_Encoding="gzip")], "TS512", "'gzip'"),
        ([answer(400)], "TS510", "HTTP 400"),
        ([answer(304)], "TS510", "HTTP 304"),
        ([answer(204)], "TS510", "HTTP 204"),
    ],
)
def test_a_file_that_is_no_video_is_refused(
    hook: TwinSyncHook,
    serve: Serve,
    destination: Path,
    sleeps: list[float],
    pieces: list[bytes],
    code: str,
    data: str,
) -> None:
    """At once, as a retry would get the same file; and nothing of the file is kept."""
    destination.write_bytes(b"yesterday's video")
    server = serve(lambda _: pieces)
    with pytest.raises(DownloadRefusedError) as caught:
        hook.download(f"{server.url}/a.mp4", destination)
    assert caught.value.code == code
    assert data in str(caught.value)
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
    with pytest.raises(DownloadRefusedError, match="TS512 "):
        hook.download(url, destination)
    assert files_beside(destination) == []


def test_a_video_may_be_as_large_as_the_connection_allows(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """A megabyte is a million bytes."""
    connect(max_video_mb=0.7)
    TwinSyncHook().download(serve(lambda _: [whole()]).url, destination)
    assert destination.stat().st_size == 700_000


def slowly(start: bytes, pieces: Iterable[bytes], every_s: float) -> Callable[[Received], Iterator[bytes]]:
    """Send the start at once, and then one piece after each delay, until the client has left."""

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
    server = serve(lambda _: [whole()])
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
    """Also if it is the same machine, and also if an allowed host redirects to it."""
    server = serve(lambda _: [whole()])
    url = address.format(port=server.port)
    first = serve(lambda _: [answer(302, Location=url)]).url if redirected else url
    with pytest.raises(DownloadRefusedError, match="TS501 ") as caught:
        hook.download(first, destination)
    assert "allowed_result_hosts" in str(caught.value)
    assert "'twinsync_default'" in str(caught.value)
    assert server.requests == []
    assert files_beside(destination) == []


@pytest.mark.parametrize("redirected", [False, True], ids=["address", "redirect"])
def test_a_host_that_can_be_read_in_two_ways_gets_no_request(
    hook: TwinSyncHook, serve: Serve, destination: Path, redirected: bool
) -> None:
    """The checked host and the requested host must be the same."""
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
    """To another port, or to another path."""
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
    with pytest.raises(DownloadRefusedError, match=r"TS508 .* 5 times"):
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
def test_a_redirect_to_no_web_address_is_refused(
    hook: TwinSyncHook, serve: Serve, destination: Path, location: str
) -> None:
    """With an error of this package."""
    server = serve(lambda _: [answer(302, Location=location)])
    with pytest.raises((DownloadRefusedError, UsageError)):
        hook.download(f"{server.url}/a.mp4", destination)
    assert files_beside(destination) == []


@pytest.mark.parametrize("url", ["", None, "None", "a.mp4", "s3://bucket/a.mp4", "file:///etc/passwd", 7])
def test_an_invalid_address_is_refused(hook: TwinSyncHook, destination: Path, url: Any) -> None:
    """Before any file is created."""
    with pytest.raises(UsageError, match="result_url"):
        hook.download(url, destination)
    assert files_beside(destination) == []


# -------------------------------------------------------------------------------------------------- expired


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("after", [b"", cut()], ids=["at once", "in the middle"])
def test_an_expired_address_is_replaced(
    hook: TwinSyncHook, emulator: Emulator, serve: Serve, destination: Path, status: int, after: bytes
) -> None:
    """By the id of the job: the file is then the video of the new address."""
    import requests

    twinsync_task_id = hook.submit(**JOB)
    server = serve(in_turn(*([after] if after else []), answer(status)))
    got = hook.download(f"{server.url}/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    video = requests.get(f"{emulator.url}/example/{twinsync_task_id}.mp4", timeout=10).content
    assert destination.read_bytes() == video
    assert got["sha256"] == hashlib.sha256(video).hexdigest()
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status", "result", "result"]


def test_an_expired_address_is_replaced_once(
    hook: TwinSyncHook, emulator: Emulator, destination: Path
) -> None:
    """If the new address has no video either, the download fails."""
    twinsync_task_id = hook.submit(**JOB)
    emulator.world.faults.add("result", HttpError(status=404, times=None))
    with pytest.raises(DownloadRefusedError, match=r"TS504 .*HTTP 404"):
        hook.download(f"{emulator.url}/example/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    assert [entry.call for entry in emulator.world.journal] == ["submit", "result", "status", "result"]
    assert files_beside(destination) == []


def test_an_expired_address_without_an_id_asks_for_the_id(
    hook: TwinSyncHook, emulator: Emulator, destination: Path
) -> None:
    """The message names the argument."""
    with pytest.raises(DownloadRefusedError, match=r"TS503 .*twinsync_task_id"):
        hook.download(f"{emulator.url}/example/old.mp4", destination)
    assert len(emulator.world.journal) == 1
    assert files_beside(destination) == []


@pytest.mark.parametrize(
    ("fault", "code", "data"),
    [
        (HttpError(status=503), "TS507", "HTTP 503"),
        (Body(json={"result_code": 102}), "TS506", "(running)"),
        (None, "TS505", ""),
    ],
    ids=["no status", "not finished", "failed"],
)
def test_an_expired_address_that_cannot_be_replaced_is_an_error(
    hook: TwinSyncHook, emulator: Emulator, destination: Path, fault: Any, code: str, data: str
) -> None:
    """The status is unavailable, the job is not finished, or it failed."""
    emulator.world.faults.add("submit", FailJob())
    twinsync_task_id = hook.submit(**JOB)
    if fault is not None:
        emulator.world.faults.add("status", fault)
    with pytest.raises(TwinSyncError) as caught:
        hook.download(f"{emulator.url}/example/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    assert caught.value.retryable is (fault is not None)
    assert caught.value.code == code
    for part in ("(HTTP 404)", f"TwinSync job {twinsync_task_id}", data):
        assert part in str(caught.value)
    assert files_beside(destination) == []


def test_a_video_at_a_new_address_is_another_one(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """Two files may have the same ETag and the same size: a validator belongs to one address."""
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
    """A query may be a signature that gives anybody access to the video."""
    server = serve(lambda _: [answer(400)])
    url = f"{server.url.replace('//', '//ann:word@')}/a.mp4?sig=5d41#x"
    for arguments, job in (({}, "T"), ({"twinsync_task_id": "2026_1"}, "TwinSync job 2026_1: ")):
        with pytest.raises(DownloadRefusedError) as caught:
            hook.download(url, destination, **arguments)
        message = str(caught.value)
        assert message.startswith(f"TS510 {job}")
        assert message.endswith(f": {server.url}/a.mp4.")
        for secret in ("ann", "word", "sig", "5d41"):
            assert secret not in message


def test_the_length_of_an_error_is_bounded(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """A header may have 60,000 characters."""
    long = "x" * 50_000
    for pieces in ([answer(200, Content_Type=long)], [answer(206, Content_Range=long)]):
        with pytest.raises(TwinSyncError) as caught:
            hook.download(serve(in_turn(*pieces)).url, destination)
        assert len(str(caught.value)) < 300
