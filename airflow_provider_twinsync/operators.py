"""The operators: submit a job, and fetch its video."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowTaskTimeout,
    BaseOperator,
    conf,
)

from airflow_provider_twinsync._airflow.lineage import openlineage, pull_inputs, push_inputs, tell_assets
from airflow_provider_twinsync._airflow.text_fields import TextFields
from airflow_provider_twinsync._airflow.waiting import WorkerWait
from airflow_provider_twinsync._api.durations import checked_seconds
from airflow_provider_twinsync._api.shown import sentence, shown_duration
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._api.submit import fingerprint, shown_job, unresolved
from airflow_provider_twinsync._api.validation import check_constants, checked_task_id, is_http_url
from airflow_provider_twinsync._records.submit_record import HOW_TO_DELETE, STORE_KEY, RecordKeeper, job_of
from airflow_provider_twinsync._wait.event import check_triggerer, read_event
from airflow_provider_twinsync._wait.outcome import Again, End, job_continues
from airflow_provider_twinsync._wait.schedule import DEFAULT_POKE_INTERVAL_S
from airflow_provider_twinsync.exceptions import (
    JobFailedError,
    StatusError,
    UncertainSubmitError,
    UsageError,
    airflow_errors,
)
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import Linked, push_xcom, submits_before

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_twinsync._airflow.lineage import Inputs
    from airflow_provider_twinsync._download.transfer import Download
    from airflow_provider_twinsync._records.submit_record import SubmitRecord

_NEXT = "a TwinSyncSensor can wait for its video"
_ADVICE = (
    "A retry of this task waits for the same job and pays nothing. Without a retry left, wait for this id "
    "with a TwinSyncSensor."
)
_ADVICE_WITHOUT_MEMORY = (
    "Another try of this task would submit and pay again: wait for this id with a TwinSyncSensor instead."
)
#: The arguments that mean something only with wait_for_completion, and their defaults.
_OF_A_WAIT = {
    "deferrable": True,
    "poke_interval": DEFAULT_POKE_INTERVAL_S,
    "timeout": None,
    "exponential_backoff": False,
    "max_wait": None,
}


class TwinSyncSubmitOperator(TextFields, Linked, BaseOperator):
    """Submit a text, a photo and a voice; the XCom ``return_value`` is the TwinSync task id (``str``).

    A submit costs money, so it is sent again only where nothing can have been accepted. If it is sent and no
    usable answer comes, a job may exist: the task then fails, skips its retries and says what to look for.

    On Airflow 3.3 and later the task remembers its job across tries, as long as Airflow keeps its task state:
    while the inputs, as rendered, are the same and the job has not failed, a retry reconnects to it and pays
    nothing. So does a clear on Airflow 3.3; a later Airflow may discard the state then, and the task submits.
    Below 3.3 every try submits.

    With ``wait_for_completion`` the task also waits, and pushes the address of the video as the XCom
    ``result_url``; a job that failed is then submitted anew by a retry of the task. Where nothing is
    remembered, every other end of the wait skips the retries, as they would pay again.

    The XCom ``twinsync_inputs`` names what the job was made of, for the download that comes later:
    ``{"twinsync_task_id", "fingerprint", "photo"}``.

    :param text: what the person in the photo says; at most 150 words, each Chinese or Japanese
        character counting as one (templated). A text that ends in ``.txt`` is the name of a file, for
        example ``news.txt``, in the folder of the DAG file or in the DAG's ``template_searchpath``.
    :param image_url: the http(s) address of the photo, which the service must be able to open (templated).
    :param pronouncer: a Microsoft text-to-speech voice, for example ``zh-CN-XiaohanNeural`` (templated).
    :param twinsync_conn_id: the connection (templated).
    :param wait_for_completion: wait for the video too; by default it is not waited for.
    :param deferrable: with ``wait_for_completion``: wait in the triggerer, and occupy no worker.
    :param durable: remember the job across tries (Airflow 3.3 and later).
    :param on_uncertain_submit: what to do when a submit may or may not have made a job: ``"fail"``, or
        ``"retry"`` to let Airflow's retries send it again, at the risk of paying twice.
    :param poke_interval: with ``wait_for_completion``: as in ``TwinSyncSensor``, and so are the next three.
    :param timeout: seconds, or a ``timedelta``; the default is Airflow's ``[sensors] default_timeout``, seven
        days: give one that fits.
    :param exponential_backoff: let the time between two looks double.
    :param max_wait: the most time between two looks, in seconds or as a ``timedelta``.
    :raises ValueError: ``on_uncertain_submit`` is another word, a time is negative or not finite, an argument
        of a wait is given and ``wait_for_completion`` is not, a task is given where its output should be, or
        a text, photo or voice that is no template can never be right. A template is checked when the task
        runs.
    """

    template_fields: Sequence[str] = ("text", "image_url", "pronouncer", "twinsync_conn_id")
    template_ext: Sequence[str] = (".txt",)
    # Airflow 2 shows it as text, and Airflow 3 by what it looks like.
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
                f"on_uncertain_submit is {on_uncertain_submit!r}: it should be 'fail' or 'retry'."
            )
        if not self.is_unmapped:
            check_constants(text=text, image_url=image_url, pronouncer=pronouncer)
        # What may be an XComArg here is a text when the task runs.
        self.text: Any = text
        self.image_url: Any = image_url
        self.pronouncer: Any = pronouncer
        self.twinsync_conn_id = twinsync_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.durable = durable
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
            # Airflow passes a value of default_args, which are of all tasks of a DAG, as any other argument,
            # and also the default_args themselves.
            usual = {**_OF_A_WAIT, **(kwargs.get("default_args") or {})}
            if useless := [
                name for name, value in given.items() if value not in (_OF_A_WAIT[name], usual[name])
            ]:
                raise UsageError(
                    f"{', '.join(useless)} without wait_for_completion=True: this task does not wait. Give "
                    "it to the TwinSyncSensor that does, or add wait_for_completion=True."
                )
        self._job: str | None = None
        self._submitting = ""  # during a submit: its text, its photo and when it began
        self._is_remembered = False
        self._is_resumed = False

    def execute(self, context: Context) -> str:
        """Submit, or reconnect to the job of an earlier try; then wait, if that is asked for."""
        # Around all of it: an alarm or Ctrl-C may come at any line after the submit.
        try:
            return self._execute(context)
        except (Exception, AirflowTaskTimeout, KeyboardInterrupt) as error:
            self._end_paid(error)

    def _execute(self, context: Context) -> str:
        began = time.monotonic()
        with airflow_errors():
            self.check_rendered()
        hook = TwinSyncHook(self.twinsync_conn_id)
        store = self._store(context)
        if self.wait_for_completion and store is None and self.retries:
            self.log.warning(
                "This task does not remember its job across tries (that takes Airflow 3.3 and durable=True): "
                "a retry may pay again, and is skipped where it would. Submit and wait in two tasks instead."
            )
        with airflow_errors():
            inputs = fingerprint(
                hook.settings().url, str(self.text), str(self.image_url), str(self.pronouncer)
            )
            tries = getattr(context["ti"], "max_tries", 0)
            memory = RecordKeeper(store, inputs, shown_job(self.text, self.image_url), tries)
            if (
                store is not None
                and not memory.record.is_there
                and getattr(context["ti"], "try_number", 1) > 1
            ):
                self.log.warning(
                    "This is try %s of this task, and Airflow has no record of a submit by an earlier one, "
                    "so this try submits. If the log of an earlier try names a TwinSync job, that was paid "
                    "for: wait for its id with a TwinSyncSensor. Airflow may discard a task's state after a "
                    "clear, and after [state_store] default_retention_days.",
                    context["ti"].try_number,
                )
            self._job = taken_over = self._reconnect(hook, memory)
            self._is_remembered = taken_over is not None
        twinsync_task_id = taken_over or self._submit(hook, memory)
        if not taken_over:
            self.log.info(
                "TwinSync job %s is submitted (%s); %s.",
                twinsync_task_id,
                shown_duration(time.monotonic() - began),
                "this task waits for its video" if self.wait_for_completion else _NEXT,
            )
        self._is_remembered = self._is_remembered or memory.remember(twinsync_task_id)
        self.push_link(context, hook.settings().status_url(twinsync_task_id))
        push_inputs(context, twinsync_task_id, fingerprint=inputs, image_url=self.image_url)
        if not self.wait_for_completion:
            return twinsync_task_id
        # Only a task that succeeds has a `return_value`; one that fails in its wait has a job as well.
        context["ti"].xcom_push(key="twinsync_task_id", value=twinsync_task_id)
        watch = WorkerWait(self, hook, twinsync_task_id)
        if self.deferrable:
            step = watch.poll()
            if isinstance(step, Again):
                watch.defer(self, step)
            return self._finish(context, step)
        return self._finish(context, watch.run())

    def _store(self, context: Context) -> Any:
        return context.get("task_state_store") if self.durable else None

    def _reconnect(self, hook: TwinSyncHook, memory: RecordKeeper) -> str | None:
        """Give the job that an earlier try of this task submitted, if it still serves."""
        if memory.is_unresolved:
            error = _unresolved(memory.record)
            if self.on_uncertain_submit == "retry" and not memory.record.names_job:
                self.log.warning(
                    "%s It is submitted again, as on_uncertain_submit says.", sentence(error.what)
                )
                return None
            memory.tell()
            raise error
        twinsync_task_id = memory.twinsync_task_id
        if twinsync_task_id is None:
            return None
        if not memory.is_of_these_inputs:
            self.log.warning(
                "An earlier try of this task submitted TwinSync job %s for another text, photo, voice or "
                "host; this try submits a new one. If that is not meant, look for a template that changes.",
                twinsync_task_id,
            )
            return None
        trouble = None
        try:
            if hook.get_job(twinsync_task_id).state is JobState.FAILED:
                self.log.info("TwinSync job %s of an earlier try failed: submitting anew.", twinsync_task_id)
                return None
        except StatusError as error:
            trouble = error
        # The first line of a task that somebody has cleared, to see it run again.
        self.log.info(
            "TwinSync job %s, submitted by an earlier try of this task, is taken over and not paid again. To "
            "force a new job, set durable=False, or %s.",
            twinsync_task_id,
            HOW_TO_DELETE,
        )
        if trouble:
            self.log.warning("%s", trouble)
        return twinsync_task_id

    def _submit(self, hook: TwinSyncHook, memory: RecordKeeper) -> str:
        memory.mark()
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._submitting = f"{shown_job(self.text, self.image_url)}, submitted at {now}"
        try:
            self._job = hook.submit(text=self.text, image_url=self.image_url, pronouncer=self.pronouncer)
            return self._job
        except UncertainSubmitError as error:
            if self.on_uncertain_submit == "retry" and not error.names_job:
                memory.forget()
                raise AirflowException(
                    f"{sentence(error.what)} A retry of this task sends it again, as on_uncertain_submit "
                    "says."
                ) from None
            memory.tell(names_job=error.names_job)
            raise
        except KeyboardInterrupt as error:
            if self._job:
                raise
            if not error.args:  # it came before anything was sent
                memory.forget()
                raise
            memory.tell()
            # Airflow takes Ctrl-C in a task for a failure that retries may follow (2.11.2, 3.3.2).
            if self.retries and self.on_uncertain_submit == "fail":
                raise AirflowFailException(str(error)) from None
            raise
        except Exception:  # whatever else comes out of it, nothing was taken
            memory.forget()
            raise
        finally:
            self._submitting = ""

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """Take up the task again when the trigger has fired; called by :meth:`resume_execution`."""
        return self._finish(context, read_event(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Take up the task again, whatever ended the deferral."""
        self.is_linked = True  # before it was deferred
        self._is_resumed = True
        try:
            store = self._store(context)
            self._job = job_of(store.get(STORE_KEY)) if store is not None else None
            self._is_remembered = self._job is not None
            check_triggerer(next_method, next_kwargs)
            return super().resume_execution(next_method, next_kwargs, context)
        except (Exception, AirflowTaskTimeout, KeyboardInterrupt) as error:
            self._end_paid(error)

    def _finish(self, context: Context, end: End) -> str:
        self._job = end.twinsync_task_id
        result_url = end.result()
        context["ti"].xcom_push(key="result_url", value=result_url)
        self.push_link(context, result_url)
        return end.twinsync_task_id

    def _end_paid(self, error: BaseException) -> NoReturn:
        """Raise what ends the task: a retry must not pay for another job, unless this one failed.

        Where there is no job yet, errors become Airflow's as elsewhere.
        """
        if isinstance(error, JobFailedError):
            raise AirflowException(
                f"{sentence(str(error))} A retry of this task submits a new job."
            ) from None
        try:
            with airflow_errors(advice=self._advice):
                raise error
        except (AirflowFailException, AirflowSensorTimeout):
            raise
        except (Exception, AirflowTaskTimeout, KeyboardInterrupt) as ending:
            is_ctrl_c = isinstance(ending, KeyboardInterrupt)
            has_job = self._job is not None or self._is_resumed
            if not has_job or self._is_remembered or (is_ctrl_c and not self.retries):
                raise
            said = "Ctrl-C came before the task was done" if is_ctrl_c else str(ending)
            named = not self._job or self._job in said
            which = "" if named else f" (TwinSync job {self._job}, which is paid for)"
            raise AirflowFailException(f"{said}{which}") from ending

    def on_kill(self) -> None:
        """Tell a person who stops the task what becomes of the job."""
        if self._submitting:
            self.log.warning(
                "Stopped during a submit: a job may exist, and be paid for, of %s. Check your account before "
                "a rerun.",
                self._submitting,
            )
        elif self._job:
            self.log.warning("%s %s", job_continues(self._job), self._advice)

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Tell OpenLineage of the photo."""
        return openlineage(self.image_url, None, None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Tell OpenLineage of the photo and the job; also of a task that failed."""
        return openlineage(self.image_url, None, self._job)

    @property
    def _advice(self) -> str:
        return _ADVICE if self._is_remembered else _ADVICE_WITHOUT_MEMORY


