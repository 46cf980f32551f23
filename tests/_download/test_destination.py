"""Where a video goes: the file appears where it was asked for when it is whole, or nothing does."""

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


# Airflow knows the stores of its providers, and those that it is told of: one by name, one by a connection.
attach("memory", fs=MemoryFileSystem())
attach("memory", conn_id="broken", fs=BrokenStore())

VIDEO = mp4(400_000)


@pytest.fixture(autouse=True)
def folder(folders: Path) -> Path:
    """The working folder; the temporary one lies beside it."""
    return folders / "work"


def left(folder: Path) -> list[str]:
    """All files and folders that are there, the temporary ones too."""
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
        # The other name that fsspec has for `file`.
        ("local://{folder}/a.mp4", "a.mp4"),
    ],
)
def test_a_file_appears_where_it_was_asked_for(
    hook: TwinSyncHook,
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    destination: Any,
    file: str,
) -> None:
    """With the folders that were missing, and with nothing beside it."""
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
def test_an_object_appears_where_it_was_asked_for(
    hook: TwinSyncHook, server: Server, folder: Path, kind: type, existing: bytes | None
) -> None:
    """In any store that Airflow knows; the address is given back as it was given."""
    if existing:
        ObjectStoragePath("memory://videos/2026/11/a.mp4").write_bytes(existing)
    got = hook.download(server.url, kind("memory://videos/2026/11/a.mp4"))
    # As Airflow writes it: up to 3.1 with three slashes if it is made into a path first.
    assert got["path"] == str(kind("memory://videos/2026/11/a.mp4"))
    assert ObjectStoragePath(got["path"]).read_bytes() == VIDEO
    assert len(MemoryFileSystem.store) == 1
    assert left(folder) == []


