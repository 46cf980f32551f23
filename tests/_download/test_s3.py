"""Videos in S3, over its real protocol: a complete object or none, and no unfinished upload, which costs."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, ObjectStoragePath
from airflow.providers.common.compat.sdk import timeout as airflow_timeout
from support.buckets import KEYS, s3_connection
from support.relay import Relay
from support.servers import answer, mp4

import airflow_provider_twinsync
from airflow_provider_twinsync.exceptions import DownloadInterruptedError

pytest.importorskip("s3fs", reason="the tests of S3 need the provider for it")
pytest.importorskip("moto", reason="the tests of S3 need an S3 on loopback")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.servers import Received, Server

    from airflow_provider_twinsync.hooks import TwinSyncHook

VIDEO = mp4(500_000)
#: Two parts of 8 MiB, and some more: from this size on s3fs uploads in parts.
LARGE = b"\0\0\0\x18ftypisom" + bytes(20_000_000)
DESTINATION = "s3://aws_default@videos/2026/a.mp4"


@pytest.fixture(scope="module")
def relay(moto_port: int) -> Iterator[Relay]:
    """Start the target of the default AWS connection; Airflow keeps a store for the life of a process."""
    relay = Relay(moto_port)
    with s3_connection(relay.port, "aws_default", region_name=KEYS["region_name"]):
        yield relay
    relay.close()


@pytest.fixture
def s3(moto_port: int, relay: Relay) -> Iterator[Any]:
    """Return a client that bypasses the relay, with an empty bucket."""
    import boto3

    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{moto_port}", **KEYS)
    client.create_bucket(Bucket="videos")
    yield client
    relay.words, relay.cuts, relay.on_cut = b"", 0, lambda: None
    abort(client)
    for key in objects(client):
        client.delete_object(Bucket="videos", Key=key)
    client.close()


def objects(s3: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket="videos").get("Contents", [])]


def uploads(s3: Any) -> list[Any]:
    return list(s3.list_multipart_uploads(Bucket="videos").get("Uploads", []))


def abort(s3: Any) -> None:
    for upload in uploads(s3):
        s3.abort_multipart_upload(Bucket="videos", Key=upload["Key"], UploadId=upload["UploadId"])


def content(s3: Any) -> bytes:
    body = s3.get_object(Bucket="videos", Key="2026/a.mp4")["Body"]
    with body:
        data: bytes = body.read()
    return data


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeps: list[float]) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def serve_video(serve: Callable[..., Server]) -> Callable[..., str]:
    """Return a function that serves a video and returns its address."""

    def serve_video(video: bytes, sent: int | None = None) -> str:
        start = answer(200, Content_Type="video/mp4", Content_Length=len(video), ETag='"v1"')
        return serve(lambda _: [start, video[:sent]]).url

    return serve_video


@pytest.mark.slow
@pytest.mark.parametrize("video", [VIDEO, LARGE], ids=["small", "in parts"])
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_an_object_is_the_video(
    hook: TwinSyncHook, s3: Any, serve_video: Any, folder: Path, video: bytes, existing: bool
) -> None:
    """Byte for byte, and with its type, for example ``video/mp4``."""
    if existing:
        s3.put_object(Bucket="videos", Key="2026/a.mp4", Body=b"yesterday's video")
    got = hook.download(serve_video(video), DESTINATION)
    assert got == {
        "path": DESTINATION,
        "bytes": len(video),
        "sha256": hashlib.sha256(video).hexdigest(),
        "content_type": "video/mp4",
        "duration_s": None,  # only the first bytes are those of a video
    }
    assert objects(s3) == ["2026/a.mp4"]
    assert content(s3) == video
    assert s3.head_object(Bucket="videos", Key="2026/a.mp4")["ContentType"] == "video/mp4"
    assert uploads(s3) == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_a_video_that_never_is_complete_leaves_the_bucket_as_it_was(
    hook: TwinSyncHook, s3: Any, serve_video: Any, folder: Path, existing: bool
) -> None:
    """No object, or the one that was there."""
    if existing:
        s3.put_object(Bucket="videos", Key="2026/a.mp4", Body=b"yesterday's video")
    with pytest.raises(DownloadInterruptedError, match="TS515 "):
        hook.download(serve_video(VIDEO, 300_000), DESTINATION)
    assert objects(s3) == (["2026/a.mp4"] if existing else [])
    assert not existing or content(s3) == b"yesterday's video"
    assert list(folder.iterdir()) == []


def test_a_bucket_that_is_missing_is_named(hook: TwinSyncHook, s3: Any, serve_video: Any) -> None:
    """With the error of the store, and with the address."""
    with pytest.raises(DownloadInterruptedError, match="bucket does not exist") as caught:
        hook.download(serve_video(VIDEO), "s3://aws_default@no-such-bucket/a.mp4")
    assert caught.value.code == "TS521"
    assert "'s3://aws_default@no-such-bucket/a.mp4'" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize(
    ("video", "words"),
    [
        (VIDEO, b"PUT /videos/2026/a.mp4"),
        (LARGE, b"partNumber=2"),
        (LARGE, b"POST /videos/2026/a.mp4?uploadId"),
    ],
    ids=["small", "in a part", "at the end"],
)
def test_an_upload_that_is_cut_leaves_the_bucket_as_it_was(
    hook: TwinSyncHook,
    s3: Any,
    relay: Relay,
    serve_video: Any,
    folder: Path,
    video: bytes,
    words: bytes,
    existing: bool,
) -> None:
    """No object, and no unfinished upload, as its parts cost until they are removed."""
    if existing:
        s3.put_object(Bucket="videos", Key="2026/a.mp4", Body=b"yesterday's video")
    relay.words = words
    with pytest.raises(DownloadInterruptedError, match="TS521 "):
        hook.download(serve_video(video), DESTINATION)
    assert relay.cuts > 0
    assert objects(s3) == (["2026/a.mp4"] if existing else [])
    assert not existing or content(s3) == b"yesterday's video"
    assert uploads(s3) == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("hidden", ["", "call_s3", "split_path"])
def test_an_upload_at_the_execution_timeout_leaves_the_bucket_as_it_was(
    hook: TwinSyncHook,
    s3: Any,
    relay: Relay,
    serve_video: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    hidden: str,
) -> None:
    """`execution_timeout` comes as a signal, and the upload continues in a thread of the library.

    Without one of the names that end it, the bucket keeps the parts, and the error is the same.
    """
    ended = threading.Event()

    def ring() -> None:
        relay.words = b""
        if hidden:
            monkeypatch.delattr(f"s3fs.S3FileSystem.{hidden}")
        os.kill(os.getpid(), signal.SIGALRM)
        ended.wait(30)

    relay.on_cut = ring
    # The thread of an earlier test may still send its own part.
    relay.words = f"/at-the-timeout-{hidden}.mp4?partNumber=2".encode()
    try:
        with airflow_timeout(60), pytest.raises(AirflowTaskTimeout):
            hook.download(serve_video(LARGE), f"s3://aws_default@videos/at-the-timeout-{hidden}.mp4")
        assert relay.cuts == 1
        assert len(uploads(s3)) == bool(hidden)
        abort(s3)
    finally:
        ended.set()
    assert objects(s3) == []
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_without_the_names_of_its_bounds_a_store_uploads_as_it_does(
    hook: TwinSyncHook, s3: Any, serve_video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example when s3fs no longer has `chunksize`: a video needs more memory then."""
    store = ObjectStoragePath(DESTINATION).fs
    put_file = store.put_file
    monkeypatch.setattr(store, "put_file", lambda lpath, rpath: put_file(lpath, rpath))
    hook.download(serve_video(LARGE), DESTINATION)
    assert content(s3) == LARGE


