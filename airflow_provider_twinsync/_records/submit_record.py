"""The submit record: what a submit task remembers across its tries, so that a retry does not pay again.

Airflow 3.3 and later give a task a store that outlives its tries (``context["task_state_store"]``). A record
goes into it before the POST (the intent), and the job's id right after: an intent without an id is a try that
ended in between, or could not know how its submit ended.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._api.validation import checked_task_id
from airflow_provider_twinsync.exceptions import UnavailableError, UsageError

log = logging.getLogger(__name__)

STORE_KEY = "twinsync_submit"
#: How a person deletes the record, in the words of Airflow 3.3.2; its command line has no way.
HOW_TO_DELETE = (
    f"delete the entry {STORE_KEY} of this task instance's state store: in the web UI on its tab "
    "'Task State Store', or with Airflow's REST API, "
    f"DELETE .../taskInstances/{{task_id}}/state-store/{STORE_KEY}"
)


@dataclass(frozen=True, slots=True)
class SubmitRecord:
    """A submit record as it was found, of which everything may be damaged.

    :param is_there: whether there is one at all.
    :param is_damaged: the record cannot be read, so there may be a job behind it.
    :param twinsync_task_id: the job, if its id is known.
    :param inputs: the fingerprint of what was submitted.
    :param shown: the same for a person.
    :param marked_at: when the submit began, as an ISO 8601 text.
    :param told_at_max_tries: the ``max_tries`` of the try that told a person of an uncertain submit.
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
        """Read what the store has; ``SubmitRecord.read(None)`` is that of a task that never submitted."""
        if found is None:
            return cls()
        if not isinstance(found, dict):
            return cls(is_there=True, is_damaged=True)
        job, inputs, told = found.get("twinsync_task_id"), found.get("inputs"), found.get("told_at_max_tries")
        made_no_job = found.get("made_no_job", False)
        known = _job(job)
        texts = {name: one_line(found[name]) for name in ("shown", "marked_at") if _is_text(found.get(name))}
        return cls(
            is_there=True,
            is_damaged=not _is_text(inputs)
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


class RecordKeeper:
    """The submit record of a task: that of an earlier try, and this try's own.

    :param store: the task's state store; None where there is none, or none is wanted.
    :param inputs: a fingerprint of what this try would submit.
    :param shown: the same for a person.
    :param max_tries: Airflow's count of the tries that this task may have: a retry leaves it as it is, and a
        clear raises it. So a clear by a person differs from a retry by Airflow.
    :raises UnavailableError: the store cannot be read: that is not the same as a store without a record.
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
                "Airflow's task state store could not be read, and a record of an earlier submit may be in "
                f"it ({type(error).__name__}: {one_line(str(error))}). Nothing was sent. If every try ends "
                f"so, {HOW_TO_DELETE}."
            ) from None

    @property
    def twinsync_task_id(self) -> str | None:
        """The job that an earlier try made, if that is certain."""
        return None if self.record.is_damaged else self.record.twinsync_task_id

    @property
    def is_of_these_inputs(self) -> bool:
        """Whether the earlier try submitted what this one would."""
        return self.record.inputs == self._inputs

    @property
    def is_unresolved(self) -> bool:
        """Return whether the last submit is uncertain, and no person has decided since.

        A damaged record counts as an uncertain submit: there may be a job behind it.
        """
        record = self.record
        if not record.is_there or self.twinsync_task_id or (record.made_no_job and not record.is_damaged):
            return False
        return record.told_at_max_tries is None or record.told_at_max_tries >= self._max_tries

    def mark(self) -> None:
        """Record that a submit begins. A store that fails here fails the task, before anything is paid."""
        if self._store is None:
            return
        self._entry = {
            "inputs": self._inputs,
            "shown": self._shown,
            "marked_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "twinsync_task_id": None,
        }
        try:
            self._store.set(STORE_KEY, self._entry)
        except BaseException:  # an alarm may ring here, too
            self.forget()
            raise

    def remember(self, twinsync_task_id: str) -> bool:
        """Record the job, and return whether that worked. A failure raises nothing: the job is paid for."""
        if self._store is None:
            return False
        self._entry = {**(self._entry or {}), "twinsync_task_id": twinsync_task_id}
        return self._try_to(
            f"TwinSync job {twinsync_task_id} could not be remembered: another try cannot take it over"
        )

    def tell(self, *, names_job: bool = False) -> None:
        """Record that this try reports an uncertain submit: a person who then clears the task wants a submit.

        The intent stays until then. If this removed the intent, and the worker died before Airflow knows that
        the task has failed, a retry would pay again. A damaged record is not kept: it may be too large to be
        stored.

        :param names_job: the answer named a job: then no retry may submit again.
        """
        if self._store is not None:
            kept = {} if self.record.is_damaged and self._entry is self._found else self._entry or {}
            self._entry = {**kept, "told_at_max_tries": self._max_tries}
            if names_job:
                self._entry["names_job"] = True
            self._try_to(
                "Could not record that this was reported; the task reports it again after a clear. If that "
                "happens at every clear, " + HOW_TO_DELETE
            )

    def forget(self) -> None:
        """Record that this try's submit is over and made no job: the earlier record counts again."""
        if self._store is not None:
            ended = {"inputs": self._inputs, "twinsync_task_id": None, "made_no_job": True}
            self._entry = self._found if self.twinsync_task_id else ended
            self._try_to("Could not record that no job was made; the next try reports this one as uncertain")

    def _try_to(self, otherwise: str) -> bool:
        """Store the entry as it is now; where that fails, what the task knows is worth more."""
        try:
            self._store.set(STORE_KEY, self._entry)
        except Exception as error:
            log.warning("%s (%s).", otherwise, one_line(str(error)))
            return False
        return True


def job_of(entry: Any) -> str | None:
    """Return the job that an entry of the store names, if it does."""
    return _job(entry.get("twinsync_task_id")) if isinstance(entry, dict) else None


def _job(value: Any) -> str | None:
    try:
        return checked_task_id(value)
    except UsageError:
        return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