def test_a_file_is_as_readable_as_any_other(hook: TwinSyncHook, server: Server, folder: Path) -> None:
    """The mask of the process rules, and not a temporary file's."""
    hook.download(server.url, "a.mp4")
    (folder / "b.txt").touch()
    assert (folder / "a.mp4").stat().st_mode == (folder / "b.txt").stat().st_mode


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        (None, "destination is None"),
        ("", "destination is ''"),
        (" ", "destination is ' '"),
        ("None", "destination is 'None': a template renders to this"),
        (" null\n", "destination is 'null': a template renders to this"),
        ("undefined", "destination is 'undefined': a template renders to this"),
        ("videos/{{{{ ds }}}}.mp4", "a template that was not rendered"),
        ("memory://videos/{{% if x %}}.mp4", "a template that was not rendered"),
        (7, "destination is 7"),
        (b"a.mp4", "destination is a bytes"),
        ("s3://key:s3cret@videos/a.mp4", "destination 's3://videos/a.mp4' has a login in it"),
        ("s3://key:x/s3cret@videos/a.mp4", "destination 's3://***' has a login in it"),
        ("nosuchstore://videos/a.mp4?sig=s3cret", "'nosuchstore://videos/a.mp4' cannot be written"),
        ("memory://videos/?sig=s3cret/", "is a folder: give the name"),
        ({"url": "https://h.example/a.mp4?sig=s3cret"}, "destination is a dict"),
        ("new/", "is a folder: give the name"),
        ("{folder}", "is a folder: give the name"),
        ("file://{folder}", "is a folder: give the name"),
        (".", "is a folder: give the name"),
        ("memory://videos/", "is a folder: give the name"),
        ("nosuchstore://videos/a.mp4", "cannot be written: "),
        ("file://videos/a.mp4", "begins file:///"),
        ("file.txt/a.mp4", "cannot be written: "),
        ("file.txt/b/a.mp4", "cannot be written: "),
        ("n" * 300 + "/a.mp4", "cannot be written: "),
        ("n" * 300, "cannot be written: "),
        ("a\0b.mp4", "cannot be the name of a file"),
        (Path("s3://videos/a.mp4"), "is what a Path makes of an address"),
        ("file:/tmp/a.mp4", "is what a Path makes of an address"),
        ("/dev/null", "it is no regular file"),
    ],
)
def test_a_destination_that_cannot_be_written_sends_nothing(
    hook: TwinSyncHook, server: Server, folder: Path, destination: Any, said: str
) -> None:
    """It is named before the video is asked for, and all stays as it was."""
    (folder / "file.txt").write_text("text")
    if isinstance(destination, str):
        destination = destination.format(folder=folder)
    with pytest.raises(UsageError) as caught:
        hook.download(server.url, destination)
    assert said in str(caught.value)
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
    """What may pass is left to the task's retries."""

    def mkdir(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(kind, match=f"destination '.* cannot be written: {os.strerror(number)}"):
        hook.download(server.url, "new/a.mp4")
    assert server.requests == []


def test_a_name_too_long_is_found_in_a_new_folder_too(hook: TwinSyncHook, server: Server) -> None:
    """Of which nothing can be said before it is there."""
    with pytest.raises(UsageError, match="File name too long"):
        hook.download(server.url, f"new/{'n' * 300}")
    assert server.requests == []


def test_a_temporary_folder_that_is_not_there_is_named(
    hook: TwinSyncHook, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what it is."""
    monkeypatch.setattr(tempfile, "tempdir", "missing")
    with pytest.raises(DownloadInterruptedError) as caught:
        hook.download(server.url, "memory://videos/a.mp4")
    assert str(caught.value) == (
        "The temporary folder (TMPDIR), where a video lies on its way into a store, cannot be written: "
        "No such file or directory."
    )
    assert server.requests == []


def test_a_pipe_is_not_replaced(hook: TwinSyncHook, server: Server, folder: Path) -> None:
    """Whoever reads from it would wait for ever."""
    os.mkfifo("pipe")
    with pytest.raises(UsageError, match="it is no regular file"):
        hook.download(server.url, "pipe")
    assert server.requests == []
    assert left(folder) == ["work/pipe"]


@pytest.mark.parametrize("there", [True, False], ids=["", "dangling"])
def test_a_symbolic_link_stays_one(hook: TwinSyncHook, server: Server, folder: Path, there: bool) -> None:
    """The file is where it leads."""
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
    """Whatever its library raises. The video is not fetched again for it, and no object is left."""
    monkeypatch.setattr(BrokenStore, "error", error)
    with pytest.raises(DownloadInterruptedError) as caught:
        hook.download(server.url, "memory://broken@videos/a.mp4")
    for part in ("'memory://broken@videos/a.mp4'", "could not be written", type(error).__name__):
        assert part in str(caught.value)
    assert caught.value.retryable
    assert len(server.requests) == 1
    assert sleeps == []
    assert MemoryFileSystem.store == {}
    assert left(folder) == []


@pytest.mark.parametrize("destination", ["a.mp4", "new/a.mp4", "memory://videos/a.mp4"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_whatever_ends_a_download_leaves_nothing(
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
def test_what_is_not_published_does_not_appear(folder: Path, destination: str) -> None:
    """Not even where nothing went wrong; and before it is published, nothing is there."""
    with find_place(destination).stage("1") as partial_file:
        partial_file.add(VIDEO)
        partial_file.file.flush()
        assert not (folder / "a.mp4").exists()
    assert left(folder) == []
    assert MemoryFileSystem.store == {}


def test_a_folder_that_goes_away_meanwhile_is_an_interruption(folder: Path) -> None:
    """The video cannot be moved to where it was asked for."""
    place = find_place("new/a.mp4")
    with place.stage("1") as partial_file:
        partial_file.add(VIDEO)
        shutil.rmtree("new")
        with pytest.raises(DownloadInterruptedError, match=r"could not be written: .* was removed"):
            place.publish(partial_file)
    assert left(folder) == []


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_fragment_that_has_lost_its_name_is_not_published(folder: Path, destination: str) -> None:
    """Somebody cleared the folder, and another try has begun there: half of its video would be published."""
    place = find_place(destination)
    with place.stage("1") as partial_file:
        partial_file.add(VIDEO)
        partial_file.path.unlink()
        partial_file.path.write_bytes(b"half")
        with pytest.raises(DownloadInterruptedError, match="was removed, or another process"):
            place.publish(partial_file)
    assert partial_file.path.read_bytes() == b"half"
    assert not (folder / "a.mp4").exists()
    assert MemoryFileSystem.store == {}


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_short_file_is_whole_too(destination: str) -> None:
    """What is still in a buffer belongs to it."""
    place = find_place(destination)
    with place.stage("1") as partial_file:
        partial_file.add(b"short")
        place.publish(partial_file)
    assert ObjectStoragePath(place.address).read_bytes() == b"short"


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_one_that_begins_when_another_has_published_keeps_its_file(folder: Path, destination: str) -> None:
    """The name is free then; leaving the older one must not remove what the newer writes."""
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
def test_what_has_the_name_of_a_fragment_is_not_written_to(
    folder: Path, destination: str, there: str
) -> None:
    """In a folder that everybody may write, anybody may have put it there."""
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


def test_a_fragment_in_the_temporary_folder_is_nobody_elses_to_read(folder: Path) -> None:
    """That folder is everybody's."""
    with find_place("memory://videos/a.mp4").stage("1") as partial_file:
        assert partial_file.path.parent == folder.parent / "temporary"
        assert partial_file.path.stat().st_mode & 0o777 == 0o600
