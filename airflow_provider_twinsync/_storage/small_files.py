"""Read and write a file of a disk or an object store at once."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from typing import Any

from airflow_provider_twinsync._api.shown import one_line, shown_destination
from airflow_provider_twinsync._storage.addresses import local_path, open_store
from airflow_provider_twinsync.exceptions import TwinSyncError, UnavailableError, UsageError

#: Errors that a retry meets again.
_LASTING = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    ValueError,
)


def read_file(address: str, given: Any, most_bytes: int) -> bytes:
    """Return the bytes of a file, and one more than a bound if it has more.

    :param address: the path, or the address that ``ObjectStoragePath`` understands.
    :param given: the argument, which may be an ``ObjectStoragePath`` itself.
    :param most_bytes: the bound.
    :raises UsageError: there is no such file.
    :raises UnavailableError: it cannot be read now.
    """
    subject = f"source {shown_destination(address)}"
    try:
        path = local_path(address)
        if path is not None:
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode):  # to open a pipe would block
                raise IsADirectoryError(errno.EISDIR, "it is no regular file")
            with path.open("rb") as file:
                return file.read(most_bytes + 1)
        store, place = open_store(address, given, "TS160 source", "read")
        if store.info(place.path).get("size") == 0:  # S3 refuses a range of an empty object
            return b""
        data: bytes = store.cat_file(place.path, start=0, end=most_bytes + 1)
        return data
    except TwinSyncError:
        raise
    except Exception as error:  # of any store
        problem = f"{type(error).__name__}: {one_line(str(error))}"
        if isinstance(error, (*_LASTING, RuntimeError)):
            raise UsageError(f"TS160 {subject} cannot be read ({problem}). Nothing was paid.") from None
        raise UnavailableError(
            f"TS161 {subject} cannot be read now ({problem}). Nothing was paid; a retry reads it again."
        ) from None


def write_file(address: str, given: Any, data: bytes) -> None:
    """Write a file, or replace it, in one step. Raises errors of the disk or the store.

    :param given: an ``ObjectStoragePath`` of the address, or the address.
    :raises UsageError: there is no such kind of store.
    """
    path = local_path(address)
    if path is None:
        store, place = open_store(address, given, "TS175", "written")
        store.pipe_file(place.path, data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.parent / f".{uuid.uuid4().hex}.draft"
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
