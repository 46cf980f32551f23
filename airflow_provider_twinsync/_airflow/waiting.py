"""A wait as a worker carries it: what the sensor and the one-task operator share."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_twinsync._api.validation import checked_task_id
from airflow_provider_twinsync._wait.event import BACKSTOP_S
from airflow_provider_twinsync._wait.outcome import Again, End
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync._wait.schedule import PollSchedule

if TYPE_CHECKING:
    from airflow_provider_twinsync.hooks import TwinSyncHook


class WorkerWait:
    """Looks for a video from a worker, and hands the wait over to the triggerer.

    :param task: the operator, with the arguments of a wait: ``poke_interval`` and ``timeout`` in seconds,
        ``max_wait`` and ``execution_timeout`` as ``timedelta`` or None, ``exponential_backoff``.
    :param hook: what to ask with.
    :param twinsync_task_id: the job.
    :param silent_fail: tolerate a status that cannot be had until the deadline.
    :param has_deadline: whether this process counts the time; False where Airflow does.
    :raises UsageError: the id or the connection is wrong.
    """

    def __init__(
        self,
        task: Any,
        hook: TwinSyncHook,
        twinsync_task_id: Any,
        *,
        silent_fail: bool = False,
        has_deadline: bool = True,
    ) -> None:
        self._hook = hook
        policy = PollSchedule(
            poke_interval_s=task.poke_interval,
            exponential_backoff=task.exponential_backoff,
            max_wait_s=_seconds(task.max_wait),
            tolerance_s=None if silent_fail else hook.settings().tolerance_s,
            timeout_s=task.timeout if has_deadline else None,
            execution_timeout_s=_seconds(task.execution_timeout) if has_deadline else None,
        )
        self.twinsync_task_id = checked_task_id(twinsync_task_id)
        self._wait = Poller(self.twinsync_task_id, policy, is_one_poll=not has_deadline)
        self._started_at = time.time()
        self._began = time.monotonic()

    @property
    def status_url(self) -> str:
        """The address that shows the job's status."""
        return self._hook.settings().status_url(self.twinsync_task_id)

    def poll(self) -> Again | End:
        """Poll once, and return what follows.

        If a finished job has no address, this polls until it has one, for half a minute at most. It does so
        in the worker in every mode, as nothing counts the polls of a rescheduled sensor or those before a
        deferral. To fail at the first poll would lose a video that is paid for; never to fail would wait for
        ever.
        """
        try:
            step = self._hook.poll(self._wait, self._elapsed_s())
            while self._wait.lacks_address and isinstance(step, Again):
                time.sleep(step.delay_s)
                step = self._hook.poll(self._wait, self._elapsed_s())
            return step
        except AirflowTaskTimeout:
            return self.timed_out()

    def timed_out(self) -> End:
        """Say that Airflow ended the task, at its ``execution_timeout``."""
        return self._wait.timed_out(self._elapsed_s())

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def delay_s(self, elapsed_s: float) -> float:
        """Give the usual pause after so many seconds, for who does not count the looks."""
        return self._wait.policy.delay_s(2 + int(elapsed_s), elapsed_s, self.twinsync_task_id)

    def run(self) -> End:
        """Look and sleep, look and sleep."""
        try:
            while isinstance(step := self.poll(), Again):
                time.sleep(step.delay_s)
        except AirflowTaskTimeout:
            return self.timed_out()
        return step

    def defer(self, task: Any, step: Again, *, end_from_trigger: bool = False) -> NoReturn:
        """Defer the task: its ``execute_complete`` goes on with the trigger's event.

        :param task: the operator.
        :param step: what the last look brought.
        :param end_from_trigger: let the triggerer end the task when the video is there.
        """
        # Not at the top: see events.py.
        from airflow_provider_twinsync.triggers import TwinSyncTrigger

        trigger = TwinSyncTrigger.of(
            self._wait,
            twinsync_conn_id=self._hook.twinsync_conn_id,
            started_at=self._started_at,
            next_poll_s=self._elapsed_s() + step.delay_s,
            end_from_trigger=end_from_trigger,
            do_xcom_push=task.do_xcom_push,
        )
        deadline_s = self._wait.policy.deadline_s
        spare_s = BACKSTOP_S + self._hook.settings().request_timeout_s
        backstop = None if deadline_s is None else timedelta(seconds=deadline_s + spare_s)
        task.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)
        raise AssertionError("defer() always raises")


def _seconds(duration: timedelta | None) -> float | None:
    return duration.total_seconds() if duration else None
