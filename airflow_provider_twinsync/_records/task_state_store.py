"""Airflow's task state store as the place of a submit record (Airflow 3.3 and later).

The store belongs to one task instance, and outlives its tries. A submit operator has one entry in it, which
each try replaces. A video operator and a task of your own may submit several jobs, so they have an entry for
the inputs of each job.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._records.submit_record import job_of
from airflow_provider_twinsync.exceptions import UnavailableError

STORE_KEY = "twinsync_submit"
#: How a person deletes the record, in the words of Airflow 3.3.2; its command line has no way.
HOW_TO_DELETE = (
    f"delete the entry {STORE_KEY} of this task instance's state store: in the web UI on its tab "
    "'Task State Store', or with Airflow's REST API, "
    f"DELETE .../taskInstances/{{task_id}}/state-store/{STORE_KEY}"
)


class TaskStateStore:
    """The entry of a task instance.

    :param store: ``context["task_state_store"]``.
    :param key: the name of the entry.
    """

    creates = False
    why_missing = (
        "Airflow may discard a task's state after a clear, and after [state_store] default_retention_days."
    )

    def __init__(self, store: Any, key: str = STORE_KEY) -> None:
        self._store = store
        self._key = key
        self.how_to_delete = HOW_TO_DELETE.replace(STORE_KEY, key)
        self._found: Any = None

    def read(self) -> Any:
        """Return the entry of an earlier try, or None.

        :raises UnavailableError: the store cannot be read, which is not the same as one without an entry.
        """
        try:
            self._found = self._store.get(self._key)
        except Exception as error:  # of Airflow, or of any backend of the store
            raise UnavailableError(
                "TS315 Airflow's task state store could not be read, and a record of an earlier submit may "
                f"be in it ({type(error).__name__}: {one_line(str(error))}). Nothing was sent. If every try "
                f"ends in this way, {self.how_to_delete}."
            ) from None
        return self._found

    def has_next(self) -> bool:
        """Return False: there is one entry."""
        return False

    def go_on(self) -> None:
        """Do nothing: the next submit replaces the entry."""

    def begin(self, entry: dict[str, Any]) -> bool:
        """Store the intent; True, as no other task writes here."""
        self._store.set(self._key, entry)
        return True

    def write(self, entry: dict[str, Any]) -> None:
        """Replace the entry."""
        self._store.set(self._key, entry)

    write_reported = write

    def write_no_job(self, entry: dict[str, Any]) -> None:
        """Record that a submit made no job; an earlier job counts again."""
        self.write(self._found if job_of(self._found) else entry)

    def write_rejected(self, twinsync_task_id: str, mark: dict[str, Any]) -> bool:
        """Mark a job as bad in the entry, and return True. False: the entry has no such job.

        :param mark: the result of :func:`~airflow_provider_twinsync._records.submit_record.rejection`.
        """
        found = self.read()
        if job_of(found) != twinsync_task_id:
            return False
        own = {name: value for name, value in mark.items() if name != "by"}
        self.write({**found, "rejected": own})
        return True
