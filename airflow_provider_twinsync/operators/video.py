"""The operator that makes one video of a text of any length."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.lineage import openlineage, pull_own_inputs, push_inputs, tell_assets
from airflow_provider_twinsync._airflow.submitting import prepare_submit
from airflow_provider_twinsync._airflow.waiting import WorkerWait
from airflow_provider_twinsync._api.shown import shown_duration
from airflow_provider_twinsync._api.validation import check_constants
from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync._content.finished.options import Finishing, Script
from airflow_provider_twinsync._content.photos import open_photo
from airflow_provider_twinsync._wait.config import DEFAULT_POKE_INTERVAL_S, WaitConfig
from airflow_provider_twinsync._wait.event import read_events
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import push_xcom
from airflow_provider_twinsync.operators.destinations import check_destination
from airflow_provider_twinsync.operators.fetching import Fetching
from airflow_provider_twinsync.operators.paid_end import names_part
from airflow_provider_twinsync.operators.paid_task import PaidTask
from airflow_provider_twinsync.operators.stored_videos import record_stored, rejects, store, stored_before
from airflow_provider_twinsync.operators.videos import Video, fingerprint_of, text_shown, video_of
from airflow_provider_twinsync.text import count_words, split_text

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_twinsync._airflow.lineage import Inputs
    from airflow_provider_twinsync._api.exchange import Request
    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._content.finished.finished_video import Finished
    from airflow_provider_twinsync._content.finished.video_check import VideoCheck
    from airflow_provider_twinsync._wait.outcome import End


class TwinSyncVideoOperator(PaidTask):
    """Make one video of a text of any length, and store it at a destination.

    The XCom ``return_value`` is a :class:`~airflow_provider_twinsync.operators.videos.Video`, with the path,
    the size, the checksum and more; the XCom ``path`` is the path alone. For example::

        TwinSyncVideoOperator(
            task_id="news",
            text="{{ params.script }}",
            image_url="https://example.com/anna.jpg",
            pronouncer="en-US-JennyNeural",
            destination="s3://aws_default@videos/{{ run_id }}.mp4",
            captions=("srt", "vtt"),
            poster=True,
            check=True,
        )

    The task splits a text over the limit of one job at the ends of sentences, and each part is a job, which
    costs money. The task submits all parts, waits for them in one deferral, downloads their videos, and
    joins them. Such a text needs the extra ``content`` of this package.

    The task checks all arguments, and the destination, before the first submit. Each part has a submit record
    of its own: a retry pays only for parts that failed. Without a record (below Airflow 3.3 that takes a
    ``ledger``) a retry would pay for all parts again, so the task skips its retries once a job exists.

    The file appears at the destination only when it is complete, and replaces an earlier one. The event of
    each asset among the ``outlets`` has the ``return_value`` as its ``extra``, and the keys ``text_words``
    and ``pronouncer``.

    :param text: the text that the person in the photo speaks (``str``, templated). A text that ends in
        ``.txt`` is the name of a file, for example ``news.txt``, in the folder of the DAG file or in
        ``template_searchpath``.
    :param image_url: the photo (templated), as in ``TwinSyncSubmitOperator``: an http(s) address, an object
        in a store, or a local file, if the connection has ``photo_staging``.
    :param pronouncer: a Microsoft text-to-speech voice, for example ``zh-CN-XiaohanNeural`` (``str``,
        templated).
    :param destination: a local path, whose folders are created, or any address that ``ObjectStoragePath``
        understands (templated).
    :param twinsync_conn_id: the connection (``str``, templated).
    :param deferrable: wait in the triggerer, without a worker (``bool``, default True).
    :param durable: record the jobs across tries (``bool``, default True).
    :param ledger: the folder of the records, as in ``TwinSyncSubmitOperator`` (templated).
    :param reuse: with a ledger: ``"tries"`` (the default) reconnects to jobs of this task instance alone,
        ``"runs"`` to jobs of the same inputs of any task and run. With ``"runs"`` a video that an earlier run
        stored at the same destination is not fetched again, if the file still has its checksum.
    :param on_uncertain_submit: the reaction if a submit may or may not have created a job: ``"fail"`` (the
        default), or ``"retry"`` to let Airflow's retries submit again, at the risk of paying twice.
    :param captions: captions of the text: ``"srt"`` and ``"vtt"`` are files beside the video, ``"mov_text"``
        is a stream in it (some of these ``str``; default none).
    :param poster: write a JPEG beside the video, ``.jpg`` (``bool``, default False).
    :param check: decode the video, and fail without a retry if it is silent, black, frozen or of another
        length than the text: True, or the limits as a ``VideoCheck`` (default False).
    :param row_id: the id of the row, for a report, and for the partition key of the asset event on Airflow
        3.3 and later (``str``, templated; default None).
    :param poke_interval: the shortest delay between two polls of a job, in seconds or as a ``timedelta``
        (default 2); as in ``TwinSyncSensor``, as are the next three.
    :param timeout: the deadline of the wait, in seconds or as a ``timedelta``; the default is Airflow's
        ``[sensors] default_timeout``, seven days.
    :param exponential_backoff: double the delay with each poll (``bool``, default False).
    :param max_wait: the longest delay between two polls, in seconds or as a ``timedelta`` (default 60).
    :raises ValueError: as ``TwinSyncSubmitOperator`` and ``TwinSyncDownloadOperator``.
    """

    template_fields: Sequence[str] = (
        "text",
        "image_url",
        "pronouncer",
        "destination",
        "twinsync_conn_id",
        "ledger",
        "row_id",
    )
    submits_many = True
    ui_color = "#d9d2e9"

    def __init__(
        self,
        *,
        text: str | XComArg,
        image_url: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        pronouncer: str | XComArg,
        destination: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = True,
        durable: bool = True,
        ledger: str | os.PathLike[str] | ObjectStoragePath | None = None,
        reuse: Literal["tries", "runs"] = "tries",
        on_uncertain_submit: Literal["fail", "retry"] = "fail",
        captions: Sequence[str] = (),
        poster: bool = False,
        check: bool | VideoCheck = False,
        row_id: str | XComArg | None = None,
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
        if not internals.is_unmapped(self):
            check_constants(destination=destination)
        self.destination: Any = destination
        self.row_id: Any = row_id
        self.finishing = Finishing.of(captions=captions, poster=poster, check=check)
        self.check_given()
        self._fetching = Fetching()
        self._stored: Finished | None = None
        self._photo: str | None = None
        #: The number of words; the text itself is stored for the time of the wait only if a step needs it.
        self.text_words = 0

    def _execute(self, context: Context) -> Video:
        self.check_rendered()
        self.finishing.check_installed()
        hook = TwinSyncHook(self.twinsync_conn_id)
        requests = self._requests(hook.settings())
        self.text_words = count_words(self.text)
        check_destination(self, context)
        keepers = [self._open_records(context, hook, request) for request in requests]
        self._warn_without_record(keepers[0])
        if len(requests) > 1:
            self.log.info(
                "The text has %d words, and makes %d jobs: a job has at most %d words.",
                self.text_words,
                len(requests),
                hook.settings().text_limit_words,
            )
        jobs: list[Inputs] = []
        for number, (request, keeper) in enumerate(zip(requests, keepers, strict=True), 1):
            same = next((job for job in jobs if job["fingerprint"] == keeper.inputs), None)
            part = f"part {number} of {len(requests)}"
            with rejects(context, [], self.row_id), names_part(part if len(requests) > 1 else ""):
                jobs.append(same or self._submit(context, hook, request, keeper, part))
            if not self.is_linked:
                self.push_link(context, hook.settings().status_url(jobs[0]["twinsync_task_id"]))
        push_inputs(context, jobs)
        # A task that fails in its wait has jobs as well.
        push_xcom(context, "twinsync_task_ids", [job["twinsync_task_id"] for job in jobs])
        if stored := stored_before(jobs[0], self.destination, self.finishing, fingerprint_of(jobs)):
            self.log.info("The video is at %s, unchanged since an earlier run.", stored["path"])
            return self._told(context, stored, jobs)
        config = WaitConfig.of(self)
        waits = [WorkerWait(hook, job["twinsync_task_id"], config) for job in jobs]
        rendered = {"twinsync_conn_id": self.twinsync_conn_id, "destination": str(self.destination)}
        rendered |= self._text | {"text": self.text if self.finishing.needs_text else text_shown(self.text)}
        rendered |= {"row_id": self.row_id} if self.row_id else {}
        return self._finish(context, hook, WorkerWait.run_all(self, waits, {"rendered": rendered}), jobs)

    def execute_complete(
        self, context: Context, event: Any = None, rendered: dict[str, Any] | None = None
    ) -> Video:
        """Finish the task with the trigger's event; :meth:`resume_execution` calls this.

        :param rendered: the arguments that the task began with. A template may have another value by now, and
            the task calls a function of ``@task.twinsync`` once.
        """
        given = rendered or {"text_words": count_words(str(self.text or ""))}  # `dag.test()` drops it
        for name, value in given.items():
            if str(getattr(self, name)) != str(value):  # an ObjectStoragePath is more than its text
                setattr(self, name, value)
        jobs = pull_own_inputs(context)
        ends = read_events(event, [job["twinsync_task_id"] for job in jobs])
        return self._finish(context, TwinSyncHook(self.twinsync_conn_id), ends, jobs)

    def _requests(self, settings: Settings) -> list[Request]:
        """Return the submit of each part of the text; sends nothing.

        :raises UsageError: an argument is wrong.
        """
        parts = self._parts(settings)
        if len(parts) > 1 and find_spec("av") is None:
            raise needs_content("A text of several jobs")
        photo = open_photo(settings, self.image_url)  # once: a store is read, and an address signed
        return [
            prepare_submit(settings, text=part, image_url=photo, pronouncer=self.pronouncer) for part in parts
        ]

    def _parts(self, settings: Settings) -> list[Any]:
        """Return the text of each job; a text that is none is refused later."""
        if not isinstance(self.text, str):
            return [self.text]
        return split_text(self.text, settings.text_limit_words, language=str(self.pronouncer))

    def _finish(self, context: Context, hook: TwinSyncHook, ends: list[End], jobs: list[Inputs]) -> Video:
        """Store the video of all jobs, or raise the error of the wait that failed.

        :param jobs: the inputs of all jobs; empty if they are unknown.
        """
        for end in ends:
            self._job_of(end.twinsync_task_id).end(end)
        videos = [(end.twinsync_task_id, end.result()) for end in ends]
        self.push_link(context, videos[0][1])
        began = time.monotonic()
        parts = self._parts(hook.settings()) if self.finishing.needs_text else []
        script = Script(parts, self.text_words, str(self.pronouncer))
        with rejects(context, jobs, self.row_id), self._fetching:
            stored = store(hook, videos, self.destination, self.finishing, script)
        self.log.info(
            "The video is at %s (%s bytes, %s, %s).",
            stored["path"],
            f"{stored['bytes']:,}",
            "1 part" if len(videos) == 1 else f"{len(videos)} parts",
            shown_duration(time.monotonic() - began),
        )
        record_stored(jobs, stored, self.finishing)
        return self._told(context, stored, jobs, [end.twinsync_task_id for end in ends])

    def _told(
        self, context: Context, stored: Finished, jobs: list[Inputs], ids: list[str] | None = None
    ) -> Video:
        """Add the video to the events of the assets, push its path as an XCom, and return the result."""
        self._stored = stored
        self._photo = jobs[0]["photo"] if jobs else None
        known = ids or [job["twinsync_task_id"] for job in jobs]
        video = video_of(self, context["ti"], stored, jobs, known)
        tell_assets(context, self.outlets, dict(video), self.row_id)
        push_xcom(context, "path", video["path"])
        return video

    @property
    def _text(self) -> dict[str, Any]:
        return {"text_words": self.text_words, "pronouncer": self.pronouncer}

    def on_kill(self) -> None:
        """Log that the jobs continue, and end a download, which removes the partial file."""
        super().on_kill()
        self._fetching.stop(self.log)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the photo, the video, the text's length and the first job for OpenLineage."""
        return openlineage(
            self._photo or self.image_url, self._stored, next(iter(self._known_jobs), None), self._text
        )
