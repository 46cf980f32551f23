"""The partial file of a download: its removal, and for example two downloads that want the same file."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from support.drive import alarm_when, attach
from support.servers import NO_LEAKS, Received, answer, mp4

from airflow_provider_twinsync._download.partial_file import open_partial_file
from airflow_provider_twinsync.operators import TwinSyncDownloadOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from support.servers import Serve

    from airflow_provider_twinsync.hooks import TwinSyncHook

pytestmark = NO_LEAKS

VIDEO = mp4(700_000)
CUT = 300_000
IN_BOTH_KINDS = pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
attach("memory", fs=MemoryFileSystem())


@pytest.fixture(autouse=True)
def folder(folders: Path, sleeps: list[float]) -> Path:
    """Return the parent of the folders that a download writes to, and skip every delay."""
    return folders


def left(folder: Path) -> list[str]:
    """Return the endings of the names beside the video."""
    files = [path for path in folder.glob("*/*") if path.name != "a.mp4"]
    return sorted("".join(path.suffixes[-2:]) for path in files)


def has_arrived(folder: Path) -> bool:
    """Return whether a file has every byte before the cut."""
    return any(path.stat().st_size == CUT for path in folder.glob("*/*"))


PARTIAL = {"a.mp4": [".part"], "memory://videos/a.mp4": [".mp4"]}


class Site:
    """A server that cuts the connection until ``is_well``."""

    def __init__(self, serve: Serve) -> None:
        self.is_well = False
        self.server = serve(self.respond)
        self.url = f"{self.server.url}/a.mp4"

    def respond(self, request: Received) -> Iterable[bytes]:
        start = int(request.headers.get("range", "bytes=0-")[len("bytes=") : -1])
        ranged = {"Content_Range": f"bytes {start}-{len(VIDEO) - 1}/{len(VIDEO)}"} if start else {}
        headers = {
            "ETag": '"v1"',
            "Content_Type": "video/mp4",
            "Content_Length": len(VIDEO) - start,
            **ranged,
        }
        # Every answer ends at the same byte, so all tries of one download end there.
        return [answer(206 if start else 200, **headers) + VIDEO[start : None if self.is_well else CUT]]


@pytest.fixture
def site(serve: Serve) -> Site:
    return Site(serve)


def check(folder: Path, got: Any) -> None:
    """Check that the video is complete, that the result describes it, and that no partial file is left."""
    assert ObjectStoragePath(got["path"]).read_bytes() == VIDEO
    assert (got["bytes"], got["sha256"]) == (len(VIDEO), hashlib.sha256(VIDEO).hexdigest())
    assert got["content_type"] == "video/mp4"
    assert left(folder) == []


@pytest.mark.slow
@IN_BOTH_KINDS
def test_a_try_that_is_killed_leaves_one_file_and_the_next_one_removes_it(
    hook: TwinSyncHook, serve: Serve, folder: Path, destination: str
) -> None:
    """After a SIGKILL the next try starts again."""
    is_first = threading.Event()
    ended = threading.Event()

    def respond(request: Received) -> Iterator[bytes]:
        yield answer(200, Content_Type="video/mp4", Content_Length=len(VIDEO), ETag='"v1"')
        yield VIDEO[:CUT]
        if not is_first.is_set():
            is_first.set()
            ended.wait(60)
        yield VIDEO[CUT:]

    server = serve(respond)
    code = (
        "import sys\n"
        "from airflow.providers.common.compat.sdk import ObjectStoragePath\n"
        "try:\n    from airflow.sdk.io import attach\n"
        "except ImportError:\n    from airflow.io.store import attach\n"
        "from fsspec.implementations.memory import MemoryFileSystem\n"
        "attach('memory', fs=MemoryFileSystem())\n"
        "from airflow_provider_twinsync.hooks import TwinSyncHook\n"
        "TwinSyncHook().download(sys.argv[1], sys.argv[2])\n"
    )
    command = [sys.executable, "-c", code, server.url, destination]
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            assert is_first.wait(300)
            pattern = "work/.*.part" if destination == "a.mp4" else "temporary/*.mp4"
            arrived = threading.Event()
            while not any(path.stat().st_size > 0 for path in folder.glob(pattern)):
                assert not arrived.wait(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            ended.set()
    assert left(folder) == PARTIAL[destination]
    check(folder, hook.download(server.url, destination))
    assert [request.headers.get("range") for request in server.requests] == [None, None]


@IN_BOTH_KINDS
def test_two_downloads_of_one_video_both_succeed(
    hook: TwinSyncHook, serve: Serve, folder: Path, destination: str
) -> None:
    """A task that Airflow believes dead may still run: its file and that of the retry do not mix."""
    results: list[Any] = []

    def respond(request: Received) -> Iterator[bytes]:
        yield answer(200, Content_Type="video/mp4", Content_Length=len(VIDEO), ETag='"v1"')
        yield VIDEO[:CUT]
        if len(server.requests) == 1:
            while not has_arrived(folder):
                threading.Event().wait(0.01)
            results.append(hook.download(server.url, destination))
        yield VIDEO[CUT:]

    server = serve(respond)
    results.append(hook.download(server.url, destination))
    assert results[0] == results[1]
    check(folder, results[0])


# ---------------------------------------------------------------------------------------------- by a task


def try_task(site: Site, **more: Any) -> BaseException | None:
    """Run a task once, and return the error that ended it."""
    operator = TwinSyncDownloadOperator(
        task_id="fetch", result_url=site.url, destination="a.mp4", retries=2, **more
    )
    ti = SimpleNamespace(try_number=1, max_tries=2, xcom_push=lambda **_: None)
    try:
        operator.execute({"ti": ti})  # type: ignore[arg-type,typeddict-item,unused-ignore]
    except BaseException as error:
        return error
    return None


@pytest.mark.usefixtures("connection")
def test_a_retry_begins_again(site: Site, folder: Path) -> None:
    """A try that fails leaves nothing."""
    assert type(try_task(site)).__name__ == "AirflowException"
    assert left(folder) == []
    site.is_well = True
    assert try_task(site) is None
    assert site.server.requests[-1].headers.get("range") is None
    assert (folder / "work" / "a.mp4").read_bytes() == VIDEO


def test_an_alarm_leaves_nothing(connect: Callable[..., None], serve: Serve, folder: Path) -> None:
    """Airflow's worker ends a task by a signal, at any point, at its `execution_timeout`."""
    connect()
    site = Site(serve)
    cut = site.respond
    ended = threading.Event()

    def hang(request: Received) -> Iterator[bytes]:
        yield from cut(request)
        ended.wait(30)

    site.server.respond = hang
    try:
        with alarm_when(lambda: has_arrived(folder)):
            error = try_task(site, execution_timeout=timedelta(seconds=61))
    finally:
        ended.set()
    assert isinstance(error, AirflowTaskTimeout)
    assert left(folder) == []


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError])
def test_any_other_end_leaves_nothing(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """A task that is stopped or broken during a delay between two requests."""

    def stop(_: float) -> None:
        raise kind

    monkeypatch.setattr("time.sleep", stop)
    assert isinstance(try_task(site), kind)
    assert left(folder) == []


@IN_BOTH_KINDS
@pytest.mark.usefixtures("connection")
def test_a_task_that_is_stopped_leaves_nothing(
    site: Site, folder: Path, logged: Callable[[], str], destination: str
) -> None:
    """Airflow's worker calls `on_kill` at a SIGTERM, and its SIGKILL comes five seconds later."""
    ended = threading.Event()
    cut = site.respond

    def stop(request: Received) -> Iterator[bytes]:
        yield from cut(request)
        while not has_arrived(folder):
            threading.Event().wait(0.01)
        threading.Event().wait(0.2)
        os.kill(os.getpid(), signal.SIGTERM)
        ended.wait(30)

    site.server.respond = stop
    operator = TwinSyncDownloadOperator(
        task_id="fetch", result_url=site.url, destination=destination, retries=2
    )
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    try:
        with pytest.raises(SystemExit, match="stopped"):
            operator.execute({"ti": SimpleNamespace(try_number=1, max_tries=2)})
    finally:
        signal.signal(signal.SIGTERM, before)
        ended.set()
    assert left(folder) == []
    assert "TS524" in logged()
    operator.on_kill()  # as after an execution_timeout: the download has ended


def test_the_suffix_of_an_object_is_no_pattern(tmp_path):
    """It may be `.**`, which no pattern may be; and `.[!x]` would match the files of other suffixes."""
    other = tmp_path / "twinsync-1.y"
    other.touch()
    for suffix in (".**", ".[!x]"):
        with open_partial_file(tmp_path, "twinsync-", suffix, 0o600) as file:
            assert file.path.suffix == suffix
    assert other.exists()
