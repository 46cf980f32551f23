"""The trigger: the wait for a video in the triggerer."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_provider_twinsync._airflow.connection_lookup import NoConnectionError
from airflow_provider_twinsync._airflow.start_from_trigger import (
    begin_try,
    end_try,
    has_link,
    queue_of,
    set_link,
    why_worker_ends,
)
from airflow_provider_twinsync._airflow.stats import count_poll, count_waits
from airflow_provider_twinsync._api.validation import checked_task_id
from airflow_provider_twinsync._wait import messages
from airflow_provider_twinsync._wait.config import ROW_VERSION, Handover, WaitConfig, trigger_row
from airflow_provider_twinsync._wait.event import make_event, make_events
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason, job_continues
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync.exceptions import UnavailableError, UsageError
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from airflow_provider_twinsync._api.settings import Settings

__all__ = ["TwinSyncJobsTrigger", "TwinSyncTrigger", "WaitConfig"]

log = logging.getLogger(__name__)


class TwinSyncTrigger(BaseTrigger):
    """Wait for the video of a job, and fire one event when the wait is over.

    For example, in an operator of your own::

        self.defer(
            trigger=TwinSyncTrigger(twinsync_task_id=job, wait=WaitConfig(timeout_s=3600.0)),
            method_name="execute_complete",
        )

    ``execute_complete`` then gets a ``dict``: ``reason`` (``succeeded``, ``failed``, ``status_lost``,
    ``no_address``, ``unusable``, ``timeout`` or ``execution_timeout``), ``twinsync_task_id``, ``message``
    (without a video it begins with its code) and ``result_url`` (None without a video).

    Airflow's database stores the arguments, and they outlive an upgrade of this package. So they have a
    ``version``.

    :param twinsync_task_id: the job (``str``).
    :param twinsync_conn_id: the connection (``str``), by default ``twinsync_default``.
    :param wait: the options of the wait, a :class:`WaitConfig`; in the database a ``dict`` of its fields. The
        default is a wait without a deadline.
    :param handover: for a wait that a worker began: its state; in the database a ``dict``. By default the
        wait begins now.
    :param version: the version of these arguments (``int``). A version that is newer than this package ends
        the wait.
    :raises TypeError: an argument is unknown, and ``version`` is not newer than this package.
    """

    def __init__(
        self,
        *,
        twinsync_task_id: str,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        wait: WaitConfig | Mapping[str, Any] | None = None,
        handover: Handover | Mapping[str, Any] | None = None,
        version: int = ROW_VERSION,
        **newer: NoReturn,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.twinsync_task_id = twinsync_task_id
        self.twinsync_conn_id = twinsync_conn_id
        #: The arguments of a version that is unknown here, as they are.
        self._unread: dict[str, Any] = {}
        if version > ROW_VERSION:
            self._unread = {"wait": wait, "handover": handover, "version": version, **newer}
            wait = handover = None
        elif newer:
            raise TypeError(f"TwinSyncTrigger has no argument {', '.join(newer)}")
        self.wait = WaitConfig.from_row(wait)
        self.handover = Handover.from_row(handover)
        if self.handover.started_at is None and self.handover.airflow_timeout_s is None:
            self.handover = replace(self.handover, started_at=time.time())

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the import path and the arguments of this trigger, as Airflow stores them."""
        row = trigger_row(self.twinsync_task_id, self.twinsync_conn_id, self.wait, self.handover)
        return f"{type(self).__module__}.{type(self).__qualname__}", {**row, **self._unread}

    @property
    def started_at(self) -> float:
        """Return the start of the wait, in seconds since 1970."""
        if self.handover.started_at is None:
            # Airflow sets `timeout_after` on a trigger that it runs.
            ends_at: datetime | None = getattr(self, "timeout_after", None)
            if ends_at is None or self.handover.airflow_timeout_s is None:
                return time.time()
            ends_at = ends_at if ends_at.tzinfo else ends_at.replace(tzinfo=timezone.utc)
            return ends_at.timestamp() - self.handover.airflow_timeout_s
        return self.handover.started_at

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event of the end."""
        end = await self.end()
        count_waits([end])
        if end.result_url and await self._end_here(end.result_url):
            yield TaskSuccessEvent()
        else:
            yield TriggerEvent(make_event(end))  # type: ignore[no-untyped-call]

    async def end(self) -> End:
        """Wait, and return the end; raises no error of this package."""
        if version := self._unread.get("version"):
            message = messages.newer_row(self.twinsync_task_id, version)
            return End(EndReason.STATUS_LOST, self.twinsync_task_id, message)
        hook = TwinSyncHook(self.twinsync_conn_id)
        try:
            if self.handover.airflow_timeout_s is not None:
                await self._begin(hook)
            return await self._wait(hook)
        except UsageError as error:
            return End(EndReason.UNUSABLE, self.twinsync_task_id, str(error))
        except NoConnectionError as error:  # a retry may find it
            return End(EndReason.STATUS_LOST, self.twinsync_task_id, str(error))

    async def _begin(self, hook: TwinSyncHook) -> None:
        """Begin a wait as a worker does: check the id and the connection, and set the link.

        :raises UsageError: the id or the connection is wrong.
        :raises NoConnectionError: there is no such connection.
        """
        try:
            settings = await self._settings(hook)
        finally:
            await self._store(begin_try)
        self.twinsync_task_id = checked_task_id(self.twinsync_task_id)
        if settings:
            await self._store(set_link, settings.status_url(self.twinsync_task_id))

    async def _settings(self, hook: TwinSyncHook) -> Settings | None:
        """Read the connection, or return None if it may exist: the wait then reads it again.

        :raises UsageError: the connection is wrong.
        :raises NoConnectionError: the connection does not exist, and no try of this task ever read it.
        """
        for is_second in (False, True):
            try:
                return await hook.asettings()
            except NoConnectionError:
                # Airflow 3 raises this while its database is down, too. It is up if an XCom can be read; then
                # read the connection once more, as the database may have come back in between.
                if is_second:
                    raise
                if not await self._is_first_to_read():
                    return None
            except UnavailableError:
                return None
        return None

    async def _is_first_to_read(self) -> bool:
        """Return whether Airflow's database answers, and no try of this task has read the connection."""
        if self.task_instance is None:
            return False
        try:
            return not await asyncio.to_thread(has_link, self.task_instance)
        except Exception:
            return False

    async def _store(self, change: Callable[..., None], *arguments: str) -> None:
        """Change the XComs of this task. An error is only logged: the wait is worth more than a link."""
        if self.task_instance is not None:
            try:
                await asyncio.to_thread(change, self.task_instance, *arguments)
            except Exception as error:
                log.warning("TS602 The XComs of this task could not be set when its wait began: %s", error)

    async def _end_here(self, result_url: str) -> bool:
        """End the task as a worker does, if `end_from_trigger` is set and that works."""
        ti = self.task_instance  # `dag.test()` sets none, and ignores such an end
        if not self.wait.end_from_trigger or ti is None:
            return False
        try:
            is_mapped = ti.map_index is not None and ti.map_index >= 0
            if self.task and why_worker_ends(self.task, is_mapped=is_mapped):  # the worker logs the reason
                return False
            await asyncio.to_thread(end_try, ti, result_url, do_xcom_push=self.wait.do_xcom_push)
        except Exception as error:
            log.warning("TS412 A worker ends this task, as the triggerer could not: %s", error)
            return False
        return True

    async def _wait(self, hook: TwinSyncHook) -> End:
        wait = Poller(self.twinsync_task_id, self.wait)
        # Between processes only the wall clock is shared; inside this one it may jump, so it is read once.
        before_s = max(0.0, time.time() - self.started_at)
        began = time.monotonic()
        first = wait.resume(before_s, self.handover, queue_of(self.task_instance))
        if first.note:
            log.log(first.level, "%s", first.note)
        step: Again | End = first
        async with aclosing(hook):
            while not isinstance(step, End):
                await asyncio.sleep(step.delay_s)
                step = await hook.apoll(wait, before_s + time.monotonic() - began)
                count_poll()
        return step

    async def on_kill(self) -> None:
        """Log that the job continues, when a user stops the task (Airflow 3.3 and later call this)."""
        log.warning("%s", job_continues(self.twinsync_task_id))


