"""When to ask again: one wait that goes well, and all waits together when the service is down.

Pure, as :mod:`~airflow_provider_twinsync.polling` is.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from airflow_provider_twinsync.protocol import NoAnswer, Response, outage_of

if TYPE_CHECKING:
    from airflow_provider_twinsync.protocol import Answer

#: The floor and the ceiling of the pause between two looks, and the share of the time waited so far that it
#: is in between: a video is seen 3 % late on average (`benchmarks/bench_policy.py` shows it).
DEFAULT_POKE_INTERVAL_S = 2.0
DEFAULT_MAX_WAIT_S = 60.0
_SHARE = 0.05
#: So much longer, at most, a pause is made: waits that began together shall not ask together.
_JITTER = 0.1

DEFAULT_TOLERANCE_S = 300.0

#: A `Retry-After` beyond this is taken for this: a wrong header must not park a task for a day.
_MAX_RETRY_AFTER_S = 600.0
#: So many failures in a row mean that a service is down; fewer happen in any network.
_MANY_FAILURES = 5
_MAX_DOWN_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """How to wait; the names are those of Airflow's ``BaseSensorOperator``.

    The time between two looks is a share of the time waited so far: how long a job takes is unknown, and so
    a short one is not seen late, and a long one is not asked for a thousand times. With ``max_wait_s`` equal
    to ``poke_interval_s`` it is always that.

    :param poke_interval_s: the least time between two looks, in seconds.
    :param exponential_backoff: let that time double with each look instead, from ``poke_interval_s`` on.
    :param max_wait_s: the most time between two looks, in seconds; None for 60 s, or ``poke_interval_s`` if
        that is more, and for no bound with ``exponential_backoff``.
    :param tolerance_s: how long the status may be unavailable before the wait ends, in seconds, counted from
        the first trouble after a good answer; None to bear with it until the deadline.
    :param timeout_s: the deadline, in seconds from the start of the wait; None for none.
    :param execution_timeout_s: the deadline that the task's ``execution_timeout`` sets, likewise.
    """

    poke_interval_s: float = DEFAULT_POKE_INTERVAL_S
    exponential_backoff: bool = False
    max_wait_s: float | None = None
    tolerance_s: float | None = DEFAULT_TOLERANCE_S
    timeout_s: float | None = None
    execution_timeout_s: float | None = None

    @property
    def deadline_s(self) -> float | None:
        """The earlier of the two deadlines, in seconds from the start of the wait."""
        deadlines = [d for d in (self.timeout_s, self.execution_timeout_s) if d is not None]
        return min(deadlines, default=None)

    def delay_s(self, looks: int, elapsed_s: float, twinsync_task_id: str) -> float:
        """Seconds to wait after a look.

        As in ``BaseSensorOperator``, the n-th exponential backoff lies between 2^(n-2) and 2^(n-1) times the
        interval. The jitter is derived from the id, so a test or a rerun can know it.

        :param looks: how many looks there were.
        :param elapsed_s: seconds since the start of the wait.
        """
        if self.exponential_backoff:
            # The exponent is bounded: beyond it a float would overflow, and no wait is that long.
            backoff_s = self.poke_interval_s * 2.0 ** (min(looks, 64) - 2)
            delay_s = backoff_s * (1 + chance(twinsync_task_id, looks))
            return delay_s if self.max_wait_s is None else min(delay_s, self.max_wait_s)
        delay_s, ceiling_s = self._share_s(elapsed_s), self._ceiling_s
        if delay_s >= ceiling_s:
            return ceiling_s
        # The first pause sets waits apart that began together, the others keep them so.
        stretch = 1.0 if looks == 1 else _JITTER
        return min(delay_s * (1 + stretch * chance(twinsync_task_id, looks)), ceiling_s)

    def takeover_delay_s(self, elapsed_s: float, twinsync_task_id: str) -> float:
        """Seconds to wait before the first look of another process: it may take thousands over at once.

        :param elapsed_s: seconds since the start of the wait.
        """
        share_s = self.poke_interval_s if self.exponential_backoff else self._share_s(elapsed_s)
        return min(share_s, self._ceiling_s) * (1 + chance(twinsync_task_id, 0))

    def _share_s(self, elapsed_s: float) -> float:
        return max(self.poke_interval_s, _SHARE * elapsed_s)

    @property
    def _ceiling_s(self) -> float:
        if self.max_wait_s is None:
            return max(DEFAULT_MAX_WAIT_S, self.poke_interval_s)
        return self.max_wait_s


def chance(twinsync_task_id: str, number: int) -> float:
    """Give a number from 0 to 1 that is another for each job and look, and the same in each run."""
    digest = blake2b(b"%s#%d" % (twinsync_task_id.encode(), number), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def down_pause_s(failures: int) -> float:
    """Seconds to leave a service alone that failed so often in a row: none at first, then more and more."""
    if failures < _MANY_FAILURES:
        return 0.0
    # The exponent is bounded: beyond it a float would overflow.
    return min(2.0 ** (min(failures, 64) - _MANY_FAILURES), _MAX_DOWN_PAUSE_S)


def asked_pause_s(retry_after_s: float | None) -> float:
    """Seconds to leave a service alone that asked for it, up to a bound."""
    return min(retry_after_s or 0.0, _MAX_RETRY_AFTER_S)


class Outage:
    """Whether a service is down, for all that ask over one connection: then one of them tries, and no other.

    Down is a service that failed often in a row, or that asks to be left alone. Until a try is answered the
    others are told of the last one. All times are in seconds of one clock.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._instead: NoAnswer | None = None  # set while the service is down
        self._next_try_s = 0.0
        self._tried_at_s: float | None = None  # set while one tries

    def instead(self, now_s: float) -> NoAnswer | None:
        """Give what to take for the answer without asking, or None: then ask, and tell :meth:`seen`."""
        if self._instead is None:
            return None
        if self._tried_at_s is not None or now_s < self._next_try_s:
            return self._instead
        self._tried_at_s = now_s
        return None

    def seen(self, answer: Answer | None, asked_at_s: float, now_s: float) -> None:
        """Take note of an answer.

        :param answer: what came; None if who asked was stopped before anything did.
        :param asked_at_s: what :meth:`instead` was told to be now.
        """
        is_try = asked_at_s == self._tried_at_s
        if is_try:
            self._tried_at_s = None
        if answer is None:
            return
        problem = outage_of(answer)
        if problem is None:
            self._failures, self._instead = 0, None
            return
        asked_s = asked_pause_s(answer.retry_after_s) if isinstance(answer, Response) else 0.0
        if is_try or self._instead is None:
            self._failures += 1
            pause_s = max(asked_s, down_pause_s(self._failures))
            # Not the answer itself, which may be of that one's job; and without Retry-After: the others come
            # when their own pauses are over, and so not all at once.
            self._instead = NoAnswer(True, f"{problem}, as another wait was told") if pause_s else None
            self._next_try_s = now_s + pause_s
        else:  # one of those that were under way when the service went down
            self._next_try_s = max(self._next_try_s, now_s + asked_s)
