"""The sensor: wait for a job's video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_twinsync.events import check_triggerer, read_event
from airflow_provider_twinsync.exceptions import airflow_errors
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import TwinSyncVideoLink, push_link
from airflow_provider_twinsync.policy import DEFAULT_POKE_INTERVAL_S
from airflow_provider_twinsync.polling import Again, End, EndReason, goes_on
from airflow_provider_twinsync.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg

_ADVICE = "Clear this task to wait for it again: that costs nothing."


class TwinSyncSensor(BaseSensorOperator):
    """Wait until the video of a job is there; the XCom ``return_value`` is its address (``str``).

    The time between two looks is 5 % of the time waited so far, at least ``poke_interval`` and at most
    ``max_wait``, and up to a tenth longer by chance. ``max_wait=poke_interval`` is a fixed interval.

    Every other argument of ``BaseSensorOperator`` means what it means there, deferred or not: ``timeout``,
    ``soft_fail``, ``exponential_backoff``, ``silent_fail``, ``execution_timeout``. A job that failed is not
    waited for again by a retry, and neither is a video that is not there after ``timeout``.

    A status that cannot be had is borne for the connection's ``tolerance_s``. With ``mode="reschedule"`` and
    ``deferrable=False`` no memory lasts from one look to the next, and it is borne until ``timeout``.

    The default ``timeout`` is Airflow's ``[sensors] default_timeout``, seven days: give one that fits.

    :param twinsync_task_id: the job, as ``TwinSyncSubmitOperator`` gave it: ``submit.output`` (templated).
    :param twinsync_conn_id: the connection (templated).
    :param deferrable: wait in the triggerer, and occupy no worker; False to wait in the worker.
    :param poke_interval: the least time between two looks, in seconds or as a ``timedelta``.
    :param max_wait: the most time between two looks, likewise; the default is 60 s, or ``poke_interval`` if
        that is more.
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
        self._watch: Watch | None = None

    def execute(self, context: Context) -> Any:
        """Look once, and wait if the video is not there yet."""
        with self._errors():
            watch = self._watch = self._start()
            push_link(context, watch.status_url)
            if self.deferrable:
                step = watch.look()
                if isinstance(step, Again):
                    watch.hand_over(self, step)
                result_url = step.result()
            elif self.reschedule:
                result_url = super().execute(context)
            else:
                # Not BaseSensorOperator's loop, which gives up without a last look, and names no job.
                result_url = watch.until_the_end().result()
        push_link(context, result_url)
        return result_url

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """Take up the task again when the trigger has fired."""
        with self._errors():
            end = read_event(event)
            if self._skips and end.reason is not EndReason.SUCCEEDED:
                # The sentence that BaseSensorOperator skips with names neither the job nor the reason.
                self.log.warning("%s", end.message)
            result_url = end.result()
        push_link(context, result_url)
        return result_url

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Take up the task again, or say that Airflow's own deadline for a deferral has passed."""
        with self._errors():
            check_triggerer(next_method, next_kwargs)
        return super().resume_execution(next_method, next_kwargs, context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; ``BaseSensorOperator`` calls it with ``mode="reschedule"``."""
        with self._errors():
            watch = self._watch = self._watch or self._start()
            step = watch.look()
            if isinstance(step, End):
                return PokeReturnValue(is_done=True, xcom_value=step.result())
        return PokeReturnValue(is_done=False)

    def _get_next_poke_interval(
        self, started_at: Any, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        """Give the pause where it is BaseSensorOperator that makes it, with ``mode="reschedule"``."""
        if self.exponential_backoff or self._watch is None:
            return float(super()._get_next_poke_interval(started_at, run_duration, poke_count))
        return self._watch.pause_s(run_duration())

    def on_kill(self) -> None:
        """Tell a person who stops the task that the job goes on."""
        if self._watch:
            self.log.warning("%s %s", goes_on(self._watch.twinsync_task_id), _ADVICE)

    def _start(self) -> Watch:
        rescheduled = self.reschedule and not self.deferrable
        return Watch(
            self,
            TwinSyncHook(self.twinsync_conn_id),
            self.twinsync_task_id,
            # A rescheduled sensor is a new process at every look, and remembers none: there
            # BaseSensorOperator counts the time, and trouble is borne until it is over.
            silent_fail=self.silent_fail or rescheduled,
            has_deadline=not rescheduled,
        )

    def _errors(self) -> AbstractContextManager[None]:
        return airflow_errors(skip=self._skips, advice=_ADVICE)

    @property
    def _skips(self) -> bool:
        return self.soft_fail or self.never_fail
