"""The videos in a record of a ledger: where they are stored, or why one was rejected.

One job may be in several videos: of equal rows, of a part that two texts share, or of each night's folder.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._records.ledger_folder import open_folder
from airflow_provider_twinsync._records.submit_record import SubmitRecord, record_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_twinsync._records.ledger_folder import Folder

log = logging.getLogger(__name__)

#: Half of the bytes that a ledger reads of a record: the places of about 40 videos.
_MOST_BYTES = 32_768


def videos_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the stored videos in a record, the newest first.

    >>> videos_of({"stored": {"path": "/b.mp4"}, "stored_before": [{"path": "/a.mp4"}]})
    [{'path': '/b.mp4'}, {'path': '/a.mp4'}]
    """
    before = record.get("stored_before")
    found = [record.get("stored"), *(before if isinstance(before, list) else ())]
    return [video for video in found if isinstance(video, dict)]


def write_stored(address: str, twinsync_task_id: str, video: dict[str, Any]) -> None:
    """Add the video to the record of its job. A failure is only logged: the video is stored.

    The record keeps the videos at other places, as far as there is room.

    :param address: the address of the record.
    :param video: the result of the download.
    """
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        _change(address, twinsync_task_id, partial(_with_video, video={**video, "at": at}))
    except Exception as error:  # of any store
        log.warning(
            "TS332 The record of TwinSync job %s could not be told where its video is (%s); another run "
            "fetches it again.",
            twinsync_task_id,
            one_line(f"{type(error).__name__}: {error}"),
        )


def write_rejected(address: str, twinsync_task_id: str, mark: dict[str, Any]) -> bool:
    """Mark a job as bad in its record, and return True. False: the record has no such job.

    :param address: the address of the record.
    :param mark: the result of :func:`~airflow_provider_twinsync._records.submit_record.rejection`.
    :raises Exception: the store cannot be read or written.
    """
    return _change(address, twinsync_task_id, lambda record: {**record, "rejected": mark})


def read_stored(address: str, twinsync_task_id: str) -> list[dict[str, Any]]:
    """Return the videos of a job that earlier runs stored, the newest first.

    A record of ``reuse="tries"`` has none to reuse: a person who clears a download wants it again.
    """
    try:
        _, _, record = _open(address)
    except Exception as error:  # the video can be fetched
        log.warning("TS333 The record %s could not be read (%s).", address, one_line(str(error)))
        return []
    if record is None or record.get("reuse") != "runs":
        return []
    known = SubmitRecord.read(record).twinsync_task_id == twinsync_task_id
    return videos_of(record) if known else []


def _with_video(record: dict[str, Any], video: dict[str, Any]) -> dict[str, Any]:
    before = [one for one in videos_of(record) if one.get("path") != video["path"]]
    changed = {**record, "stored": video, "stored_before": before}
    while before and len(record_bytes(changed)) > _MOST_BYTES:
        before.pop()
    return changed


def _change(address: str, twinsync_task_id: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    """Change the record of a job, and return True. False: the record has no such job."""
    folder, name, record = _open(address)
    if record is None or SubmitRecord.read(record).twinsync_task_id != twinsync_task_id:
        return False
    folder.write(name, record_bytes(change(record)))
    return True


def _open(address: str) -> tuple[Folder, str, dict[str, Any] | None]:
    place, _, name = address.rpartition("/")
    folder = open_folder(place)
    data = folder.read(name)
    record = None if data is None else json.loads(data)
    return folder, name, record if isinstance(record, dict) else None
