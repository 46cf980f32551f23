"""The operator that downloads a video."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.lineage import openlineage, pull_inputs, tell_assets
from airflow_provider_twinsync._airflow.text_fields import TextFields
from airflow_provider_twinsync._api.shown import shown_duration
from airflow_provider_twinsync._api.validation import check_constants, checked_task_id, is_http_url
from airflow_provider_twinsync._content.finished.options import Finishing, Script
from airflow_provider_twinsync.exceptions import UsageError, airflow_errors
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import Linked, push_xcom, submits_before
from airflow_provider_twinsync.operators.fetching import Fetching
from airflow_provider_twinsync.operators.stored_videos import record_stored, rejects, store, stored_before
from airflow_provider_twinsync.text import count_words

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_twinsync._airflow.lineage import Inputs
    from airflow_provider_twinsync._content.finished.finished_video import Finished
    from airflow_provider_twinsync._content.finished.video_check import VideoCheck


class TwinSyncDownloadOperator(TextFields, Linked, BaseOperator):
    """Download a video to a local path or an object store.

    The XCom ``return_value`` is ``{"path", "bytes", "sha256", "content_type", "duration_s", "poster",
    "captions", "checks"}``; ``duration_s`` is the playing time in seconds, or None if the file does not have
    it. The XCom ``path`` is the path alone. For example::

        fetch = TwinSyncDownloadOperator(
            task_id="fetch",
            result_url=wait.output,
            twinsync_task_id=submit.output,
            destination="s3://aws_default@videos/{{ run_id }}.mp4",
        )
        upload(fetch.output["path"])

    The file appears at the destination only when it is complete, and replaces an earlier one. This holds for
    local paths, and for stores that commit an upload at its end, as S3, Google Cloud Storage and Azure do (S3
    is tested). An interrupted download resumes within the try, if the server supports ranges. A retry begins
    again. With ``reuse="runs"`` of the submit, a video that an earlier run stored at the same destination is
    not fetched again, if the file still has its checksum.

    The event of each asset among the ``outlets`` has the ``return_value`` as its ``extra``, and the keys
    ``twinsync_task_id`` and ``fingerprint`` (of the job's inputs, if a submit upstream made the job).

    :param result_url: the address of the video, which ``TwinSyncSensor`` returns: ``wait.output`` (``str``,
        templated).
    :param destination: a local path, whose folders are created, or any address that ``ObjectStoragePath``
        understands (templated).
    :param twinsync_task_id: the job, to request a new address if this one has expired (``str``, templated;
        by default there is no such request).
    :param twinsync_conn_id: the connection, which lists the hosts of videos (``str``, templated).
    :param captions: as in ``TwinSyncVideoOperator``; captions need ``text``.
    :param poster: as in ``TwinSyncVideoOperator``.
    :param check: as in ``TwinSyncVideoOperator``.
    :param text: the text that the person speaks, for captions and the check of the length (``str``,
        templated; default None).
    :param pronouncer: the voice, for the language of the captions (``str``, templated; default None).
    :raises ValueError: ``destination`` is not a template and is never valid, an argument is a task instead of
        its output, or there are captions without a text.
    """

    template_fields: Sequence[str] = (
        "result_url",
        "destination",
        "twinsync_task_id",
        "twinsync_conn_id",
        "text",
        "pronouncer",
    )
    ui_color = "#f5e3c4"

    def __init__(
        self,
        *,
        result_url: str | XComArg,
        destination: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        twinsync_task_id: str | XComArg | None = None,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        captions: Sequence[str] = (),
        poster: bool = False,
        check: bool | VideoCheck = False,
        text: str | XComArg | None = None,
        pronouncer: str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not internals.is_unmapped(self):
            check_constants(destination=destination)  # before the job is paid for
        self.result_url: Any = result_url
        self.destination: Any = destination
        self.twinsync_task_id: Any = twinsync_task_id
        self.twinsync_conn_id = twinsync_conn_id
        self.text: Any = text
        self.pronouncer: Any = pronouncer
        self.finishing = Finishing.of(captions=captions, poster=poster, check=check)
        if self.finishing.captions and text is None:
            raise UsageError("TS195 captions need the text: give text=, the same as to the submit.")
        self.check_given()
        self._fetching = Fetching()
        self._job: str | None = None
        self._inputs: Inputs | None = None
        self._fetched: Finished | None = None

    def execute(self, context: Context) -> Finished:
        """Download the video."""
        if is_http_url(self.result_url):  # before the download, so that a failed one has a link too
            self.push_link(context, self.result_url)
        with airflow_errors():
            self.check_rendered()
            self.finishing.check_installed()
            if self.result_url is None:
                raise UsageError(
                    "TS121 result_url is None: the task that it comes from returned nothing. Was that task "
                    "skipped (soft_fail), or has it do_xcom_push=False? After a wait that may be skipped, "
                    "leave this task's trigger_rule at 'all_success': then it is skipped as well. After a "
                    "submit with wait_for_completion=True, the address is submit.output['result_url']."
                )
            twinsync_task_id = self.twinsync_task_id and checked_task_id(self.twinsync_task_id)
            self._job = twinsync_task_id
            self._inputs = pull_inputs(context, submits_before(self), twinsync_task_id)
            if earlier := stored_before(self._inputs, self.destination, self.finishing):
                self.log.info(
                    "The video of TwinSync job %s is at %s, unchanged since an earlier run.",
                    twinsync_task_id,
                    earlier["path"],
                )
                return self._told(context, earlier)
            began = time.monotonic()
            hook = TwinSyncHook(self.twinsync_conn_id)
            script = Script()
            if self.text is not None:
                script = Script([self.text], count_words(self.text), self.pronouncer or "")
            with rejects(context, [self._inputs]), self._fetching:
                video = (twinsync_task_id, self.result_url)
                fetched = store(hook, [video], self.destination, self.finishing, script)
            self.log.info(
                "The video%s is at %s (%s bytes, %s).",
                f" of TwinSync job {twinsync_task_id}" if twinsync_task_id else "",
                fetched["path"],
                f"{fetched['bytes']:,}",
                shown_duration(time.monotonic() - began),
            )
        record_stored([self._inputs], fetched, self.finishing)
        return self._told(context, fetched)

    def _told(self, context: Context, video: Finished) -> Finished:
        """Add the video to the events of the assets, push its path as an XCom, and return it."""
        self._fetched = video
        made_of = self._inputs["fingerprint"] if self._inputs else None
        job = {"twinsync_task_id": self._job, "fingerprint": made_of}
        tell_assets(context, self.outlets, {**video, **job})
        push_xcom(context, "path", video["path"])
        return video

    def on_kill(self) -> None:
        """End the download, and so remove the partial file."""
        self._fetching.stop(self.log)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the photo, the video and the job for OpenLineage; after a failure, those that are known."""
        photo = self._inputs and self._inputs["photo"]
        return openlineage(photo or self.result_url, self._fetched, self._job)
