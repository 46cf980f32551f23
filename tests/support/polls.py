"""Polls of one job, and the steps that follow them."""

from __future__ import annotations

import logging
from typing import Any

from airflow_provider_twinsync._api.status import Job, JobState
from airflow_provider_twinsync._wait.config import WaitConfig
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync._wait.schedule import chance
from airflow_provider_twinsync.exceptions import NoAddressError, StatusError

ID = "20230423_11_23_05_10279"
VIDEO = f"http://api.twinsync.xyz:27323/example/{ID}.mp4"
MIN_DELAY_S = 0.1
#: An interval that neither grows nor varies, for tests of something else.
EVERY_5_S = {"poke_interval_s": 5.0, "max_wait_s": 5.0}
#: The first delay of a wait that is resumed is so much longer, by its id.
STRETCH = 1 + chance(ID, 0)
WAITING = Job(ID, JobState.WAITING, 101, "")
RUNNING = Job(ID, JobState.RUNNING, 102, "")
DONE = Job(ID, JobState.SUCCEEDED, 103, "", VIDEO)
FAILED = Job(ID, JobState.FAILED, 104, "no face in the photo")
NO_STATUS = StatusError("HTTP 502, bad gateway")
NO_ADDRESS = NoAddressError("no address", problem="no address: HTTP 200, {}")
UNKNOWN = StatusError("-", problem="the service does not know this id: HTTP 200, code 200")
SEEN: dict[str, Job | StatusError] = {
    "W": WAITING,
    "R": RUNNING,
    "D": DONE,
    "F": FAILED,
    "x": NO_STATUS,
    "n": NO_ADDRESS,
    "u": UNKNOWN,
}


def busy(retry_after_s: float) -> StatusError:
    return StatusError("HTTP 503", retry_after_s=retry_after_s)


def poller(*, tolerance_s: float | None = 300.0, **options: Any) -> Poller:
    """Return a wait; without a tolerance it is one with `silent_fail`."""
    wait = Poller(ID, WaitConfig(silent_fail=tolerance_s is None, **options))
    if tolerance_s is not None:
        wait.tolerate(tolerance_s)
    return wait


def run(polls: str, *, every_s: float = 10.0, **policy: Any) -> list[Again | End]:
    """Return the step after each poll: one letter a poll, one poll every so many seconds."""
    wait = poller(**policy)
    return [wait.next(SEEN[letter], n * every_s) for n, letter in enumerate(polls)]


def code_of(end: Again | End) -> str:
    """Return the code that the message of an end begins with."""
    assert isinstance(end, End)
    return end.message.partition(" ")[0]


def signs(steps: list[Again | End]) -> str:
    """Show steps in short: a dot for a silent one, i or W for a line at that level, else how it ended."""
    shown = ""
    for step in steps:
        if isinstance(step, End):
            shown += f" {step.reason.value}"
        else:
            shown += "." if step.note is None else "i" if step.level == logging.INFO else "W"
    return shown


def end_of(reason: EndReason) -> End:
    return End(reason, ID, "what happened", VIDEO if reason is EndReason.SUCCEEDED else None)
