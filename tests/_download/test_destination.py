"""Destinations, such as a path or an object: the destination appears only when the video is complete."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from support.drive import attach
from support.servers import answer, mp4
from support.videos import files_beside

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
    assert files_beside(folder / "a.mp4") == []


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
    assert files_beside(folder / "a.mp4") == ["work/file.txt"]
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
    assert files_beside(folder / "a.mp4") == ["work/pipe"]


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
    assert files_beside(folder / "a.mp4") == ["work/a.mp4", "work/new", "work/new/b.mp4"]


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
    assert files_beside(folder / "a.mp4") == []
