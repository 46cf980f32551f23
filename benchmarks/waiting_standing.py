"""The ages of waits that stand: thousands of jobs of ten minutes, of which none ends while it is measured.

Jobs that are submitted evenly and take ten minutes have, at any moment, every age from 0 to 10 minutes
equally often. The age decides how often a wait polls: its delay is 5 % of the time waited so far. Young waits
poll most: a quarter of all polls are of jobs younger than 40 s. Waits that began together would poll too
seldom, so their cost would look too small.

In a window of 60 s all waits grow older, and none may begin or end. So a tenth of them begins with the window
(ages from 0 to 60 s in it), a tenth is 60 s old when it begins (60 to 120 s), and so on: averaged over the
window, each age is there equally often, and no wait is older than ten minutes.

A worker hands such a wait to the triggerer with the time of its start and of its next poll, and so does this.
The next polls are spread evenly over the delay at that age, as they are when nobody synchronises them.
"""

from __future__ import annotations

import math
from typing import Any

from airflow_provider_twinsync._wait.config import WaitConfig
from airflow_provider_twinsync._wait.schedule import delay_s, reconnect_delay_s

JOB_S = 600.0
GOLDEN_RATIO = 0.6180339887498949  # its multiples, without their whole part, spread evenly in any order
DEFAULT = WaitConfig()


def older(n: int, window_s: float) -> int:
    """Return how many of n waits began before the window; the others begin with it."""
    return n - n // round(JOB_S / window_s)


def age_s(job: int, n: int, window_s: float) -> float:
    """Return the age of a wait when the window begins: the first jobs are the oldest, the last ones new."""
    groups, before = round(JOB_S / window_s), older(n, window_s)
    return 0.0 if job > before else window_s * (groups - 1 - (job - 1) * (groups - 1) // before)


def next_poll_s(job: int, n: int, window_s: float) -> float:
    """Return when a wait polls first in the window, in seconds from its start."""
    began_s = age_s(job, n, window_s)
    if not began_s:
        return reconnect_delay_s(DEFAULT, 0.0, str(job))
    return began_s + math.modf(job * GOLDEN_RATIO)[0] * delay_s(DEFAULT, 2, began_s, str(job))


def handover(job: int, n: int, window_s: float, begins_at: float) -> dict[str, Any] | None:
    """Return the state of a wait as a worker hands it over, or None for one that begins with the window.

    :param begins_at: the start of the window, in seconds since 1970.
    """
    if job > older(n, window_s):
        return None
    started_at = begins_at - age_s(job, n, window_s)
    return {"started_at": started_at, "next_poll_s": next_poll_s(job, n, window_s), "last_state": "running"}


def polls_due(n: int, window_s: float) -> int:
    """Return how many polls the policy makes in the window."""
    due = 0
    for job in range(1, n + 1):
        at_s, ends_s, polls = next_poll_s(job, n, window_s), age_s(job, n, window_s) + window_s, 1
        while at_s < ends_s:
            due += 1
            polls += 1
            at_s += delay_s(DEFAULT, polls, at_s, str(job))
    return due
