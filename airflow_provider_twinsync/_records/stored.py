"""The video in a record of a ledger: where it is stored, or why it was rejected."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._records.ledger_folder import open_folder
from airflow_provider_twinsync._records.submit_record import SubmitRecord, record_bytes

if TYPE_CHECKING:
    from airflow_provider_twinsync._records.ledger_folder import Folder

log = logging.getLogger(__name__)


def write_stored(address: str, twinsync_task_id: str, video: dict[str, Any]) -> None:
    """Add the video to the record of its job. A failure is only logged: the video is stored.

    :param address: the address of the record.
    :param video: the result of the download.
    """
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        _add(address, twinsync_task_id, {"stored": {**video, "at": at}})
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
    return _add(address, twinsync_task_id, {"rejected": mark})


def read_stored(address: str, twinsync_task_id: str) -> dict[str, Any] | None:
    """Return the video of a job that an earlier run stored, or None.

    A record of ``reuse="tries"`` has none to reuse: a person who clears a download wants it again.
    """
    try:
        _, _, record = _open(address)
    except Exception as error:  # the video can be fetched
        log.warning("TS333 The record %s could not be read (%s).", address, one_line(str(error)))
        return None
    if record is None or record.get("reuse") != "runs":
        return None
    known = SubmitRecord.read(record).twinsync_task_id == twinsync_task_id
    stored = record.get("stored")
    return stored if known and isinstance(stored, dict) else None


def _add(address: str, twinsync_task_id: str, fields: dict[str, Any]) -> bool:
    """Add fields to the record of a job, and return True. False: the record has no such job."""
    folder, name, record = _open(address)
    if record is None or SubmitRecord.read(record).twinsync_task_id != twinsync_task_id:
        return False
    folder.write(name, record_bytes({**record, **fields}))
    return True


def _open(address: str) -> tuple[Folder, str, dict[str, Any] | None]:
    place, _, name = address.rpartition("/")
    folder = open_folder(place)
    data = folder.read(name)
    record = None if data is None else json.loads(data)
    return folder, name, record if isinstance(record, dict) else None
