"""The result of a task that makes a video, and the stored video of an earlier run (``reuse="runs"``)."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict, cast

from airflow_provider_twinsync._records.stored import read_stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_twinsync._airflow.lineage import Inputs
    from airflow_provider_twinsync._download.transfer import Download


class Video(TypedDict):
    """The result of :class:`~airflow_provider_twinsync.operators.TwinSyncVideoOperator`.

    ``path`` is the absolute path or the address of the file, ``bytes`` its size, ``sha256`` its checksum in
    hexadecimal digits, and ``duration_s`` the duration in seconds, or None if the file does not state it.
    ``parts`` is the number of parts of the text, ``twinsync_task_ids`` the job of each part, and
    ``fingerprint`` the hash of text, photo, voice and service: the same inputs have the same fingerprint.
    For example, the next task reads ``video.output["path"]``.
    """

    path: str
    bytes: int
    sha256: str
    duration_s: float | None
    parts: int
    fingerprint: str | None
    twinsync_task_ids: list[str]


def stored_before(job: Inputs | None, destination: Any, fingerprint: str | None = None) -> Download | None:
    """Return the video at the destination, if an earlier run stored it there and it is unchanged.

    :param job: the job of the video, or of its first part; None if it is unknown.
    :param destination: a local path, or the address of an object.
    :param fingerprint: the hash of a video of several parts. One part may be in several videos.
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


def fingerprint_of(jobs: Sequence[Inputs]) -> str | None:
    """Return the hash of all inputs: of a single job its own, of several the hash of theirs."""
    if len(jobs) < 2:
        return jobs[0]["fingerprint"] if jobs else None
    return hashlib.sha256("".join(job["fingerprint"] for job in jobs).encode()).hexdigest()[:32]
