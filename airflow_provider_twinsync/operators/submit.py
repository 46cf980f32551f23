"""The operator that submits a job, and may wait for its video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_twinsync._airflow.lineage import openlineage, push_inputs
from airflow_provider_twinsync._airflow.submitting import prepare_submit
from airflow_provider_twinsync._airflow.waiting import WorkerWait
from airflow_provider_twinsync._wait.config import DEFAULT_POKE_INTERVAL_S, WaitConfig
from airflow_provider_twinsync._wait.event import read_event
from airflow_provider_twinsync._wait.outcome import Again, End
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.operators.paid_task import PaidTask
from airflow_provider_twinsync.operators.wait_arguments import check_unused

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage


class TwinSyncSubmitOperator(PaidTask):
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
    ``{"twinsync_task_id", "fingerprint", "photo", "record", "is_recorded"}``.

    :param text: the text that the person in the photo speaks; at most 150 words, where each Chinese or
        Japanese character counts as a word (``str``, templated). A text that ends in ``.txt`` is the name of
        a file, for example ``news.txt``, in the folder of the DAG file or in ``template_searchpath``.
    :param image_url: the photo (templated): an http(s) address that the service can open, an object in a
        store, such as ``s3://aws_default@photos/anna.jpg``, or a local file, if the connection has
        ``photo_staging``.
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
    #: Downloads and sensors recognize a submit task by this.
    makes_jobs = True
    ui_color = "#c9e4ca"

    def __init__(
        self,
        *,
        text: str | XComArg,
        image_url: str | os.PathLike[str] | ObjectStoragePath | XComArg,
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
        wait = {
            "poke_interval": poke_interval,
            "exponential_backoff": exponential_backoff,
            "max_wait": max_wait,
        }
        super().__init__(
            text=text,
            image_url=image_url,
            pronouncer=pronouncer,
            twinsync_conn_id=twinsync_conn_id,
            deferrable=deferrable,
            durable=durable,
            ledger=ledger,
            reuse=reuse,
            on_uncertain_submit=on_uncertain_submit,
            timeout=timeout,
            wait=wait,
            **kwargs,
        )
        self.wait_for_completion = wait_for_completion
        self.check_given()
        if not wait_for_completion:
            given = {**wait, "deferrable": deferrable, "timeout": timeout}
            check_unused(given, kwargs.get("default_args") or {})

    def _execute(self, context: Context) -> str:
        self.check_rendered()
        hook = TwinSyncHook(self.twinsync_conn_id)
        settings = hook.settings()
        request = prepare_submit(
            settings, text=self.text, image_url=self.image_url, pronouncer=self.pronouncer
        )
        keeper = self._open_records(context, hook, request)
        if self.wait_for_completion:
            self._warn_without_record(keeper)
        next_step = "this task waits" if self.wait_for_completion else "a TwinSyncSensor can wait"
        inputs = self._submit(context, hook, request, keeper, f"{next_step} for its video")
        twinsync_task_id = inputs["twinsync_task_id"]
        self.push_link(context, settings.status_url(twinsync_task_id))
        push_inputs(context, inputs)
        if not self.wait_for_completion:
            return twinsync_task_id
        # Only a task that succeeds has a `return_value`; one that fails in its wait has a job as well.
        context["ti"].xcom_push(key="twinsync_task_id", value=twinsync_task_id)
        wait = WorkerWait(hook, twinsync_task_id, WaitConfig.of(self))
        step = wait.poll() if self.deferrable else wait.run()
        if isinstance(step, Again):
            wait.defer(self, step)
        return self._finish(context, step)

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """Finish the task with the trigger's event; :meth:`resume_execution` calls this."""
        return self._finish(context, read_event(event))

    def _finish(self, context: Context, end: End) -> str:
        result_url = self._job_of(end.twinsync_task_id).end(end)
        context["ti"].xcom_push(key="result_url", value=result_url)
        self.push_link(context, result_url)
        return end.twinsync_task_id

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the photo and the job for OpenLineage; also of a task that failed."""
        return openlineage(self.image_url, None, next(iter(self._known_jobs), None))
