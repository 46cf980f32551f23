"""What a submit task remembers across its tries, so that a retry or a clear does not pay again.

Airflow 3.3 and later give a task a store that outlives its tries (``context["task_state_store"]``). A mark
goes into it before the POST, and the job's id right after: a mark without an id is a try that was ended in
between, or could not know how its submit ended.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any

log = logging.getLogger(__name__)

STORE_KEY = "twinsync_submit"


class Memory:
    """The submit of an earlier try, and this try's own.

    :param store: the task's state store; None where there is none, or none is wanted.
    :param inputs: a fingerprint of what this try would submit.
    :param shown: the same for a person.
    :param max_tries: Airflow's count of the tries that this task may have: a retry leaves it as it is, and a
        clear raises it. So a task that a person has cleared is told from one that Airflow runs again.
    """

    def __init__(self, store: Any, inputs: str, shown: str, max_tries: int) -> None:
        self._store = store
        self._inputs = inputs
        self._shown = shown
        self._max_tries = max_tries
        found = store.get(STORE_KEY) if store is not None else None
        self._found: dict[str, Any] | None = found if isinstance(found, dict) or found is None else {}
        self._entry = self._found

    @property
    def twinsync_task_id(self) -> str | None:
        """The job that an earlier try made, if it is known."""
        return job_of(self._found)

    @property
    def is_of_these_inputs(self) -> bool:
        """Whether the earlier try submitted what this one would."""
        return self._found is not None and self._found.get("inputs") == self._inputs

    @property
    def is_unresolved(self) -> bool:
        """Whether an earlier try submitted, did not learn the end, and no person has decided since.

        An entry that cannot be read is taken for such a one: it may stand for a job.
        """
        if self._found is None or self.twinsync_task_id:
            return False
        told = self._found.get("told_at_max_tries")
        return not (isinstance(told, int) and told < self._max_tries)

    @property
    def unresolved_since(self) -> str:
        """When that try began to submit, as an ISO 8601 text."""
        return str((self._found or {}).get("marked_at") or "a time that is not known any more")

    @property
    def unresolved_job(self) -> str:
        """What that try submitted, for a person: this try's inputs may be others."""
        return str((self._found or {}).get("shown") or "inputs that are not known any more")

    def mark(self) -> None:
        """Note that a submit begins. A store that fails here fails the task, before anything is paid."""
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
        """Note the job that was made, and say whether that went well: it is paid for, and fails nothing."""
        if self._store is None:
            return False
        self._entry = {**(self._entry or {}), "twinsync_task_id": twinsync_task_id}
        return self._try_to(
            f"TwinSync job {twinsync_task_id} could not be remembered: another try cannot take it over"
        )

    def tell(self) -> None:
        """Note that a person is told of an uncertain submit: who then clears the task wants it sent.

        The mark stays until then. Were it removed here, a worker that dies before Airflow knows that the task
        has failed would be followed by a retry that pays again.
        """
        if self._store is not None:
            self._entry = {**(self._entry or {}), "told_at_max_tries": self._max_tries}
            self._try_to("It could not be noted that this was told: it is told once more after a clear")

    def forget(self) -> None:
        """Note that this try's submit is over and made no job: what was known before counts again."""
        if self._store is not None:
            self._entry = self._found if self.twinsync_task_id else None
            self._try_to("It could not be noted that no job was made: the next try calls this one uncertain")

    def _try_to(self, otherwise: str) -> bool:
        """Store the entry as it is now; where that fails, what the task knows is worth more."""
        try:
            if self._entry is None:
                self._store.delete(STORE_KEY)
            else:
                self._store.set(STORE_KEY, self._entry)
        except Exception as error:
            log.warning("%s (%s).", otherwise, error)
            return False
        return True


def job_of(entry: Any) -> str | None:
    """Give the job that an entry of the store names, if it does."""
    job = entry.get("twinsync_task_id") if isinstance(entry, dict) else None
    return job if isinstance(job, str) and job else None
