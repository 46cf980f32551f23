"""Store the video of a task, mark a bad one, and find the video of an earlier run (``reuse="runs"``)."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_twinsync._airflow.records import mark_rejected
from airflow_provider_twinsync._records.stored import read_stored, write_stored
from airflow_provider_twinsync.exceptions import VideoRejectedError
from airflow_provider_twinsync.links import push_xcom
from airflow_provider_twinsync.operators.videos import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_twinsync._airflow.lineage import Inputs
    from airflow_provider_twinsync._content.finished.finished_video import Finished
    from airflow_provider_twinsync._content.finished.options import Finishing, Script
    from airflow_provider_twinsync.hooks import TwinSyncHook

#: The fields of ``Finished``.
_FINISHED = ("path", "bytes", "sha256", "content_type", "duration_s", "poster", "captions", "checks")


def store(
    hook: TwinSyncHook,
    videos: Sequence[tuple[str | None, str]],
    destination: Any,
    finishing: Finishing,
    script: Script,
) -> Finished:
    """Download the videos of the jobs of one text, and store one finished video.

    :param videos: the job and the address of each video, in their order.
    :raises TwinSyncError: as ``TwinSyncHook.download``, and ``VideoRejectedError``.
    """
    if len(videos) == 1 and not finishing:
        [(twinsync_task_id, result_url)] = videos
        fetched = hook.download(result_url, destination, twinsync_task_id=twinsync_task_id)
        return {**fetched, "poster": None, "captions": {}, "checks": None}
    # Here, as a DAG file that is parsed downloads nothing.
    from airflow_provider_twinsync._content.finished.finished_video import store_finished

    return store_finished(hook.download, videos, destination, finishing, script, hook.log)


@contextmanager
def rejects(context: Context, jobs: Sequence[Inputs | None], row_id: str | None = None) -> Iterator[None]:
    """Mark the bad jobs of a rejected video, and push the numbers as the XCom ``rejected``, for a report.

    :param jobs: each job of the video, in their order; empty or None if it is unknown.
    """
    try:
        yield
    except VideoRejectedError as error:
        for at, checks in error.parts.items():
            if at < len(jobs) and (job := jobs[at]):
                mark_rejected(context, [job], VideoRejectedError(str(error), checks=checks))
        numbers = {"checks": error.checks, "parts": [at + 1 for at in error.parts]}
        pushed = {"row_id": row_id, "message": str(error), **numbers, "path": error.path}
        push_xcom(context, "rejected", pushed)
        raise


def stored_before(
    job: Inputs | None, destination: Any, finishing: Finishing, fingerprint: str | None = None
) -> Finished | None:
    """Return the video at the destination, if an earlier run stored it there and it is unchanged.

    :param job: the job of the video, or of its first part; None if it is unknown.
    :param destination: a local path, or the address of an object.
    :param finishing: the options of this task. A video with other options is finished again.
    :param fingerprint: the hash of a video of several parts. One part may be in several videos.
    """
    if not job or not job["record"]:
        return None
    from airflow_provider_twinsync._download.destination import find_place

    own, place = job["fingerprint"], find_place(destination)
    for stored in read_stored(job["record"], job["twinsync_task_id"]):
        if (
            stored.get("path") != place.address
            or stored.get("inputs", own) != (fingerprint or own)
            or stored.get("finishing") != finishing.to_record()
        ):
            continue
        with suppress(Exception):  # of any store: the video is fetched, and a lasting error comes again
            beside = [stored["poster"], *stored["captions"].values()]
            if stored["sha256"] == place.sha256() and all(
                find_place(address).sha256() for address in beside if address
            ):
                return cast("Finished", {name: stored[name] for name in _FINISHED})
    return None


def record_stored(jobs: Sequence[Inputs | None], stored: Finished, finishing: Finishing) -> None:
    """Add the stored video to the record of each of its jobs."""
    known = [job for job in jobs if job]
    entry = {**stored, "finishing": finishing.to_record(), "inputs": fingerprint_of(known)}
    for job in known:
        if job["record"]:
            write_stored(job["record"], job["twinsync_task_id"], entry)
