"""Destinations, such as a path or an object: the destination appears only when the video is complete."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from support.drive import attach
from support.servers import answer, mp4

from airflow_provider_twinsync._download.destination import find_place
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import Server

    from airflow_provider_twinsync.hooks import TwinSyncHook


class BrokenStore(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store that answers every upload with an error of its own."""

    error: Exception = RuntimeError("the bucket is gone")

    def put_file(self, *_: Any, **__: Any) -> None:
        raise self.error


# Airflow knows the stores of its providers, and attached ones: one by its name, one by a connection.
attach("memory", fs=MemoryFileSystem())
attach("memory", conn_id="broken", fs=BrokenStore())

VIDEO = mp4(400_000)


@pytest.fixture(autouse=True)
def folder(folders: Path) -> Path:
    """Return the working folder; the temporary folder is beside it."""
    return folders / "work"


def left(folder: Path) -> list[str]:
    """Return all files and folders, the temporary ones too."""
    return sorted(str(path.relative_to(folder.parent)) for path in folder.parent.glob("*/**/*"))


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve(lambda _: [answer(200, VIDEO, Content_Type="video/mp4", Content_Length=len(VIDEO))])


@pytest.mark.parametrize(
    ("destination", "file"),
    [
        ("a.mp4", "a.mp4"),
        ("  a.mp4\n", "a.mp4"),
        ("./b/../a.mp4", "a.mp4"),
        ("new/folders/a.mp4", "new/folders/a.mp4"),
        (Path("new") / "a.mp4", "new/a.mp4"),
        ("{folder}/a.mp4", "a.mp4"),
        ("file://{folder}/new/a.mp4", "new/a.mp4"),
        (
            "manual__2026-11-23T14:00:00+00:00 你好 100%25.mp4",
            "manual__2026-11-23T14:00:00+00:00 你好 100%25.mp4",
        ),
        ("file://{folder}/a b+c.mp4", "a b+c.mp4"),
        ("a#b?c.mp4", "a#b?c.mp4"),
        ("file://{folder}/a#b.mp4", "a#b.mp4"),
        ("file://{folder}/a?b.mp4", "a?b.mp4"),
        ("~/a.mp4", "a.mp4"),
        # The other name of `file` in fsspec.
        ("local://{folder}/a.mp4", "a.mp4"),
    ],
)
def test_a_file_appears_at_its_destination(
    hook: TwinSyncHook,
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    destination: Any,
    file: str,
) -> None:
    """With the missing folders, and with nothing beside it."""
    monkeypatch.setenv("HOME", str(folder))
    if isinstance(destination, str):
        destination = destination.format(folder=folder)
    got = hook.download(server.url, destination)
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / file]
    assert (folder / file).read_bytes() == VIDEO
    assert Path(got["path"]).resolve() == folder / file
    assert list((folder.parent / "temporary").iterdir()) == []


@pytest.mark.parametrize("existing", [None, b"yesterday's video"], ids=["new", "existing"])
@pytest.mark.parametrize("kind", [str, ObjectStoragePath])
def test_an_object_appears_at_its_destination(
    hook: TwinSyncHook, server: Server, folder: Path, kind: type, existing: bytes | None
) -> None:
    """In any store that Airflow knows; the result has the address as the task gave it."""
    if existing:
        ObjectStoragePath("memory://videos/2026/11/a.mp4").write_bytes(existing)
    got = hook.download(server.url, kind("memory://videos/2026/11/a.mp4"))
    # Up to 3.1, Airflow writes three slashes for an ObjectStoragePath.
    assert got["path"] == str(kind("memory://videos/2026/11/a.mp4"))
    assert ObjectStoragePath(got["path"]).read_bytes() == VIDEO
    assert len(MemoryFileSystem.store) == 1
    assert left(folder) == []


def test_a_file_is_as_readable_as_any_other(hook: TwinSyncHook, server: Server, folder: Path) -> None:
    """The mask of the process decides, not the mode of a temporary file."""
    hook.download(server.url, "a.mp4")
    (folder / "b.txt").touch()
    assert (folder / "a.mp4").stat().st_mode == (folder / "b.txt").stat().st_mode


