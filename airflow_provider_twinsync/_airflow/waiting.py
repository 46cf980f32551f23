"""The wait in a worker, for the sensor and for the operator that submits and waits."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.stats import count_poll, count_waits
from airflow_provider_twinsync._api.validation import checked_task_id
from airflow_provider_twinsync._wait.config import trigger_row
from airflow_provider_twinsync._wait.event import BACKSTOP_S
from airflow_provider_twinsync._wait.outcome import Again, End
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync._wait.schedule import delay_s
from airflow_provider_twinsync.exceptions import WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.triggers.base import BaseTrigger

    from airflow_provider_twinsync._wait.config import WaitConfig
    from airflow_provider_twinsync.hooks import TwinSyncHook


class WorkerWait:
    """Poll a job from a worker, or defer the wait to the triggerer. For example::

        wait = WorkerWait(hook, "20230423_11_23_05_10279", WaitConfig.of(task))
        result_url = wait.run().result()

    :param hook: the hook for the polls.
    :param twinsync_task_id: the job.
    :param config: the options of the wait.
    :param is_one_poll: Airflow counts the time and the polls, and not this process.
    :raises UsageError: the id is none that a service could have given.
    """

    def __init__(
        self, hook: TwinSyncHook, twinsync_task_id: Any, config: WaitConfig, *, is_one_poll: bool = False
    ) -> None:
        self._hook = hook
        self.twinsync_task_id = checked_task_id(twinsync_task_id)
        self._wait = Poller(self.twinsync_task_id, config, is_one_poll=is_one_poll)
        self._started_at = time.time()
        self._began = time.monotonic()

    @property
    def status_url(self) -> str:
        """Return the address of the job's status."""
        return self._hook.settings().status_url(self.twinsync_task_id)

    def poll(self) -> Again | End:
        """Poll once, and return the next step.

        If a finished job has no address of its video, this polls for half a minute at most. It does so in the
        worker in every mode, as nothing counts the polls of a rescheduled sensor or those before a deferral.
        To fail at the first poll would lose a video that is paid for; never to fail would wait for ever.
        """
        step = self._poll()
        if isinstance(step, End):
            count_waits([step])
        return step

    def _poll(self) -> Again | End:
        try:
            while True:
                step = self._hook.poll(self._wait, self._elapsed_s())
                count_poll()
                if isinstance(step, End) or not self._wait.lacks_address:
                    return step
                time.sleep(step.delay_s)
        except AirflowTaskTimeout:
            return self.timed_out()

    def timed_out(self) -> End:
        """Return the end of a task that Airflow stopped at its ``execution_timeout``."""
        return self._wait.timed_out(self._elapsed_s())

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def delay_s(self, elapsed_s: float) -> float:
        """Return the usual delay after so many seconds, for a sensor that does not count its polls."""
        return delay_s(self._wait.config, 2 + int(elapsed_s), elapsed_s, self.twinsync_task_id)

    def run(self) -> End:
        """Poll until the wait ends."""
        end = self._run()
        count_waits([end])
        return end

    def _run(self) -> End:
        try:
            while isinstance(step := self._poll(), Again):
                time.sleep(step.delay_s)
        except AirflowTaskTimeout:
            return self.timed_out()
        return step

    def defer(self, task: Any, step: Again) -> NoReturn:
        """Defer the task: its ``execute_complete`` gets the trigger's event.

        :param task: the operator.
        :param step: the step after the last poll.
        """
        # Not at the top of the file: Airflow's base class of triggers is slow to import.
        from airflow_provider_twinsync.triggers import TwinSyncTrigger

        self._defer(task, TwinSyncTrigger(**self._row(step.delay_s)))

    def _row(self, delay_s: float) -> dict[str, Any]:
        """Return the arguments of the trigger that goes on with this wait after a delay."""
        next_poll_s = self._elapsed_s() + delay_s
        handover = self._wait.hand_over(started_at=self._started_at, next_poll_s=next_poll_s)
        conn_id = self._hook.twinsync_conn_id
        return trigger_row(self.twinsync_task_id, conn_id, self._wait.config, handover)

    def _defer(self, task: Any, trigger: BaseTrigger, arguments: dict[str, Any] | None = None) -> NoReturn:
        deadline_s = self._wait.config.deadline_s
        spare_s = BACKSTOP_S + self._hook.settings().request_timeout_s
        backstop = None if deadline_s is None else timedelta(seconds=deadline_s + spare_s)
        task.defer(trigger=trigger, method_name="execute_complete", kwargs=arguments, timeout=backstop)
        raise AssertionError("defer() always raises")

    @staticmethod
    def run_all(task: Any, waits: Sequence[WorkerWait], arguments: dict[str, Any]) -> list[End]:
        """Wait for several jobs: in the worker, or in one deferral if ``task.deferrable`` is set.

        :param arguments: more arguments of ``execute_complete``; Airflow's database stores them.
        :return: the end of each wait, or the first end without a video alone.
        """
        steps: list[Again | End] = []
        for wait in waits:
            steps.append(step := wait._poll() if task.deferrable else wait._run())
            if isinstance(step, End) and step.result_url is None:
                count_waits([step])
                return [step]
        ends = [step for step in steps if isinstance(step, End)]
        if len(ends) < len(waits):
            from airflow_provider_twinsync.triggers import TwinSyncJobsTrigger

            # A wait that is over polls once more there: so the event has all videos, in their order.
            delays = [step.delay_s if isinstance(step, Again) else 0.0 for step in steps]
            rows = [wait._row(delay_s) for wait, delay_s in zip(waits, delays, strict=True)]
            waits[0]._defer(task, TwinSyncJobsTrigger(waits=rows), arguments)
        count_waits(ends)
        return ends


def check_triggerer(next_method: str, next_kwargs: dict[str, Any] | None) -> None:
    """Raise an error if Airflow's own deadline ended a deferral, and not an event.

    :raises WaitTimeoutError: Airflow's own deadline ended it.
    """
    if internals.deferral_timed_out(next_method, next_kwargs):
        raise WaitTimeoutError(
            "TS406 No triggerer ended the wait before the deadline: is an `airflow triggerer` running? "
            "The job goes on; the link 'TwinSync video' of this task shows its status."
        )
