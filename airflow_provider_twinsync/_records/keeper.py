"""The reader and writer of a submit record, in either of its two stores."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._records.submit_record import VERSION, SubmitRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)


class RecordStore(Protocol):
    """The place of the records of a submit: Airflow's task state store, or a ledger.

    A ledger has a record of each submit of the same inputs; one of them is the *current* one, at first the
    oldest. The task state store has one.
    """

    #: An intent is only stored where there is none, so it may be stored before anything is read.
    creates: bool
    #: How a person deletes the records, as a part of a sentence.
    how_to_delete: str
    #: Why a later try may find no record: a sentence.
    why_missing: str

    def read(self) -> Any:
        """Return the current record, or None."""

    def has_next(self) -> bool:
        """Return whether there is a later record than the current one."""

    def go_on(self) -> None:
        """Make the next record the current one, which may not exist yet."""

    def begin(self, entry: dict[str, Any]) -> bool:
        """Store an intent as the current record, or return False if another task began first."""

    def write(self, entry: dict[str, Any]) -> None:
        """Replace the current record, which this task began."""

    def write_reported(self, entry: dict[str, Any]) -> None:
        """Record that this task reports the current record, of any task, as uncertain."""

    def write_no_job(self, entry: dict[str, Any]) -> None:
        """Record that the submit of this task made no job."""


class RecordKeeper:
    """The reader and writer of the record of one submit.

    :param store: the store; None if there is none, or ``durable=False``.
    :param inputs: the fingerprint of the inputs of this try.
    :param shown: the inputs of this try for a person.
    :param max_tries: Airflow's count of the tries that this task may have. A retry leaves it unchanged and a
        clear raises it, so it distinguishes a clear by a person from a retry by Airflow.
    :param details: more fields of a record of this try; ``owner`` is the task instance.
    """

    def __init__(
        self,
        store: RecordStore | None,
        inputs: str,
        shown: str,
        max_tries: int,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.store = store
        self.inputs = inputs
        self.shown = shown
        self._max_tries = max_tries
        self._details = dict(details or {})
        self._found: Any = None
        self.record = SubmitRecord()
        self._entry: Any = None
        #: The intent of this try is stored, or may be.
        self.has_begun = False

    def read(self) -> None:
        """Read the current record.

        :raises UnavailableError: the store cannot be read, which is not the same as a store without a record.
        """
        if self.store is not None:
            self._found = self._entry = self.store.read()
            self.record = SubmitRecord.read(self._found, self._details.get("owner"))

    @property
    def address(self) -> str | None:
        """The address of the current record in a ledger, or None."""
        return getattr(self.store, "address", None)

    @property
    def twinsync_task_id(self) -> str | None:
        """The job that an earlier try made, if its id is certain."""
        return None if self.record.is_damaged else self.record.twinsync_task_id

    @property
    def has_same_inputs(self) -> bool:
        """True if the earlier try submitted the inputs of this one."""
        return self.record.inputs == self.inputs

    @property
    def is_open(self) -> bool:
        """True if the current submit may have made a job with an unknown id.

        A damaged record counts as an uncertain submit: there may be a job.
        """
        record = self.record
        made_no_job = record.made_no_job and not record.is_damaged
        return record.is_there and not self.twinsync_task_id and not made_no_job

    @property
    def is_uncertain(self) -> bool:
        """True if the current submit is uncertain, and no person has decided since."""
        told = self.record.told_at_max_tries
        return self.is_open and (told is None or told >= self._max_tries)

    @property
    def is_rejected_by_this_task(self) -> bool:
        """True if this task has rejected the video of the job, and no person has cleared the task since.

        Another instance of a mapped task counts, too.
        """
        told = self.record.rejected_at_max_tries
        return told is not None and told >= self._max_tries

    def is_missing(self, try_number: int) -> bool:
        """Return True if an earlier try should have left a record, and the store has none."""
        return self.store is not None and not self.record.is_there and try_number > 1

    def follow(self) -> bool:
        """Read the next record if there is one, and return whether there is."""
        if self.store is None or not self.store.has_next():
            return False
        self.store.go_on()
        self.read()
        return True

    def write_intent(self) -> bool:
        """Record that a submit begins, and return False if another task began first.

        A store that fails here fails the task, before anything is paid. The caller then records that no job
        was made, if ``has_begun``: an alarm may ring at any line.
        """
        if self.store is None:
            return True
        if self.record.is_there:
            self.store.go_on()
        self._entry = {
            "v": VERSION,
            "inputs": self.inputs,
            "shown": self.shown,
            "marked_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "twinsync_task_id": None,
            **self._details,
        }
        self.has_begun = True
        self.has_begun = self.store.begin(self._entry)
        return self.has_begun

    def write_job(self, twinsync_task_id: str) -> bool:
        """Record the job, and return True if that worked; a failure raises nothing: the job is paid for."""
        if self.store is None:
            return False
        self._entry = {**(self._entry or {}), "twinsync_task_id": twinsync_task_id}
        return self._write(
            self.store.write,
            f"TS323 Could not record TwinSync job {twinsync_task_id}; another try cannot reconnect to it",
        )

    def write_reported(self, *, names_job: bool = False) -> None:
        """Record that this try reports an uncertain submit, so that the task submits again after a clear.

        The intent stays in the record. Without it, a retry would pay again if the worker died before Airflow
        knows that the task has failed. A damaged record is not kept: it may be too large for the store.

        :param names_job: the answer named a job, so no retry may submit again.
        """
        if self.store is not None:
            kept = {} if self.record.is_damaged and self._entry is self._found else self._entry or {}
            self._entry = {**kept, "v": VERSION, "told_at_max_tries": self._max_tries}
            if names_job:
                self._entry["names_job"] = True
            self._write(
                self.store.write_reported,
                "TS321 Could not record that this was reported; the task reports it again after a clear. If "
                f"that happens at every clear, {self.store.how_to_delete}",
            )

    def write_no_job(self) -> None:
        """Record that this try's submit is over and made no job: the earlier record counts again."""
        if self.store is not None:
            ended = {"v": VERSION, "inputs": self.inputs, "twinsync_task_id": None, "made_no_job": True}
            self._entry = {**ended, **self._details}
            self._write(
                self.store.write_no_job,
                "TS322 Could not record that no job was made; the next try reports this one as uncertain",
            )

    def _write(self, write: Any, failure: str) -> bool:
        """Store the entry. A failure is only logged: the outcome of the submit matters more."""
        try:
            write(self._entry)
        except Exception as error:
            log.warning("%s (%s).", failure, one_line(str(error)))
            return False
        return True
