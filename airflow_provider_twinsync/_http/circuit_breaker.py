"""The circuit breaker of a service, which all waits over one connection share.

Pure: the caller passes the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_twinsync._api.exchange import Answered, Sent
from airflow_provider_twinsync._api.status import outage_of
from airflow_provider_twinsync._wait.schedule import outage_delay_s, requested_delay_s

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.exchange import Outcome


class CircuitBreaker:
    """Protect a service that is down from the requests of all waits over one connection.

    The breaker opens after several failures in a row, or if the service asks for a delay. While it is open
    one request at a time, the probe, tests the service, and all other waits share the failure of the last
    probe. For example, the fifth HTTP 502 in a row opens the breaker for one second. All times are in seconds
    of one clock.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._shared: Sent | None = None  # set while the breaker is open
        self._next_probe_s = 0.0
        self._probe_at_s: float | None = None  # set while a probe is under way

    def reject(self, now_s: float) -> Sent | None:
        """Return the shared failure in place of a request; None to send it, and :meth:`record` its answer."""
        if self._shared is None:
            return None
        if self._probe_at_s is not None or now_s < self._next_probe_s:
            return self._shared
        self._probe_at_s = now_s
        return None

    def record(self, answer: Outcome | None, asked_at_s: float, now_s: float) -> None:
        """Record the answer to a request.

        :param answer: the answer; None if the request was cancelled before.
        :param asked_at_s: the time that :meth:`reject` got for this request.
        """
        is_probe = asked_at_s == self._probe_at_s
        if is_probe:
            self._probe_at_s = None
        if answer is None:
            return
        problem = outage_of(answer)
        if problem is None:
            self._failures, self._shared, self._next_probe_s = 0, None, 0.0
            return
        delay_s = requested_delay_s(answer.retry_after_s) if isinstance(answer, Answered) else 0.0
        # Not counted: a request that was under way when the breaker opened.
        is_counted = is_probe or self._shared is None
        if is_counted:
            self._failures += 1
            delay_s = max(delay_s, outage_delay_s(self._failures))
        # While this request was under way, another answer may have asked for a longer delay.
        self._next_probe_s = max(self._next_probe_s, now_s + delay_s)
        if is_counted:
            # Not the answer itself, which may belong to the probe's job; and without Retry-After: the other
            # waits poll after their own delays, and so not all at once.
            shared = Sent(f"{problem}, in the answer to another wait")
            self._shared = shared if self._next_probe_s > now_s else None
