"""The partial file: a download that is not complete, and its checksum."""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
from contextlib import contextmanager, suppress
from glob import escape
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_twinsync._download.mp4 import HEAD_BYTES
from airflow_provider_twinsync.exceptions import DownloadInterruptedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NOT_WRITTEN = "TS520 The file could not be written"


class PartialFile:
    """A download that is not complete. The end of the ``with`` block removes it, unless it was published.

    For example ``.twinsync-0123456789abcdef0123456789abcdef.part``, beside a local destination.

    :param path: the file's name.
    :param file: the file, open.
    :ivar received: the number of bytes so far.
    :ivar sha256: the checksum of these bytes.
    :ivar head: the first eight of these bytes.
    :ivar expected: the number of bytes of the video, if the server promised one.
    :ivar validator: the validator of the answer, which the next range request repeats.
    :ivar content_type: the type that the server states.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.file = file
        self._begin()

    def _begin(self) -> None:
        self.received = 0
        self.sha256: Any = hashlib.sha256()
        self.head = b""
        self.expected: int | None = None
        self.validator: str | None = None
        self.content_type = ""

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(self, *_: object) -> None:
        # After publishing the file has another name; and anybody may have put another file under the old one.
        with suppress(OSError):
            if self.has_its_name:
                self.path.unlink()
        with suppress(OSError):  # a write error was reported when it happened
            self.file.close()

    @property
    def is_complete(self) -> bool:
        """Return whether every byte is there; False while the number of bytes is unknown."""
        return self.expected is not None and self.received == self.expected

    @property
    def resumes_at(self) -> int:
        """Return the first byte of the next request: 0 without a validator."""
        return self.received if self.validator else 0

    def add(self, chunk: bytes) -> None:
        """Append bytes."""
        with writing():
            self.file.write(chunk)
        self.sha256.update(chunk)
        self.received += len(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + chunk)[:HEAD_BYTES]

    def trim(self) -> None:
        """Remove the bytes after the last complete write: a write that failed may have written some."""
        with writing():
            self.file.seek(self.received)
            self.file.truncate()

    def restart(self) -> None:
        """Remove all bytes."""
        self._begin()
        self.trim()

    def finish(self) -> None:
        """Check that the file of this name has every byte.

        :raises DownloadInterruptedError: the file was removed or replaced.
        """
        with writing():
            self.file.flush()
        if not self.has_its_name:
            raise DownloadInterruptedError(
                f"{_NOT_WRITTEN}: {str(self.path)!r} was removed, or another file has its name."
            )

    @property
    def has_its_name(self) -> bool:
        """Return False if the file was removed, or if another file has its name."""
        try:
            return os.path.samestat(self.path.stat(follow_symlinks=False), os.fstat(self.file.fileno()))
        except OSError:
            return False


def open_partial_file(folder: Path, prefix: str, suffix: str, mode: int) -> PartialFile:
    """Create a file that no other download uses, and remove the files of killed downloads from its folder.

    A download holds a lock on its file. A file that can be locked belongs to a process that is gone. Some
    network file systems have no locks: there nothing is removed.

    :param prefix: the beginning of all names, for example ``.twinsync-``.
    :param suffix: their end, for example ``.part``.
    :param mode: the permissions, before the mask of the process.
    :raises OSError: no file can be created.
    """
    for path in folder.glob(f"{escape(prefix)}*{escape(suffix)}"):  # the suffix of any object, such as `.**`
        remove_if_dead(path, os.O_RDWR, os.unlink)
    while True:
        path = folder / f"{prefix}{uuid.uuid4().hex}{suffix}"
        # O_EXCL follows no symbolic link (open(2)).
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        partial_file = PartialFile(path, os.fdopen(number, "r+b"))
        # Between these two lines another process may take the file for a dead one.
        if lock(number) and partial_file.has_its_name:
            return partial_file
        partial_file.file.close()


def lock(number: int) -> bool:
    """Lock an open file or folder, and return False if another process has it."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def remove_if_dead(path: Path, flags: int, remove: Callable[[Path], object]) -> None:
    """Remove a file or a folder of a process that is gone.

    :param flags: how to open it, for its lock.
    :param remove: removes it.
    """
    # It is gone by now, in use, of another user, or where there are no locks.
    with suppress(OSError):
        number = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(path)
        finally:
            os.close(number)


@contextmanager
def writing() -> Iterator[None]:
    """Raise :class:`DownloadInterruptedError` for an error of the disk."""
    try:
        yield
    except OSError as error:
        raise DownloadInterruptedError(f"{_NOT_WRITTEN}: {error.strerror}.") from error
