"""What a download task remembers of the file it made, so that another run does not fetch it again.

Airflow 3.3 and later give a task a store that outlives its tries (``context["task_state_store"]``); below
that nothing is remembered.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync.exceptions import TwinSyncError

if TYPE_CHECKING:
    from airflow_provider_twinsync.download import Download

log = logging.getLogger(__name__)

STORE_KEY = "twinsync_download"


class Receipt:
    """The receipt of an earlier run of this task.

    :param store: the task's state store; None where there is none.
    :param fetched: what names the video: the job's id, or the address where no job was given.
    """

    def __init__(self, store: Any, fetched: str) -> None:
        self._store = store
        self._fetched = fetched

    def recall(self, destination: Any) -> Download | None:
        """Give the receipt, if the file that it is for is still there, unchanged; it is read through.

        Any trouble with that means that there is none: the video is fetched.
        """
        from airflow_provider_twinsync.destination import find_place, holds

        if self._store is None:
            return None
        try:
            found = self._store.get(STORE_KEY)
            if not isinstance(found, dict) or found.get("fetched") != self._fetched:
                return None
            receipt: Download = found["receipt"]
            place = find_place(destination)
            same = place.address == receipt["path"]
            return receipt if same and holds(place, receipt["bytes"], receipt["sha256"]) else None
        except (FileNotFoundError, TwinSyncError):  # what is wrong with a destination the fetch says better
            return None
        except Exception as error:  # the store of the task and that of the file may raise anything
            log.warning("What an earlier run fetched cannot be looked at (%s): it is fetched again.", error)
            return None

    def remember(self, receipt: Download) -> None:
        """Note what was fetched. The file is there, so a store that fails here fails nothing."""
        if self._store is None:
            return
        try:
            self._store.set(STORE_KEY, {"fetched": self._fetched, "receipt": receipt})
        except Exception as error:  # whatever it is, the file is worth more
            log.warning("The download could not be remembered (%s): another run fetches it again.", error)