class TwinSyncJobsTrigger(BaseTrigger):
    """Wait for the videos of several jobs, and fire one event when all are ready, or when one wait fails.

    For example, in an operator of your own::

        waits = [TwinSyncTrigger(twinsync_task_id=job).serialize()[1] for job in jobs]
        self.defer(trigger=TwinSyncJobsTrigger(waits=waits), method_name="execute_complete")

    ``execute_complete`` then gets ``{"ends": [...]}``: an event of :class:`TwinSyncTrigger` for each wait, in
    the order of ``waits``, or the event of the wait that failed alone.

    :param waits: the arguments of a :class:`TwinSyncTrigger` for each job, as its ``serialize`` returns them.
    """

    def __init__(self, *, waits: Iterable[Mapping[str, Any]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits = [TwinSyncTrigger(**row) for row in waits]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the import path and the arguments of this trigger, as Airflow stores them."""
        rows = [wait.serialize()[1] for wait in self.waits]
        return f"{type(self).__module__}.{type(self).__qualname__}", {"waits": rows}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event."""
        waits = [asyncio.create_task(wait.end()) for wait in self.waits]
        try:
            ends = await _all_or_failed(waits)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        count_waits(ends)
        yield TriggerEvent(make_events(ends))  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Log that the jobs continue, when a user stops the task (Airflow 3.3 and later call this)."""
        for wait in self.waits:
            await wait.on_kill()


async def _all_or_failed(waits: list[asyncio.Task[End]]) -> list[End]:
    """Return the ends of all waits, or the first one without a video."""
    for ended in asyncio.as_completed(waits):
        end = await ended
        if end.result_url is None:
            return [end]
    return [wait.result() for wait in waits]
