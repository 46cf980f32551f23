"""Whole files of a disk or an object store: a sheet, a plan, a report, and the files beside a video."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line, shown_destination
from airflow_provider_twinsync._api.validation import has_login
from airflow_provider_twinsync._download.destination import find_place
from airflow_provider_twinsync._storage.addresses import LASTING_ERRORS, local_path, open_store
from airflow_provider_twinsync.exceptions import TwinSyncError, UnavailableError, UsageError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

_CHUNK_BYTES = 1_000_000
_ENDING = ".mp4"


def read_file(address: Any, most_bytes: int, subject: str) -> bytes:
    """Return the bytes of a file, and one more than a bound if it has more.

    :param address: a local path, or an address that ``ObjectStoragePath`` understands.
    :param most_bytes: the bound.
    :param subject: a code and the name of the argument, for the error, such as ``TS160 source``.
    :raises UsageError: there is no such file.
    :raises UnavailableError: it cannot be read now.
    """
    text = str(address).strip()
    try:
        return _read(text, address, most_bytes, subject)
    except TwinSyncError:
        raise
    except Exception as error:  # of any store
        problem = f"{type(error).__name__}: {one_line(str(error))}"
        shown = f"{subject} {shown_destination(text)}"
        if isinstance(error, (*LASTING_ERRORS, RuntimeError)):
            raise UsageError(f"{shown} cannot be read ({problem}).") from None
        raise UnavailableError(f"{shown} cannot be read now ({problem}). A retry reads it again.") from None


def _read(address: str, given: Any, most_bytes: int, subject: str) -> bytes:
    if has_login(address):
        raise UsageError(
            f"{subject} {shown_destination(address)} has a login in it: define a connection with it, and "
            "give its id instead, such as 's3://aws_default@videos/news.csv'."
        )
    path = local_path(address)
    if path is not None:
        if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would block
            raise IsADirectoryError(errno.EISDIR, "it is no regular file")
        with path.open("rb") as file:
            return file.read(most_bytes + 1)
    store, place = open_store(address, given, subject, "read")
    if store.info(place.path).get("size") == 0:  # S3 refuses a range of an empty object
        return b""
    data: bytes = store.cat_file(place.path, start=0, end=most_bytes + 1)
    return data


def write_file(address: str | ObjectStoragePath, content: bytes | Path) -> str:
    """Write a file, or replace it, and return its address; it appears when it is complete.

    :param address: a local path, whose folders are created, or an address that ``ObjectStoragePath``
        understands.
    :param content: the bytes, or the file to copy.
    :raises UsageError: the place cannot be written.
    :raises DownloadInterruptedError: the place cannot be written now.
    """
    place = find_place(address)
    with place.stage() as file:
        if isinstance(content, Path):
            with content.open("rb") as source:
                while chunk := source.read(_CHUNK_BYTES):
                    file.add(chunk)
        else:
            file.add(content)
        place.publish(file)
    return place.address


def beside(address: str, suffix: str) -> str:
    """Return the address of a file beside a video.

    Only the ending ``.mp4`` gives way: no file has the name of its video, or of a file beside another video.

    >>> beside("s3://aws@videos/a.mp4", ".srt"), beside("/videos/v1.2", ".jpg")
    ('s3://aws@videos/a.srt', '/videos/v1.2.jpg')

    :param address: the address of the video, or its path.
    :param suffix: such as ``.srt``.
    """
    folder, slash, name = address.rpartition("/")
    has_ending = len(name) > len(_ENDING) and name.lower().endswith(_ENDING)
    stem = name[: -len(_ENDING)] if has_ending else name
    return f"{folder}{slash}{stem}{suffix}"
