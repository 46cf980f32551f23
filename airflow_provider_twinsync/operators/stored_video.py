"""The video that an earlier run stored at the same destination, with ``reuse="runs"``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_twinsync._records.stored import read_stored

if TYPE_CHECKING:
    from airflow_provider_twinsync._airflow.lineage import Inputs
    from airflow_provider_twinsync._download.transfer import Download


def stored_before(job: Inputs | None, destination: Any, fingerprint: str | None = None) -> Download | None:
    """Return the video at the destination, if an earlier run stored it there and it is unchanged.

    :param job: the job of the video, or of its first part; None if it is unknown.
    :param destination: a local path, or the address of an object.
    :param fingerprint: that of the video, if it has several parts. One part may be in several videos.
    """
    if not job or not job["record"]:
        return None
    own = job["fingerprint"]
    stored = read_stored(job["record"], job["twinsync_task_id"])
    if not stored or stored.get("inputs", own) != (fingerprint or own):
        return None
    from airflow_provider_twinsync._download.destination import find_place

    place = find_place(destination)
    with suppress(Exception):  # of any store: the video is fetched, and a lasting error comes again
        if stored["path"] == place.address and stored["sha256"] == place.sha256():
            return cast(
                "Download", {name: value for name, value in stored.items() if name not in ("at", "inputs")}
            )
    return None
