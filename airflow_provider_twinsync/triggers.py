"""The trigger: the wait for a video in the triggerer."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_provider_twinsync._airflow.connection_lookup import NoConnectionError
from airflow_provider_twinsync._airflow.start_from_trigger import (
    begin_try,
    end_try,
    has_link,
    set_link,
    why_worker_ends,
)
from airflow_provider_twinsync._api.settings import DEFAULT_TOLERANCE_S
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._api.validation import checked_task_id
from airflow_provider_twinsync._wait.event import make_event
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason, job_continues
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync._wait.schedule import (
    DEFAULT_POKE_INTERVAL_S,
    PollSchedule,
)
from airflow_provider_twinsync.exceptions import UnavailableError, UsageError
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airflow_provider_twinsync._api.settings import Settings

log = logging.getLogger(__name__)


class TwinSyncTrigger(BaseTrigger):
    """Wait for the video of a job, and fire one event when the wait is over.

    For example, in an operator of your own::

        self.defer(
            trigger=TwinSyncTrigger(twinsync_task_id=job, timeout_s=3600.0),
            method_name="execute_complete",
        )

    ``execute_complete`` then gets a ``dict``: ``reason`` (``succeeded``, ``failed``, ``status_lost``,
    ``no_address``, ``unusable``, ``timeout`` or ``execution_timeout``), ``twinsync_task_id``, ``message``
    (without a video it begins with its code) and ``result_url`` (None without a video).

    Airflow's database stores the arguments, and they outlive an upgrade of this package. So later versions
    only add arguments, with defaults. Times are in seconds, as ``float``.

    :param twinsync_task_id: the job.
    :param twinsync_conn_id: the connection, by default ``twinsync_default``.
    :param poke_interval_s: the least delay between two polls; the default is 2.
    :param exponential_backoff: double the delay with each poll.
    :param max_wait_s: the longest delay between two polls; the default is 60, or ``poke_interval_s`` if that
        is more.
    :param silent_fail: tolerate an outage until the deadline.
    :param started_at: the start of the wait, in seconds since 1970; the default is now.
    :param timeout_s: the wait's ``timeout``, counted from the start; None for none.
    :param execution_timeout_s: the task's ``execution_timeout``, counted from the start; None for none.
    :param next_poll_s: the next poll that the worker planned, counted from the start.
    :param trouble_since_s: the start of an outage in the worker, counted from the start; None without one.
    :param airflow_timeout_s: for a wait that no worker began: Airflow's own deadline, counted from the start.
        Airflow stores the same arguments for each try, so ``started_at`` is derived from this.
    :param end_from_trigger: end the task in the triggerer when the video is ready.
    :param do_xcom_push: push the XCom ``return_value`` in that case.
    :param last_state: the job's state that the worker logged last; None if there was none.
    """

    def __init__(
        self,
        *,
        twinsync_task_id: str,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        poke_interval_s: float = DEFAULT_POKE_INTERVAL_S,
        exponential_backoff: bool = False,
        max_wait_s: float | None = None,
        silent_fail: bool = False,
        started_at: float | None = None,
        timeout_s: float | None = None,
        execution_timeout_s: float | None = None,
        next_poll_s: float = 0.0,
        trouble_since_s: float | None = None,
        airflow_timeout_s: float | None = None,
        end_from_trigger: bool = False,
        do_xcom_push: bool = True,
        last_state: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.twinsync_task_id = twinsync_task_id
        self.twinsync_conn_id = twinsync_conn_id
        self.poke_interval_s = poke_interval_s
        self.exponential_backoff = exponential_backoff
        self.max_wait_s = max_wait_s
        self.silent_fail = silent_fail
        self._started_at = time.time() if started_at is None and airflow_timeout_s is None else started_at
        self.timeout_s = timeout_s
        self.execution_timeout_s = execution_timeout_s
        self.next_poll_s = next_poll_s
        self.trouble_since_s = trouble_since_s
        self.airflow_timeout_s = airflow_timeout_s
        self.end_from_trigger = end_from_trigger
        self.do_xcom_push = do_xcom_push
        self.last_state = last_state

    @classmethod
    def of(
        cls,
        wait: Poller,
        *,
        twinsync_conn_id: str,
        started_at: float,
        next_poll_s: float,
        end_from_trigger: bool = False,
        do_xcom_push: bool = True,
    ) -> TwinSyncTrigger:
        """Build the trigger that resumes the wait of a worker.

        :param wait: the wait.
        :param twinsync_conn_id: the connection.
        :param started_at: the start of the wait, in seconds since 1970.
        :param next_poll_s: its next poll, in seconds from the start.
        :param end_from_trigger: end the task in the triggerer when the video is ready.
        :param do_xcom_push: push the XCom ``return_value`` in that case.
        """
        policy = wait.policy
        return cls(
            twinsync_task_id=wait.twinsync_task_id,
            twinsync_conn_id=twinsync_conn_id,
            poke_interval_s=policy.poke_interval_s,
            exponential_backoff=policy.exponential_backoff,
            max_wait_s=policy.max_wait_s,
            silent_fail=policy.tolerance_s is None,
            started_at=started_at,
            timeout_s=policy.timeout_s,
            execution_timeout_s=policy.execution_timeout_s,
            next_poll_s=next_poll_s,
            trouble_since_s=wait.outage_since_s,
            end_from_trigger=end_from_trigger,
            do_xcom_push=do_xcom_push,
            last_state=wait.last_state.value if wait.last_state else None,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the import path and the arguments of this trigger, as Airflow stores them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "twinsync_task_id": self.twinsync_task_id,
            "twinsync_conn_id": self.twinsync_conn_id,
            "poke_interval_s": self.poke_interval_s,
            "exponential_backoff": self.exponential_backoff,
            "max_wait_s": self.max_wait_s,
            "silent_fail": self.silent_fail,
            "started_at": self._started_at,
            "timeout_s": self.timeout_s,
            "execution_timeout_s": self.execution_timeout_s,
            "next_poll_s": self.next_poll_s,
            "trouble_since_s": self.trouble_since_s,
            "airflow_timeout_s": self.airflow_timeout_s,
            "end_from_trigger": self.end_from_trigger,
            "do_xcom_push": self.do_xcom_push,
            "last_state": self.last_state,
        }

    @property
    def started_at(self) -> float:
        """Return the start of the wait, in seconds since 1970."""
        if self._started_at is None:
            # Airflow sets `timeout_after` on a trigger that it runs.
            ends_at: datetime | None = getattr(self, "timeout_after", None)
            if ends_at is None or self.airflow_timeout_s is None:
                return time.time()
            ends_at = ends_at if ends_at.tzinfo else ends_at.replace(tzinfo=timezone.utc)
            return ends_at.timestamp() - self.airflow_timeout_s
        return self._started_at

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event of the end."""
        hook = TwinSyncHook(self.twinsync_conn_id)
        try:
            if self.airflow_timeout_s is not None:
                await self._begin(hook)
            end = await self._wait(hook)
        except UsageError as error:
            end = End(EndReason.UNUSABLE, self.twinsync_task_id, str(error))
        except NoConnectionError as error:  # a retry may find it
            end = End(EndReason.STATUS_LOST, self.twinsync_task_id, str(error))
        if end.result_url and await self._end_here(end.result_url):
            yield TaskSuccessEvent()
        else:
            yield TriggerEvent(make_event(end))  # type: ignore[no-untyped-call]

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
        if not self.end_from_trigger or ti is None:
            return False
        try:
            is_mapped = ti.map_index is not None and ti.map_index >= 0
            if self.task and why_worker_ends(self.task, is_mapped=is_mapped):  # the worker logs the reason
                return False
            await asyncio.to_thread(end_try, ti, result_url, do_xcom_push=self.do_xcom_push)
        except Exception as error:
            log.warning("TS412 A worker ends this task, as the triggerer could not: %s", error)
            return False
        return True

    async def _wait(self, hook: TwinSyncHook) -> End:
        policy = PollSchedule(
            poke_interval_s=self.poke_interval_s,
            exponential_backoff=self.exponential_backoff,
            max_wait_s=self.max_wait_s,
            # The connection may have another, once it is read.
            tolerance_s=None if self.silent_fail else DEFAULT_TOLERANCE_S,
            timeout_s=self.timeout_s,
            execution_timeout_s=self.execution_timeout_s,
        )
        wait = Poller(self.twinsync_task_id, policy)
        # Between processes only the wall clock is shared; inside this one it may jump, so it is read once.
        before_s = max(0.0, time.time() - self.started_at)
        began = time.monotonic()
        step: Again | End = wait.resume(
            before_s,
            next_poll_s=self.next_poll_s,
            outage_since_s=self.trouble_since_s,
            # A later version of this package may have begun the wait, with a state that is unknown here.
            last_state=next((state for state in JobState if state.value == self.last_state), None),
        )
        async with aclosing(hook):
            while not isinstance(step, End):
                await asyncio.sleep(step.delay_s)
                step = await hook.apoll(wait, before_s + time.monotonic() - began)
        return step

    async def on_kill(self) -> None:
        """Log that the job goes on, when a user stops the task (Airflow 3.3 and later call this)."""
        log.warning("%s", job_continues(self.twinsync_task_id))
