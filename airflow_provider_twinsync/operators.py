"""The operators: submit a job, and fetch its video."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseOperator,
    conf,
)

from airflow_provider_twinsync.arguments import checked_task_id, shown_text
from airflow_provider_twinsync.exceptions import (
    JobFailedError,
    StatusError,
    TwinSyncError,
    UncertainSubmitError,
    airflow_errors,
)
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import TwinSyncVideoLink, push_link
from airflow_provider_twinsync.polling import (
    DEFAULT_POKE_INTERVAL_S,
    Again,
    End,
    PollPolicy,
    Wait,
    goes_on,
)
from airflow_provider_twinsync.protocol import TaskState, fingerprint
from airflow_provider_twinsync.triggers import TwinSyncTrigger, backstop, check_triggerer, read_event

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_twinsync.download import Download

#: The entry of the task state store (Airflow 3.3 and later) that remembers a submit across tries.
_STORE_KEY = "twinsync_submit"


class TwinSyncSubmitOperator(BaseOperator):
    """Submit a text, a photo and a voice; the XCom ``return_value`` is the TwinSync task id (``str``).

    A submit costs money, so it is sent again only where nothing can have been accepted. If it is sent and no
    usable answer comes, a job may exist: the task then fails, skips its retries and says what to look for.

    On Airflow 3.3 and later the task remembers its job across tries, clears included: as long as the inputs
    are the same and the job has not failed, a rerun takes it over and pays nothing. Below 3.3 every try
    submits.

    With ``wait_for_completion`` the task also waits, and pushes the address of the video as the XCom
    ``result_url``; a job that failed is then submitted anew by a retry of the task.

    :param text: what the person in the photo says; at most 150 words, each Chinese, Japanese or Korean
        character counting as one (templated).
    :param image_url: the http(s) address of the photo, which the service must be able to open (templated).
    :param pronouncer: a Microsoft text-to-speech voice, for example ``zh-CN-XiaohanNeural`` (templated).
    :param twinsync_conn_id: the connection (templated).
    :param wait_for_completion: wait for the video too.
    :param deferrable: with ``wait_for_completion``: wait in the triggerer, and occupy no worker.
    :param durable: remember the job across tries (Airflow 3.3 and later).
    :param on_uncertain_submit: what to do when a submit may or may not have made a job: ``"fail"``, or
        ``"retry"`` to let Airflow's retries send it again, at the risk of paying twice.
    :param poke_interval: with ``wait_for_completion``: as in ``TwinSyncSensor``, and so are the next three.
    :param timeout: seconds, or a ``timedelta``; the default is Airflow's ``[sensors] default_timeout``.
    :param exponential_backoff: let the time between two looks grow.
    :param max_wait: the most it grows to, in seconds or as a ``timedelta``.
    """

    template_fields: Sequence[str] = ("text", "image_url", "pronouncer", "twinsync_conn_id")
    operator_extra_links = (TwinSyncVideoLink(),)
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
        on_uncertain_submit: Literal["fail", "retry"] = "fail",
        poke_interval: timedelta | float = DEFAULT_POKE_INTERVAL_S,
        timeout: timedelta | float | None = None,
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_uncertain_submit not in ("fail", "retry"):
            raise ValueError(
                f"on_uncertain_submit is {on_uncertain_submit!r}: it should be 'fail' or 'retry'."
            )
        # What may be an XComArg here is a text when the task runs.
        self.text: Any = text
        self.image_url: Any = image_url
        self.pronouncer: Any = pronouncer
        self.twinsync_conn_id = twinsync_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.durable = durable
        self.on_uncertain_submit = on_uncertain_submit
        self.poke_interval = _seconds("poke_interval", poke_interval)
        self.timeout = _seconds(
            "timeout", conf.getfloat("sensors", "default_timeout") if timeout is None else timeout
        )
        self.exponential_backoff = exponential_backoff
        self.max_wait = None if max_wait is None else _seconds("max_wait", max_wait)
        self._job: str | None = None

    def execute(self, context: Context) -> str:
        """Submit, or take over what an earlier try submitted; then wait, if that is asked for."""
        hook = TwinSyncHook(self.twinsync_conn_id)
        store: Any = context.get("task_state_store") if self.durable else None
        with airflow_errors():
            self._job = twinsync_task_id = self._take_over(hook, store) or self._submit(hook, store)
            push_link(context, hook.settings().status_url(twinsync_task_id))
        if not self.wait_for_completion:
            return twinsync_task_id
        # Only a task that succeeds has a `return_value`; one that fails in its wait has a job as well.
        context["ti"].xcom_push(key="twinsync_task_id", value=twinsync_task_id)
        if store is None and self.retries:
            self.log.warning(
                "This task has retries, and what it submitted is not remembered across them (that takes "
                "Airflow 3.3 and durable=True): a retry may pay again. Submit and wait in two tasks instead."
            )
        return self._wait(context, hook, twinsync_task_id)

    def _take_over(self, hook: TwinSyncHook, store: Any) -> str | None:
        """Give the job that an earlier try of this task submitted, if it still serves."""
        memory = store.get(_STORE_KEY) if store is not None else None
        if not isinstance(memory, dict) or memory.get("inputs") != self._inputs():
            return None
        twinsync_task_id = memory.get("twinsync_task_id")
        if twinsync_task_id is None:
            began = f"An earlier try of this task began to submit at {memory.get('marked_at')} and was ended"
            if self.on_uncertain_submit == "retry":
                self.log.warning(
                    "%s: it is submitted again, and may be paid twice (on_uncertain_submit).", began
                )
                return None
            # From here on it is for a person to decide, who clears the task to have it submitted.
            store.delete(_STORE_KEY)
            raise UncertainSubmitError(
                f"{began} before the answer came. A job may exist and may have been paid. Look at your "
                f"account for a job with the text {shown_text(self.text)} and the photo "
                f"{shown_text(self.image_url)}. If there is none, clear this task to submit it."
            )
        try:
            if hook.get_task(twinsync_task_id).state is TaskState.FAILED:
                self.log.info("TwinSync job %s of an earlier try failed: submitting anew.", twinsync_task_id)
                return None
        except StatusError as error:
            self.log.warning(
                "TwinSync job %s of an earlier try has no status now: %s", twinsync_task_id, error
            )
        self.log.info(
            "TwinSync job %s, submitted by an earlier try of this task, is taken over and not paid again. To "
            "force a new job, clear this task with durable=False, or delete %r from its task state.",
            twinsync_task_id,
            _STORE_KEY,
        )
        return str(twinsync_task_id)

    def _submit(self, hook: TwinSyncHook, store: Any) -> str:
        mark = {
            "inputs": self._inputs(),
            "marked_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "twinsync_task_id": None,
        }
        if store is not None:
            store.set(_STORE_KEY, mark)
        try:
            twinsync_task_id = hook.submit(
                text=self.text, image_url=self.image_url, pronouncer=self.pronouncer
            )
        except TwinSyncError as error:
            # The mark speaks for a try that could not say how it ended; this one can.
            if store is not None:
                store.delete(_STORE_KEY)
            if isinstance(error, UncertainSubmitError) and self.on_uncertain_submit == "retry":
                raise AirflowException(f"{error} (on_uncertain_submit='retry' leaves the retries.)") from None
            raise
        if store is not None:
            store.set(_STORE_KEY, {**mark, "twinsync_task_id": twinsync_task_id})
        self.log.info("TwinSync job %s is submitted.", twinsync_task_id)
        return twinsync_task_id

    def _inputs(self) -> str:
        return fingerprint(str(self.text), str(self.image_url), str(self.pronouncer))

    def _wait(self, context: Context, hook: TwinSyncHook, twinsync_task_id: str) -> str:
        policy = PollPolicy(
            poke_interval_s=self.poke_interval,
            exponential_backoff=self.exponential_backoff,
            max_wait_s=self.max_wait,
            tolerance_s=hook.settings().tolerance_s,
            timeout_s=self.timeout,
            execution_timeout_s=self.execution_timeout.total_seconds() if self.execution_timeout else None,
        )
        wait = Wait(twinsync_task_id, policy)
        started_at, began = time.time(), time.monotonic()
        step = hook.look(wait, 0.0)
        while isinstance(step, Again):
            if self.deferrable:
                self.defer(
                    trigger=TwinSyncTrigger.of(
                        twinsync_task_id,
                        policy,
                        twinsync_conn_id=self.twinsync_conn_id,
                        started_at=started_at,
                    ),
                    method_name="execute_complete",
                    timeout=backstop(policy),
                )
            time.sleep(step.delay_s)
            step = hook.look(wait, time.monotonic() - began)
        return self._finish(context, step)

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """Take up the task again when the trigger has fired."""
        with airflow_errors():
            end = read_event(event)
        return self._finish(context, end)

    def _finish(self, context: Context, end: End) -> str:
        with airflow_errors():
            try:
                result_url = end.result()
            except JobFailedError as error:
                # Not the same id would be waited for by a retry, but a new job.
                raise AirflowException(f"{error} A retry of this task does that.") from None
            except StatusError as error:
                if not self.durable or context.get("task_state_store") is None:
                    raise AirflowFailException(
                        f"{error} A retry would pay again, so there is none."
                    ) from None
                raise
        context["ti"].xcom_push(key="result_url", value=result_url)
        push_link(context, result_url)
        return end.twinsync_task_id

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Take up the task again; without a retry where Airflow's own deadline for a deferral has passed."""
        with airflow_errors():
            check_triggerer(next_method, next_kwargs)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Tell a person who stops the task that the job goes on."""
        if self._job:
            self.log.warning("%s", goes_on(self._job))


class TwinSyncDownloadOperator(BaseOperator):
    """Fetch a video; the XCom ``return_value`` is ``{"path", "bytes", "sha256", "content_type"}``.

    The file appears at the destination when it is whole, or not at all; one that was there before is replaced
    then. After a cut the download goes on where it was, if the server can do that.

    :param result_url: the address of the video, as ``TwinSyncSensor`` gave it: ``wait.output`` (templated).
    :param destination: a local path, whose folders are made if need be, or any address that
        ``ObjectStoragePath`` understands, such as ``s3://aws_default@videos/{{ ds }}.mp4`` (templated).
    :param twinsync_task_id: the job, to ask for a new address if this one has expired (templated).
    :param twinsync_conn_id: the connection, which says what hosts a video may come from (templated).
    """

    template_fields: Sequence[str] = ("result_url", "destination", "twinsync_task_id", "twinsync_conn_id")
    operator_extra_links = (TwinSyncVideoLink(),)
    ui_color = "#f5e3c4"

    def __init__(
        self,
        *,
        result_url: str | XComArg,
        destination: str | os.PathLike[str] | XComArg,
        twinsync_task_id: str | XComArg | None = None,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.result_url: Any = result_url
        self.destination: Any = destination
        self.twinsync_task_id: Any = twinsync_task_id
        self.twinsync_conn_id = twinsync_conn_id

    def execute(self, context: Context) -> Download:
        """Fetch the video."""
        with airflow_errors():
            twinsync_task_id = self.twinsync_task_id and checked_task_id(self.twinsync_task_id)
            fetched = TwinSyncHook(self.twinsync_conn_id).download(
                self.result_url, self.destination, twinsync_task_id=twinsync_task_id
            )
        push_link(context, self.result_url)
        self.log.info("The video lies at %s (%d bytes).", fetched["path"], fetched["bytes"])
        return fetched


def _seconds(argument: str, value: timedelta | float) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        raise ValueError(f"{argument} is {value!r}: it should be seconds, or a timedelta, and not negative.")
    return float(seconds)
