"""The folder of a ledger, on a disk or in an object store: create a new file, read, replace.

Each method raises errors of the disk or of the store.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_twinsync._api.shown import bare_url, shown_address, shown_destination, shown_text
from airflow_provider_twinsync._api.unrendered import refuse_unrendered
from airflow_provider_twinsync._storage.addresses import local_path, open_store
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

#: A record has about a kilobyte; of a larger file the start is enough to see that it is none.
_MOST_BYTES = 65_536
#: File systems without hard links, such as some of FUSE and SMB.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


@dataclass(frozen=True)
class LocalFolder:
    """A folder on this machine, or one that machines share.

    :param address: its absolute path.
    """

    address: str
    #: The ledger, if this is a folder in one.
    above: LocalFolder | None = None

    def below(self, name: str) -> LocalFolder:
        """Return a folder in this one."""
        return LocalFolder(f"{self.address.rstrip('/')}/{name}", self)

    def create(self, name: str, data: bytes) -> None:
        """Write a file that does not exist yet; it appears with all of its bytes.

        fsspec's own local file system asks first and writes then (fsspec 2026.9), so two writers both
        succeed: a hard link fails if its name exists (POSIX, ``link``).

        :raises FileExistsError: the file exists.
        """
        folder = self._made()
        with _written(folder, data) as draft:
            try:
                os.link(draft, folder / name)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                with (folder / name).open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
        _sync(folder)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, or replace it, in one step."""
        folder = self._made()
        with _written(folder, data) as draft:
            draft.replace(folder / name)
        _sync(folder)

    def read(self, name: str) -> bytes | None:
        """Return the start of a file, or None if it does not exist."""
        try:
            with (Path(self.address) / name).open("rb") as file:
                return file.read(_MOST_BYTES)
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Return the names of all files."""
        return [path.name for path in Path(self.address).iterdir() if path.is_file()]

    def delete(self, name: str) -> None:
        """Delete a file."""
        (Path(self.address) / name).unlink()

    def _made(self) -> Path:
        folder = Path(self.address)
        if self.above:
            self.above._made()
        try:
            # Also the place of a disk that is not mounted now.
            is_new = not self.above and not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            if is_new:
                log.warning(
                    "TS339 The ledger %s did not exist, and is made: no earlier submit is in it.",
                    shown_destination(self.address),
                )
        except FileExistsError:  # not the file of a record
            raise NotADirectoryError(errno.ENOTDIR, "it is a file") from None
        return folder


@contextmanager
def _written(folder: Path, data: bytes) -> Iterator[Path]:
    """Yield a draft of a file in a folder, with its bytes on the disk; it is gone afterwards."""
    draft = folder / f".{uuid.uuid4().hex}.draft"
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # after a power cut a name may be there without the bytes
        yield draft
    finally:
        draft.unlink(missing_ok=True)  # it may have been moved


def _sync(folder: Path) -> None:
    """Have the disk keep the names of a folder, where it can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class StoreFolder:
    """A folder in an object store.

    :param address: the address as it was given.
    """

    address: str
    _store: Any
    _path: str

    def below(self, name: str) -> StoreFolder:
        """Return a folder in this one."""
        return StoreFolder(f"{self.address}/{name}", self._store, f"{self._path}/{name}")

    def create(self, name: str, data: bytes) -> None:
        """Write an object that does not exist yet.

        Most stores of fsspec raise ``FileExistsError`` for one that does, and any other error may also come
        of it.
        """
        self._store.pipe_file(f"{self._path}/{name}", data, mode="create")

    def write(self, name: str, data: bytes) -> None:
        """Write an object, or replace it."""
        self._store.pipe_file(f"{self._path}/{name}", data)

    def read(self, name: str) -> bytes | None:
        """Return the start of an object, or None if it does not exist."""
        path = f"{self._path}/{name}"
        try:
            found: bytes = self._store.cat_file(path, start=0, end=_MOST_BYTES)
        except FileNotFoundError:
            return None
        except Exception:  # of any store
            with suppress(Exception):
                if self._store.size(path) == 0:
                    return b""  # S3 refuses a range of an empty object
            raise
        return found

    def names(self) -> list[str]:
        """Return the names of all objects."""
        paths = self._store.ls(self._path, detail=False, refresh=True)
        if paths == [self._path]:
            raise NotADirectoryError(errno.ENOTDIR, "it is an object")
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._store.rm_file(f"{self._path}/{name}")


Folder: TypeAlias = LocalFolder | StoreFolder


def open_folder(ledger: Any) -> Folder:
    """Return the folder of a ledger. Reads and writes nothing.

    For example ``/srv/ledger`` is a :class:`LocalFolder`, and ``s3://videos/ledger`` a :class:`StoreFolder`.

    :param ledger: an absolute path, or an address that ``ObjectStoragePath`` understands.
    :raises UsageError: it is neither, or its store cannot create a file exclusively.
    """
    address = _checked(ledger)
    path = None
    with suppress(RuntimeError):  # no such user's home
        path = local_path(address)
        if path is not None and path.is_absolute():
            return LocalFolder(str(path))
    if path is not None or "://" not in address:
        raise UsageError(
            f"TS131 ledger {shown_text(address)} is no absolute path: another worker, or a task in another "
            "folder, would find another ledger and pay again. Give the whole path."
        )
    store, place = open_store(address, ledger, "TS327 ledger", "used")
    return store_folder(address, store, place.path.rstrip("/"))


def store_folder(address: str, store: Any, path: str) -> StoreFolder:
    """Return a folder in a store.

    :param store: the file system, of fsspec.
    :param path: the path in it.
    :raises UsageError: the store cannot create an object only if there is none.
    """
    if not _can_create(store):
        kind = type(store).__name__
        raise UsageError(
            f"TS328 ledger {shown_destination(address)} is in a store ({kind}) that cannot create an object "
            "only if there is none, so two tasks could both submit. Use S3, Google Cloud Storage, Azure Blob "
            "Storage or a folder on a disk."
        )
    return StoreFolder(address, store, path)


def _can_create(store: Any) -> bool:
    """Return whether a store has a ``pipe_file`` of its own.

    That of fsspec's base class asks if the object exists and writes then, so two writers both succeed (fsspec
    2026.9, ``AbstractFileSystem.pipe_file``).
    """
    from fsspec.asyn import AsyncFileSystem
    from fsspec.spec import AbstractFileSystem

    if isinstance(store, AsyncFileSystem):
        return type(store)._pipe_file is not AsyncFileSystem._pipe_file
    return type(store).pipe_file is not AbstractFileSystem.pipe_file


def _checked(ledger: Any) -> str:
    """Return the address of a ledger as a text.

    :raises UsageError: it is empty, has a login in it, or cannot be a path or an address.
    """
    is_address = isinstance(ledger, str) or hasattr(ledger, "__fspath__") or hasattr(ledger, "sign")
    address = str(ledger).strip() if is_address else ""
    refuse_unrendered("ledger", address)
    login = address.partition("://")[2].partition("/")[0].rpartition("@")[0]
    has_login = ":" in login or bare_url(address).endswith("://***")
    if not address or has_login or re.search(r"\0|^[a-z][a-z0-9+.-]+:/[^/]", address):
        raise UsageError(
            f"TS130 ledger is {shown_address(address or ledger)}: it should be an absolute path, or an "
            "address without a login, such as 's3://aws_default@videos/ledger'."
        )
    return address.rstrip("/") or "/"
