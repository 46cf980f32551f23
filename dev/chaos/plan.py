"""The plan of chaos, from a seed: the same seed makes the same videos, kills and faults.

Pure: no process, no clock.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAG_ID = "twinsync_chaos"
VOICE = "en-US-JennyNeural"

#: Where a worker is killed: after its mark is stored, after the service has taken the POST, after the
#: job's id is stored, while it waits (in its worker), while it fetches, and after it has noted that it cannot
#: know whether there is a job.
POINTS = ("mark", "post", "id", "wait", "fetch", "told")
#: The killed processes: the task's own process, the process that supervises it, or both.
SCOPES = ("task", "supervisor", "worker")
KILLS_PER_POINT = 4  # with fewer than 80 videos there are not so many that wait in a worker
MIN_VIDEOS = 40
JOBS_PER_VIDEO = 0.8  # at least; some are refused or uncertain
#: Of twenty videos, the way that each goes: a task group of the DAG.
WAYS = 12 * ("two_tasks",) + 7 * ("one_task",) + 1 * ("in_worker",)


@dataclass(frozen=True, slots=True)
class Video:
    """One video that is asked for.

    :param group: the way it goes.
    :param index: its place among those of its group.
    """

    number: int
    group: str
    index: int
    text: str
    image_url: str
    destination: str

    def conf(self) -> dict[str, str]:
        """Return the parameters of the DAG."""
        return {"text": self.text, "image_url": self.image_url, "destination": self.destination}


@dataclass(frozen=True, slots=True)
class Blow:
    """A single failure of a component, for example of the database.

    :param kind: `triggerer`, `emulator`, `database` (it is stopped) or `link` (to the database; it is cut).
    :param after_jobs: when so many jobs were made.
    :param target: which triggerer, or how the link is cut: `silently` or `with a reset`.
    :param lasts_s: how long it stays away, in seconds.
    """

    kind: str
    after_jobs: int
    target: str = ""
    lasts_s: float = 0.0


@dataclass
class Plan:
    """A plan.

    :param folder: the folder of the videos.
    :param kills: for a video's number and a point, the scope of the kill there.
    """

    seed: int
    folder: Path
    videos: list[Video]
    kills: dict[tuple[int, str], str] = field(default_factory=dict)
    blows: list[Blow] = field(default_factory=list)

    def faults(self, call: str) -> Iterator[dict[str, Any]]:
        """Yield without end the faults of one kind of call, and fillers that let some calls pass."""
        dice = random.Random(f"{self.seed} {call}")
        every, kinds = FAULTS[call]
        # Without kills there are fewer videos, and each kind of fault is to come up all the same.
        every = every if self.kills else max(1, every // 4)
        while True:
            for kind in dice.sample(kinds, len(kinds)):
                yield {"call": call, "fault": "slow", "delay_s": 0, "times": dice.randint(1, 2 * every - 1)}
                yield {"call": call, **kind}


def make_plan(seed: int, count: int, folder: Path, *, kills: bool) -> Plan:
    """Make the plan of a seed.

    :param count: how many videos are asked for.
    :param folder: the folder of the videos.
    :param kills: whether anything is killed; else there are faults alone.
    """
    dice = random.Random(seed)
    groups: list[Video] = []
    for number in range(count):
        group = WAYS[number % len(WAYS)]
        index = sum(video.group == group for video in groups)
        groups.append(
            Video(
                number,
                group,
                index,
                text=f"Video {number} of seed {seed}.",
                image_url=f"https://photos.example/{seed}/{number}.jpg",
                destination=str(folder / f"{number}.mp4"),
            )
        )
    plan = Plan(seed, folder, groups)
    if not kills:
        return plan
    # One kill a video shows the effects of each kill alone. Some videos with a kill after their POST get a
    # second one: nothing else surely makes an uncertain submit.
    in_worker = [video.number for video in groups if video.group == "in_worker"]
    times = min(KILLS_PER_POINT, count // len(WAYS))
    waiting = dice.sample(in_worker, times)
    others = [video.number for video in groups if video.number not in waiting]
    victims = iter(dice.sample(others, times * (len(POINTS) - 2)))
    for point in POINTS[:-1]:
        for _ in range(times):
            number = waiting.pop() if point == "wait" else next(victims)
            plan.kills[number, point] = dice.choice(SCOPES)
    for number in [number for number, point in plan.kills if point == "post"][::2]:
        # The task itself dies at its POST: one that loses its supervisor alone may still store the id.
        plan.kills[number, "post"] = dice.choice(("task", "worker"))
        plan.kills[number, "told"] = dice.choice(SCOPES)
    first, second = dice.sample(("triggerer-1", "triggerer-2"), 2)
    blows = [
        ("triggerer", first, 0.0),
        ("triggerer", second, 0.0),
        ("emulator", "", dice.uniform(2, 5)),
        ("database", "", dice.uniform(5, 10)),
        ("link", dice.choice(("silently", "with a reset")), dice.uniform(5, 30)),
    ]
    dice.shuffle(blows)
    # One in each sixth of the way, so that each meets a system that has recovered from the last.
    for place, (kind, target, lasts_s) in enumerate(blows, start=1):
        after = int(count * JOBS_PER_VIDEO * (place + dice.uniform(-0.3, 0.3)) / (len(blows) + 1))
        plan.blows.append(Blow(kind, after, target, lasts_s))
    return plan


_BUSY: list[dict[str, Any]] = [
    {"fault": "http_error", "status": 503, "retry_after_s": 1},
    {"fault": "http_error", "status": 429, "retry_after_s": 2},
    {"fault": "http_error", "status": 500},
    {"fault": "reset_before"},
    {"fault": "accept_then_reset"},
    {"fault": "not_json"},
]
#: For each call: a fault after so many requests on average, and the faults.
FAULTS: dict[str, tuple[int, list[dict[str, Any]]]] = {
    "submit": (
        6,
        [
            *_BUSY,
            *({"fault": "result_code", "code": code} for code in (200, 201, 202, 203)),
            {"fault": "fail_job"},
        ],
    ),
    "status": (
        12,
        [
            *_BUSY,
            {"fault": "hang"},
            {"fault": "result_code", "code": 200},
            {"fault": "result_code", "code": 999},
            {"fault": "body", "json": []},
        ],
    ),
    "result": (
        3,
        [
            {"fault": "truncated", "after_bytes": 20_000},
            {"fault": "truncated", "after_bytes": 1},
            {"fault": "http_error", "status": 503, "retry_after_s": 1},
            {"fault": "reset_before"},
            {"fault": "slow", "delay_s": 1.5},
        ],
    ),
}
