"""The sensor: wait for a job's video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_twinsync._airflow.start_from_trigger import (
    NeedsWorkerError,
    partial_args,
    start_args_of,
    why_no_triggerer,
    why_worker_ends,
)
from airflow_provider_twinsync._airflow.text_fields import TextFields
from airflow_provider_twinsync._airflow.waiting import WorkerWait
from airflow_provider_twinsync._api.durations import checked_seconds
from airflow_provider_twinsync._wait.event import check_triggerer, read_event
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason, job_continues
from airflow_provider_twinsync._wait.schedule import DEFAULT_POKE_INTERVAL_S
from airflow_provider_twinsync.exceptions import airflow_errors
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import Linked, push_submit_link

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.triggers.base import StartTriggerArgs

_ADVICE = (
    "Another run of this task, or of any TwinSyncSensor with this id, waits for it again and costs nothing."
)


class TwinSyncSensor(TextFields, Linked, BaseSensorOperator):
    """Wait until the video of a job is there; the XCom ``return_value`` is its address (``str``).

    The time between two looks is 5 % of the time waited so far, at least ``poke_interval`` and at most
    ``max_wait``, and up to a tenth longer by chance. ``max_wait=poke_interval`` is a fixed interval.

    Every other argument of ``BaseSensorOperator`` means what it means there, deferred or not: ``timeout``,
    ``soft_fail``, ``exponential_backoff``, ``silent_fail``, ``execution_timeout``. A job that failed is not
    waited for again by a retry, and neither is a video that is not there after ``timeout``.

    A status that cannot be had is tolerated for the connection's ``tolerance_s``. With ``mode="reschedule"``
    and ``deferrable=False`` no memory lasts from one look to the next, and it is tolerated until ``timeout``.

    The default ``timeout`` is Airflow's ``[sensors] default_timeout``, seven days: give one that fits.

    :param twinsync_task_id: the job, as ``TwinSyncSubmitOperator`` gave it: ``submit.output`` (templated).
    :param twinsync_conn_id: the connection (templated).
    :param deferrable: wait in the triggerer, and occupy no worker; False to wait in the worker.
    :param poke_interval: the least time between two looks, in seconds or as a ``timedelta``; the default is
        2 s.
    :param max_wait: the most time between two looks, likewise; the default is 60 s, or ``poke_interval`` if
        that is more.
    :param start_from_trigger: begin the wait in the triggerer, where the scheduler leaves it to no worker
        (Airflow 3.3 and later). The id is a constant or the output of a task; any other wait begins on a
        worker, and the task's log says why. Mapped: :meth:`in_triggerer`.
    :param end_from_trigger: end the task in the triggerer when the video is there, with the same XComs
        (Airflow 3.3 and later). Every other end is a worker's, and so is that of a task with a success
        callback, outlets or a ``post_execute``; the task's log says why. Airflow's listeners, such as
        OpenLineage, see no end in the triggerer.
    :param start_trigger_args: only for :meth:`in_triggerer`.
    :raises ValueError: a time is negative or not finite, or a task is given where its output should be.
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
        # Before BaseSensorOperator, whose words for a NaN are Python's. Airflow hands each default
        # argument to the class that has it: that of `timeout` is not this one.
        timeout = kwargs.get("timeout", (kwargs.get("default_args") or {}).get("timeout"))
        for name, value in {"poke_interval": poke_interval, "max_wait": max_wait, "timeout": timeout}.items():
            if value is not None:
                checked_seconds(name, value)
        super().__init__(poke_interval=poke_interval, max_wait=max_wait, **kwargs)
        if self.execution_timeout is not None:
            checked_seconds("execution_timeout", self.execution_timeout)
        self.twinsync_task_id = twinsync_task_id
        self.twinsync_conn_id = twinsync_conn_id
        self.deferrable = deferrable
        self.end_from_trigger = end_from_trigger
        self.check_given()
        self._watch: WorkerWait | None = None
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
        execution_timeout: timedelta | None = None,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        poke_interval: timedelta | float = DEFAULT_POKE_INTERVAL_S,
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        silent_fail: bool = False,
        end_from_trigger: bool = False,
        do_xcom_push: bool = True,
    ) -> dict[str, Any]:
        """Give the arguments of ``partial`` for a mapped sensor that starts in the triggerer.

        Airflow's triggerer knows nothing of what a task is mapped over, so the id is given once more, as a
        template. These arguments count, whatever the DAG's ``default_args`` are; and nothing is called
        before the wait, neither a ``pre_execute`` nor an ``on_execute_callback``::

            TwinSyncSensor.partial(
                task_id="wait",
                retries=2,
                **TwinSyncSensor.in_triggerer(
                    "{{ ti.xcom_pull(task_ids='submit', map_indexes=ti.map_index) }}", timeout=3600
                ),
            ).expand(twinsync_task_id=submit.output)

        :param twinsync_task_id: the template: the XCom of the upstream task with the same index or, where one
            task gives a list, ``{{ ti.xcom_pull(task_ids='submit_all', map_indexes=-1)[ti.map_index] }}``.
        :param timeout: when the wait ends without a video, in seconds or as a ``timedelta``, counted from its
            start. It and all others are as the sensor's own, and are given here and not to ``partial``.
        :param execution_timeout: as ``BaseOperator`` has it, a ``timedelta``.
        :param twinsync_conn_id: the connection; a template, too.
        :param poke_interval: the least time between two looks, in seconds or as a ``timedelta``.
        :param exponential_backoff: let that time double with each look.
        :param max_wait: the most time between two looks, likewise.
        :param silent_fail: tolerate a status that cannot be had until ``timeout``.
        :param end_from_trigger: end the task in the triggerer when the video is there.
        :param do_xcom_push: whether the task has an XCom ``return_value`` then.
        :return: ``start_from_trigger``, ``start_trigger_args`` and the arguments above; below Airflow 3.3,
            where a worker begins the wait, without ``start_trigger_args``.
        :raises UsageError: a template pulls an XCom without ``map_indexes``, or a time is negative or not
            finite.
        """
        return partial_args(
            twinsync_task_id,
            twinsync_conn_id=twinsync_conn_id,
            poke_interval=poke_interval,
            exponential_backoff=exponential_backoff,
            max_wait=max_wait,
            silent_fail=silent_fail,
            timeout=timeout,
            execution_timeout=execution_timeout,
            end_from_trigger=end_from_trigger,
            do_xcom_push=do_xcom_push,
        )

    def execute(self, context: Context) -> Any:
        """Look once, and wait if the video is not there yet."""
        why_not_ended = self._why_not_ended(context)
        self._warn(self._why_not_started(context), why_not_ended)
        with self._errors():
            self.check_rendered()
            watch = self._watch = self._start()
            self.push_link(context, watch.status_url)
            if self.deferrable:
                step = watch.poll()
                if isinstance(step, Again):
                    watch.defer(self, step, end_from_trigger=self.end_from_trigger and not why_not_ended)
                result_url = step.result()
            elif self.reschedule:
                result_url = super().execute(context)
            else:
                # Not BaseSensorOperator's loop, which gives up without a last look, and names no job.
                result_url = watch.run().result()
        return self._found(context, watch.twinsync_task_id, result_url)

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """Take up the task again when the trigger has fired."""
        with self._errors():
            end = read_event(event)
            began_there = self.start_from_trigger and not self._watch and not self._why_not_started(context)
            if end.result_url and began_there:
                self._warn("", self._why_not_ended(context))  # there was no execute() to say it
            if self._skips and end.reason is not EndReason.SUCCEEDED:
                # The sentence that BaseSensorOperator skips with names neither the job nor the reason.
                self.log.warning("%s", end.message)
            result_url = end.result()
        return self._found(context, end.twinsync_task_id, result_url)

    def _found(self, context: Context, twinsync_task_id: str, result_url: str) -> str:
        self.push_link(context, result_url)
        push_submit_link(context, self, twinsync_task_id, result_url)
        return result_url

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Take up the task again, or say that Airflow's own deadline for a deferral has passed."""
        self.is_linked = True  # before it was deferred
        with self._errors():
            check_triggerer(next_method, next_kwargs)
        return super().resume_execution(next_method, next_kwargs, context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; ``BaseSensorOperator`` calls it with ``mode="reschedule"``."""
        with self._errors():
            watch = self._watch = self._watch or self._start()
            step = watch.poll()
            if isinstance(step, End):
                return PokeReturnValue(is_done=True, xcom_value=step.result())
        return PokeReturnValue(is_done=False)

    def _get_next_poke_interval(
        self, started_at: Any, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        """Give the pause where it is BaseSensorOperator that makes it, with ``mode="reschedule"``."""
        if self.exponential_backoff or self._watch is None:
            return float(super()._get_next_poke_interval(started_at, run_duration, poke_count))
        return self._watch.delay_s(run_duration())

    def on_kill(self) -> None:
        """Tell a person who stops the task that the job goes on."""
        if self._watch:
            self.log.warning("%s %s", job_continues(self._watch.twinsync_task_id), _ADVICE)

    def _start(self) -> WorkerWait:
        rescheduled = self.reschedule and not self.deferrable
        return WorkerWait(
            self,
            TwinSyncHook(self.twinsync_conn_id),
            self.twinsync_task_id,
            # A rescheduled sensor is a new process at every look, and remembers none: there
            # BaseSensorOperator counts the time, and trouble is borne until it is over.
            silent_fail=self.silent_fail or rescheduled,
            has_deadline=not rescheduled,
        )

    def _why_not_started(self, context: Context) -> str:
        """Say why the triggerer did not begin a wait that it should have begun; empty if it did."""
        if _is_mapped(context) and self.start_from_trigger and not self._is_start_given:
            return "the task is mapped, and has not the arguments that TwinSyncSensor.in_triggerer() gives"
        return self._why_worker_starts

    def _why_not_ended(self, context: Context) -> str:
        """Say why the triggerer cannot end a task that it should end; empty if it can."""
        if not self.end_from_trigger:
            return ""
        return why_no_triggerer(self) or why_worker_ends(self, is_mapped=_is_mapped(context))

    def _warn(self, why_not_started: str, why_not_ended: str) -> None:
        """Say in the task's log what is left to a worker, in one line."""
        left = [("start_from_trigger", why_not_started), ("end_from_trigger", why_not_ended)]
        if said := [f"{name}=True is not used: {why}." for name, why in left if why]:
            self.log.warning("%s", " ".join(said))

    def _errors(self) -> AbstractContextManager[None]:
        return airflow_errors(skip=self._skips, advice=_ADVICE)

    @property
    def _skips(self) -> bool:
        return self.soft_fail or self.never_fail


def _is_mapped(context: Context) -> bool:
    return bool(getattr(context["ti"], "is_mapped", False))
