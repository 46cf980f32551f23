"""The history of POSTs of a run, from the service's journal and state; `check.py` has the file's form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the service keeps it."""

    id: str
    text: str
    image_url: str
    created_at_s: float
    failed: bool


@dataclass(frozen=True, slots=True)
class End:
    """The report of Airflow's tasks about one video.

    :param known: the jobs that they name.
    :param uncertain: they ask a person about an uncertain submit.
    """

    text: str
    image_url: str
    known: list[str]
    uncertain: bool


def jobs_in(state: Path) -> list[Job]:
    """Return the jobs that the emulator keeps, in the order of their submits."""
    jobs = {}
    for line in state.read_text().splitlines():
        if job := json.loads(line).get("job"):
            failed = job["failure"] is not None
            jobs[job["id"]] = Job(job["id"], job["text"], job["image_url"], job["created_at_s"], failed)
    return list(jobs.values())


@dataclass
class History:
    """The POSTs so far. A journal ends with its emulator, so `take` has to come before a kill."""

    _entries: dict[tuple[float, str], dict[str, Any]] = field(default_factory=dict)

    def take(self, journal: Iterable[dict[str, Any]]) -> None:
        """Take the POSTs of a journal; a later journal may have the same POSTs, with their answers."""
        for entry in journal:
            if entry["call"] == "submit" and entry["form"] and "image_url" in entry["form"]:
                self._entries[entry["at_s"], entry["form"]["image_url"]] = entry

    def lines(self, jobs: Iterable[Job], ends: Iterable[End], *, job_s: float, now_s: float) -> list[str]:
        """Return the lines of the file.

        :param jobs: the service's own list.
        :param job_s: how long a job takes.
        :param now_s: the time of that list.
        """
        left = {job.id: job for job in jobs}
        posts = []
        for (at_s, image_url), entry in self._entries.items():
            job = left.pop(entry["taskID"] or "", None)
            posts.append(
                _post(
                    at_s,
                    entry["form"].get("text", ""),
                    image_url,
                    job,
                    job_s=job_s,
                    now_s=now_s,
                    http_status=entry["status"],
                    result_code=entry["result_code"],
                    fault=entry["fault"],
                )
            )
        # Accepted between the last look at the journal and the kill of the emulator.
        for job in left.values():
            posts.append(_post(job.created_at_s, job.text, job.image_url, job, job_s=job_s, now_s=now_s))
        posts.sort(key=lambda post: post["at_s"])
        reports = [
            {"text": end.text, "image_url": end.image_url, "known": end.known, "uncertain": end.uncertain}
            for end in ends
        ]
        lines = [*({"post": post} for post in posts), *({"end": report} for report in reports)]
        return [json.dumps(line, ensure_ascii=False) for line in lines]


def _post(
    at_s: float,
    text: str,
    image_url: str,
    job: Job | None,
    *,
    job_s: float,
    now_s: float,
    http_status: int | None = None,
    result_code: Any = None,
    fault: str | None = None,
) -> dict[str, Any]:
    ends_at_s = job.created_at_s + job_s if job else 0.0
    state = None
    if job:
        state = "running" if ends_at_s > now_s else "failed" if job.failed else "finished"
    return {
        "at_s": at_s,
        "text": text,
        "image_url": image_url,
        "accepted": job is not None,
        "job": job.id if job else None,
        "http_status": http_status,
        "result_code": result_code,
        "fault": fault,
        "state": state,
        "failed_at_s": ends_at_s if job and job.failed else None,
    }