def _unresolved(record: SubmitRecord) -> UncertainSubmitError:
    """Build the error about an uncertain submit of an earlier try."""
    if not record.is_damaged:
        return unresolved(
            f"An earlier try of this task began to submit at {record.marked_at}, and whether TwinSync made "
            "a job of it is unknown.",
            record.shown,
        )
    named = f" It names TwinSync job {record.twinsync_task_id}." if record.twinsync_task_id else ""
    error = unresolved(
        f"The record of an earlier submit of this task, begun at {record.marked_at}, is damaged, and whether "
        f"TwinSync made a job of it is unknown.{named}",
        record.shown,
    )
    return UncertainSubmitError(error.what, f"{error.advice} If that does not help, {HOW_TO_DELETE}.")


class TwinSyncDownloadOperator(TextFields, Linked, BaseOperator):
    """Fetch a video; the XCom ``return_value`` is a ``dict`` about it.

    It is ``{"path", "bytes", "sha256", "content_type", "duration_s"}``; ``duration_s`` is how long the video
    plays, in seconds, or None if its file does not say. The XCom ``path`` has the path alone:
    ``fetch.output["path"]`` is the argument for the next task.

    The file appears at the destination when it is whole, or not at all; one that was there before is replaced
    then. This holds for local paths, and for stores that commit an upload at its end, as S3, Google Cloud
    Storage and Azure do (tested is S3).

    An interrupted download resumes within the try, if the server supports ranges. A retry begins again.

    The event of each asset among the ``outlets`` has the ``return_value`` as its ``extra``, with the keys
    ``twinsync_task_id`` and ``fingerprint`` (of the job's inputs, if a submit upstream made it) in addition.

    :param result_url: the address of the video, as ``TwinSyncSensor`` gave it: ``wait.output`` (templated).
    :param destination: a local path, whose folders are made if need be, or any address that
        ``ObjectStoragePath`` understands, such as ``s3://aws_default@videos/{{ run_id }}.mp4`` (templated).
    :param twinsync_task_id: the job, to ask for a new address if this one has expired, and to know the video
        again whatever its address is by then (templated).
    :param twinsync_conn_id: the connection, which says what hosts a video may come from (templated).
    :raises ValueError: ``destination`` is no template and can never be right, or a task is given where its
        output should be.
    """

    template_fields: Sequence[str] = ("result_url", "destination", "twinsync_task_id", "twinsync_conn_id")
    ui_color = "#f5e3c4"

    def __init__(
        self,
        *,
        result_url: str | XComArg,
        destination: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        twinsync_task_id: str | XComArg | None = None,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not self.is_unmapped:
            check_constants(destination=destination)  # before the job is paid for
        self.result_url: Any = result_url
        self.destination: Any = destination
        self.twinsync_task_id: Any = twinsync_task_id
        self.twinsync_conn_id = twinsync_conn_id
        self.check_given()
        self._is_fetching = False
        self._job: str | None = None
        self._inputs: Inputs | None = None
        self._fetched: Download | None = None

    def execute(self, context: Context) -> Download:
        """Download the video."""
        if is_http_url(self.result_url):  # before the fetch, so that one that fails has a link too
            self.push_link(context, self.result_url)
        with airflow_errors():
            self.check_rendered()
            if self.result_url is None:
                raise UsageError(
                    "result_url is None: the task that it comes from returned nothing. Was that skipped "
                    "(soft_fail), or has it do_xcom_push=False? After a wait that may be skipped, leave this "
                    "task's trigger_rule at 'all_success': then it is skipped as well. After a submit with "
                    "wait_for_completion=True, the address is submit.output['result_url']."
                )
            twinsync_task_id = self.twinsync_task_id and checked_task_id(self.twinsync_task_id)
            self._job = twinsync_task_id
            self._is_fetching = True
            began = time.monotonic()
            try:
                fetched = TwinSyncHook(self.twinsync_conn_id).download(
                    self.result_url, self.destination, twinsync_task_id=twinsync_task_id
                )
            finally:
                self._is_fetching = False
            self.log.info(
                "The video%s lies at %s (%s bytes, %s).",
                f" of TwinSync job {twinsync_task_id}" if twinsync_task_id else "",
                fetched["path"],
                f"{fetched['bytes']:,}",
                shown_duration(time.monotonic() - began),
            )
        self._fetched = fetched
        self._inputs = pull_inputs(context, submits_before(self), twinsync_task_id)
        made_of = self._inputs["fingerprint"] if self._inputs else None
        job = {"twinsync_task_id": twinsync_task_id, "fingerprint": made_of}
        tell_assets(context, self.outlets, {**fetched, **job})
        push_xcom(context, "path", fetched["path"])
        return fetched

    def on_kill(self) -> None:
        """End the fetch, so that what has arrived is removed.

        A worker of Airflow 3 calls this at a SIGTERM, lets the task go on, and sends a SIGKILL five seconds
        later. It also calls it after an ``execution_timeout``, when there is no fetch any more.
        """
        if self._is_fetching:
            self._is_fetching = False  # another SIGTERM must not disturb the cleaning up
            self.log.warning("The fetch was stopped, and nothing of the video is kept.")
            raise SystemExit("The task was stopped while it fetched the video.")

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Tell OpenLineage of the photo and the video; of a task that failed, of what it knew."""
        photo = self._inputs and self._inputs["photo"]
        return openlineage(photo or self.result_url, self._fetched, self._job)
