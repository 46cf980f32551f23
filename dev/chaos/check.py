"""Check the history of POSTs that `make chaos` writes: `python -m dev.chaos.check FILE`.

The file is JSON lines. `history.py` writes it; this checker shares no code with it, nor with the account::

    {"post": {"at_s": 1.5, "text": "Hello", "image_url": "https://...", "accepted": true, "job": "..._10000",
              "http_status": 200, "result_code": 100, "fault": null, "state": "failed", "failed_at_s": 46.5}}
    {"end": {"text": "Hello", "image_url": "https://...", "known": ["..._10000"], "uncertain": false}}

A `post` is a request that reached the service. An `end` is the report of Airflow's tasks about one video: the
jobs that they name, and whether they ask a person about an uncertain submit of that text and photo.

Two rules hold for each video:

- Between two accepted POSTs the job of the first one has failed.
- A task names the job of each accepted POST, or the submit is reported as uncertain.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass
class Verdict:
    """The result of a check.

    :param paid_twice: a line for each accepted POST while an earlier job of its video had not failed.
    :param unnamed: a line for each accepted job that no task names.
    """

    posts: int = 0
    accepted: int = 0
    videos: int = 0
    paid_twice: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Return whether both rules hold."""
        return not (self.paid_twice or self.unnamed)

    def __str__(self) -> str:
        counts = f"{self.posts} POSTs, {self.accepted} accepted, for {self.videos} videos"
        return f"{counts}: {len(self.paid_twice)} paid twice, {len(self.unnamed)} jobs unnamed"


def check(lines: Iterable[str]) -> Verdict:
    """Check a history.

    :param lines: those of the file, in any order.
    :raises ValueError: a line is not one of a history; the message has its number.
    """
    verdict = Verdict()
    accepted: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    ends: dict[tuple[str, str], dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        try:
            [(kind, entry)] = json.loads(line).items()
            video = (entry["text"], entry["image_url"])
            if kind == "end":
                if video in ends:
                    raise ValueError("a second end of its video")
                ends[video] = {"known": set(entry["known"]), "uncertain": entry["uncertain"]}
            elif kind == "post":
                verdict.posts += 1
                if entry["accepted"]:
                    accepted[video].append({name: entry[name] for name in ("at_s", "job", "failed_at_s")})
            else:
                raise ValueError(f"its kind is {kind!r}")
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            raise ValueError(f"line {number} is not one of a history of POSTs: {e!r}") from e
    verdict.accepted = sum(map(len, accepted.values()))
    verdict.videos = len(ends.keys() | accepted.keys())
    for video, posts in accepted.items():
        posts.sort(key=lambda post: post["at_s"])
        for one, other in pairwise(posts):
            if one["failed_at_s"] is None or one["failed_at_s"] > other["at_s"]:
                verdict.paid_twice.append(f"{video[1]}: {other['job']} beside {one['job']}")
        end = ends.get(video, {"known": (), "uncertain": False})
        if not end["uncertain"]:
            jobs = [post["job"] for post in posts]
            verdict.unnamed += [f"{video[1]}: {job}" for job in jobs if job not in end["known"]]
    return verdict


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 1 if a rule is broken, 2 if the file is none of a history."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.chaos.check", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("file", type=Path, help="the history of POSTs")
    file = parser.parse_args(argv).file
    try:
        verdict = check(file.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as e:
        print(f"error: {file}: {e}", file=sys.stderr)
        return 2
    for line in [*verdict.paid_twice, *verdict.unnamed]:
        print(line)
    print(verdict)
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
