"""The outcomes of a submit, the states of a history of crashes, and the promises that judge a state."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._records.ledger import _digest
from airflow_provider_twinsync.emulator.faults import (
    AcceptThenHang,
    AcceptThenHttpError,
    AcceptThenReset,
    Body,
    Hang,
    HttpError,
    NotJson,
    ResetBefore,
    ResultCode,
)
from support.submits import INPUTS, code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BREAKS = "breaks while it is sent"
#: The faults of the POSTs of a try, in their order. A fault with `times=None` hits all of them.
OUTCOMES: dict[str, tuple[Any, ...]] = {
    "accepted": (),
    "refused 200": (ResultCode(code=200),),
    "refused 201": (ResultCode(code=201),),
    "refused 202": (ResultCode(code=202),),
    "busy 203": (ResultCode(code=203, times=None),),
    "busy 203, then accepted": (ResultCode(code=203),),
    "busy 203, then accepted and reset": (ResultCode(code=203), AcceptThenReset()),
    "HTTP 429": (HttpError(status=429, times=None),),
    "HTTP 503": (HttpError(status=503),),
    "accepted, then HTTP 503": (AcceptThenHttpError(status=503),),
    "accepted, then HTTP 500 with the job": (
        AcceptThenHttpError(status=500, body='{"task_id": "{task_id}"}'),
    ),
    "accepted, then reset": (AcceptThenReset(),),
    "accepted, then no answer in time": (AcceptThenHang(),),
    "no answer in time": (Hang(),),
    "reset": (ResetBefore(),),
    BREAKS: (),
    "names a job": (Body(json={"result_code": 203, "task_id": "20230423_11_23_05_10279"}),),
    "accepted without an id": (Body(json={"result_code": 100}),),
    "garbage": (NotJson(),),
}
#: The outcomes that the time limit ends.
SLOW = tuple(name for name in OUTCOMES if "no answer" in name)
#: The messages about an uncertain submit.
UNCERTAIN = ("TS309", "TS310", "TS311", "TS312", "TS313", "TS314", "TS324")
#: The ``max_tries`` of each task between two runs: the difference to the one in a record counts alone.
CLEARS = 5
TEXTS = {"same": INPUTS["text"], "other": "Another text."}
_OWNER = {"dag_id": "dag", "task_id": "submit", "map_index": -1}
_PHOTO = INPUTS["image_url"]
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"


@dataclass(frozen=True)
class Job:
    """A job that the service has accepted.

    :param is_named: the log has its id.
    :param is_reported: the log has its inputs, photo and time, and that it is uncertain.
    :param is_released: another submit of the same inputs is allowed. Two events allow it: a person clears
        the task after the report, while no record has the id; or the task state store, which has one entry,
        gets that of other inputs, and the log names this job (TS319).
    """

    text: str
    instance: str
    has_failed: bool = False
    is_named: bool = False
    is_reported: bool = False
    is_released: bool = False

    def settled(self) -> Job:
        """Return the job with the facts alone that a later state is judged by."""
        if self.has_failed:
            return Job(self.text, self.instance, has_failed=True)
        return replace(self, is_named=True, is_reported=True) if self.is_released else self


@dataclass(frozen=True)
class Task:
    """A task instance as Airflow sees it; `clears` is its ``max_tries``."""

    tries: int = 0
    clears: int = CLEARS
    #: Its try was killed, or ended by an error that Airflow retries.
    may_retry: bool = False


@dataclass
class State:
    """All that outlives a process."""

    rows: dict[str, dict[str, Any]]
    files: dict[str, bytes]
    jobs: dict[str, Job]
    tasks: dict[str, Task]
    #: The broken promises on the way here.
    broken: tuple[str, ...] = ()
    #: The history that led here first.
    trace: tuple[str, ...] = field(default=(), compare=False)

    def entries(self) -> Iterator[Any]:
        """Yield all records."""
        for rows in self.rows.values():
            yield from rows.values()
        for data in self.files.values():
            yield json.loads(data)

    def reports(self) -> int:
        """Return the number of reports of uncertain submits in the records."""
        return self.stored().count("told_at_max_tries")

    def settle(self) -> State:
        """Replace the counts, of which differences matter alone, and drop the jobs that nothing names."""
        for name, rows in self.rows.items():
            for key, entry in rows.items():
                rows[key] = self._settled(entry, name)
        for name, data in self.files.items():
            if b"told_at_max_tries" in data:
                entry = self._settled(json.loads(data), self._reporter(name))
                self.files[name] = json.dumps(entry).encode()
        self.tasks = {
            name: replace(task, tries=min(task.tries, 1), clears=CLEARS) for name, task in self.tasks.items()
        }
        stored = self.stored()
        self.jobs = {
            name: job.settled() for name, job in self.jobs.items() if not job.has_failed or name in stored
        }
        return self

    def stored(self) -> str:
        """Return all records as a text."""
        return json.dumps([self.rows, {name: data.decode() for name, data in sorted(self.files.items())}])

    def _settled(self, entry: dict[str, Any], instance: str) -> dict[str, Any]:
        told = entry.get("told_at_max_tries")
        if told is None:
            return entry
        return {**entry, "told_at_max_tries": CLEARS - (told < self.tasks[instance].clears)}

    def _reporter(self, file: str) -> str:
        """Return the task instance that has written a report."""
        for name in self.tasks:
            if _digest({**_OWNER, "run_id": name}) in file:
                return name
        raise AssertionError(file)

    def key(self) -> str:
        """Return a text that two states with the same tasks share if no later run can distinguish them.

        Times, tokens, tries and the ids of jobs differ between such states.
        """
        jobs = {name: list(vars(job).values()) for name, job in self.jobs.items()}
        numbers: dict[str, int] = {}

        def numbered(found: re.Match[str]) -> str:
            return f"<{numbers.setdefault(found[0], len(numbers))}>"

        text = f"{self.stored()} {json.dumps(jobs)}"
        text = re.sub(rf"{_TIME}|try_number\\*\": \d", "", text)
        # The hashes of the inputs keep their names.
        text = re.sub(r"\d{8}_\d\d_\d\d_\d\d_\d+|(?<=token\\\": \\\")[0-9a-f]{32}", numbered, text)
        return f"{text} {self.broken}"


def left_by(
    base: State,
    instance: str,
    text: str,
    *,
    jobs: Iterable[str],
    lines: list[str],
    is_for_all: bool,
    is_reported: bool,
) -> State:
    """Return the state that a try leaves if it is killed now, and judge it.

    :param base: the state before the try, or after the last run of another process, with the records of now.
    :param jobs: the ids of all jobs that the service has.
    :param lines: the log since the base.
    :param is_for_all: the tasks of all runs share their jobs.
    :param is_reported: another try has reported the intent, before this try sent its POST.
    """
    known, broken = dict(base.jobs), list(base.broken)
    for name in jobs:
        if name not in known:
            for job in known.values():
                is_shared = is_for_all or job.instance == instance
                if job.text == text and is_shared and not job.has_failed and not job.is_released:
                    broken.append("paid twice")
            known[name] = Job(text, instance, is_reported=is_reported)
    stored = base.stored()
    for name, job in known.items():
        known[name] = _heard(name, job, lines, is_stored=name in stored)
        if not job.has_failed and name not in stored and not _is_findable(base, known[name]):
            broken.append("lost")
    return replace(base, jobs=known, tasks=dict(base.tasks), broken=tuple(sorted(set(broken))))


def _heard(name: str, job: Job, lines: list[str], *, is_stored: bool) -> Job:
    """Add the facts that a log has about a job."""
    for line in lines:
        code = code_of(line)
        if name in line:
            job = replace(job, is_named=True, is_released=job.is_released or code == "TS319")
        if code in UNCERTAIN and not is_stored and TEXTS[job.text] in line and _PHOTO in line:
            job = replace(job, is_reported=job.is_reported or bool(re.search(_TIME, line)))
    return job


def _is_findable(state: State, job: Job) -> bool:
    """Return whether a person knows of a job without a stored id, or its next try tells."""
    if job.is_named or job.is_reported:
        return True
    return any(
        entry.get("twinsync_task_id") is None
        and not entry.get("made_no_job")
        and TEXTS[job.text] in entry.get("shown", "")
        and entry.get("marked_at")
        for entry in state.entries()
    )
