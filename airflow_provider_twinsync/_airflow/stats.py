"""Metrics of submits, waits and downloads, through Airflow's own stats.

Airflow's section ``[metrics]`` decides where they go. A metric never fails a task. Names and tags are closed
sets: none has a text, an address or the id of a job. ``docs/howto/monitoring.md`` lists them.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync.text import count_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from airflow_provider_twinsync._wait.outcome import End

_P = ParamSpec("_P")
#: An event loop sends its polls this often. A poll costs 370 us of CPU. To send each from a thread costs 50
#: to 150 us more (Airflow 3.3.2, 2.11.2), and to add it up 1 us.
_POLLS_EVERY_S = 10.0


class _Polls:
    """The polls of an event loop that are not sent yet."""

    count = 0
    sent_at_s = 0.0


def _harmless(function: Callable[_P, None]) -> Callable[_P, None]:
    """Ignore the errors of a function: the job is paid for. An alarm of the task passes."""

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with suppress(Exception):
            function(*args, **kwargs)

    return call


@_harmless
def load_stats() -> None:
    """Load Airflow's stats, which takes up to a second: nothing slow comes between a POST and its record."""
    internals.stats()


@_harmless
def count_submit(
    outcome: Literal["accepted", "rejected", "unavailable", "uncertain"], text: str | None = None
) -> None:
    """Count a submit once, at its end and not at each of its requests.

    :param text: the text of an accepted submit, for the number of its words.
    """
    _send("incr", "twinsync.submits", 1, outcome=outcome)
    if text is not None:
        _send("incr", "twinsync.words", count_words(text))
    if outcome == "uncertain":  # a metric of its own, as plain StatsD drops tags
        _send("incr", "twinsync.uncertain_submits", 1)


@_harmless
def count_reconnect(
    context: Mapping[str, Any] | None, job: str | None, states: Sequence[JobState | None]
) -> None:
    """Count the decision of a try, to submit or not, under the names and tags of ``ResumableJobMixin``.

    :param job: the job of an earlier submit that this try reconnects to; None if this try submits.
    :param states: the states of the earlier jobs that were polled; None for an unavailable status.
    """
    tags = internals.resumable_job_tags(context)
    if states:
        _send("incr", "resumable_job.reconnect_attempt", 1, **tags)
    if job is None:
        decision = "terminal_resubmit" if JobState.FAILED in states else "fresh_submit"
    else:
        is_done = states[-1] is JobState.SUCCEEDED
        decision = "already_succeeded" if is_done else "reconnect_success"
    _send("incr", f"resumable_job.{decision}", 1, **tags)


@_harmless
def count_poll() -> None:
    """Count a poll of a wait: at once in a worker, and every few seconds in an event loop."""
    _Polls.count += 1
    if not _is_in_loop() or time.monotonic() - _Polls.sent_at_s >= _POLLS_EVERY_S:
        _send_polls()


@_harmless
def count_waits(ends: Iterable[End]) -> None:
    """Count the ends of waits, which no other process waits for any more."""
    _send_polls()
    for end in ends:
        if end.elapsed_s is not None:
            _send(
                "timing",
                "twinsync.wait_seconds",
                timedelta(seconds=end.elapsed_s),
                outcome=end.reason.value,
            )


@_harmless
def count_download(size: int) -> None:
    """Count the bytes of a video that is complete at its destination."""
    _send("incr", "twinsync.downloaded_bytes", size)


def _send_polls() -> None:
    if _Polls.count:
        _send("incr", "twinsync.polls", _Polls.count)
    _Polls.count, _Polls.sent_at_s = 0, time.monotonic()


def _send(kind: str, name: str, value: Any, **tags: str) -> None:
    """Send a metric; in an event loop from a thread, as Airflow's client resolves its host at the first."""
    if _is_in_loop():
        _thread(os.getpid()).submit(_send_now, kind, name, value, tags)
    else:
        _send_now(kind, name, value, tags)


@_harmless
def _send_now(kind: str, name: str, value: Any, tags: dict[str, str]) -> None:
    getattr(internals.stats(), kind)(name, value, tags=tags)


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@lru_cache(maxsize=1)
def _thread(_pid: int) -> Executor:
    """Return a thread of this process, and not of the process that it was forked from.

    It is not that of ``asyncio.to_thread``: a look-up of the host that hangs would hold those of other
    triggers. It is one thread, so that Airflow makes one client.
    """
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, "twinsync-stats")
