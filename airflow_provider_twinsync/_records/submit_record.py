"""The submit record: the memory of a submit across tries and runs, so that none of them pays again.

Pure. The intent is stored before the POST, and the job's id right after. An intent without an id comes from a
try that ended in between, for example because its worker was killed, or from an uncertain submit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line, shown_text
from airflow_provider_twinsync._api.submit import unresolved
from airflow_provider_twinsync._api.validation import checked_task_id
from airflow_provider_twinsync.exceptions import UncertainSubmitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The version of the record; a record of any other version counts as damaged, and never as absent.
VERSION = 1
#: The fields that name a task instance, of any try.
INSTANCE = ("dag_id", "task_id", "run_id", "map_index")


@dataclass(frozen=True, slots=True)
class SubmitRecord:
    """A submit record as it was found; any part of it may be damaged.

    :param is_there: whether the store has a record.
    :param is_damaged: the record cannot be read, or another version of this package wrote it, so there may be
        a job.
    :param twinsync_task_id: the job, if its id is known.
    :param inputs: the fingerprint of the inputs.
    :param shown: the inputs for a person.
    :param marked_at: the time of the intent, as an ISO 8601 text.
    :param told_at_max_tries: the ``max_tries`` of the try that reported an uncertain submit.
    :param made_no_job: the submit is over, and nothing was accepted.
    :param names_job: the answer named a job, and was no success.
    :param is_of_other: another task instance submits, or no task.
    :param owner: the task instance that submitted, for a person; empty in a store of a task.
    :param rejected: the message of the check that the video of the job failed; None if there is none.
    :param rejected_at_max_tries: the ``max_tries`` of the try of this task that checked the video, of any map
        index; None if another task or run did.
    """

    is_there: bool = False
    is_damaged: bool = False
    twinsync_task_id: str | None = None
    inputs: str | None = None
    shown: str = "inputs that are not known any more"
    marked_at: str = "a time that is not known any more"
    told_at_max_tries: int | None = None
    made_no_job: bool = False
    names_job: bool = False
    is_of_other: bool = False
    owner: str = ""
    rejected: str | None = None
    rejected_at_max_tries: int | None = None

    @classmethod
    def read(cls, found: Any, owner: Mapping[str, Any] | None = None) -> SubmitRecord:
        """Read an entry of a store; ``SubmitRecord.read(None)`` is that of a task that never submitted.

        :param owner: the task instance that reads a ledger; a store of a task has entries of that task alone.
        """
        if found is None:
            return cls()
        if not isinstance(found, dict):
            return cls(is_there=True, is_damaged=True)
        job, inputs, told = found.get("twinsync_task_id"), found.get("inputs"), found.get("told_at_max_tries")
        made_no_job = found.get("made_no_job", False)
        known = _job(job)
        version = found.get("v")
        is_of_this_version = type(version) is int and version == VERSION
        rejected, rejected_at = _rejection(found.get("rejected"), owner)
        texts = {name: one_line(found[name]) for name in ("shown", "marked_at") if _is_text(found.get(name))}
        return cls(
            is_there=True,
            is_damaged=not is_of_this_version
            or not _is_text(inputs)
            or (job is not None and known is None)
            or not isinstance(made_no_job, bool),
            twinsync_task_id=known,
            inputs=inputs if _is_text(inputs) else None,
            # A bool is an int to Python, and no count.
            told_at_max_tries=told if type(told) is int else None,
            made_no_job=made_no_job is True and job is None,
            names_job=found.get("names_job") is True,
            is_of_other="owner" in found and not is_same_instance(found["owner"], owner),
            owner=shown_owner(found["owner"]) if "owner" in found else "",
            rejected=rejected,
            rejected_at_max_tries=rejected_at,
            **texts,
        )

    def uncertain(self, how_to_delete: str) -> UncertainSubmitError:
        """Return the error about the uncertain submit of an earlier try.

        :param how_to_delete: how a person deletes the record, as a part of a sentence.
        """
        if not self.is_damaged:
            return unresolved(
                f"TS313 An earlier try of this task began to submit at {self.marked_at}, and "
                "whether TwinSync made a job of it is unknown.",
                self.shown,
            )
        named = f" It names TwinSync job {self.twinsync_task_id}." if self.twinsync_task_id else ""
        error = unresolved(
            f"TS314 The record of an earlier submit of this task, begun at {self.marked_at}, is damaged, "
            "of other inputs or of another version of this package, and "
            f"whether TwinSync made a job of it is unknown.{named}",
            self.shown,
        )
        return UncertainSubmitError(error.what, f"{error.advice} If that does not help, {how_to_delete}.")


def job_of(entry: Any) -> str | None:
    """Return the job in an entry of the store, or None."""
    return _job(entry.get("twinsync_task_id")) if isinstance(entry, dict) else None


def shown_owner(owner: Any) -> str:
    """Return a task instance for a person.

    >>> shown_owner({"dag_id": "news", "task_id": "submit", "run_id": "r1", "map_index": 2, "try_number": 1})
    "task 'submit' (map index 2) of DAG 'news', run 'r1', try 1"
    >>> shown_owner(None)
    'a process outside of a task'
    """
    if not isinstance(owner, dict):
        return "a process outside of a task"
    dag, task, run = (shown_text(owner.get(name), 250) for name in INSTANCE[:3])
    index = owner.get("map_index")
    mapped = f" (map index {index})" if isinstance(index, int) and index >= 0 else ""
    tried = owner.get("try_number")
    return f"task {task}{mapped} of DAG {dag}, run {run}" + (f", try {tried}" if type(tried) is int else "")


def is_same_instance(one: Any, other: Any, fields: Sequence[str] = INSTANCE) -> bool:
    """Return whether two owners are one task instance, perhaps in different tries.

    >>> first = {"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1, "try_number": 1}
    >>> is_same_instance(first, {**first, "try_number": 2}), is_same_instance(first, None)
    (True, False)

    :param fields: the fields that count.
    """
    try:
        return all(one[name] == other[name] for name in fields)
    except (TypeError, KeyError):
        return False


def _job(value: Any) -> str | None:
    try:
        return checked_task_id(value)
    except UsageError:
        return None


def rejection(
    message: str, checks: Mapping[str, Any], owner: Mapping[str, Any] | None, max_tries: int, at: str
) -> dict[str, Any]:
    """Return the mark of a job whose video failed its check, for the field ``rejected`` of its record.

    :param message: the message of the check.
    :param checks: its numbers.
    :param owner: the task instance that checked the video.
    :param max_tries: its ``max_tries``, as in ``told_at_max_tries``.
    :param at: the time, as an ISO 8601 text.
    """
    by = None if owner is None else dict(owner)
    return {"message": message, "checks": dict(checks), "by": by, "max_tries": max_tries, "at": at}


def _rejection(mark: Any, owner: Mapping[str, Any] | None) -> tuple[str | None, int | None]:
    """Return the message of a mark and, if this task instance wrote it, its count.

    A damaged mark is none: the task then reconnects and pays nothing. A store of a task has the marks of that
    task alone, without ``by``.
    """
    if not isinstance(mark, dict) or not _is_text(mark.get("message")):
        return None, None
    count = mark.get("max_tries")
    # Equal rows of a sheet have one job: the next row must not pay for a bad video again.
    is_own = "by" not in mark or is_same_instance(mark["by"], owner, INSTANCE[:3])
    return one_line(mark["message"], 1_000), count if is_own and type(count) is int else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def record_bytes(entry: dict[str, Any]) -> bytes:
    """Return a record as a ledger stores it: JSON that a person can read."""
    return json.dumps(entry, ensure_ascii=False, indent=1).encode(errors="replace")
