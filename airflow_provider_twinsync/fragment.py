"""What has arrived of a video: a file that grows, its checksum, and a note for the next try.

A fragment lies in a place that follows from its destination and its video, so that the next try finds it: a
try that was killed leaves one file, which the next one overwrites. It goes on with that file only if there is
a note beside it, written when the earlier try ended in order, and if the file is still what the note says.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import time
import uuid
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_twinsync.exceptions import DownloadInterruptedError
from airflow_provider_twinsync.mp4 import HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_BYTES = 1_048_576
_DAY_S = 86_400
#: What a note says.
_FIELDS: dict[str, tuple[type, ...]] = {
    "address": (str,),
    "received": (int,),
    "sha256": (str,),
    "validator": (str, type(None)),
    "content_type": (str,),
    "expected": (int, type(None)),
}


class Fragment:
    """A video on its way into a file. It is removed when the block is left, unless it was published or kept.

    :param path: the file's name.
    :param file: the file, open.
    :param note: where a note for the next try lies; None if there shall be none.
    :ivar address: where it comes from, without what changes from one time to another.
    :ivar received: how many bytes there are.
    :ivar sha256: their checksum.
    :ivar head: the first eight of them.
    :ivar expected: how many bytes the whole video has, if the server said so.
    :ivar validator: what names this version of the video to the server, so as not to go on with another.
    :ivar content_type: what the server calls it.
    """

    def __init__(self, path: Path, file: IO[bytes], note: Path | None) -> None:
        self.path = path
        self.file = file
        self.address = ""
        self._note = note
        self._is_kept = False
        self._begin()

    def _begin(self) -> None:
        self.received = 0
        self.sha256: Any = hashlib.sha256()
        self.head = b""
        self.expected: int | None = None
        self.validator: str | None = None
        self.content_type = ""

    def __enter__(self) -> Fragment:
        return self

    def __exit__(self, *_: object) -> None:
        # Published, it has another name by now, and its own may be another process's.
        if not self._is_kept and _is_named(self.path, self.file.fileno()):
            self.path.unlink(missing_ok=True)
            _drop(self._note)
        with suppress(OSError):  # what could not be written is not wanted, or was said
            self.file.close()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing, as far as the server said how much there is."""
        return self.expected is not None and self.received == self.expected

    @property
    def resumes_at(self) -> int:
        """Give the byte that the next request can begin with: the first, where nothing names the version."""
        return self.received if self.validator else 0

    def take_up(self, address: str) -> None:
        """Go on with what an earlier try left of this address, if it is what its note says.

        A note serves once, and a validator at the address that gave it.
        """
        self.address = address
        facts = _read_note(self._note) if self._note else None
        _drop(self._note)
        with writing():
            size = os.fstat(self.file.fileno()).st_size
            if facts and (facts["address"], facts["received"]) == (address, size):
                while chunk := self.file.read(_CHUNK_BYTES):
                    self.sha256.update(chunk)
                    self.head = self.head or chunk[:HEAD_BYTES]
        if facts and self.sha256.hexdigest() == facts["sha256"]:
            self.received = facts["received"]
            self.expected = facts["expected"]
            self.validator = facts["validator"]
            self.content_type = facts["content_type"]
        else:
            self.restart()

    def add(self, chunk: bytes) -> None:
        """Append some bytes."""
        with writing():
            self.file.write(chunk)
        self.sha256.update(chunk)
        self.received += len(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + chunk)[:HEAD_BYTES]

    def trim(self) -> None:
        """Drop what lies behind; a write that failed may have written something."""
        with writing():
            self.file.seek(self.received)
            self.file.truncate()

    def restart(self) -> None:
        """Forget everything."""
        self._begin()
        self.trim()

    def keep(self) -> None:
        """Leave the fragment and a note for the next try, if that could go on with it."""
        if self._note is None or not (self.resumes_at or self.is_whole):
            return
        facts = {name: getattr(self, name) for name in _FIELDS} | {"sha256": self.sha256.hexdigest()}
        # A convenience: without it the next try begins anew.
        with suppress(OSError):
            number = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(number, "w", encoding="utf-8") as note:
                json.dump(facts, note)
            self._is_kept = True

    def finish(self) -> None:
        """See that all of it is in the file of that name, which is what will be published."""
        with writing():
            self.file.flush()
        if not _is_named(self.path, self.file.fileno()):
            raise DownloadInterruptedError(
                f"The video could not be written: {str(self.path)!r} was removed, or is another file by now."
            )


def open_fragment(path: Path, mode: int) -> Fragment:
    """Open the fragment of that name, or, where another process writes it, one that is nobody else's.

    :param mode: the access to a new one, as the mask of the process leaves it.
    :raises OSError: neither can be written.
    """
    number = _lock(path, mode)
    if number is not None:
        return Fragment(path, os.fdopen(number, "r+b"), path.with_name(f"{path.name}.json"))
    path = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:12]}{path.suffix}")
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    return Fragment(path, os.fdopen(number, "r+b"), None)


def _lock(path: Path, mode: int) -> int | None:
    """Open a file for this process alone; None where that cannot be, for whatever reason."""
    made = True
    try:
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            made = False
            number = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The name may have gone to another file in between; and anybody may have put one into a folder that
        # everybody may write, where names like these can be foreseen.
        if _is_named(path, number) and _is_own(number):
            return number
    except BlockingIOError:
        made = False  # another process was quicker, and has it now
    except OSError:
        pass
    with suppress(OSError):
        if made and _is_named(path, number):
            path.unlink()
    os.close(number)
    return None


def sweep(folder: Path, names: str) -> None:
    """Remove what tries left whose retry came to another machine; what is locked is still being written."""
    for path in folder.glob(names):
        with suppress(OSError):
            is_old = path.lstat().st_mtime < time.time() - _DAY_S
            if is_old and (number := _lock(path, 0o600)) is not None:
                with os.fdopen(number):
                    path.unlink()


def _is_named(path: Path, number: int) -> bool:
    """Whether an open file still has that name."""
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(number))
    except OSError:
        return False


def _is_own(number: int) -> bool:
    """Whether an open file is a plain one of this user's, and has no second name."""
    found = os.fstat(number)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1


def _read_note(path: Path) -> dict[str, Any] | None:
    """Read a note of this user's; None if it is not there, or is none."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(number, encoding="utf-8") as note:
            facts = json.loads(note.read(_CHUNK_BYTES)) if _is_own(number) else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or facts.keys() != _FIELDS.keys():
        return None
    return facts if all(isinstance(facts[name], kinds) for name, kinds in _FIELDS.items()) else None


def _drop(note: Path | None) -> None:
    if note is not None:
        with suppress(OSError):
            note.unlink()


@contextmanager
def writing() -> Iterator[None]:
    """Tell trouble with the disk from trouble with the network."""
    try:
        yield
    except OSError as error:
        raise DownloadInterruptedError(f"The video could not be written: {error.strerror}.") from error
