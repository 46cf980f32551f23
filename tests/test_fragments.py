"""A download that goes on where an earlier try of its task ended, and the file that it leaves for that."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, ObjectStoragePath
from conftest import Received, answer, mp4
from drive import alarm_when, attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_twinsync.exceptions import DownloadInterruptedError, DownloadRefusedError
from airflow_provider_twinsync.operators import TwinSyncDownloadOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from conftest import Server

    from airflow_provider_twinsync.hooks import TwinSyncHook

    Serve = Callable[..., Server]

pytestmark = [
    pytest.mark.filterwarnings("error::ResourceWarning"),
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]

VIDEO, OTHER_VIDEO = mp4(700_000), mp4(650_000, seed=2)
CUT = 300_000
JOB = "20261123_1"
IN_BOTH_KINDS = pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])


class MovingStore(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store that takes nothing for a while."""

    is_away = True

    def put_file(self, *arguments: Any, **options: Any) -> None:
        if self.is_away:
            raise RuntimeError("the bucket is being moved")
        super().put_file(*arguments, **options)


attach("memory", fs=MemoryFileSystem())
attach("memory", conn_id="moving", fs=MovingStore())


@pytest.fixture(autouse=True)
def folder(folders: Path, sleeps: list[float]) -> Path:
    """Where the folders are that a download writes to. No pause is made."""
    return folders


def left(folder: Path) -> list[str]:
    """What is there beside the video: how the names end."""
    files = [path for path in folder.glob("*/*") if path.name != "a.mp4"]
    return sorted("".join(path.suffixes[-2:]) for path in files)


def has_arrived(folder: Path) -> bool:
    """Whether all that comes before the cut is in a file."""
    return any(path.stat().st_size == CUT for path in folder.glob("*/*"))


FRAGMENT = {"a.mp4": [".part", ".part.json"], "memory://videos/a.mp4": [".mp4", ".mp4.json"]}


class Site:
    """A server that cuts the connection until it is well; then it knows ranges, as far as it is told to."""

    def __init__(self, serve: Serve) -> None:
        self.video = VIDEO
        self.is_well = False
        self.status: int | None = None
        self.ignores_conditions = False
        self.headers: dict[str, str] = {"ETag": '"v1"', "Content_Type": "video/mp4"}
        self.server = serve(self.respond)
        self.url = f"{self.server.url}/a.mp4"

    def respond(self, request: Received) -> Iterable[bytes]:
        if self.status is not None:
            return [answer(self.status)]
        same = self.ignores_conditions or request.headers.get("if-range") == self.headers.get("ETag")
        start = int(request.headers.get("range", "bytes=0-")[len("bytes=") : -1])
        if not self.is_well:
            # Nothing more than at the first time, so that all tries of one download end at the same byte.
            length = len(self.video) - start
            data = self.video[start:CUT]
            ranged = (
                {"Content_Range": f"bytes {start}-{len(self.video) - 1}/{len(self.video)}"} if start else {}
            )
            return [answer(206 if start else 200, Content_Length=length, **ranged, **self.headers) + data]
        if not start or not same:
            return [answer(200, Content_Length=len(self.video), **self.headers) + self.video]
        part = self.video[start:]
        ranged = {"Content_Range": f"bytes {start}-{len(self.video) - 1}/{len(self.video)}"}
        return [answer(206, Content_Length=len(part), **ranged, **self.headers) + part]

    def asked(self) -> list[str | None]:
        """The ranges that were asked for since the last question."""
        ranges = [request.headers.get("range") for request in self.server.requests]
        self.server.requests.clear()
        return ranges


@pytest.fixture
def site(serve: Serve) -> Site:
    return Site(serve)


def fail(hook: TwinSyncHook, site: Site, destination: str, **more: Any) -> None:
    """Make a try that gets no further than the cut, and that a retry will follow."""
    with pytest.raises(DownloadInterruptedError, match="did not arrive whole"):
        hook.download(site.url, destination, keep_part=True, **more)
    site.asked()
    site.is_well = True


def check(folder: Path, destination: str, got: Any, video: bytes = VIDEO) -> None:
    """See that the video is there, that it is what was said, and that there is nothing beside it."""
    assert ObjectStoragePath(got["path"]).read_bytes() == video
    assert (got["bytes"], got["sha256"]) == (len(video), hashlib.sha256(video).hexdigest())
    assert got["content_type"] == "video/mp4"
    assert left(folder) == []


@IN_BOTH_KINDS
def test_the_next_try_goes_on(hook: TwinSyncHook, site: Site, folder: Path, destination: str) -> None:
    """With the rest, and with the checksum of the whole."""
    fail(hook, site, destination)
    assert left(folder) == FRAGMENT[destination]
    check(folder, destination, hook.download(site.url, destination))
    assert site.asked() == [f"bytes={CUT}-"]


def test_a_try_without_a_retry_leaves_nothing(hook: TwinSyncHook, site: Site, folder: Path) -> None:
    """A direct caller gets all or nothing; and the last try removes what the ones before have left."""
    fail(hook, site, "a.mp4")
    site.is_well = False
    with pytest.raises(DownloadInterruptedError):
        hook.download(site.url, "a.mp4")
    assert site.asked()[0] == f"bytes={CUT}-"
    assert left(folder) == []


