"""The circuit breaker of a service, which all waits over one connection share.

Pure: the caller passes the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_twinsync._api.exchange import NoAnswer, Response
from airflow_provider_twinsync._api.status import outage_of
from airflow_provider_twinsync._wait.schedule import outage_delay_s, requested_delay_s

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.exchange import Answer


class CircuitBreaker:
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
        asked_s = requested_delay_s(answer.retry_after_s) if isinstance(answer, Response) else 0.0
        if is_try or self._instead is None:
            self._failures += 1
            delay_s = max(asked_s, outage_delay_s(self._failures))
            # Not the answer itself, which may be of that one's job; and without Retry-After: the others come
            # when their own pauses are over, and so not all at once.
            self._instead = NoAnswer(True, f"{problem}, as another wait was told") if delay_s else None
            self._next_try_s = now_s + delay_s
        else:  # one of those that were under way when the service went down
            self._next_try_s = max(self._next_try_s, now_s + asked_s)
