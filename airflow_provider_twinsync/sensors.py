"""The sensor that waits for a job's video."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_twinsync._airflow.internals import NeedsWorkerError
from airflow_provider_twinsync._airflow.start_from_trigger import (
    partial_args,
    start_args_of,
    why_no_triggerer,
    why_worker_ends,
)
from airflow_provider_twinsync._airflow.text_fields import TextFields
from airflow_provider_twinsync._airflow.waiting import WorkerWait, check_triggerer
from airflow_provider_twinsync._api.durations import checked_seconds
from airflow_provider_twinsync._wait.config import DEFAULT_POKE_INTERVAL_S, WaitConfig
from airflow_provider_twinsync._wait.event import read_event
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason, job_continues
from airflow_provider_twinsync.exceptions import airflow_errors
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import Linked, push_submit_link

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.triggers.base import StartTriggerArgs
    from typing_extensions import Unpack

    from airflow_provider_twinsync._wait.config import WaitOptions

_ADVICE = (
    "Another run of this task, or of any TwinSyncSensor with this id, waits for it again and costs nothing."
)


class TwinSyncSensor(TextFields, Linked, BaseSensorOperator):
    """Wait for the video of a job; the XCom ``return_value`` is the video's address (``str``).

    ::

        submit = TwinSyncSubmitOperator(
            task_id="submit",
            text="Good morning!",
            image_url="https://example.com/anna.jpg",
            pronouncer="en-US-JennyNeural",
        )
        wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, timeout=3600)

    The delay between two polls is 5 % of the time waited so far, at least ``poke_interval`` and at most
    ``max_wait``. By chance the first is up to twice as long, and the later ones up to a tenth longer.
    ``max_wait=poke_interval`` is a fixed interval.

    All other arguments of ``BaseSensorOperator`` mean the same as there, deferred or not: ``timeout``,
    ``soft_fail``, ``exponential_backoff``, ``silent_fail``, ``execution_timeout``. Set a ``timeout`` that
    fits: the default is Airflow's ``[sensors] default_timeout``, seven days. A failed job and a passed
    ``timeout`` skip the task's retries.

    The sensor tolerates an outage for ``tolerance_s`` of the connection. With ``mode="reschedule"`` and
    ``deferrable=False`` each poll is a new process, and the sensor tolerates an outage until ``timeout``.

    :param twinsync_task_id: the job (``str``), for example ``submit.output`` (templated).
    :param twinsync_conn_id: the connection (templated); the default is ``twinsync_default``.
    :param deferrable: wait in the triggerer, which occupies no worker; False to wait in the worker.
    :param poke_interval: the least delay between two polls, in seconds or as a ``timedelta``; the default is
        2 s.
    :param max_wait: the longest delay between two polls, in seconds or as a ``timedelta``; the default is
        60 s, or ``poke_interval`` if that is more.
    :param start_from_trigger: begin the wait in the triggerer, without a worker (Airflow 3.3 and later). The
        id must be a constant or the output of a task. Otherwise a worker begins the wait, and the task's log
        has the reason (``TS411``). For a mapped sensor, see :meth:`in_triggerer`.
    :param end_from_trigger: end the task in the triggerer when the video is ready, with the same XComs
        (Airflow 3.3 and later). A worker makes every other end, and ends a task with a success callback,
        outlets or a ``post_execute``; the task's log has the reason (``TS411``). Airflow's listeners, such as
        OpenLineage, see no end in the triggerer.
    :param start_trigger_args: only for :meth:`in_triggerer`.
    :raises ValueError: a time is negative or not finite, or an argument is a task instead of its output.
    """

    template_fields: Sequence[str] = ("twinsync_task_id", "twinsync_conn_id")
    ui_color = "#d7ecf7"

    def __init__(
        self,
        *,
        twinsync_task_id: str | XComArg,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = True,
        poke_interval: timedelta | float = DEFAULT_POKE_INTERVAL_S,
        max_wait: timedelta | float | None = None,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        start_trigger_args: StartTriggerArgs | None = None,
        **kwargs: Any,
    ) -> None:
        # Before BaseSensorOperator, with its unclear error for a NaN. Airflow passes each default argument to
        # the class that has it: `timeout` is BaseSensorOperator's.
        timeout = kwargs.get("timeout", (kwargs.get("default_args") or {}).get("timeout"))
        WaitConfig.of_arguments({"poke_interval": poke_interval, "max_wait": max_wait, "timeout": timeout})
        super().__init__(poke_interval=poke_interval, max_wait=max_wait, **kwargs)
        if self.execution_timeout is not None:
            checked_seconds("execution_timeout", self.execution_timeout)
        self.twinsync_task_id = twinsync_task_id
        self.twinsync_conn_id = twinsync_conn_id
        self.deferrable = deferrable
        self.end_from_trigger = end_from_trigger
        self.check_given()
        self._wait: WorkerWait | None = None
        self._is_start_given = start_trigger_args is not None
        self._why_worker_starts = ""
        if start_from_trigger:
            try:
                self.start_trigger_args = start_trigger_args or start_args_of(self)
                self.start_from_trigger = True
            except NeedsWorkerError as reason:
                self._why_worker_starts = str(reason)

    @classmethod
    def in_triggerer(
        cls,
        twinsync_task_id: str,
        *,
        timeout: timedelta | float,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        **options: Unpack[WaitOptions],
    ) -> dict[str, Any]:
        """Return the arguments of ``partial`` for a mapped sensor that starts in the triggerer.

        Airflow's triggerer does not know the mapped values, so the id is repeated as a template. These
        arguments override the DAG's ``default_args``. No ``pre_execute`` and no ``on_execute_callback`` is
        called before the wait.

        Pass the sensor's other options here too, and not to ``partial``: those of ``TwinSyncSensor`` and of
        ``BaseSensorOperator`` that concern the wait, for example ``end_from_trigger=True``. For example::

            TwinSyncSensor.partial(
                task_id="wait",
                retries=2,
                **TwinSyncSensor.in_triggerer(
                    "{{ ti.xcom_pull(task_ids='submit', map_indexes=ti.map_index) }}", timeout=3600
                ),
            ).expand(twinsync_task_id=submit.output)

        :param twinsync_task_id: the template: the XCom of the upstream task with the same index or, if one
            task returns a list, ``{{ ti.xcom_pull(task_ids='submit_all', map_indexes=-1)[ti.map_index] }}``.
        :param timeout: the deadline, in seconds or as a ``timedelta``, counted from the start of the wait.
        :param twinsync_conn_id: the connection (templated).
        :return: ``start_from_trigger``, ``start_trigger_args`` and all options of the wait. Below Airflow 3.3
            a worker begins the wait, and ``start_trigger_args`` is missing.
        :raises TypeError: the wait has no such option.
        :raises UsageError: a template pulls an XCom without ``map_indexes``, or a time is negative or not
            finite.
        """
        return partial_args(twinsync_task_id, twinsync_conn_id, {"timeout": timeout, **options})

    def execute(self, context: Context) -> Any:
        """Poll once, and wait if the video is not ready yet."""
        why_not_ended = self._why_not_ended(context)
        self._warn(self._why_not_started(context), why_not_ended)
        with self._errors():
            self.check_rendered()
            wait = self._wait = self._start(may_end=not why_not_ended)
            self.push_link(context, wait.status_url)
            if self.deferrable:
                step = wait.poll()
                if isinstance(step, Again):
                    wait.defer(self, step)
                result_url = step.result()
            elif self.reschedule:
                result_url = super().execute(context)
            else:
                # Not BaseSensorOperator's loop, which ends without a last poll, and names no job.
                result_url = wait.run().result()
        return self._found(context, wait.twinsync_task_id, result_url)

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """Return the address of the video, or raise the error of the trigger's event."""
        with self._errors():
            end = read_event(event)
            began_there = self.start_from_trigger and not self._wait and not self._why_not_started(context)
            if end.result_url and began_there:
                self._warn("", self._why_not_ended(context))  # there was no execute() to log it
            if self._skips and end.reason is not EndReason.SUCCEEDED:
                # The skip message of BaseSensorOperator names neither the job nor the reason.
                self.log.warning("%s", end.message)
            result_url = end.result()
        return self._found(context, end.twinsync_task_id, result_url)

    def _found(self, context: Context, twinsync_task_id: str, result_url: str) -> str:
        self.push_link(context, result_url)
        push_submit_link(context, self, twinsync_task_id, result_url)
        return result_url

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume the task, or raise an error if Airflow's own deadline for a deferral has passed."""
        self.is_linked = True  # since the deferral
        with self._errors():
            check_triggerer(next_method, next_kwargs)
        return super().resume_execution(next_method, next_kwargs, context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once. ``BaseSensorOperator`` calls this with ``mode="reschedule"``."""
        with self._errors():
            wait = self._wait = self._wait or self._start()
            step = wait.poll()
            if isinstance(step, End):
                return PokeReturnValue(is_done=True, xcom_value=step.result())
        return PokeReturnValue(is_done=False)

    def _get_next_poke_interval(
        self, started_at: Any, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        """Return the delay for ``mode="reschedule"``, in seconds."""
        if self.exponential_backoff or self._wait is None:
            return float(super()._get_next_poke_interval(started_at, run_duration, poke_count))
        return self._wait.delay_s(run_duration())

    def on_kill(self) -> None:
        """Log that the job goes on, when a user stops the task."""
        if self._wait:
            self.log.warning("%s %s", job_continues(self._wait.twinsync_task_id), _ADVICE)

    def _start(self, *, may_end: bool = False) -> WorkerWait:
        config = WaitConfig.of(self)
        rescheduled = self.reschedule and not self.deferrable
        if rescheduled:
            # Each poll of a rescheduled sensor is a new process. BaseSensorOperator counts the time, and the
            # outages of one wait are unknown.
            config = replace(config, silent_fail=True, timeout_s=None, execution_timeout_s=None)
        config = replace(config, end_from_trigger=config.end_from_trigger and may_end)
        hook = TwinSyncHook(self.twinsync_conn_id)
        return WorkerWait(hook, self.twinsync_task_id, config, is_one_poll=rescheduled)

    def _why_not_started(self, context: Context) -> str:
        """Return the reason why the triggerer did not begin the wait; empty if it did, or should not."""
        if _is_mapped(context) and self.start_from_trigger and not self._is_start_given:
            return "the task is mapped, and lacks the arguments of TwinSyncSensor.in_triggerer()"
        return self._why_worker_starts

    def _why_not_ended(self, context: Context) -> str:
        """Return the reason why the triggerer cannot end the task; empty if it can, or should not."""
        if not self.end_from_trigger:
            return ""
        return why_no_triggerer(self) or why_worker_ends(self, is_mapped=_is_mapped(context))

    def _warn(self, why_not_started: str, why_not_ended: str) -> None:
        """Log which of the two options a worker replaces, in one line."""
        reasons = [("start_from_trigger", why_not_started), ("end_from_trigger", why_not_ended)]
        if notes := [f"{name}=True is not used: {why}." for name, why in reasons if why]:
            self.log.warning("TS411 %s", " ".join(notes))

    def _errors(self) -> AbstractContextManager[None]:
        return airflow_errors(skip=self._skips, advice=_ADVICE)

    @property
    def _skips(self) -> bool:
        return self.soft_fail or self.never_fail


def _is_mapped(context: Context) -> bool:
    return bool(getattr(context["ti"], "is_mapped", False))
