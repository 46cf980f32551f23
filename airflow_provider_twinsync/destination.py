"""Where a video goes: a local path or an object store, a whole file or none.

The video is first written to a place of its own, beside a local destination or in a temporary folder, and
moved to where it was asked for when it is whole.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, ObjectStoragePath

from airflow_provider_twinsync.arguments import shown_text
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def open_destination(destination: Any) -> Iterator[tuple[IO[bytes], Callable[[], str]]]:
    """Open a file to write to, and give it with what moves it to the destination and says where that is.

    However the block is left, nothing but what was published stays.

    :param destination: a local path, or an address that ``ObjectStoragePath`` understands.
    :raises UsageError: it is empty, a folder, or cannot be written.
    """
    known = isinstance(destination, (str, os.PathLike, ObjectStoragePath))
    target = str(destination).strip() if known else ""
    if target in ("", "None"):
        raise UsageError(
            f"destination is {shown_text(destination)}: it should be the path or address of a file to write."
        )
    if "\0" in target:
        raise UsageError(f"destination {shown_text(target)} cannot be the name of a file.")
    if target.endswith("/"):
        raise UsageError(f"destination {target!r} is a folder: give the name of the file too.")
    scheme, colon, _ = target.partition("://")
    is_local = not colon or scheme == "file"
    with _local_stage(target) if is_local else _remote_stage(target, destination) as stage:
        yield stage


@contextmanager
def _local_stage(target: str) -> Iterator[tuple[IO[bytes], Callable[[], str]]]:
    if target.startswith("file://") and not target.startswith("file:///"):
        raise UsageError(f"destination {shown_text(target)} names a host: a file's address begins file:///.")
    path = Path(target.removeprefix("file://")).expanduser().absolute()
    part = path.with_name(f".twinsync-{uuid.uuid4().hex[:12]}.part")
    try:
        if path.is_dir():
            raise UsageError(f"destination {shown_text(target)} is a folder: give the name of the file too.")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("xb")
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"destination {shown_text(target)} cannot be written: {reason}.") from None

    def publish() -> str:
        with writing():
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
        return str(path)

    try:
        with file:
            yield file, publish
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _remote_stage(target: str, destination: Any) -> Iterator[tuple[IO[bytes], Callable[[], str]]]:
    try:
        path = destination if isinstance(destination, ObjectStoragePath) else ObjectStoragePath(target)
        store = path.fs
    except (ValueError, ImportError) as error:
        raise UsageError(
            f"destination {target!r} cannot be written: {error}. Is the provider for it installed?"
        ) from None
    except AirflowNotFoundException as error:
        raise UsageError(f"destination {target!r} cannot be written: {error}.") from None
    if not path.name:
        raise UsageError(f"destination {target!r} is a folder: give the name of the file too.")
    with (
        tempfile.TemporaryDirectory(prefix="twinsync-") as folder,
        (Path(folder) / "video.mp4").open("xb") as file,
    ):

        def publish() -> str:
            file.flush()
            try:
                store.put_file(file.name, path.path)
            except Exception as error:  # the store may be anything, and so may what it raises
                problem = f"{type(error).__name__}: {error}"
                raise DownloadInterruptedError(
                    f"The video was fetched, and {target!r} could not be written: {problem}"
                ) from error
            return target

        yield file, publish


@contextmanager
def writing() -> Iterator[None]:
    """Tell trouble with the disk from trouble with the network."""
    try:
        yield
    except OSError as error:
        raise DownloadInterruptedError(f"The video could not be written: {error.strerror}.") from error