@pytest.mark.parametrize(
    ("destination", "data"),
    [
        (None, "None"),
        ("", "''"),
        (" ", "' '"),
        ("None", "'None'"),
        (" null\n", "'null'"),
        ("undefined", "'undefined'"),
        ("videos/{{{{ ds }}}}.mp4", "'{{'"),
        ("memory://videos/{{% if x %}}.mp4", "'{%'"),
        (7, "7"),
        (b"a.mp4", "bytes"),
        ("s3://key:s3cret@videos/a.mp4", "'s3://videos/a.mp4'"),
        ("s3://key:x/s3cret@videos/a.mp4", "'s3://***'"),
        ("memory://videos/?sig=s3cret/", "'memory://videos/'"),
        ({"url": "https://h.example/a.mp4?sig=s3cret"}, "dict"),
        ("new/", "'new/'"),
        ("memory://videos/", "'memory://videos/'"),
        ("file://videos/a.mp4", "file:///"),
        ("a\0b.mp4", "'a"),
        (Path("s3://videos/a.mp4"), "s3:"),
        ("file:/tmp/a.mp4", "file:"),
        ("nosuchstore://videos/a.mp4?sig=s3cret", "TS522 destination 'nosuchstore://videos/a.mp4'"),
        ("nosuchstore://videos/a.mp4", "TS522 destination 'nosuchstore://videos/a.mp4'"),
        ("file.txt/a.mp4", "TS522 "),
        ("file.txt/b/a.mp4", "TS522 "),
        ("n" * 300 + "/a.mp4", "TS522 "),
        ("n" * 300, "TS522 "),
        ("/dev/null", "TS522 destination '/dev/null'"),
        ("{folder}", "TS125 "),
        ("file://{folder}", "TS125 "),
        (".", "TS125 "),
    ],
)
def test_a_destination_that_cannot_be_written_sends_nothing(
    hook: TwinSyncHook, server: Server, folder: Path, destination: Any, data: str
) -> None:
    """The error comes before any request, and no file changes."""
    (folder / "file.txt").write_text("text")
    if isinstance(destination, str):
        destination = destination.format(folder=folder)
    with pytest.raises(UsageError) as caught:
        hook.download(server.url, destination)
    assert data in str(caught.value)
    assert "destination" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert server.requests == []
    assert left(folder) == ["work/file.txt"]
    assert (folder / "file.txt").read_text() == "text"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, UsageError),
        (errno.EROFS, UsageError),
        (errno.ENOSPC, DownloadInterruptedError),
        (errno.ESTALE, DownloadInterruptedError),
        (errno.EIO, DownloadInterruptedError),
    ],
    ids=str,
)
def test_a_folder_that_cannot_be_made_sends_nothing(
    hook: TwinSyncHook, server: Server, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    """An error that may pass leaves the retries of the task."""

    def mkdir(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(kind, match=f"TS522 destination '.*{os.strerror(number)}"):
        hook.download(server.url, "new/a.mp4")
    assert server.requests == []


def test_a_name_too_long_is_found_in_a_new_folder_too(hook: TwinSyncHook, server: Server) -> None:
    """The system checks the name when the folder is there."""
    with pytest.raises(UsageError, match=r"TS522 .*File name too long"):
        hook.download(server.url, f"new/{'n' * 300}")
    assert server.requests == []


def test_a_temporary_folder_that_is_not_there_is_named(
    hook: TwinSyncHook, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has its variable."""
    monkeypatch.setattr(tempfile, "tempdir", "missing")
    with pytest.raises(DownloadInterruptedError) as caught:
        hook.download(server.url, "memory://videos/a.mp4")
    assert caught.value.code == "TS523"
    assert "TMPDIR" in str(caught.value)
    assert "No such file or directory" in str(caught.value)
    assert server.requests == []


def test_a_pipe_is_not_replaced(hook: TwinSyncHook, server: Server, folder: Path) -> None:
    """A reader of the pipe would wait for ever."""
    os.mkfifo("pipe")
    with pytest.raises(UsageError, match=r"TS522 .*no regular file"):
        hook.download(server.url, "pipe")
    assert server.requests == []
    assert left(folder) == ["work/pipe"]


@pytest.mark.parametrize("there", [True, False], ids=["", "dangling"])
def test_a_symbolic_link_stays_one(hook: TwinSyncHook, server: Server, folder: Path, there: bool) -> None:
    """The target of the link is the video."""
    (folder / "new").mkdir()
    if there:
        (folder / "new/b.mp4").write_bytes(b"yesterday's video")
    (folder / "a.mp4").symlink_to("new/b.mp4")
    got = hook.download(server.url, "a.mp4")
    assert got["path"] == str(folder / "a.mp4")
    assert (folder / "a.mp4").readlink() == Path("new/b.mp4")
    assert (folder / "new/b.mp4").read_bytes() == VIDEO
    assert left(folder) == ["work/a.mp4", "work/new", "work/new/b.mp4"]


@pytest.mark.parametrize(
    "error", [RuntimeError("the bucket is gone"), PermissionError(13, "no"), KeyError("x")]
)
def test_a_store_that_takes_nothing_is_named(
    hook: TwinSyncHook,
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    sleeps: list[float],
    error: Exception,
) -> None:
    """For any error of its library. The video is not downloaded again, and no object is left."""
    monkeypatch.setattr(BrokenStore, "error", error)
    with pytest.raises(DownloadInterruptedError) as caught:
        hook.download(server.url, "memory://broken@videos/a.mp4")
    assert caught.value.code == "TS521"
    for part in ("'memory://broken@videos/a.mp4'", type(error).__name__):
        assert part in str(caught.value)
    assert caught.value.retryable
    assert len(server.requests) == 1
    assert sleeps == []
    assert MemoryFileSystem.store == {}
    assert left(folder) == []


@pytest.mark.parametrize("destination", ["a.mp4", "new/a.mp4", "memory://videos/a.mp4"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_any_end_of_a_download_leaves_nothing(
    folder: Path, destination: str, error: type[BaseException]
) -> None:
    """Airflow's own time limits are no ordinary exceptions."""
    (folder / "new").mkdir()
    with pytest.raises(error), find_place(destination).stage("1") as partial_file:  # noqa: PT012
        partial_file.add(VIDEO)
        raise error
    assert left(folder) == ["work/new"]
    assert MemoryFileSystem.store == {}


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_video_that_is_not_published_does_not_appear(folder: Path, destination: str) -> None:
    """Not even without an error."""
    with find_place(destination).stage("1") as partial_file:
        partial_file.add(VIDEO)
        partial_file.file.flush()
        assert not (folder / "a.mp4").exists()
    assert left(folder) == []
    assert MemoryFileSystem.store == {}


def test_a_folder_that_is_removed_meanwhile_is_an_interruption(folder: Path) -> None:
    """The video cannot be moved to its destination."""
    place = find_place("new/a.mp4")
    with place.stage("1") as partial_file:
        partial_file.add(VIDEO)
        shutil.rmtree("new")
        with pytest.raises(DownloadInterruptedError, match=r"TS520 .*removed"):
            place.publish(partial_file)
    assert left(folder) == []


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_partial_file_that_has_lost_its_name_is_not_published(folder: Path, destination: str) -> None:
    """Somebody cleared the folder, and another try has begun: publishing would take half of its video."""
    place = find_place(destination)
    with place.stage("1") as partial_file:
        partial_file.add(VIDEO)
        partial_file.path.unlink()
        partial_file.path.write_bytes(b"half")
        with pytest.raises(DownloadInterruptedError, match=r"TS520 .*another process"):
            place.publish(partial_file)
    assert partial_file.path.read_bytes() == b"half"
    assert not (folder / "a.mp4").exists()
    assert MemoryFileSystem.store == {}


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_short_file_is_complete_too(destination: str) -> None:
    """Publishing includes the bytes in a buffer."""
    place = find_place(destination)
    with place.stage("1") as partial_file:
        partial_file.add(b"short")
        place.publish(partial_file)
    assert ObjectStoragePath(place.address).read_bytes() == b"short"


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_download_that_begins_after_another_has_published_keeps_its_file(
    folder: Path, destination: str
) -> None:
    """The end of the older download must not remove the partial file of the newer one."""
    place = find_place(destination)
    older = ExitStack()
    one = older.enter_context(place.stage("1"))
    one.add(b"one")
    place.publish(one)
    with place.stage("1") as two:
        older.close()
        two.add(b"two")
        place.publish(two)
    assert ObjectStoragePath(place.address).read_bytes() == b"two"
    assert left(folder) == ([] if "://" in destination else ["work/a.mp4"])


@pytest.mark.parametrize("there", ["symlink", "hard link", "folder", "pipe", "unreadable"])
@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_file_with_the_name_of_a_partial_file_is_not_written_to(
    folder: Path, destination: str, there: str
) -> None:
    """In a shared folder, anybody may have created it."""
    place = find_place(destination)
    with place.stage("1") as partial_file:
        name = partial_file.path
    precious = folder / "precious"
    precious.write_text("text")
    if there == "symlink":
        name.symlink_to(precious)
    elif there == "hard link":
        name.hardlink_to(precious)
    elif there == "pipe":
        os.mkfifo(name)
    elif there == "folder":
        name.mkdir()
    else:
        name.write_bytes(b"")
        os.chown(name, 12345, 12345) if os.geteuid() == 0 else name.chmod(0)
    with place.stage("1") as partial_file:
        assert (partial_file.path == name) is (there != "folder"), "a folder cannot be removed"
        assert partial_file.path.stat().st_uid == os.geteuid()
        partial_file.add(VIDEO)
        place.publish(partial_file)
    assert ObjectStoragePath(place.address).read_bytes() == VIDEO
    assert precious.read_text() == "text"
    assert name.is_dir() is (there == "folder")


def test_a_partial_file_in_the_temporary_folder_is_private(folder: Path) -> None:
    """All users share that folder."""
    with find_place("memory://videos/a.mp4").stage("1") as partial_file:
        assert partial_file.path.parent == folder.parent / "temporary"
        assert partial_file.path.stat().st_mode & 0o777 == 0o600
