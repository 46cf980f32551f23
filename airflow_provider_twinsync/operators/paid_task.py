"""The base of the operators that submit: their common arguments, and the submit of one job."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.lineage import Inputs, openlineage, pull_own_inputs
from airflow_provider_twinsync._airflow.records import check_reuse, open_records, reconnect_or_submit
from airflow_provider_twinsync._airflow.text_fields import TextFields
from airflow_provider_twinsync._airflow.waiting import check_triggerer
from airflow_provider_twinsync._api.shown import shown_duration
from airflow_provider_twinsync._api.validation import check_constants
from airflow_provider_twinsync._wait.config import WaitConfig
from airflow_provider_twinsync.links import Linked
from airflow_provider_twinsync.operators.paid_end import PaidEnd, PaidJob

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_twinsync._api.exchange import Request
    from airflow_provider_twinsync._records.keeper import RecordKeeper
    from airflow_provider_twinsync.hooks import TwinSyncHook


class PaidTask(PaidEnd, TextFields, Linked, BaseOperator):
    """An operator that submits one job or several. The public operators document the arguments.

    :param wait: the other options of the wait, by name; they become attributes of the task.
    """

    template_ext = (".txt",)
    # Airflow 2 shows it as text, and Airflow 3 by its content.
    template_fields_renderers = {"text": "doc"}  # noqa: RUF012  # as BaseOperator has it
    file_field = "text"
    #: This task may submit several jobs, each with a record of its own.
    submits_many = False

    def __init__(
        self,
        *,
        text: Any,
        image_url: Any,
        pronouncer: Any,
        twinsync_conn_id: str,
        deferrable: bool,
        durable: bool,
        ledger: str | os.PathLike[str] | ObjectStoragePath | None,
        reuse: Literal["tries", "runs"],
        on_uncertain_submit: Literal["fail", "retry"],
        timeout: timedelta | float | None,
        wait: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
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
        self.deferrable = deferrable
        self.durable = durable
        self.ledger: Any = ledger
        self.reuse = reuse
        self.on_uncertain_submit = on_uncertain_submit
        self.timeout = conf.getfloat("sensors", "default_timeout") if timeout is None else timeout
        for name, option in wait.items():
            setattr(self, name, option)
        WaitConfig.of(self)  # each time is a number of seconds

    def execute(self, context: Context) -> Any:
        """Submit, or reconnect to the jobs of an earlier try; then do the rest of the task."""
        self._jobs = []  # `dag.test()` may run one operator twice
        return self._with_paid_end(context, lambda: self._execute(context))

    def _execute(self, context: Context) -> Any:
        """Do the task; each operator has its own way, and its own ``execute_complete``."""
        raise NotImplementedError

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue the task after any end of its deferral."""
        return self._with_paid_end(context, lambda: self._resume(next_method, next_kwargs, context))

    def _resume(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        self.is_linked = True  # before it was deferred
        self._jobs = [PaidJob(is_waited_for=True)]  # if nothing more is known, no retry pays again
        if inputs := pull_own_inputs(context):
            known = {one["twinsync_task_id"]: one["is_recorded"] for one in inputs}  # equal parts are one job
            self._jobs = [
                PaidJob(job, is_recorded=is_recorded, is_waited_for=True)
                for job, is_recorded in known.items()
            ]
        check_triggerer(next_method, next_kwargs)
        return super().resume_execution(next_method, next_kwargs, context)

    def _open_records(self, context: Context, hook: TwinSyncHook, request: Request) -> RecordKeeper:
        return open_records(
            context,
            hook.settings(),
            request,
            ledger=self.ledger,
            reuse=self.reuse,
            durable=self.durable,
            is_one_of_many=self.submits_many,
        )

    def _warn_without_record(self, keeper: RecordKeeper) -> None:
        """Warn that a retry cannot know what this try paid for."""
        if keeper.store is None and self.retries:
            self.log.warning(
                "TS318 This task does not record its job across tries (that takes a ledger, or Airflow 3.3, "
                "and durable=True): a retry may pay again, and is skipped where it would. Give it a ledger, "
                "or submit and wait in two tasks."
            )

    def _submit(
        self, context: Context, hook: TwinSyncHook, request: Request, keeper: RecordKeeper, next_step: str
    ) -> Inputs:
        """Submit a job or reconnect to one, and return its inputs.

        :param next_step: the end of the log line about a new job, such as ``this task waits``.
        """
        began = time.monotonic()
        job = PaidJob()
        job.submission.warns = not self._jobs  # once for all parts of a text
        self._jobs = [*self._jobs, job]
        try:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            job.submitting = f"{keeper.shown}, submitted at {now}"
            twinsync_task_id = reconnect_or_submit(
                keeper,
                hook.settings(),
                request,
                job.submission,
                get_job=hook.get_job,
                log=self.log,
                context=context,
                may_pay_twice=self._may_pay_twice,
            )
            if not job.submission.twinsync_task_id:
                job.found = twinsync_task_id
        finally:
            job.is_recorded = job.submission.is_recorded
            job.submitting = ""
        if job.found:
            job.is_recorded = True
        else:
            self.log.info(
                "TwinSync job %s is submitted (%s); %s.",
                twinsync_task_id,
                shown_duration(time.monotonic() - began),
                next_step,
            )
            job.is_recorded = keeper.write_job(twinsync_task_id)
        return Inputs(
            twinsync_task_id=twinsync_task_id,
            fingerprint=keeper.inputs,
            photo=request.photo.shown if request.photo else "",
            record=keeper.address if job.is_recorded else None,
            is_recorded=job.is_recorded,
        )

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return the photo for OpenLineage."""
        return openlineage(self.image_url, None, None)
