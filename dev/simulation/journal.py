"""Read the emulator's journal: an independent witness of the polls, as the service received them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dev.simulation.world import EPOCH_S

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator.world import JournalEntry
    from dev.simulation.plan import Universe, Wait

#: Faults that leave the service's answer readable.
_READABLE = (None, "slow", "padded", "interim_response")
_DOWN_STATUSES = (429, 500, 502, 503, 504)
#: The longest way of a packet there and back, and of a connection before it, with a reserve.
LAG_S = 0.25


@dataclass(frozen=True, slots=True)
class Poll:
    """One request for a job's status.

    :param kind: the meaning of the answer: ``video``, ``failed``, ``open`` (waits or runs), ``no_address``,
        or ``none`` for any other, and for no answer.
    :param answered_s: when the service wrote the answer; None for no answer.
    :param asked_s: the delay that the answer asked for.
    :param is_down: the answer is a sign that the service is down for all.
    """

    at_s: float
    job: str
    kind: str
    answered_s: float | None
    asked_s: float = 0.0
    is_down: bool = False

    @property
    def is_late(self) -> bool:
        """Return whether the answer took so long that it may have been given up."""
        return self.answered_s is None or self.answered_s - self.at_s > LAG_S


def polls_of(universe: Universe, journal: list[JournalEntry]) -> list[Poll]:
    """Return the status requests of a journal."""
    waits = {wait.job: wait for wait in universe.waits}
    return [_poll(universe, entry, waits[entry.taskID or ""]) for entry in journal if entry.call == "status"]


def _poll(universe: Universe, entry: JournalEntry, wait: Wait) -> Poll:
    from dev.simulation.plan import RETRY_AFTER_STATUSES

    at_s = entry.at_s - EPOCH_S
    if entry.status is None:
        return Poll(at_s, wait.job, "none", None, is_down=True)
    answered_s = at_s + (universe.slow_s if entry.fault == "slow" else 0.0)
    asks = entry.status in RETRY_AFTER_STATUSES and entry.fault in ("http_error", "accept_then_http_error")
    return Poll(
        at_s,
        wait.job,
        _kind(entry, wait, at_s),
        answered_s,
        universe.retry_after_s if asks else 0.0,
        entry.status in _DOWN_STATUSES,
    )


def _kind(entry: JournalEntry, wait: Wait, at_s: float) -> str:
    if entry.fault == "no_address":
        return "no_address"
    if entry.fault not in (*_READABLE, "result_code", "key_in_message"):
        return "none"
    code = _number(entry.result_code)
    if code in (100, 103):
        is_done = wait.ready_s is not None and at_s >= wait.ready_s and not wait.fails
        return "video" if is_done else "no_address"
    return {101: "open", 102: "open", 104: "failed"}.get(code, "none")


def _number(code: Any) -> int:
    if isinstance(code, str) and code.strip().isdecimal():
        return int(code)
    return code if type(code) is int else -1