def test_an_error_that_no_retry_mends_leaves_nothing(hook: TwinSyncHook, site: Site, folder: Path) -> None:
    """Though a retry was announced."""
    fail(hook, site, "a.mp4")
    site.status = 404
    with pytest.raises(DownloadRefusedError):
        hook.download(site.url, "a.mp4", keep_part=True)
    assert left(folder) == []


def test_tries_may_go_on_more_than_once(hook: TwinSyncHook, site: Site, folder: Path) -> None:
    """A note serves once, and is then written anew."""
    fail(hook, site, "a.mp4")
    site.is_well = False
    fail(hook, site, "a.mp4")
    check(folder, "a.mp4", hook.download(site.url, "a.mp4", keep_part=True))
    assert site.asked() == [f"bytes={CUT}-"]


def change(path: Path, **facts: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda part, note: note.unlink(),
        lambda part, note: part.unlink(),
        lambda part, note: part.write_bytes(part.read_bytes()[:-1]),
        lambda part, note: part.write_bytes(part.read_bytes() + b"x"),
        lambda part, note: part.write_bytes(part.read_bytes()[:-1] + b"\0"),
        lambda part, note: part.write_bytes(b""),
        lambda part, note: note.write_bytes(b""),
        lambda part, note: note.write_bytes(b"\xff"),
        lambda part, note: note.write_text("[" * 100_000),
        lambda part, note: note.write_text("[]"),
        lambda part, note: note.write_text("{}"),
        lambda part, note: change(note, received="300000"),
        lambda part, note: change(note, received=299_999),
        lambda part, note: change(note, sha256=None),
        lambda part, note: change(note, sha256="0" * 64),
        lambda part, note: change(note, more=1),
        lambda part, note: change(note, validator=None),
        lambda part, note: note.rename(note.with_suffix(".x")) and note.symlink_to(note.with_suffix(".x")),
        lambda part, note: note.unlink() or note.mkdir(),
        lambda part, note: note.unlink() or os.mkfifo(note),
    ],
)
def test_what_is_not_as_it_was_left_is_fetched_anew(
    hook: TwinSyncHook, site: Site, folder: Path, spoil: Callable[[Path, Path], Any]
) -> None:
    """A killed try, a power loss, a full disk, somebody's hands: never half of one and half of another."""
    fail(hook, site, "a.mp4")
    [part] = folder.glob("work/.*.part")
    note = part.with_name(f"{part.name}.json")
    spoil(part, note)
    got = hook.download(site.url, "a.mp4")
    assert (folder / "work" / "a.mp4").read_bytes() == VIDEO
    assert got["sha256"] == hashlib.sha256(VIDEO).hexdigest()
    assert site.asked() == [None]
    assert not part.exists()