@pytest.mark.slow
def test_a_process_that_has_used_s3_ends_without_a_warning(
    s3: Any, serve_video: Any, folder: Path, connection: str
) -> None:
    """The library leaves no session open: neither Python nor aiohttp warns."""
    code = (
        "import sys; from airflow_provider_twinsync.hooks import TwinSyncHook; "
        "TwinSyncHook().download(*sys.argv[1:])"
    )
    command = [sys.executable, "-W", "default::ResourceWarning", "-c", code, serve_video(VIDEO), DESTINATION]
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert content(s3) == VIDEO
    for word in ("ResourceWarning", "Unclosed", "never awaited", "Traceback"):
        assert word not in done.stderr


@pytest.mark.slow
def test_an_upload_is_never_completely_in_memory(
    s3: Any, serve: Callable[..., Server], folder: Path, connection: str
) -> None:
    """Sixty megabytes need two parts of eight; the test measures a process of its own, as a worker is."""
    large = LARGE[:12] + bytes(60_000_000)

    def respond(request: Received) -> Iterator[bytes]:
        video = VIDEO if request.target == "/small" else large
        yield answer(200, Content_Type="video/mp4", Content_Length=len(video))
        yield video

    url = serve(respond).url
    code = (
        "import sys, tracemalloc; from airflow_provider_twinsync.hooks import TwinSyncHook\n"
        "TwinSyncHook().download(sys.argv[1] + '/small', sys.argv[2])\n"
        "tracemalloc.start()\n"
        "TwinSyncHook().download(sys.argv[1] + '/large', sys.argv[2])\n"
        "print('peak:', tracemalloc.get_traced_memory()[1])\n"
    )
    tested = Path(airflow_provider_twinsync.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, url, DESTINATION],
        env={**os.environ, "PYTHONPATH": str(tested)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    [peak_bytes] = re.findall(r"(?m)^peak: (\d+)$", done.stdout)
    assert int(peak_bytes) < 45_000_000
    assert content(s3) == large
    assert uploads(s3) == []
