"""What a submit task remembers across its tries, so that a retry or a clear does not pay again.

Airflow 3.3 and later give a task a store that outlives its tries (``context["task_state_store"]``). A mark
goes into it before the POST, and the job's id right after: a mark without an id is a try that was ended in
between.
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
    """

    def __init__(self, store: Any, inputs: str, shown: str) -> None:
        self._store = store
        self._inputs = inputs
        self._shown = shown
        found = store.get(STORE_KEY) if store is not None else None
        self._found: dict[str, Any] = found if isinstance(found, dict) else {}

    @property
    def twinsync_task_id(self) -> str | None:
        """The job that an earlier try made, if it is known."""
        return self._found.get("twinsync_task_id")

    @property
    def is_of_these_inputs(self) -> bool:
        """Whether the earlier try submitted what this one would."""
        return self._found.get("inputs") == self._inputs

    @property
    def unresolved_since(self) -> str | None:
        """When an earlier try began a submit of which it did not learn the end, as an ISO 8601 text."""
        return None if self.twinsync_task_id else self._found.get("marked_at")

    @property
    def unresolved_job(self) -> str:
        """What that try submitted, for a person: this try's inputs may be others."""
        return self._found.get("shown") or "inputs that are not known any more"

    def mark(self) -> None:
        """Note that a submit begins. A store that fails here fails the task, before anything is paid."""
        if self._store is not None:
            self._store.set(STORE_KEY, self._entry(None))

    def remember(self, twinsync_task_id: str) -> None:
        """Note the job that was made. It is paid for, so a store that fails here fails nothing."""
        if self._store is None:
            return
        try:
            self._store.set(STORE_KEY, self._entry(twinsync_task_id))
        except Exception as error:  # whatever it is, the id in hand is worth more
            log.warning(
                "TwinSync job %s could not be remembered (%s): another try of this task cannot take it over.",
                twinsync_task_id,
                error,
            )

    def restore(self) -> None:
        """Note that this try's submit is over and made no job that is known: what was known before counts."""
        if self._store is None:
            return
        if self.twinsync_task_id:
            self._store.set(STORE_KEY, self._found)
        else:
            self._store.delete(STORE_KEY)

    def _entry(self, twinsync_task_id: str | None) -> dict[str, Any]:
        return {
            "inputs": self._inputs,
            "shown": self._shown,
            "marked_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "twinsync_task_id": twinsync_task_id,
        }
