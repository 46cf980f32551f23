"""Account for each video: by Airflow's states and logs, by the service's jobs, by the files."""

from __future__ import annotations

import hashlib
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev.chaos.history import End
from dev.chaos.plan import DAG_ID, POINTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dev.airflow.emulated_twinsync import EmulatedTwinSync
    from dev.airflow.world import AirflowWorld
    from dev.chaos.check import Verdict
    from dev.chaos.history import Job
    from dev.chaos.plan import Plan, Video

#: Messages of a task about an uncertain submit; both name the photo.
UNCERTAIN_WORDS = (
    "Whether TwinSync made a job from the submit of",
    "whether TwinSync made a job of it is unknown",
)
REFUSED_WORDS = "TwinSync refused the job: "
#: The places of submit records.
STORE, LEDGER = "the task state store", "a ledger"
JOB_FAILED_WORDS = "failed (code 104)"


@dataclass
class Account:
    """The account of one seed: every video is whole, failed or refused by the service, uncertain, or lost.

    :param uncertain_with_job: those of the uncertain ones that have a job.
    :param airflow: its version.
    :param record: the place of the submit records.
    :param posts: requests for a job that reached the service.
    :param paid_twice: jobs beside one that did not fail, by the checker of the history.
    :param unnamed: jobs that no task names, by the same checker.
    :param key_found: files with the access key in them.
    :param undone: parts of the plan that the run ended before.
    """

    seed: int
    asked: int
    airflow: str = ""
    record: str = ""
    posts: int = 0
    jobs: int = 0
    whole: int = 0
    job_failed: int = 0
    refused: int = 0
    uncertain: int = 0
    uncertain_with_job: int = 0
    paid_twice: int = 0
    unnamed: int = 0
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
    ends: list[End] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Return whether nothing is lost, paid twice, left behind or leaked, and the plan is complete."""
        amiss = (self.paid_twice, self.unnamed, self.lost, self.fragments, self.key_found, self.undone)
        return not any(amiss)

    def take(self, verdict: Verdict) -> None:
        """Take over the result of the checker of the history."""
        self.posts = verdict.posts
        self.paid_twice, self.unnamed = len(verdict.paid_twice), len(verdict.unnamed)
        self.complaints += [f"paid twice: {line}" for line in verdict.paid_twice]
        self.complaints += [f"unnamed: {line}" for line in verdict.unnamed]


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

    def found(task: str) -> list[Path]:
        folder = f"task_id={video.group}.{task}/map_index={video.index}"
        return list(logs.glob(f"dag_id={DAG_ID}/*/{folder}/attempt=*"))

    def said(task: str) -> str:
        """Return the log of the last try: after an end that is named there must be no other try."""
        last = max(map(_try_number, found(task)), default=0)
        return "".join(log.read_text() for log in found(task) if _try_number(log) == last)

    name = f"video {video.number} ({video.group}[{video.index}], jobs {[job.id for job in jobs]})"
    log = said("submit")
    uncertain = (
        state("submit") == "failed"
        and any(words in log for words in UNCERTAIN_WORDS)
        and video.image_url in log
    )
    logged = "".join(log.read_text() for task in ("submit", "wait", "fetch") for log in found(task))
    known = [job.id for job in jobs if job.id in logged]
    account.ends.append(End(video.text, video.image_url, known, uncertain))
    file = Path(video.destination)
    if state("fetch") == "success":
        kept = hashlib.sha256(file.read_bytes()).digest() if file.exists() else b""
        if jobs and kept == hashlib.sha256(emulator.video(jobs[-1].id)).digest():
            account.whole += 1
        else:
            account.lost += 1
            account.complaints.append(f"lost: {name}: its file is not that of its job")
        return
    if file.exists():
        account.lost += 1
        account.complaints.append(f"lost: {name}: a file of a download that did not succeed")
    elif uncertain:
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


#: Where the kills of a worker see the steps of its submit record. Before a ledger there is no relay.
_SEEN_IN = {
    STORE: "answers of Airflow's API, held back",
    LEDGER: "submits held back, and files of the ledger (no equivalent: an answer held back)",
}


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
        "mark": "after the intent, before the POST",
        "post": "after the POST, before the id is stored",
        "id": "after the id is stored",
        "wait": "during a wait",
        "fetch": "during a download",
        "told": "after the record has the uncertain submit, before the task fails",
    }
    to_next = "to the next request about its job, median / longest"
    rows: list[tuple[str, Sequence[Any]]] = [
        ("Airflow", [account.airflow for account in accounts]),
        ("submit records in", [account.record for account in accounts]),
        ("videos requested", [account.asked for account in accounts]),
        ("POSTs", [account.posts for account in accounts]),
        ("jobs made", [account.jobs for account in accounts]),
        ("**paid twice**", [account.paid_twice for account in accounts]),
        ("**jobs that no task names**", [account.unnamed for account in accounts]),
        ("**lost**", [account.lost for account in accounts]),
        ("complete files", [account.whole for account in accounts]),
        ("failed by the service (code 104), and reported as failed", [a.job_failed for a in accounts]),
        ("refused by the service (codes 200 to 202), and reported as refused", [a.refused for a in accounts]),
        ("uncertain, and reported as uncertain", [account.uncertain for account in accounts]),
        ("... of which have a job", [account.uncertain_with_job for account in accounts]),
        ("partial files left behind", [account.fragments for account in accounts]),
        ("files with the access key", [account.key_found for account in accounts]),
        ("faults of the service", [account.faults for account in accounts]),
    ]
    if any(account.kills for account in accounts):
        rows += [
            ("steps of a record seen in", [_SEEN_IN.get(account.record, "") for account in accounts]),
            *((f"workers killed {where[point]}", kills(point)) for point in POINTS),
            ("triggerers killed during a wait", kills("triggerer")),
            ("service killed", kills("emulator")),
            ("database stopped", kills("database")),
            ("link to the database cut", kills("link")),
            ("processes that ended because of that, and were restarted", [a.restarts for a in accounts]),
            (f"time from a worker's death {to_next}", times("worker")),
            ("the same for a triggerer, median / longest", times("triggerer")),
        ]
    rows.append(("total time", [f"{account.duration_s:.0f} s" for account in accounts]))
    lines: list[list[Any]] = [
        ["seed", *(account.seed for account in accounts)],
        ["---", *("--:" for _ in accounts)],
    ]
    lines += [[name, *values] for name, values in rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
