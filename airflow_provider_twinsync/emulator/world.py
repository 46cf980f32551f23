"""The emulated service's state and nothing else: jobs, faults, journal, photos, clock. No socket, no file.

A test may change it from its own thread while the server's loop runs. All of it is in memory and bounded.
A world calls ``World.keep`` with each change of its jobs and its clock; with a state file, that is the
ledger's.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync.emulator.fault_queue import FaultQueue

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TASKS = 100_000
MAX_TASK_BYTES = 256 << 20  # of the texts of all jobs: the full number of ordinary jobs takes half of it
MAX_JOURNAL = 10_000
MAX_PHOTOS = 1000  # each is small (picture.py): 300 MB at the very worst, 30 MB as a rule
PHOTO_MODES = ("local", "any", "placeholder")
MAX_JOURNAL_CHARS = 2000  # of each text that the journal keeps
MAX_JOURNAL_FIELDS = 8  # of a form; the service knows four
MAX_SECONDS = 250_000_000_000  # from now that is before the year 10000, which no datetime reaches


@dataclass(slots=True)
class Task:
    """One submitted job.

    :param created_at_s: when it was accepted, on the world's clock, in seconds since the epoch.
    :param failure: why it ends with code 104, or ``None`` if it ends well.
    :param photo_pending: the photo is still being fetched: the job runs until it is there.
    :param photo: the name of the photo in ``World.kept_photos``; ``None`` for the placeholder portrait.
    :param photo_lost: the job is from before a restart, which no photo outlives: the photo is opened again
        when the video is requested.
    :param defect: the defect of its video, one of ``DEFECTS`` in ``faults.py``; ``None`` for a good one.
    """

    id: str
    text: str
    image_url: str
    pronouncer: str
    created_at_s: float
    failure: str | None = None
    photo_pending: bool = False
    photo: str | None = None
    photo_lost: bool = False
    defect: str | None = None


@dataclass(slots=True)
class JournalEntry:
    """One request to the service. The form's key is left out; all else is as the client sent it, so that a
    test can look for a key where none should be. Long texts end in an ellipsis (:data:`MAX_JOURNAL_CHARS`).

    :param call: ``submit``, ``status`` or ``result``; ``unknown`` for a path or method that it lacks.
    :param status: the HTTP status of the answer; ``None`` as long as there is none.
    :param form: the form fields of a submission, except the key; ``None`` if the form was too large to read.
    :param key: ``accepted``, ``rejected`` or ``missing`` for a submission whose form was read; else ``None``
        unless one was sent.
    :param taskID: the job asked for, or that a submission made.
    :param result_code: the ``result_code`` of the service's answer, also of one that a fault kept back.
    :param headers: the request headers that matter to a client's author (:data:`JOURNAL_HEADERS`).
    :param fault: the name of the fault that hit it.
    :param at_s: when it came, on the world's clock, in seconds since the epoch.
    """

    call: str
    method: str
    path: str
    at_s: float
    form: dict[str, str] | None = None
    key: str | None = None
    taskID: str | None = None  # noqa: N815  # the service's own spelling
    headers: dict[str, str] = field(default_factory=dict)
    fault: str | None = None
    status: int | None = None
    result_code: Any = None


JOURNAL_HEADERS = (
    "Host",
    "User-Agent",
    "Content-Type",
    "Accept-Encoding",
    "Cache-Control",
    "Range",
    "If-Range",
)


class World:
    """The state of one emulated TwinSync.

    :param key: the access key that is valid.
    :param waiting_s: how long a job waits (code 101), in seconds.
    :param duration_s: how long it then runs (code 102), in seconds.
    :param word_limit: how many words a text may have.
    :param photos: which photos are opened. ``local``: those on this machine and in its own network; one on
        the internet is not judged, and its video shows a placeholder portrait. ``any``: all. In both, a
        photo that cannot be opened is refused (code 202 or 104). ``placeholder``: none but uploaded ones; all
        other videos show the placeholder portrait, and no photo is refused for the file at its address.
    :raises ValueError: if one of them, here or set later, is of the wrong type or out of its range.
    """

    def __init__(
        self,
        *,
        key: str = "emulator-key",
        waiting_s: float = 0.0,
        duration_s: float = 0.0,
        word_limit: int = 150,
        photos: str = "local",
    ) -> None:
        self.key = key
        self.waiting_s = waiting_s
        self.duration_s = duration_s
        self.word_limit = word_limit
        self.photos = photos
        # Ordered: to forget the oldest of 100,000 is slow in a plain dict, which skips what was deleted.
        self.tasks: OrderedDict[str, Task] = OrderedDict()
        self.faults = FaultQueue()
        self.journal: list[JournalEntry] = []
        self.kept_photos: OrderedDict[str, bytes] = OrderedDict()
        self.offset_s = 0.0
        self.next_number = 10_000
        # Called with each change of jobs and clock before the answer: ("job", task), ("advance_s", seconds)
        # or ("reset", next_number). If it raises, no job is accepted, and the clock and the jobs stay.
        self.keep: Callable[[str, Task | float], None] = keep_nothing
        self._task_bytes = 0
        self._lock = threading.RLock()

    def __setattr__(self, name: str, value: object) -> None:
        # The settings are plain attributes that a test changes; a wrong value raises at once.
        if name in ("waiting_s", "duration_s"):
            _check_seconds(name, value)
        elif name == "key" and not (isinstance(value, str) and value.strip()):
            raise ValueError("key must be a text and not empty")
        elif name == "word_limit" and not (type(value) is int and value >= 0):
            raise ValueError(f"word_limit must be a whole number, 0 or more, got {value!r}")
        elif name == "photos" and value not in PHOTO_MODES:
            raise ValueError(f"photos must be one of {', '.join(PHOTO_MODES)}, got {value!r}")
        super().__setattr__(name, value)

    def now_s(self) -> float:
        """Return the world's time, in seconds since the epoch."""
        return time.time() + self.offset_s

    def advance(self, seconds: float) -> None:
        """Move the world's clock forward.

        :param seconds: by how much.
        :raises ValueError: if ``seconds`` is negative or no number, or leads beyond the year 9999.
        """
        _check_seconds("advance_s", seconds)
        with self._lock:
            _check_seconds("advance_s in all", self.offset_s + seconds)
            self.keep("advance_s", seconds)
            self.offset_s += seconds

    def reset(self) -> None:
        """Forget all jobs, faults, photos and requests, and set the clock to now. Ids are not used again."""
        with self._lock:
            self.keep("reset", self.next_number)
            self.tasks.clear()
            self._task_bytes = 0
            self.faults.clear()
            self.journal.clear()
            self.kept_photos.clear()
            self.offset_s = 0.0

    def accept(
        self,
        *,
        text: str,
        image_url: str,
        pronouncer: str,
        failure: str | None = None,
        defect: str | None = None,
    ) -> Task:
        """Take a job into the queue; the oldest is forgotten when there are too many."""
        with self._lock:
            now_s = self.now_s()
            when = datetime.fromtimestamp(now_s, timezone.utc)
            task = Task(
                # As in the document: 20230423_11_23_05_10279
                id=f"{when:%Y%m%d_%H_%M_%S}_{self.next_number}",
                text=text,
                image_url=image_url,
                pronouncer=pronouncer,
                created_at_s=now_s,
                failure=failure,
                defect=defect,
            )
            self.keep("job", task)
            self.put(task)
            return task

    def put(self, task: Task) -> None:
        """Add a job, in place of one with its id if there is one; its number is not used again."""
        with self._lock:
            self.next_number = max(self.next_number, int(task.id.rpartition("_")[2]) + 1)
            if (before := self.tasks.get(task.id)) is not None:
                self._task_bytes -= _bytes_of(before)
            self.tasks[task.id] = task
            self._task_bytes += _bytes_of(task)
            while len(self.tasks) > MAX_TASKS or self._task_bytes > MAX_TASK_BYTES:
                _, oldest = self.tasks.popitem(last=False)
                self._task_bytes -= _bytes_of(oldest)

    def fail(self, task: Task, reason: str) -> None:
        """Let a job end with code 104; a reason that it has already stays."""
        with self._lock:
            if task.failure is None:
                task.failure = reason  # first: it must not end well for want of space in a file
                if task.id in self.tasks:
                    self.keep("job", task)

    def code_of(self, task: Task) -> int:
        """Return the documented code of a job's state now: 101 waiting, 102 running, 104 failed, 100 done."""
        age_s = self.now_s() - task.created_at_s
        if age_s < self.waiting_s:
            return 101
        if age_s < self.waiting_s + self.duration_s or task.photo_pending:
            return 102
        return 100 if task.failure is None else 104

    def record(self, entry: JournalEntry) -> None:
        """Write a request into the journal; the oldest is forgotten when there are too many."""
        entry.path = _clipped(entry.path)
        entry.taskID = entry.taskID and _clipped(entry.taskID)
        entry.headers = {name: _clipped(value) for name, value in entry.headers.items()}
        if entry.form is not None:
            kept = itertools.islice(entry.form.items(), MAX_JOURNAL_FIELDS)
            entry.form = {_clipped(name): _clipped(value) for name, value in kept}
        with self._lock:
            self.journal.append(entry)
            del self.journal[:-MAX_JOURNAL]

    def journal_as_json(self) -> list[dict[str, Any]]:
        """Return the journal as JSON values, oldest first."""
        with self._lock:
            return [asdict(entry) for entry in self.journal]

    def keep_photo(self, jpeg: bytes) -> str:
        """Keep a photo, equal ones once; the one unused for longest is forgotten when there are too many.

        :return: its name.
        """
        name = hashlib.sha256(jpeg).hexdigest()[:32] + ".jpg"
        with self._lock:
            self.kept_photos[name] = jpeg
            self.kept_photos.move_to_end(name)
            while len(self.kept_photos) > MAX_PHOTOS:
                self.kept_photos.popitem(last=False)
        return name

    def photo(self, name: str) -> bytes | None:
        """Return a kept photo by its name; ``None`` if it was never kept, or is forgotten."""
        with self._lock:
            if name in self.kept_photos:
                self.kept_photos.move_to_end(name)
            return self.kept_photos.get(name)


def keep_nothing(kind: str, value: Task | float) -> None:
    """Ignore a change: the jobs of this world need not outlive it."""


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"{name} must be a number of seconds from 0 to {MAX_SECONDS}, got {value!r}")


def _bytes_of(task: Task) -> int:
    """Return the memory of a job: its fields that do not change, and 400 bytes for the rest."""
    return 400 + sum(map(sys.getsizeof, (task.id, task.text, task.image_url, task.pronouncer)))


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_JOURNAL_CHARS else text[: MAX_JOURNAL_CHARS - 1] + "…"
