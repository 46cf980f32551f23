"""Publishing a partial file: the destination, such as a path, gets the complete file or nothing."""

from __future__ import annotations

import errno
import fcntl
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from support.drive import attach
from support.servers import mp4
from support.videos import files_beside

from airflow_provider_twinsync._download.destination import find_place
from airflow_provider_twinsync.exceptions import DownloadInterruptedError

if TYPE_CHECKING:
    from pathlib import Path

attach("memory", fs=MemoryFileSystem())

VIDEO = mp4(400_000)


@pytest.fixture(autouse=True)
def folder(folders: Path) -> Path:
    """Return the working folder; the temporary folder is beside it."""
    return folders / "work"


@pytest.mark.parametrize("destination", ["a.mp4", "new/a.mp4", "memory://videos/a.mp4"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_any_end_of_a_download_leaves_nothing(
    folder: Path, destination: str, error: type[BaseException]
) -> None:
    """Airflow's own time limits are no ordinary exceptions."""
    (folder / "new").mkdir()
    with pytest.raises(error), find_place(destination).stage() as partial_file:  # noqa: PT012
        partial_file.add(VIDEO)
        raise error
    assert files_beside(folder / "a.mp4") == ["work/new"]
    assert MemoryFileSystem.store == {}


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_video_that_is_not_published_does_not_appear(folder: Path, destination: str) -> None:
    """Not even without an error."""
    with find_place(destination).stage() as partial_file:
        partial_file.add(VIDEO)
        partial_file.file.flush()
        assert not (folder / "a.mp4").exists()
    assert files_beside(folder / "a.mp4") == []
    assert MemoryFileSystem.store == {}


def test_a_folder_that_is_removed_meanwhile_is_an_interruption(folder: Path) -> None:
    """The video cannot be moved to its destination."""
    place = find_place("new/a.mp4")
    with place.stage() as partial_file:
        partial_file.add(VIDEO)
        shutil.rmtree("new")
        with pytest.raises(DownloadInterruptedError, match=r"TS520 .*removed"):
            place.publish(partial_file)
    assert files_beside(folder / "a.mp4") == []


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_partial_file_that_has_lost_its_name_is_not_published(folder: Path, destination: str) -> None:
    """Somebody cleared the folder, and another try has begun: publishing would take half of its video."""
    place = find_place(destination)
    with place.stage() as partial_file:
        partial_file.add(VIDEO)
        partial_file.path.unlink()
        partial_file.path.write_bytes(b"half")
        with pytest.raises(DownloadInterruptedError, match=r"TS520 .*another file"):
            place.publish(partial_file)
    assert partial_file.path.read_bytes() == b"half"
    assert not (folder / "a.mp4").exists()
    assert MemoryFileSystem.store == {}


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_short_file_is_complete_too(destination: str) -> None:
    """Publishing includes the bytes in a buffer."""
    place = find_place(destination)
    with place.stage() as partial_file:
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
    one = older.enter_context(place.stage())
    one.add(b"one")
    place.publish(one)
    with place.stage() as two:
        older.close()
        two.add(b"two")
        place.publish(two)
    assert ObjectStoragePath(place.address).read_bytes() == b"two"
    assert files_beside(folder / "a.mp4") == ([] if "://" in destination else ["work/a.mp4"])


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_two_downloads_to_one_destination_do_not_mix(folder: Path, destination: str) -> None:
    """A task that Airflow believes dead may still run: it and its retry publish complete files."""
    place = find_place(destination)
    with place.stage() as one:
        one.add(VIDEO)
        with place.stage() as two, place.stage():
            two.add(b"short")
            place.publish(one)
            assert ObjectStoragePath(place.address).read_bytes() == VIDEO
            place.publish(two)
    assert ObjectStoragePath(place.address).read_bytes() == b"short"
    assert files_beside(folder / "a.mp4") == ([] if "://" in destination else ["work/a.mp4"])


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_the_file_of_a_killed_download_is_removed_by_any_next_one(folder: Path, destination: str) -> None:
    """Its lock went with its process. Files under other names, and folders, are left alone."""
    with find_place(destination).stage() as partial_file:
        name = partial_file.path
    name.write_bytes(b"half")
    precious = folder / "precious"
    precious.write_text("text")
    others = [name.with_name(f"{name.stem}{number}{name.suffix}") for number in range(3)]
    others[0].symlink_to(precious)
    others[1].mkdir()
    others[2].hardlink_to(precious)
    with find_place(destination).stage():
        assert not name.exists()
        assert others[0].is_symlink()
        assert others[1].is_dir()
    assert precious.read_text() == "text"


@pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])
def test_a_folder_without_locks_serves_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    """As on some network file systems: nothing is removed there, as nobody knows which process is gone."""

    def flock(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    place = find_place(destination)
    with place.stage() as one, place.stage() as two:
        one.add(VIDEO)
        two.add(b"short")
        place.publish(two)
        place.publish(one)
    assert ObjectStoragePath(place.address).read_bytes() == VIDEO
    assert files_beside(folder / "a.mp4") == ([] if "://" in destination else ["work/a.mp4"])


def test_a_partial_file_in_the_temporary_folder_is_private(folder: Path) -> None:
    """All users share that folder."""
    with find_place("memory://videos/a.mp4").stage() as partial_file:
        assert partial_file.path.parent == folder.parent / "temporary"
        assert partial_file.path.stat().st_mode & 0o777 == 0o600
