"""The file in which an emulator's jobs and clock outlive it. Each line is one JSON object::

    {"reset": 10002}     all before is forgotten; the next job's number is this or a higher one
    {"advance_s": 60}    the clock was moved
    {"job": {...}}       a job was accepted, or, with an id that was there before, has failed

The operating system has a line before the emulator answers the request: the line survives a killed process,
but not a power cut. A rename puts the file into its place, with its first line complete.

The texts of jobs are private, and the file may be in a folder that others can write to, such as /tmp: only
its owner can read it, and no symbolic link is followed to it, nor to the file that replaces it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_twinsync.emulator.faults import DEFECTS
from airflow_provider_twinsync.emulator.world import Task, World, keep_nothing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO
    from pathlib import Path

# A file is written again, without lines that no longer matter, from this size on and twice its least size.
MIN_BYTES = 1 << 20
_KEPT_FIELDS = ("id", "text", "image_url", "pronouncer", "created_at_s", "failure")
#: The other fields of a job: a good video has none.
_DEFECTS = [[("defect", name)] for name in DEFECTS]
_ID = re.compile(r".*_[0-9]+")


class StateFileError(ValueError):
    """The state file cannot be used."""


@contextmanager
def kept(world: World, path: Path | None) -> Iterator[None]:
    """Load the jobs and the clock of a state file into a world, and write their changes to the file.

    :param path: the file, made if there is none; ``None`` keeps nothing.
    :raises StateFileError: on entering, if another emulator uses the file, it cannot be opened, read or
        written, or it has a line that is none of an emulator.
    """
    if path is None:
        yield
        return
    try:
        ledger = _Ledger(world, path)
    except OSError as e:
        raise StateFileError(f"cannot use the state file {path}: {e.strerror or e}") from e
    world.keep = ledger.append
    try:
        yield
    finally:
        world.keep = keep_nothing
        ledger.close()


class _Ledger:
    def __init__(self, world: World, path: Path) -> None:
        self._world = world
        self._path = path
        self._file = _locked(path)
        try:
            past = _past(path, self._file)
            world.tasks.clear()
            for task in past.tasks.values():
                world.put(task)
            world.offset_s = past.offset_s
            world.next_number = max(past.next_number, world.next_number)
            self._rewrite()
        except BaseException:  # any error: closing the file releases the lock
            self._file.close()
            raise

    def append(self, kind: str, value: Task | float) -> None:
        """Write a line; the world calls it under its lock, before it changes.

        :raises OSError: if it cannot be written completely; then no part of it is in the file.
        """
        end = self._file.seek(0, os.SEEK_END)
        if end >= MIN_BYTES + 2 * self._least_bytes:
            self._rewrite()
            end = self._file.seek(0, os.SEEK_END)
        line = _line(kind, value)
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        except OSError:
            self._file.truncate(end)
            raise

    def close(self) -> None:
        """Leave the file to another."""
        self._file.close()

    def _rewrite(self) -> None:
        """Write the file again, without obsolete lines. A kill meanwhile leaves the old file complete."""
        world = self._world
        new_path = self._path.with_name(f"{self._path.name}.new")
        new_path.unlink(missing_ok=True)  # left by one that was killed: we have the lock
        new = _open(new_path, os.O_CREAT | os.O_EXCL)
        try:
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)  # before anyone can find it under its name
            with os.fdopen(os.dup(new.fileno()), "wb") as buffered:
                buffered.write(_line("reset", world.next_number) + _line("advance_s", world.offset_s))
                buffered.writelines(_line("job", task) for task in world.tasks.values())
            new_path.replace(self._path)
        except BaseException:  # closing releases the lock
            new.close()
            new_path.unlink(missing_ok=True)
            raise
        self._file.close()
        self._file, self._least_bytes = new, new.seek(0, os.SEEK_END)


def _open(path: Path, flags: int) -> FileIO:
    def no_link(name: str, mode: int) -> int:
        # O_NONBLOCK: a named pipe must not hold the emulator up; a regular file does not know the flag.
        return os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, 0o600)

    return open(path, "r+b", buffering=0, opener=no_link)


def _locked(path: Path) -> FileIO:
    if path.is_symlink():  # for the message; O_NOFOLLOW is the protection
        raise StateFileError(f"cannot use the state file {path}: it is a symbolic link; name the file itself")
    try:
        file = _open(path, os.O_CREAT)
    except IsADirectoryError:
        raise StateFileError(f"cannot use the state file {path}: not a regular file") from None
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise StateFileError(f"cannot use the state file {path}: not a regular file")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(file.fileno()), path.lstat()):  # replaced since
            raise BlockingIOError
        file.seek(0)
    except BlockingIOError:
        file.close()
        raise StateFileError(f"another emulator uses the state file {path}: end it first") from None
    except BaseException:
        file.close()
        raise
    return file


def _past(path: Path, file: FileIO) -> World:
    """Return the world that a file's lines lead to."""
    past = World()
    with os.fdopen(os.dup(file.fileno()), "rb") as buffered:
        _replay_all(past, path, buffered)
    return past


def _replay_all(past: World, path: Path, lines: Iterable[bytes]) -> None:
    for number, line in enumerate(lines, 1):
        if number > 1 and not line.endswith(b"\n"):
            # Torn by a kill. An emulator's first line never is: that file is someone else's, and stays.
            return
        try:
            _replay(past, json.loads(line))
        except (ValueError, RecursionError) as e:
            raise StateFileError(
                f"line {number} of the state file {path} cannot be read: {e}; "
                "correct or remove the line, or use another file"
            ) from e


def _replay(world: World, record: object) -> None:
    match record:
        case {"job": dict(job), **rest} if not rest:
            world.put(_task(job))
        case {"advance_s": seconds, **rest} if not rest:
            world.advance(seconds)
        case {"reset": int(next_number), **rest} if not rest and next_number >= 0:
            world.reset()
            world.next_number = max(world.next_number, next_number)
        case _:
            raise ValueError('it is no {"job": ...}, {"advance_s": ...} or {"reset": ...}')


def _line(kind: str, value: Task | float) -> bytes:
    kept: object = value
    if isinstance(value, Task):
        kept = {name: getattr(value, name) for name in _KEPT_FIELDS}
        if value.defect is not None:
            kept["defect"] = value.defect
    return json.dumps({kind: kept}).encode() + b"\n"


def _task(job: dict[str, object]) -> Task:
    match job:
        case {
            "id": str(task_id),
            "text": str(text),
            "image_url": str(image_url),
            "pronouncer": str(pronouncer),
            "created_at_s": float(created_at_s),
            "failure": (str() | None) as failure,
            **rest,
        } if _ID.fullmatch(task_id) and (
            not rest or (rest.keys() == {"defect"} and rest["defect"] in DEFECTS)
        ):
            try:
                datetime.fromtimestamp(created_at_s, timezone.utc)
            except (OverflowError, OSError) as e:
                raise ValueError(f"created_at_s is no time: {created_at_s}") from e
            defect = rest.get("defect")
            return Task(
                task_id,
                text,
                image_url,
                pronouncer,
                created_at_s,
                failure,
                photo_lost=True,
                defect=None if defect is None else str(defect),
            )
    raise ValueError(
        f"a job has the fields {', '.join(_KEPT_FIELDS)}, perhaps defect, and no others, each of its type"
    )
