"""The submit record: the store of a submit task across its tries, so that a retry does not pay again.

Airflow 3.3 and later give a task a store that outlives its tries (``context["task_state_store"]``). The
intent is stored before the POST, and the job's id right after. An intent without an id comes from a try that
ended in between, for example because its worker was killed, or from an uncertain submit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._api.submit import unresolved
from airflow_provider_twinsync._api.validation import checked_task_id
from airflow_provider_twinsync.exceptions import UnavailableError, UncertainSubmitError, UsageError

log = logging.getLogger(__name__)

STORE_KEY = "twinsync_submit"
#: The version of the record; a record of any other version counts as damaged, and never as absent.
VERSION = 1
#: How a person deletes the record, in the words of Airflow 3.3.2; its command line has no way.
HOW_TO_DELETE = (
    f"delete the entry {STORE_KEY} of this task instance's state store: in the web UI on its tab "
    "'Task State Store', or with Airflow's REST API, "
    f"DELETE .../taskInstances/{{task_id}}/state-store/{STORE_KEY}"
)


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

    @classmethod
    def read(cls, found: Any) -> SubmitRecord:
        """Read an entry of the store; ``SubmitRecord.read(None)`` is that of a task that never submitted."""
        if found is None:
            return cls()
        if not isinstance(found, dict):
            return cls(is_there=True, is_damaged=True)
        job, inputs, told = found.get("twinsync_task_id"), found.get("inputs"), found.get("told_at_max_tries")
        made_no_job = found.get("made_no_job", False)
        known = _job(job)
        version = found.get("v")
        is_of_this_version = type(version) is int and version == VERSION
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
            **texts,
        )

    def uncertain(self) -> UncertainSubmitError:
        """Return the error about the uncertain submit of an earlier try."""
        if not self.is_damaged:
            return unresolved(
                f"TS313 An earlier try of this task began to submit at {self.marked_at}, and "
                "whether TwinSync made a job of it is unknown.",
                self.shown,
            )
        named = f" It names TwinSync job {self.twinsync_task_id}." if self.twinsync_task_id else ""
        error = unresolved(
            f"TS314 The record of an earlier submit of this task, begun at {self.marked_at}, is damaged "
            "or of another version of this package, and "
            f"whether TwinSync made a job of it is unknown.{named}",
            self.shown,
        )
        return UncertainSubmitError(error.what, f"{error.advice} If that does not help, {HOW_TO_DELETE}.")


class RecordKeeper:
    """The reader and writer of a task's submit record.

    :param store: the task's state store; None if there is none, or ``durable=False``.
    :param inputs: the fingerprint of the inputs of this try.
    :param shown: the inputs of this try for a person.
    :param max_tries: Airflow's count of the tries that this task may have. A retry leaves it unchanged and a
        clear raises it, so it distinguishes a clear by a person from a retry by Airflow.
    :raises UnavailableError: the store cannot be read, which is not the same as a store without a record.
    """

    def __init__(self, store: Any, inputs: str, shown: str, max_tries: int) -> None:
        self._store = store
        self._inputs = inputs
        self._shown = shown
        self._max_tries = max_tries
        self._found = self._read()
        self.record = SubmitRecord.read(self._found)
        self._entry = self._found

    def _read(self) -> Any:
        if self._store is None:
            return None
        try:
            return self._store.get(STORE_KEY)
        except Exception as error:  # of Airflow, or of any backend of the store
            raise UnavailableError(
                "TS315 Airflow's task state store could not be read, and a record of an earlier submit may "
                f"be in it ({type(error).__name__}: {one_line(str(error))}). Nothing was sent. If every try "
                f"ends in this way, {HOW_TO_DELETE}."
            ) from None

    @property
    def twinsync_task_id(self) -> str | None:
        """The job that an earlier try made, if its id is certain."""
        return None if self.record.is_damaged else self.record.twinsync_task_id

    @property
    def has_same_inputs(self) -> bool:
        """True if the earlier try submitted the inputs of this one."""
        return self.record.inputs == self._inputs

    @property
    def is_uncertain(self) -> bool:
        """True if the last submit is uncertain, and no person has decided since.

        A damaged record counts as an uncertain submit: there may be a job.
        """
        record = self.record
        if not record.is_there or self.twinsync_task_id or (record.made_no_job and not record.is_damaged):
            return False
        return record.told_at_max_tries is None or record.told_at_max_tries >= self._max_tries

    def is_missing(self, try_number: int) -> bool:
        """Return True if an earlier try should have left a record, and the store has none."""
        return self._store is not None and not self.record.is_there and try_number > 1

    def write_intent(self) -> None:
        """Record that a submit begins; a store that fails here fails the task, before anything is paid."""
        if self._store is None:
            return
        self._entry = {
            "v": VERSION,
            "inputs": self._inputs,
            "shown": self._shown,
            "marked_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "twinsync_task_id": None,
        }
        try:
            self._store.set(STORE_KEY, self._entry)
        except BaseException:  # an alarm may ring here, too
            self.write_no_job()
            raise

    def write_job(self, twinsync_task_id: str) -> bool:
        """Record the job, and return True if that worked; a failure raises nothing: the job is paid for."""
        if self._store is None:
            return False
        self._entry = {**(self._entry or {}), "twinsync_task_id": twinsync_task_id}
        return self._write(
            f"TS323 Could not record TwinSync job {twinsync_task_id}; another try cannot reconnect to it"
        )

    def write_reported(self, *, names_job: bool = False) -> None:
        """Record that this try reports an uncertain submit, so that the task submits again after a clear.

        The intent stays in the record. Without it, a retry would pay again if the worker died before Airflow
        knows that the task has failed. A damaged record is not kept: it may be too large for the store.

        :param names_job: the answer named a job, so no retry may submit again.
        """
        if self._store is not None:
            kept = {} if self.record.is_damaged and self._entry is self._found else self._entry or {}
            self._entry = {**kept, "v": VERSION, "told_at_max_tries": self._max_tries}
            if names_job:
                self._entry["names_job"] = True
            self._write(
                "TS321 Could not record that this was reported; the task reports it again after a clear. If "
                "that happens at every clear, " + HOW_TO_DELETE
            )

    def write_no_job(self) -> None:
        """Record that this try's submit is over and made no job: the earlier record counts again."""
        if self._store is not None:
            ended = {"v": VERSION, "inputs": self._inputs, "twinsync_task_id": None, "made_no_job": True}
            self._entry = self._found if self.twinsync_task_id else ended
            self._write(
                "TS322 Could not record that no job was made; the next try reports this one as uncertain"
            )

    def _write(self, failure: str) -> bool:
        """Store the entry. A failure is only logged: the outcome of the submit matters more."""
        try:
            self._store.set(STORE_KEY, self._entry)
        except Exception as error:
            log.warning("%s (%s).", failure, one_line(str(error)))
            return False
        return True


def job_of(entry: Any) -> str | None:
    """Return the job in an entry of the store, or None."""
    return _job(entry.get("twinsync_task_id")) if isinstance(entry, dict) else None


def _job(value: Any) -> str | None:
    try:
        return checked_task_id(value)
    except UsageError:
        return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
