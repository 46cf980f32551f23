"""The promises of a wait, checked in the record of a universe.

The plan, the journal of the service and the drivers' own times are the witnesses. Nothing here asks the
package when it would have polled: each bound is derived from the options of the wait.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twinsync.emulator.escapes import key_in_escapes
from dev.simulation.journal import LAG_S, polls_of
from dev.simulation.wait_invariants import WaitCheck

if TYPE_CHECKING:
    from dev.simulation.journal import Poll
    from dev.simulation.plan import Universe
    from dev.simulation.world import Record

_MAX_CONNECTIONS = 32
_LONGEST_OUTAGE_DELAY_S = 30.0


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken promise.

    :param promise: its name.
    :param job: the job, or "" if it concerns all.
    """

    promise: str
    job: str
    found: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.found}" + (f" (job {self.job})" if self.job else "")


class Bounds:
    """Times of a universe: the longest delays, and when the service could not be reached."""

    def __init__(self, universe: Universe, polls: list[Poll]) -> None:
        self.universe = universe
        count, rate = len(universe.waits), universe.requests_per_second
        #: The longest request: `aiohttp` rounds a timeout of more than 5 s up to a whole second of its clock.
        self.request_s = universe.request_timeout_s + 1.0
        #: The longest time that a poll waits for its turn.
        self.turn_s = (count / rate if rate else 0.0) + (self.request_s if count > _MAX_CONNECTIONS else 0.0)
        #: The longest time from a sign of an outage until the circuit breaker is closed again.
        self.after_s = 2 * (self.request_s + self.turn_s) + max(
            _LONGEST_OUTAGE_DELAY_S, universe.retry_after_s
        )
        self.away = [
            (one.at_s - LAG_S, one.ends_s + LAG_S) for one in universe.outages if one.kind != "errors"
        ] + [(at_s - LAG_S, at_s + LAG_S) for at_s in universe.resets_s]
        self.signs = [(one.at_s, one.ends_s) for one in universe.outages]
        self.signs += [(at_s, at_s) for at_s in universe.resets_s]
        self.signs += [(one.at_s, one.at_s) for one in polls if one.is_down or one.is_late]

    def is_reachable(self, from_s: float, to_s: float) -> bool:
        """Return whether the network was in order all the time."""
        return not any(from_s <= ends_s and begins_s <= to_s for begins_s, ends_s in self.away)

    def may_be_repeated(self, poll: Poll) -> bool:
        """Return whether `aiohttp` may have repeated the request, as its kept connection was closed."""
        healed = [one.ends_s for one in self.universe.outages if one.kind == "silent"]
        return any(0 <= poll.at_s - at_s < LAG_S for at_s in (*healed, *self.universe.resets_s))

    def is_calm(self, from_s: float, to_s: float, own_signs: list[float]) -> bool:
        """Return whether no sign of an outage could delay a poll."""
        signs = [*self.signs, *((at_s, at_s) for at_s in own_signs)]
        return not any(from_s <= ends_s + self.after_s and begins_s <= to_s for begins_s, ends_s in signs)


def check(universe: Universe, record: Record) -> list[Broken]:
    """Return the broken promises of a universe."""
    if record.error:
        return [Broken("no error", "", record.error)]
    polls = polls_of(universe, record.journal)
    bounds = Bounds(universe, polls)
    checks = {
        wait.job: WaitCheck(universe, wait, record.waits[wait.number], polls, bounds)
        for wait in universe.waits
    }
    broken = [Broken(promise, job, found) for job, one in checks.items() for promise, found in one.broken()]
    broken += [Broken("nothing left open", "", found) for found in record.left]
    broken += [
        Broken("polls only", entry.taskID or "", f"{entry.method} {entry.path}")
        for entry in record.journal
        if entry.method != "GET" or entry.call != "status" or entry.key is not None
    ]
    broken += [Broken("key hidden", "", text) for text in _texts_with_key(universe, record)]
    if found := _over_ceiling(bounds, polls):
        broken.append(Broken("ceiling", "", found))
    broken += [
        Broken("Retry-After for all", poll.job, f"a poll at {poll.at_s:.2f} s")
        for poll in _hasty(polls, checks, bounds)
    ]
    broken += [Broken("no storm", "", found) for found in _storms(universe, polls, record)]
    return broken


