"""Downloads over real sockets: for example the file has the complete video and nothing else."""

from __future__ import annotations

import gzip
import hashlib
import threading
from typing import TYPE_CHECKING

import pytest
from support.environment import KEY
from support.servers import NO_LEAKS, answer
from support.videos import JOB, VIDEO, complete, files_beside, head, in_turn

from airflow_provider_twinsync.emulator import WrongVideo
from airflow_provider_twinsync.exceptions import DownloadRefusedError, TwinSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.servers import Received, Serve

    from airflow_provider_twinsync.emulator import Emulator
    from airflow_provider_twinsync.hooks import TwinSyncHook

pytestmark = NO_LEAKS


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
        ([complete()], "video/mp4"),
        ([complete(Content_Type="Video/MP4; codecs=avc1")], "video/mp4"),
        # The bytes are an MP4 already: a wrong header changes nothing, as the download unpacks nothing.
        ([complete(Content_Encoding="gzip")], "video/mp4"),
        ([b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n" + complete()], "video/mp4"),
        ([complete(Content_Type="application/octet-stream")], "application/octet-stream"),
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
        hook.download(serve(lambda _: [complete()]).url, destination)
        assert reader.read() == older
    assert destination.read_bytes() == VIDEO


def test_a_promised_length_decides(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """The structure of the video does not matter then."""
    hook.download(serve(lambda _: [complete(VIDEO + b"more")]).url, destination)
    assert destination.read_bytes() == VIDEO + b"more"


@pytest.mark.parametrize(
    ("pieces", "code", "data"),
    [
        ([complete(b"<html>an error page</html>")], "TS512", "b'<html>an'"),
        (
            [complete(b"<html>an error page</html>", Content_Type="text/html; charset=utf-8")],
            "TS511",
            "'text/html'",
        ),
        ([complete(Content_Type="application/json")], "TS511", "'application/json'"),
        ([complete(b"")], "TS512", "b''"),
        ([complete(b"ftyp")], "TS512", "b'ftyp'"),
        ([head(), b"GIF8", b"9a", VIDEO], "TS512", "b'GIF8"),
        ([complete(gzip.compress(VIDEO), Content_Encoding="gzip")], "TS512", "'gzip'"),
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
