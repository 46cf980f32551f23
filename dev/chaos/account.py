"""Account for each video: by Airflow's states and logs, by the service's jobs, by the files."""

from __future__ import annotations

import hashlib
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev.chaos.plan import DAG_ID, POINTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dev.airflow.emulated_twinsync import EmulatedTwinSync
    from dev.airflow.world import AirflowWorld
    from dev.chaos.plan import Plan, Video

#: Messages of a task about an uncertain submit; both name the photo.
UNCERTAIN_WORDS = (
    "Whether TwinSync made a job from the submit of",
    "whether TwinSync made a job of it is unknown",
)
REFUSED_WORDS = "TwinSync refused the job: "
JOB_FAILED_WORDS = "failed (code 104)"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the service keeps it."""

    id: str
    image_url: str
    failed: bool


@dataclass
class Account:
    """The account of one seed: every video is whole, failed or refused by the service, uncertain, or lost.

    :param uncertain_with_job: those of the uncertain ones that have a job.
    :param paid_twice: videos with a job beside one that did not fail.
    :param key_found: files with the access key in them.
    :param undone: parts of the plan that the run ended before.
    """

    seed: int
    asked: int
    jobs: int = 0
    whole: int = 0
    job_failed: int = 0
    refused: int = 0
    uncertain: int = 0
    uncertain_with_job: int = 0
    paid_twice: int = 0
    lost: int = 0
    fragments: int = 0
    key_found: int = 0
    undone: int = 0
    complaints: list[str] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    restarts: int = 0
    taken_over_s: dict[str, list[float]] = field(default_factory=dict)
    duration_s: float = 0.0

    @property
    def is_good(self) -> bool:
        """Return whether nothing is lost, paid twice, left behind or leaked, and the plan is complete."""
        return not (self.paid_twice or self.lost or self.fragments or self.key_found or self.undone)


def make_account(
    plan: Plan,
    airflow: AirflowWorld,
    run_id: str,
    emulator: EmulatedTwinSync,
    jobs: Iterable[Job],
    more_files: Iterable[Path],
) -> Account:
    """Account for every video.

    :param more_files: where else the key should not be.
    """
    account = Account(plan.seed, len(plan.videos))
    states = {(task.task_id, task.map_index): task.state for task in airflow.api.task_states(DAG_ID, run_id)}
    made: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        account.jobs += 1
        made[job.image_url].append(job)
    for video in plan.videos:
        _judge(account, video, made[video.image_url], states, airflow.home / "logs", emulator)
    fragments = [path.name for path in plan.folder.iterdir() if path.suffix != ".mp4"]
    account.fragments = len(fragments)
    account.complaints += [f"left behind: {name}" for name in fragments]
    for path in [*airflow.home.rglob("*"), *more_files]:
        # The emulator prints its key for its user, and a command line is not a file.
        if path.is_file() and path.name != "emulator.log" and emulator.key.encode() in path.read_bytes():
            account.key_found += 1
            account.complaints.append(f"the key is in {path}")
    return account


def _judge(
    account: Account,
    video: Video,
    jobs: list[Job],
    states: dict[tuple[str, int], str | None],
    logs: Path,
    emulator: EmulatedTwinSync,
) -> None:
    def state(task: str) -> str | None:
        return states.get((f"{video.group}.{task}", video.index))

    def said(task: str) -> str:
        """Return the log of the last try: after an end that is named there must be no other try."""
        folder = f"task_id={video.group}.{task}/map_index={video.index}"
        found = list(logs.glob(f"dag_id={DAG_ID}/*/{folder}/attempt=*"))
        last = max(map(_try_number, found), default=0)
        return "".join(log.read_text() for log in found if _try_number(log) == last)

    name = f"video {video.number} ({video.group}[{video.index}], jobs {[job.id for job in jobs]})"
    # After a job that failed, another submit is right; after one that did not, it costs for nothing.
    if sum(not job.failed for job in jobs) > 1 or any(not job.failed for job in jobs[:-1]):
        account.paid_twice += 1
        account.complaints.append(f"paid twice: {name}")
    file = Path(video.destination)
    if state("fetch") == "success":
        kept = hashlib.sha256(file.read_bytes()).digest() if file.exists() else b""
        if jobs and kept == hashlib.sha256(emulator.video(jobs[-1].id)).digest():
            account.whole += 1
        else:
            account.lost += 1
            account.complaints.append(f"lost: {name}: its file is not that of its job")
        return
    log = said("submit")
    if file.exists():
        account.lost += 1
        account.complaints.append(f"lost: {name}: a file of a download that did not succeed")
    elif (
        state("submit") == "failed"
        and any(words in log for words in UNCERTAIN_WORDS)
        and video.image_url in log
    ):
        account.uncertain += 1
        account.uncertain_with_job += bool(jobs)
    elif state("submit") == "failed" and REFUSED_WORDS in log and not jobs:
        account.refused += 1
    elif JOB_FAILED_WORDS in log + said("wait") and jobs and jobs[-1].failed:
        account.job_failed += 1
    else:
        account.lost += 1
        tasks = ("submit", "wait", "fetch") if video.group == "two_tasks" else ("submit", "fetch")
        account.complaints.append(f"lost: {name}: " + ", ".join(f"{task} {state(task)}" for task in tasks))


def _try_number(log: Path) -> int:
    """That of `attempt=2.log`, and of `attempt=2.log.trigger.7.log` of the triggerer."""
    return int(log.name.removeprefix("attempt=").partition(".")[0])


def table(accounts: Sequence[Account]) -> str:
    """The accounts side by side, as a Markdown table."""

    def times(who: str) -> list[str]:
        def one(account: Account) -> str:
            found = account.taken_over_s.get(who, [])
            return f"{statistics.median(found):.0f} / {found[-1]:.0f} s" if found else "-"

        return [one(account) for account in accounts]

    def kills(what: str) -> list[Any]:
        return [account.kills.get(what, 0) for account in accounts]

    where = {
        "mark": "after the mark, before the POST",
        "post": "after the POST, before the id is stored",
        "id": "after the id is stored",
        "wait": "while it waits",
        "fetch": "while it fetches",
        "told": "after it has noted that it cannot know",
    }
    rows: list[tuple[str, Sequence[Any]]] = [
        ("videos asked for", [account.asked for account in accounts]),
        ("jobs made", [account.jobs for account in accounts]),
        ("**paid twice**", [account.paid_twice for account in accounts]),
        ("**lost**", [account.lost for account in accounts]),
        ("files whole", [account.whole for account in accounts]),
        ("failed by the service (code 104), and named as such", [a.job_failed for a in accounts]),
        ("refused by the service (codes 200 to 202), and named as such", [a.refused for a in accounts]),
        ("uncertain, and named as such", [account.uncertain for account in accounts]),
        ("... of which have a job", [account.uncertain_with_job for account in accounts]),
        ("fragments left behind", [account.fragments for account in accounts]),
        ("files with the access key", [account.key_found for account in accounts]),
        ("faults of the service", [account.faults for account in accounts]),
    ]
    if any(account.kills for account in accounts):
        rows += [
            *((f"workers killed {where[point]}", kills(point)) for point in POINTS),
            ("triggerers killed in mid-wait", kills("triggerer")),
            ("service killed", kills("emulator")),
            ("database stopped", kills("database")),
            ("parts that ended by that and were started again", [account.restarts for account in accounts]),
            ("worker killed until taken over, median / longest", times("worker")),
            ("triggerer killed until taken over, median / longest", times("triggerer")),
        ]
    rows.append(("time in all", [f"{account.duration_s:.0f} s" for account in accounts]))
    lines: list[list[Any]] = [
        ["seed", *(account.seed for account in accounts)],
        ["---", *("--:" for _ in accounts)],
    ]
    lines += [[name, *values] for name, values in rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