def _texts_with_key(universe: Universe, record: Record) -> list[str]:
    texts = [*record.log]
    for followed in record.waits.values():
        texts += [*followed.rows, *(json.dumps(event, ensure_ascii=False) for event in followed.events)]
    forms = {universe.key, *key_in_escapes(universe.key).values()}
    return [text for text in texts if any(form in text for form in forms)][:3]


def _over_ceiling(bounds: Bounds, polls: list[Poll]) -> str | None:
    """Return the first moment at which more requests had arrived than the ceiling allows."""
    rate = bounds.universe.requests_per_second
    if rate is None:
        return None
    most = max(1.0, 0.1 * rate) + rate * LAG_S + 1.0
    level, before_s, last_of = 0.0, 0.0, dict[str, "Poll"]()
    for poll in sorted(polls, key=lambda one: one.at_s):
        level = max(0.0, level - rate * (poll.at_s - before_s))
        before_s = poll.at_s
        last = last_of.get(poll.job)
        last_of[poll.job] = poll
        is_repeated = last and last.answered_s is None and poll.at_s - last.at_s < LAG_S
        if is_repeated or bounds.may_be_repeated(poll):
            continue
        level += 1.0
        if level > most:
            return f"{level:.1f} requests more than {rate:g} a second allows, at {poll.at_s:.2f} s"
    return None


def _hasty(polls: list[Poll], checks: dict[str, WaitCheck], bounds: Bounds) -> list[Poll]:
    """Return the polls that came before the end of a `Retry-After` in the answer to another wait."""
    hasty = []
    sent = [one for one in polls if not bounds.may_be_repeated(one)]
    for asking in polls:
        if not asking.asked_s or not checks[asking.job].was_delivered(asking):
            continue
        assert asking.answered_s is not None
        begins_s, ends_s = asking.answered_s + LAG_S, asking.answered_s + asking.asked_s
        for poll in polls:
            # An answer that works closes the circuit breaker.
            if poll.answered_s and not poll.is_down and poll.answered_s >= asking.answered_s - LAG_S:
                ends_s = min(ends_s, max(poll.answered_s, poll.at_s))
        hasty += [
            one for one in sent if begins_s < one.at_s <= ends_s and not checks[one.job].may_decide(one)
        ]
    return hasty


def _storms(universe: Universe, polls: list[Poll], record: Record) -> list[str]:
    """Return the outages in which the service received more requests than the circuit breaker allows."""
    found = []
    for outage in universe.outages:
        if outage.kind != "errors":
            continue
        begins_s, ends_s = outage.at_s + LAG_S, outage.ends_s
        count = sum(begins_s <= poll.at_s <= ends_s for poll in polls)
        # The probes come after 1, 2, 4, 8, 16 and then each 30 s.
        probes = 6 + outage.lasts_s / _LONGEST_OUTAGE_DELAY_S
        deciding = 0
        for wait in universe.waits:
            spans = record.waits[wait.number].spans
            due_s = [one.begins_s + max(0.0, (wait.deadline_s or 1e9) - one.elapsed_s) for one in spans]
            if begins_s <= spans[-1].ends_s <= ends_s + 40 or any(begins_s <= s <= ends_s for s in due_s):
                deciding += 3
        allowed = 5 + min(len(universe.waits), _MAX_CONNECTIONS) + probes + deciding
        if count > allowed:
            found.append(f"{count} requests in an outage of {outage.lasts_s:g} s, {allowed:.0f} allowed")
    return found
