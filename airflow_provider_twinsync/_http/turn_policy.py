"""Decide when a process may send its next request: by a shared store, by its share, or alone.

Pure: the clients of both sides ask the store and sleep.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple

log = logging.getLogger(__name__)

#: Without a store, as many requests may go out at once as in this time: a timer that rings late must not cost
#: turns. With a store the burst is one, as the store knows nothing of late timers.
_BURST_S = 0.1
#: A store that is away is asked again after this time.
_PROBE_S = 10.0
#: A turn that nobody took for this long is gone. It would come close to the turn of another process.
_KEPT_S = 0.5


class Reply(NamedTuple):
    """The answer of the store.

    :ivar is_reserved: the next turn belongs to this process; otherwise it waits in the queue, and asks again.
    :ivar delay_s: seconds until the turn; in the queue, an estimate.
    :ivar processes: the processes that asked lately, this one among them.
    """

    is_reserved: bool
    delay_s: float
    processes: int


@dataclass(frozen=True, slots=True)
class Bound:
    """An upper bound to a kind of request, for example ``Bound("requests_per_second", 5.0, 1.0)``.

    :param name: the field of the connection.
    :param limit: its value.
    :param per_s: the time to which the value belongs, in seconds.
    """

    name: str
    limit: float
    per_s: float

    @property
    def interval_s(self) -> float:
        """Return the time between two requests, in seconds."""
        return self.per_s / self.limit


class Turns:
    """The turns of one process: one at a time.

    Each step is a number of seconds to sleep, ``0.0`` for "send now", or None for "ask the store". For
    example, without a store:

    >>> turns = Turns(Bound("requests_per_second", 0.5, 1.0), "Connection 'c'", has_store=False)
    >>> turns.step(100.0), turns.step(100.0)
    (0.0, 2.0)

    :param bound: the bound of all processes, or without a store of this one.
    :param owner: the connection and its store, for the log.
    """

    def __init__(self, bound: Bound, owner: str, *, has_store: bool) -> None:
        self.bound = bound
        self.processes = 1
        #: Seconds until the turn, as the last answer of the store has it.
        self.expected_s = 0.0
        #: The store has answered once, so an error of it is an outage.
        self.has_worked = False
        self._owner = owner
        self._has_store = has_store
        self._is_away = False
        self._ask_at_s = float("-inf")
        self._turn_at_s: float | None = None
        #: The first moment of the next turn by the share of this process.
        self._next_s = float("-inf")
        self._burst_s = 0.0 if has_store else max(0.0, _BURST_S - bound.interval_s)

    def step(self, now_s: float) -> float | None:
        """Return the next step.

        :param now_s: the time of a monotonic clock, in seconds.
        """
        if self._turn_at_s is not None and now_s - self._turn_at_s > max(_KEPT_S, self._burst_s):
            self._turn_at_s = None
        if self._has_store and not self._is_away and self._turn_at_s is None:
            return None if now_s >= self._ask_at_s else self._ask_at_s - now_s
        if self._is_away and now_s >= self._ask_at_s:
            return None
        if self._turn_at_s is None:
            self._turn_at_s = max(self._next_s, now_s - self._burst_s)
        if now_s < self._turn_at_s:
            until_s = min(self._turn_at_s, self._ask_at_s) if self._is_away else self._turn_at_s
            return until_s - now_s
        base_s = now_s if self._has_store else self._turn_at_s
        self._next_s = base_s + self.bound.interval_s * self.processes
        self._turn_at_s = None
        return 0.0

    def answered(self, reply: Reply, now_s: float) -> None:
        """Take an answer of the store."""
        if self._is_away:
            log.info("%s: its store is back, and all processes share %s again.", self._owner, self.bound.name)
        self._is_away, self.has_worked = False, True
        self.processes = max(1, reply.processes)
        self.expected_s = reply.delay_s
        self._turn_at_s = now_s + reply.delay_s if reply.is_reserved else None
        # Half of the time that a turn may be reserved ahead: late enough, and with time to ask again.
        self._ask_at_s = now_s if reply.is_reserved else now_s + ask_again_s(reply.delay_s)

    def failed(self, problem: str, now_s: float) -> None:
        """Note that a store which has worked does not answer: the share of this process counts."""
        if not self._is_away:
            log.warning(
                "TS222 %s: its store does not answer (%s). Until it does, this process keeps to its share of "
                "%s: %g / %d known processes.",
                self._owner,
                problem,
                self.bound.name,
                self.bound.limit,
                self.processes,
            )
            self._turn_at_s = None
        self._is_away = True
        self._ask_at_s = now_s + _PROBE_S


#: The store reserves a turn at most this far ahead. A task that is killed loses one such turn, and the turns
#: after it stay where they are.
AHEAD_S = 2.0
#: A process in the queue asks again at least this often: the store forgets one that has not asked for longer.
_MOST_DELAY_S = 5.0
FORGOTTEN_S = 20.0


def ask_again_s(expected_s: float) -> float:
    """Return how long a process in the queue waits before it asks again, in seconds.

    >>> ask_again_s(2.5), ask_again_s(600.0)
    (1.5, 5.0)
    """
    return min(_MOST_DELAY_S, max(0.05, expected_s - AHEAD_S / 2))
