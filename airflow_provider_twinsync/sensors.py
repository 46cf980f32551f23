"""The sensor: wait for a job's video."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_twinsync.arguments import checked_task_id
from airflow_provider_twinsync.exceptions import airflow_errors
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import TwinSyncVideoLink, push_link
from airflow_provider_twinsync.polling import (
    DEFAULT_POKE_INTERVAL_S,
    Again,
    End,
    EndReason,
    PollPolicy,
    Wait,
    goes_on,
)
from airflow_provider_twinsync.triggers import TwinSyncTrigger, backstop, check_triggerer, read_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg


class TwinSyncSensor(BaseSensorOperator):
    """Wait until the video of a job is there; the XCom ``return_value`` is its address (``str``).

    Every other argument of ``BaseSensorOperator`` means what it means there, deferred or not: ``timeout``,
    ``soft_fail``, ``exponential_backoff``, ``max_wait``, ``silent_fail``, ``execution_timeout``. A job that
    failed is not waited for again by a retry, and neither is a video that is not there after ``timeout``.

    A status that cannot be had is borne for the connection's ``tolerance_s``. With ``mode="reschedule"`` and
    ``deferrable=False`` no memory lasts from one look to the next, and it is borne until ``timeout``.

    :param twinsync_task_id: the job, as ``TwinSyncSubmitOperator`` gave it: ``submit.output`` (templated).
    :param twinsync_conn_id: the connection (templated).
    :param deferrable: wait in the triggerer, and occupy no worker; False to wait in the worker.
    :param poke_interval: seconds between two looks, or a ``timedelta``.
    """

    template_fields: Sequence[str] = ("twinsync_task_id", "twinsync_conn_id")
    operator_extra_links = (TwinSyncVideoLink(),)
    ui_color = "#d7ecf7"

    def __init__(
        self,
        *,
        twinsync_task_id: str | XComArg,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = True,
        poke_interval: timedelta | float = DEFAULT_POKE_INTERVAL_S,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.twinsync_task_id = twinsync_task_id
        self.twinsync_conn_id = twinsync_conn_id
        self.deferrable = deferrable
        self._started: tuple[TwinSyncHook, Wait] | None = None
        self._began = 0.0
        self._delay_s = 0.0

    def execute(self, context: Context) -> Any:
        """Look once, and wait if the video is not there yet."""
        started_at = time.time()
        with airflow_errors(skip=self._skips):
            hook, wait = self._start()
            push_link(context, hook.settings().status_url(wait.twinsync_task_id))
            if self.deferrable:
                step = self._look(hook, wait)
                if isinstance(step, Again):
                    self.defer(
                        trigger=TwinSyncTrigger.of(
                            wait.twinsync_task_id,
                            wait.policy,
                            twinsync_conn_id=self.twinsync_conn_id,
                            started_at=started_at,
                        ),
                        method_name="execute_complete",
                        timeout=backstop(wait.policy),
                    )
                result_url = step.result()
            else:
                result_url = super().execute(context)
        push_link(context, result_url)
        return result_url

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """Take up the task again when the trigger has fired."""
        with airflow_errors(skip=self._skips):
            end = read_event(event)
            if self._skips and end.reason is not EndReason.SUCCEEDED:
                # The sentence that BaseSensorOperator skips with names neither the job nor the reason.
                self.log.warning("%s", end.message)
            result_url = end.result()
        push_link(context, result_url)
        return result_url

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Take up the task again, or say that Airflow's own deadline for a deferral has passed."""
        with airflow_errors(skip=self._skips):
            check_triggerer(next_method, next_kwargs)
        return super().resume_execution(next_method, next_kwargs, context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; for waiting in the worker, where ``BaseSensorOperator`` calls it."""
        with airflow_errors(skip=self._skips):
            step = self._look(*(self._started or self._start()))
            if isinstance(step, End):
                return PokeReturnValue(is_done=True, xcom_value=step.result())
        self._delay_s = step.delay_s
        return PokeReturnValue(is_done=False)

    def on_kill(self) -> None:
        """Tell a person who stops the task that the job goes on."""
        if self._started:
            _, wait = self._started
            self.log.warning("%s Clear this task to wait for it again.", goes_on(wait.twinsync_task_id))

    def _start(self) -> tuple[TwinSyncHook, Wait]:
        hook = TwinSyncHook(self.twinsync_conn_id)
        limits: dict[str, float | None] = {
            "timeout_s": self.timeout,
            "execution_timeout_s": self.execution_timeout.total_seconds() if self.execution_timeout else None,
        }
        # A rescheduled sensor is a new process at every look: there BaseSensorOperator counts the time.
        in_one_go = self.deferrable or not self.reschedule
        policy = PollPolicy(
            poke_interval_s=self.poke_interval,
            exponential_backoff=self.exponential_backoff,
            max_wait_s=self.max_wait.total_seconds() if self.max_wait else None,
            tolerance_s=None if self.silent_fail else hook.settings().tolerance_s,
            **(limits if in_one_go else {}),
        )
        self._began = time.monotonic()
        self._started = hook, Wait(checked_task_id(self.twinsync_task_id), policy)
        return self._started

    def _look(self, hook: TwinSyncHook, wait: Wait) -> Again | End:
        return hook.look(wait, time.monotonic() - self._began)

    @property
    def _skips(self) -> bool:
        return self.soft_fail or self.never_fail

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        """Let the policy of the triggerer say how long to sleep in the worker too."""
        if self.reschedule:
            return float(super()._get_next_poke_interval(started_at, run_duration, poke_count))
        return self._delay_s
