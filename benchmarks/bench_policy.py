"""Measure the cost of the delays between polls: how late a video is seen, and the number of polls.

This is the simulation that chose the defaults of ``WaitConfig``. It gets each delay from the real schedule,
without a service: the jobs' lengths are drawn from lognormal distributions (sigma 0.6) with a median of 60 s
and of 600 s, with a fixed seed. The first poll is at the start of a job, as on a worker; the next ones follow
after each delay until the job is finished. The rows are the default, fixed intervals, and neighbours of the
default, for example another growth. It prints

* by how much of a job's length its video is seen late: the mean and the 99th percentile over the jobs, and
  the sum of all that is added over the sum of all lengths,
* the polls of a job: the mean and the 99th percentile,
* and, for a thousand waits that begin at the same moment, the largest number of requests within any 100 ms:
  after their first polls, which are simultaneous in any case, and of the polls 30 s later.

It checks the targets of the default: a mean of at most 3 % and a 99th percentile of at most 10 %, with 30
polls of a job of a minute and 80 of a job of ten minutes, on average.

    python benchmarks/bench_policy.py [--jobs 8000]
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twinsync._wait import schedule as policy
from airflow_provider_twinsync._wait.config import WaitConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20230423
SIGMA = 0.6
MEDIANS_S = (60.0, 600.0)
TARGET_MEAN, TARGET_P99 = 0.03, 0.10
TARGET_POLLS = {60.0: 30.0, 600.0: 80.0}
WAITS, WINDOW_S, SPAN_S, LATER_S = 1000, 0.1, 60.0, 30.0


@dataclass(frozen=True)
class Row:
    """One policy; a share and a jitter of None are the package's own."""

    name: str
    policy: WaitConfig
    share: float | None = None
    jitter: float | None = None

    @contextmanager
    def constants(self) -> Iterator[None]:
        """Change constants of the package for a while: they are no arguments, as nobody should set them."""
        kept = policy._SHARE, policy._JITTER
        policy._SHARE = kept[0] if self.share is None else self.share
        policy._JITTER = kept[1] if self.jitter is None else self.jitter
        try:
            yield
        finally:
            policy._SHARE, policy._JITTER = kept


def fixed(interval_s: float) -> WaitConfig:
    """Return a policy with an interval that neither grows nor varies."""
    return WaitConfig(poke_interval_s=interval_s, max_wait_s=interval_s)


DEFAULT, FIXED_5_S = Row("the default", WaitConfig()), Row("fixed 5 s", fixed(5))
ROWS = (
    DEFAULT,
    FIXED_5_S,
    Row("fixed 30 s", fixed(30)),
    Row("fixed 60 s", fixed(60)),
    Row("share 3 %", WaitConfig(), share=0.03),
    Row("share 10 %", WaitConfig(), share=0.10),
    Row("jitter 50 %", WaitConfig(), jitter=0.50),
)


@dataclass(frozen=True)
class Found:
    """The cost of a policy for jobs of one kind; lateness as a part of the length."""

    mean: float
    total: float
    p99: float
    polls: float
    polls_p99: float


def looks_s(how: WaitConfig, job: str) -> Iterator[float]:
    """Return the times of the polls of a job that never ends."""
    elapsed_s, polls = 0.0, 0
    while True:
        yield elapsed_s
        polls += 1
        elapsed_s += policy.delay_s(how, polls, elapsed_s, job)


def measure(row: Row, jobs: dict[str, float]) -> Found:
    """Wait for each of the jobs."""
    late, added_s, counts = [], 0.0, []
    with row.constants():
        for job, length_s in jobs.items():
            polls, seen_s = next(
                poll for poll in enumerate(looks_s(row.policy, job), start=1) if poll[1] >= length_s
            )
            late.append((seen_s - length_s) / length_s)
            added_s += seen_s - length_s
            counts.append(polls)
    return Found(
        statistics.fmean(late),
        added_s / sum(jobs.values()),
        p99(late),
        statistics.fmean(counts),
        p99(counts),
    )


def p99(values: list[float] | list[int]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


def busiest(row: Row, ids: list[str], since_s: float) -> int:
    """Return the most requests within any 100 ms from some time to the end of a minute, without the first."""
    times_s = []
    with row.constants():
        for job in ids:
            for elapsed_s in looks_s(row.policy, job):
                if elapsed_s > SPAN_S:
                    break
                if elapsed_s > since_s:
                    times_s.append(elapsed_s)
    times_s.sort()
    most = first = 0
    for last, time_s in enumerate(times_s):
        while times_s[first] <= time_s - WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    return most


def said(reached: bool) -> str:
    """Return the verdict on a target."""
    return "reached" if reached else "NOT reached"


def main() -> None:
    """Simulate, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=8000, help="jobs of each kind (default: 8000)")
    number = parser.parse_args().jobs
    began = time.perf_counter()
    chance = random.Random(SEED)
    # As the service makes them: a date, a time and a number.
    ids = [f"20230423_{n // 3600:02}_{n // 60 % 60:02}_{n % 60:02}_{10_000 + n}" for n in range(number)]
    verdicts = []
    for median_s in MEDIANS_S:
        jobs = {job: median_s * chance.lognormvariate(0, SIGMA) for job in ids}
        print(f"{number} jobs with a median of {median_s:.0f} s (Python {sys.version.split()[0]})")
        print(f"{'policy':<14}{'late: mean':>12}{'in total':>10}{'p99':>9}{'polls: mean':>14}{'p99':>7}")
        for row in ROWS:
            found = measure(row, jobs)
            print(
                f"{row.name:<14}{found.mean:>12.2%}{found.total:>10.2%}{found.p99:>9.2%}"
                f"{found.polls:>14.1f}{found.polls_p99:>7.0f}"
            )
            if row is DEFAULT:
                most = TARGET_POLLS[median_s]
                verdicts += [
                    f"{median_s:>4.0f} s: late by at most {TARGET_MEAN:.0%} on average: {found.mean:.2%}, "
                    f"{said(found.mean <= TARGET_MEAN)}",
                    f"{median_s:>4.0f} s: by at most {TARGET_P99:.0%} in 99 of 100: {found.p99:.2%}, "
                    f"{said(found.p99 <= TARGET_P99)}",
                    f"{median_s:>4.0f} s: at most {most:.0f} polls on average: {found.polls:.1f}, "
                    f"{said(found.polls <= most)}",
                ]
        print()
    print("Targets of the default:", *verdicts, sep="\n  ")
    print(f"\nThe most requests within 100 ms, of {WAITS} waits that begin at the same moment:")
    batch = [f"20230423_11_23_{n // 20:02}_{10_000 + n}" for n in range(WAITS)]
    for row in (DEFAULT, FIXED_5_S, ROWS[-1]):
        print(
            f"  {row.name:<14}{busiest(row, batch, 0.0):>5} in the first {SPAN_S:.0f} s, "
            f"{busiest(row, batch, LATER_S):>5} after {LATER_S:.0f} s"
        )
    print(f"({time.perf_counter() - began:.1f} s)")


if __name__ == "__main__":
    main()
