"""The result of a task that makes a video."""

from __future__ import annotations

import hashlib
import textwrap
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_twinsync.links import task_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_twinsync._airflow.lineage import Inputs
    from airflow_provider_twinsync._content.finished.finished_video import Finished


class Video(TypedDict):
    """The result of :class:`~airflow_provider_twinsync.operators.TwinSyncVideoOperator`.

    ``path`` is the absolute path or the address of the file, ``bytes`` its size, ``sha256`` its checksum in
    hexadecimal digits, and ``duration_s`` the duration in seconds, or None if the file does not state it.
    ``parts`` is the number of parts of the text, ``twinsync_task_ids`` the job of each part, and
    ``fingerprint`` the hash of text, photo, voice and service: the same inputs have the same fingerprint.
    ``poster`` is the address of the poster, ``captions`` those of the captions by their kind, and ``checks``
    has the numbers of the check; without them they are None, ``{}`` and None. ``text`` is the beginning of
    the text, ``text_words`` the number of its words, ``pronouncer`` the voice, ``row_id`` the row of a sheet,
    and ``task_url`` the page of the task in Airflow's web UI. For example, the next task reads
    ``video.output["path"]``.
    """

    path: str
    bytes: int
    sha256: str
    duration_s: float | None
    parts: int
    fingerprint: str | None
    twinsync_task_ids: list[str]
    poster: str | None
    captions: dict[str, str]
    checks: dict[str, Any] | None
    text: str
    text_words: int
    pronouncer: str
    row_id: str | None
    task_url: str | None


def video_of(task: Any, ti: Any, stored: Finished, jobs: Sequence[Inputs], ids: Sequence[str]) -> Video:
    """Return the result of a task.

    :param task: a ``TwinSyncVideoOperator``.
    :param jobs: the inputs of its jobs; empty if they are unknown.
    :param ids: its jobs.
    """
    return Video(
        path=stored["path"],
        bytes=stored["bytes"],
        sha256=stored["sha256"],
        duration_s=stored["duration_s"],
        parts=len(ids),
        fingerprint=fingerprint_of(jobs),
        twinsync_task_ids=list(ids),
        poster=stored["poster"],
        captions=stored["captions"],
        checks=stored["checks"],
        text=text_shown(task.text),
        text_words=task.text_words,
        pronouncer=str(task.pronouncer),
        row_id=task.row_id,
        task_url=task_url(ti, ti.task_id, -1 if ti.map_index is None else ti.map_index),
    )


def text_shown(text: Any) -> str:
    """Return the beginning of a text: enough to recognize a video by."""
    return textwrap.shorten(str(text), 300, placeholder=" …")


def fingerprint_of(jobs: Sequence[Inputs]) -> str | None:
    """Return the hash of all inputs of a video; None if its jobs are unknown."""
    return joint_fingerprint([job["fingerprint"] for job in jobs]) if jobs else None


def joint_fingerprint(fingerprints: Sequence[str]) -> str:
    """Return the hash of all inputs of a video: of a single job its own, of several the hash of theirs."""
    if len(fingerprints) == 1:
        return fingerprints[0]
    return hashlib.sha256("".join(fingerprints).encode()).hexdigest()[:32]