def test_a_note_that_cannot_be_written_leaves_nothing(
    hook: TwinSyncHook, site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may be full: the next try begins anew, and half a note is no use to it."""

    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", no_space)
    with pytest.raises(DownloadInterruptedError, match="did not arrive whole"):
        hook.download(site.url, "a.mp4", keep_part=True)
    assert left(folder) == []


@pytest.mark.parametrize("named", [True, False], ids=["validator", ""])
def test_what_nothing_names_is_not_kept(hook: TwinSyncHook, site: Site, folder: Path, named: bool) -> None:
    """Nobody could go on with it."""
    site.headers = {"Content_Type": "video/mp4", **({"ETag": '"v1"'} if named else {})}
    with pytest.raises(DownloadInterruptedError):
        hook.download(site.url, "a.mp4", keep_part=True)
    assert left(folder) == (FRAGMENT["a.mp4"] if named else [])


@pytest.mark.parametrize(
    ("ignores_conditions", "etag"), [(False, '"v2"'), (True, '"v2"'), (True, '"v1"')], ids=str
)
def test_another_version_starts_over(
    hook: TwinSyncHook, site: Site, folder: Path, ignores_conditions: bool, etag: str
) -> None:
    """The server says so by a whole answer, or its ETag or its size does."""
    fail(hook, site, "a.mp4")
    site.video = OTHER_VIDEO
    site.headers["ETag"] = etag
    site.ignores_conditions = ignores_conditions
    check(folder, "a.mp4", hook.download(site.url, "a.mp4"), OTHER_VIDEO)
    assert site.asked() == [f"bytes={CUT}-", *([None] if ignores_conditions else [])]


@pytest.mark.parametrize(
    ("first", "second", "goes_on"),
    [
        # What names a version names it at one address; a query may be a signature, which changes.
        ((JOB, "/a.mp4?signed=1"), (JOB, "/a.mp4?signed=2"), True),
        ((JOB, "/a.mp4"), (JOB, "/b.mp4"), False),
        ((JOB, "/a.mp4"), ("20261123_2", "/a.mp4"), False),
        ((None, "/a.mp4"), (None, "/b.mp4"), False),
        ((None, "/a.mp4"), (None, "/a.mp4"), True),
    ],
)
def test_a_fragment_is_of_one_job(
    hook: TwinSyncHook, site: Site, first: tuple[Any, str], second: tuple[Any, str], goes_on: bool
) -> None:
    """Or of one address, where no job is given."""
    with pytest.raises(DownloadInterruptedError):
        hook.download(f"{site.server.url}{first[1]}", "a.mp4", twinsync_task_id=first[0], keep_part=True)
    site.asked()
    site.is_well = True
    hook.download(f"{site.server.url}{second[1]}", "a.mp4", twinsync_task_id=second[0])
    assert site.asked() == [f"bytes={CUT}-" if goes_on else None]


def test_a_fragment_is_of_one_destination(hook: TwinSyncHook, site: Site) -> None:
    """Another file of the same video is another file."""
    fail(hook, site, "a.mp4")
    hook.download(site.url, "b.mp4")
    assert site.asked() == [None]
    hook.download(site.url, "./a.mp4")
    assert site.asked() == [f"bytes={CUT}-"]


def test_a_video_that_was_fetched_and_not_stored_is_not_fetched_again(
    hook: TwinSyncHook, site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try has it all, and puts it where it belongs."""
    site.is_well = True
    with pytest.raises(DownloadInterruptedError, match="being moved"):
        hook.download(site.url, "memory://moving@videos/a.mp4", keep_part=True)
    assert site.asked() == [None]
    monkeypatch.setattr(MovingStore, "is_away", False)
    got = hook.download(site.url, "memory://moving@videos/a.mp4")
    check(folder, "", {**got, "path": "memory://videos/a.mp4"})
    assert site.asked() == []


@IN_BOTH_KINDS
def test_a_try_that_is_killed_leaves_one_file_and_the_next_one_removes_it(
    hook: TwinSyncHook, serve: Serve, folder: Path, destination: str
) -> None:
    """SIGKILL: nothing of ours runs after it, so there is no note, and the next try trusts nothing."""
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
        "TwinSyncHook().download(sys.argv[1], sys.argv[2], keep_part=True)\n"
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
    assert left(folder) == FRAGMENT[destination][:1]
    check(folder, destination, hook.download(server.url, destination))
    assert [request.headers.get("range") for request in server.requests] == [None, None]


# ---------------------------------------------------------------------------------------------- by a task


def try_task(site: Site, *, try_number: int = 1, retries: int = 2, **more: Any) -> BaseException | None:
    """Make one try of the task, and give what it ended with."""
    operator = TwinSyncDownloadOperator(
        task_id="fetch", result_url=site.url, destination="a.mp4", retries=retries, **more
    )
    ti = SimpleNamespace(try_number=try_number, max_tries=retries, xcom_push=lambda **_: None)
    try:
        operator.execute({"ti": ti})  # type: ignore[arg-type,typeddict-item,unused-ignore]
    except BaseException as error:
        return error
    return None


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize(
    ("try_number", "retries", "kept"), [(1, 2, True), (2, 2, True), (3, 2, False), (1, 0, False)]
)
def test_a_task_leaves_a_fragment_if_a_retry_follows(
    site: Site, folder: Path, try_number: int, retries: int, kept: bool
) -> None:
    """By the number of its tries, as Airflow counts them."""
    error = try_task(site, try_number=try_number, retries=retries)
    assert type(error).__name__ == "AirflowException"
    assert left(folder) == (FRAGMENT["a.mp4"] if kept else [])


@pytest.mark.usefixtures("connection")
def test_a_task_that_is_executed_by_hand_leaves_nothing(site: Site, folder: Path) -> None:
    """In somebody's own test there are no tries."""
    operator = TwinSyncDownloadOperator(task_id="fetch", result_url=site.url, destination="a.mp4", retries=2)
    with suppress(Exception):
        operator.execute({})
    assert site.asked()
    assert left(folder) == []


@pytest.mark.parametrize("is_last", [False, True], ids=["", "last"])
def test_an_alarm_leaves_a_fragment_if_a_retry_follows(
    connect: Callable[..., None], serve: Serve, folder: Path, is_last: bool
) -> None:
    """`execution_timeout`, as Airflow's worker makes it: by a signal, wherever the task is."""
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
            error = try_task(site, try_number=3 if is_last else 1, execution_timeout=timedelta(seconds=61))
    finally:
        ended.set()
    assert isinstance(error, AirflowTaskTimeout)
    assert left(folder) == ([] if is_last else FRAGMENT["a.mp4"])
    site.server.respond = cut
    site.is_well = True
    site.asked()
    assert try_task(site, try_number=2) is None
    assert site.asked() == [None if is_last else f"bytes={CUT}-"]
    assert (folder / "work" / "a.mp4").read_bytes() == VIDEO
    assert left(folder) == []


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError])
def test_any_other_end_leaves_nothing(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """A task that is stopped or broken, at its worst moment: here in a pause between two requests."""

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
    assert "nothing of the video is kept" in logged()
    operator.on_kill()  # as after an execution_timeout: there is no fetch any more
