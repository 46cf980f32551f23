"""The admission of a submit: its place among the jobs of the day, and its turn.

Both come before the intent of the submit is recorded. A task that is killed while it waits has submitted
nothing, and no record may make its submit uncertain.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import shown_duration
from airflow_provider_twinsync._http.ceiling import bound_of, count_job, uncount_job, wait_for_turn
from airflow_provider_twinsync._http.shared_store import digits_of
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._records.ledger_folder import Folder


class Admission:
    """The admission of one job. For example::

        admission = Admission(settings, None, log)
        admission.wait()
        try:
            ...  # submit
        except UnavailableError:
            admission.give_back()
            raise

    :param settings: the connection.
    :param ledger: the folder of the task's ledger, or None. That of the connection has the jobs of all tasks.
    :param task_log: the logger of the task.
    """

    def __init__(self, settings: Settings, ledger: Folder | None, task_log: Any) -> None:
        self._settings = settings
        self._ledger = ledger
        self._log = task_log
        self._has_turn = False
        self._slot: _Slot | None = None

    @property
    def is_bounded(self) -> bool:
        """Return whether a submit may have to wait, or to fail."""
        settings = self._settings
        return bool(
            settings.max_jobs_per_day or bound_of(settings, "submits") or bound_of(settings, "requests")
        )

    def wait(self, *, limit_s: float | None = None) -> bool:
        """Block until the submit may be sent; return False if no turn comes in time.

        :param limit_s: the longest time to wait for each turn, in seconds; None for no bound.
        :raises UsageError: the day has its jobs, or nothing can count them; or as ``wait_for_turn``.
        :raises UnavailableError: they cannot be counted now; or as ``wait_for_turn``.
        """
        if self._has_turn:
            return True
        settings = self._settings
        self._take_slot()
        for kind in ("submits", "requests"):
            if not wait_for_turn(settings, kind, limit_s=limit_s, task_log=self._log):
                return False
        if self._slot and self._slot.day != _today():  # the wait was long
            self.give_back()
            self._take_slot()
        self._has_turn = True
        return True

    def use(self) -> None:
        """Note that the submit is sent: another attempt needs another turn, and is the same job."""
        self._has_turn = False

    def give_back(self) -> None:
        """Take the job off the count of its day: the service made none."""
        slot, self._slot = self._slot, None
        if slot is None:
            return
        if slot.folder is None:
            with suppress(Exception):  # the day then has one job less
                uncount_job(self._settings, slot.name)
            return
        from airflow_provider_twinsync._records.day_slots import give_slot_back

        give_slot_back(slot.folder, slot.name)

    def _take_slot(self) -> None:
        limit = self._settings.max_jobs_per_day
        if limit is None or self._slot:
            return
        if self._settings.requests_per_second_store is not None:
            name, folder = count_job(self._settings, limit), None
        else:
            folder = self._folder_of_day()
            from airflow_provider_twinsync._records.day_slots import take_slot

            name = take_slot(folder, limit)
        if name is None:
            raise _day_is_full(self._settings.conn_id, limit)
        self._slot = _Slot(_today(), name, folder)

    def _folder_of_day(self) -> Folder:
        settings, folder = self._settings, self._ledger
        if settings.ledger is not None:
            # Here, as `ObjectStoragePath` is slow to import.
            from airflow_provider_twinsync._records.ledger_folder import open_folder

            folder = open_folder(settings.ledger)
        if folder is None:
            raise UsageError(
                f"TS541 Connection {settings.conn_id!r} has max_jobs_per_day, and nothing that counts the "
                "jobs of all tasks: put requests_per_second_store or ledger into its extra, or give the task "
                "a ledger. Nothing was sent."
            )
        return folder.below(f"jobs-of-day/{digits_of(settings)}/{_today()}")


class _Slot:
    """A job in the count of a day.

    :param day: the day, in UTC.
    :param name: the name of its file, or the day as the store has it.
    :param folder: the folder of the day, or None for the store.
    """

    def __init__(self, day: str, name: str, folder: Folder | None) -> None:
        self.day, self.name, self.folder = day, name, folder


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()


def _day_is_full(conn_id: str, limit: int) -> UsageError:
    now = datetime.now(timezone.utc)
    ends = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left = shown_duration((ends - now).total_seconds())
    return UsageError(
        f"TS540 Connection {conn_id!r} allows {limit:,} jobs a day (max_jobs_per_day), and this day has them "
        f"all: {now.date()}, by UTC. Nothing was sent. The day ends at {ends:%Y-%m-%d %H:%M} UTC, in {left}. "
        "If all these jobs are meant, clear this task then, or raise max_jobs_per_day."
    )
