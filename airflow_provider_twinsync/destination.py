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
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath

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
    target = str(destination).strip() if isinstance(destination, (str, os.PathLike)) else ""
    if target in ("", "None"):
        raise UsageError(
            f"destination is {destination!r}: it should be the path or address of the file to write."
        )
    if target.endswith("/"):
        raise UsageError(f"destination {target!r} is a folder: give the name of the file too.")
    scheme, colon, _ = target.partition("://")
    with _local_stage(target) if not colon or scheme == "file" else _remote_stage(target) as stage:
        yield stage


@contextmanager
def _local_stage(target: str) -> Iterator[tuple[IO[bytes], Callable[[], str]]]:
    path = Path(urlsplit(target).path if target.startswith("file://") else target).absolute()
    if path.is_dir():
        raise UsageError(f"destination {target!r} is a folder: give the name of the file too.")
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("xb")
    except OSError as error:
        raise UsageError(f"destination {target!r} cannot be written: {error.strerror}.") from None

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
def _remote_stage(target: str) -> Iterator[tuple[IO[bytes], Callable[[], str]]]:
    try:
        path = ObjectStoragePath(target)
        store = path.fs
    except (ValueError, ImportError) as error:
        raise UsageError(
            f"destination {target!r} cannot be written: {error}. Is the provider for it installed?"
        ) from None
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
