"""The operator that submits a job, and may wait for its video."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.lineage import openlineage, pull_own_inputs, push_inputs
from airflow_provider_twinsync._airflow.records import (
    check_reuse,
    open_records,
    reconnect_or_submit,
    task_state_store,
    try_number_of,
)
from airflow_provider_twinsync._airflow.submitting import Submission, prepare_submit
from airflow_provider_twinsync._airflow.text_fields import TextFields
from airflow_provider_twinsync._airflow.waiting import WorkerWait, check_triggerer
from airflow_provider_twinsync._api.durations import checked_seconds
from airflow_provider_twinsync._api.shown import shown_duration
from airflow_provider_twinsync._api.submit import shown_job
from airflow_provider_twinsync._api.validation import check_constants
from airflow_provider_twinsync._records.submit_record import job_of
from airflow_provider_twinsync._wait.config import DEFAULT_POKE_INTERVAL_S, WaitConfig
from airflow_provider_twinsync._wait.event import read_event
from airflow_provider_twinsync._wait.outcome import Again, End
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import Linked
from airflow_provider_twinsync.operators.paid_end import PaidEnd
from airflow_provider_twinsync.operators.wait_arguments import check_unused

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_twinsync._api.exchange import Request
    from airflow_provider_twinsync._records.keeper import RecordKeeper


class TwinSyncSubmitOperator(PaidEnd, TextFields, Linked, BaseOperator):
    """Submit a text, a photo and a voice; the XCom ``return_value`` is the TwinSync task id (``str``).

    For example::

        submit = TwinSyncSubmitOperator(
            task_id="submit",
            text="Good morning.",
            image_url="https://example.com/anna.jpg",
            pronouncer="en-US-JennyNeural",
        )

    A submit costs money, so it is repeated only if the service cannot have accepted it. If no usable answer
    comes, a job may exist: the task fails, skips its retries, and shows the inputs and the time of that job.

    With a ``ledger`` the task records its job across tries, on every Airflow. A retry with the same rendered
    inputs reconnects to the job and pays nothing, unless the job has failed; so does a clear. Without a
    ledger the record is in Airflow's task state store (Airflow 3.3 and later), as long as Airflow keeps it;
    below 3.3 every try then submits. With ``wait_for_completion`` the task also waits, and pushes the address
    of the video as the XCom ``result_url``. A retry then submits again if the job failed. Without a record,
    any other end of the wait skips the retries, as they would pay again.

    The XCom ``twinsync_inputs`` has the inputs of the job for a later download:
    ``{"twinsync_task_id", "fingerprint", "photo"}``.

    :param text: the text that the person in the photo speaks; at most 150 words, where each Chinese or
        Japanese character counts as a word (``str``, templated). A text that ends in ``.txt`` is the name of
        a file, for example ``news.txt``, in the folder of the DAG file or in ``template_searchpath``.
    :param image_url: the http(s) address of the photo, which the service can open (``str``, templated).
    :param pronouncer: a Microsoft text-to-speech voice, for example ``zh-CN-XiaohanNeural`` (``str``,
        templated).
    :param twinsync_conn_id: the connection (``str``, templated).
    :param wait_for_completion: also wait for the video (``bool``, default False).
    :param deferrable: with ``wait_for_completion``: wait in the triggerer, without a worker (default True).
    :param durable: record the job across tries (``bool``, default True).
    :param ledger: the folder of the records: an absolute path that all workers share, or an address that
        ``ObjectStoragePath`` understands (templated; by default that of the connection, if it has one).
    :param reuse: with a ledger: ``"tries"`` (the default) reconnects to a job of this task instance alone,
        ``"runs"`` to a job of the same inputs of any task and run.
    :param on_uncertain_submit: the reaction if a submit may or may not have created a job: ``"fail"`` (the
        default), or ``"retry"`` to let Airflow's retries submit again, at the risk of paying twice.
    :param poke_interval: with ``wait_for_completion``: the shortest delay between two polls, in seconds or as
        a ``timedelta`` (default 2); as in ``TwinSyncSensor``, as are the next three.
    :param timeout: the deadline of the wait, in seconds or as a ``timedelta``; the default is Airflow's
        ``[sensors] default_timeout``, seven days.
    :param exponential_backoff: double the delay with each poll (``bool``, default False).
    :param max_wait: the longest delay between two polls, in seconds or as a ``timedelta`` (default 60).
    :raises ValueError: ``on_uncertain_submit`` is another word, a time is negative or not finite, an argument
        of a wait is given without ``wait_for_completion``, an argument is a task instead of its output, or a
        text, photo or voice that is not a template is never valid. A template is checked when the task runs.
    """

    template_fields: Sequence[str] = ("text", "image_url", "pronouncer", "twinsync_conn_id", "ledger")
    template_ext: Sequence[str] = (".txt",)
    # Airflow 2 shows it as text, and Airflow 3 by its content.
    template_fields_renderers = {"text": "doc"}  # noqa: RUF012  # as BaseOperator has it
    file_field = "text"
    #: Downloads and sensors recognize a submit task by this.
    makes_jobs = True
    ui_color = "#c9e4ca"

    def __init__(
        self,
        *,
        text: str | XComArg,
        image_url: str | XComArg,
        pronouncer: str | XComArg,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        wait_for_completion: bool = False,
        deferrable: bool = True,
        durable: bool = True,
        ledger: str | os.PathLike[str] | ObjectStoragePath | None = None,
        reuse: Literal["tries", "runs"] = "tries",
        on_uncertain_submit: Literal["fail", "retry"] = "fail",
        poke_interval: timedelta | float = DEFAULT_POKE_INTERVAL_S,
        timeout: timedelta | float | None = None,
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.execution_timeout is not None:
            checked_seconds("execution_timeout", self.execution_timeout)
        if on_uncertain_submit not in ("fail", "retry"):
            raise ValueError(
                f"TS114 on_uncertain_submit is {on_uncertain_submit!r}: it should be 'fail' or 'retry'."
            )
        check_reuse(reuse)
        if not internals.is_unmapped(self):
            check_constants(text=text, image_url=image_url, pronouncer=pronouncer)
        # An XComArg here is a text when the task runs.
        self.text: Any = text
        self.image_url: Any = image_url
        self.pronouncer: Any = pronouncer
        self.twinsync_conn_id = twinsync_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.durable = durable
        self.ledger: Any = ledger
        self.reuse = reuse
        self.on_uncertain_submit = on_uncertain_submit
        self.poke_interval = checked_seconds("poke_interval", poke_interval)
        self.timeout = checked_seconds(
            "timeout", conf.getfloat("sensors", "default_timeout") if timeout is None else timeout
        )
        self.exponential_backoff = exponential_backoff
        self.max_wait = None if max_wait is None else timedelta(seconds=checked_seconds("max_wait", max_wait))
        self.check_given()
        if not wait_for_completion:
            given = {
                "deferrable": deferrable,
                "poke_interval": poke_interval,
                "timeout": timeout,
                "exponential_backoff": exponential_backoff,
                "max_wait": max_wait,
            }
            check_unused(given, kwargs.get("default_args") or {})

    def execute(self, context: Context) -> str:
        """Submit, or reconnect to the job of an earlier try; then wait, with ``wait_for_completion``."""
        return self._with_paid_end(context, lambda: self._execute(context))

    def _execute(self, context: Context) -> str:
        began = time.monotonic()
        # `dag.test()` may run one operator twice.
        self._job, self._is_recorded, self._is_resumed = None, False, False
        self._submission = Submission()
        self.check_rendered()
        hook = TwinSyncHook(self.twinsync_conn_id)
        settings = hook.settings()
        inputs = {"text": self.text, "image_url": self.image_url, "pronouncer": self.pronouncer}
        request = prepare_submit(settings, **inputs)
        records = {"ledger": self.ledger, "reuse": self.reuse, "durable": self.durable}
        keeper = open_records(context, settings, request, **records)
        if self.wait_for_completion and keeper.store is None and self.retries:
            self.log.warning(
                "TS318 This task does not record its job across tries (that takes a ledger, or Airflow 3.3, "
                "and durable=True): a retry may pay again, and is skipped where it would. Give it a ledger, "
                "or submit and wait in two tasks."
            )
        twinsync_task_id = self._reconnect_or_submit(context, hook, request, keeper)
        if self._job:
            self._is_recorded = True
        else:
            self.log.info(
                "TwinSync job %s is submitted (%s); %s for its video.",
                twinsync_task_id,
                shown_duration(time.monotonic() - began),
                "this task waits" if self.wait_for_completion else "a TwinSyncSensor can wait",
            )
            self._is_recorded = keeper.write_job(twinsync_task_id)
        self.push_link(context, settings.status_url(twinsync_task_id))
        record = keeper.address if self._is_recorded else None
        push_inputs(
            context, twinsync_task_id, fingerprint=keeper.inputs, image_url=self.image_url, record=record
        )
        if not self.wait_for_completion:
            return twinsync_task_id
        # Only a task that succeeds has a `return_value`; one that fails in its wait has a job as well.
        context["ti"].xcom_push(key="twinsync_task_id", value=twinsync_task_id)
        wait = WorkerWait(hook, twinsync_task_id, WaitConfig.of(self))
        step = wait.poll() if self.deferrable else wait.run()
        if isinstance(step, Again):
            wait.defer(self, step)
        return self._finish(context, step)

    def _reconnect_or_submit(
        self, context: Context, hook: TwinSyncHook, request: Request, keeper: RecordKeeper
    ) -> str:
        try:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            self._submitting = f"{shown_job(self.text, self.image_url)}, submitted at {now}"
            job = reconnect_or_submit(
                keeper,
                hook.settings(),
                request,
                self._submission,
                get_job=hook.get_job,
                log=self.log,
                try_number=try_number_of(context),
                may_pay_twice=self._may_pay_twice,
            )
            self._job = None if self._submission.twinsync_task_id else job
            return job
        finally:
            self._is_recorded = self._submission.is_recorded
            self._submitting = ""

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """Finish the task with the trigger's event; :meth:`resume_execution` calls this."""
        return self._finish(context, read_event(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue the task after any end of its deferral."""
        return self._with_paid_end(context, lambda: self._resume(next_method, next_kwargs, context))

    def _resume(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        self.is_linked = True  # before it was deferred
        self._is_resumed = True
        self._job = None
        # The event names the job, too. Without a record no retry pays again.
        with suppress(Exception):
            self._job = self._recorded_job(context)
        self._is_recorded = self._job is not None
        check_triggerer(next_method, next_kwargs)
        return super().resume_execution(next_method, next_kwargs, context)

    def _recorded_job(self, context: Context) -> str | None:
        """Return the job of a task that was deferred, if a retry reconnects to it."""
        state = task_state_store(context) if self.durable else None
        if state and (job := job_of(state.read())):
            return job
        own = pull_own_inputs(context)
        return own["twinsync_task_id"] if own and own["record"] else None

    def _finish(self, context: Context, end: End) -> str:
        self._job = end.twinsync_task_id
        result_url = end.result()
        context["ti"].xcom_push(key="result_url", value=result_url)
        self.push_link(context, result_url)
        return end.twinsync_task_id

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return the photo for OpenLineage."""
        return openlineage(self.image_url, None, None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the photo and the job for OpenLineage; also of a task that failed."""
        return openlineage(self.image_url, None, self._known_job)
