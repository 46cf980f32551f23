"""The promises of one wait: its end, its deadline, its tolerance, and the times of its polls."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from dev.simulation.journal import LAG_S, Poll
from dev.simulation.world import URL, Followed, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.simulation.invariants import Bounds
    from dev.simulation.plan import Universe, Wait

#: A wait waits for the turn of its last polls until this long after its deadline.
_LAST_TURN_S = 10.0
#: Airflow's own deadline comes this long and a request after ours.
_BACKSTOP_S = 30.0
_SHORTEST_S = 0.1
_MAX_WITHOUT_ADDRESS = 5
#: The last polls of an outage come in this time before the end of the tolerance, or in a tenth of it.
_LAST_POLL_S = 30.0

Found = tuple[str, str]  # the promise, and how it is broken


class WaitCheck:
    """The check of one wait.

    :param polls: all polls, as the service received them.
    """

    def __init__(
        self, universe: Universe, wait: Wait, followed: Followed, polls: list[Poll], bounds: Bounds
    ) -> None:
        self.universe, self.wait, self.bounds = universe, wait, bounds
        self.followed, self.polls = followed, [one for one in polls if one.job == wait.job]
        self.tolerance_s = universe.tolerance_s
        self.poll_s = bounds.request_s + bounds.turn_s  # the longest poll

    def broken(self) -> Iterator[Found]:
        """Yield the broken promises."""
        events = self.followed.events
        if len(events) != 1:
            yield "one end", f"{len(events)} events"
            return
        yield from self._polls_of_nobody()
        for span in self.followed.spans:
            polls = [one for one in self.polls if self._span_of(one) is span]
            is_last = span is self.followed.spans[-1]
            yield from self._schedule(span, polls)
            yield from self._terminal_answers(span, polls, events[0] if is_last else None)
            yield from self._lateness(span, polls)
            yield from self._patience(span, polls)
            if is_last:
                yield from self._end(span, polls, events[0])

    def due_s(self, span: Span) -> float | None:
        """Return the deadline of a trigger."""
        deadline_s = self.wait.deadline_s
        return None if deadline_s is None else span.begins_s + max(0.0, deadline_s - span.elapsed_s)

    def _span_of(self, poll: Poll) -> Span | None:
        """Return the trigger that sent a poll: no trigger polls in its first moments."""
        before = [one for one in self.followed.spans if one.begins_s <= poll.at_s - 0.9 * _SHORTEST_S]
        return before[-1] if before else None

    def was_delivered(self, poll: Poll) -> bool:
        """Return whether an answer certainly reached the triggerer in time."""
        if poll.answered_s is None or poll.answered_s - poll.at_s > self.universe.request_timeout_s - 1:
            return False
        return self.bounds.is_reachable(poll.at_s - LAG_S, poll.answered_s + LAG_S)

    def may_decide(self, poll: Poll) -> bool:
        """Return whether a poll may be the last one, which is sent in any case."""
        span = self._span_of(poll)
        if span is None:
            return True
        due_s = self.due_s(span)
        if due_s is not None and poll.at_s >= due_s - 2 * _SHORTEST_S:
            return True
        before = [one for one in self.polls if one.at_s < poll.at_s and self._span_of(one) is span]
        last_s = self.tolerance_s - min(_LAST_POLL_S, self.tolerance_s / 10)
        return poll.at_s - self._budget_from_s(span, before) >= last_s

    def _budget_from_s(self, span: Span, polls: list[Poll]) -> float:
        """Return the earliest beginning of an outage that is not over."""
        begins_s = span.begins_s
        if self.wait.in_outage and span.elapsed_s < self.wait.next_poll_s:
            begins_s -= span.elapsed_s
        usable = [one.at_s for one in polls if one.kind in ("open", "no_address") and self.was_delivered(one)]
        return max([begins_s, *usable])

    # ------------------------------------------------------------------------------------------ the end

    def _end(self, span: Span, polls: list[Poll], event: dict[str, object]) -> Iterator[Found]:
        reason = event["reason"]
        if event["twinsync_task_id"] != self.wait.job:
            yield "right job", str(event["twinsync_task_id"])
        if (event["result_url"] is None) != (reason != "succeeded"):
            yield "right video", f"{reason} with {event['result_url']}"
        due_s, end_s = self.due_s(span), span.ends_s
        if due_s is not None:
            # A poll that began before the deadline, and the last one.
            late_s = max(due_s, span.begins_s) + _SHORTEST_S + 2 * (_LAST_TURN_S + self.bounds.request_s)
            if end_s > late_s + LAG_S:
                yield "deadline", f"{end_s - due_s:.1f} s late"
            if span.begins_s < due_s < end_s - _BACKSTOP_S - self.bounds.request_s:
                yield "end before Airflow's", f"{end_s - due_s:.1f} s after the deadline"
        yield from getattr(self, f"_{reason}")(span, polls)

    def _succeeded(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        url = self.followed.events[0]["result_url"]
        if url != f"{URL}/example/{self.wait.job}.mp4":
            yield "right video", str(url)
        if not any(one.kind == "video" for one in polls):
            yield "right end", "success, and the service never answered with the video"

    def _failed(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        if not any(one.kind == "failed" for one in polls):
            yield "right end", "failed, and the service never answered so"

    def _no_address(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        due_s = self.due_s(span)
        count = 0
        for poll in polls:
            if poll.answered_s is not None:
                count = count + 1 if poll.kind == "no_address" else 0
        if not count or (count < _MAX_WITHOUT_ADDRESS and (due_s is None or span.ends_s < due_s)):
            yield "right end", f"no address after {count} answers without one"

    def _unusable(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        yield "right end", str(self.followed.events[0])

    def _status_lost(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        if self.wait.silent_fail:
            yield "tolerance", "an outage ended a wait with silent_fail"
        lasted_s = span.ends_s - self._budget_from_s(span, polls)
        if lasted_s < self.tolerance_s - 0.01:
            yield "tolerance", f"an outage of at most {lasted_s:.1f} s ended the wait"
        from_s = span.ends_s - self.poll_s - LAG_S
        if self.bounds.is_reachable(from_s - 1, span.ends_s) and not any(one.at_s >= from_s for one in polls):
            yield "last poll", "no request at the end of the tolerance"

    def _timeout(self, span: Span, polls: list[Poll], name: str = "timeout") -> Iterator[Found]:
        due_s = self.due_s(span)
        limits = {"timeout": self.wait.timeout_s, "execution_timeout": self.wait.execution_timeout_s}
        if due_s is None or limits[name] != self.wait.deadline_s:
            yield "right end", f"{name}, and the limits are {limits}"
            return
        if span.ends_s < due_s - 0.01:
            yield "deadline", f"{due_s - span.ends_s:.2f} s early"
        can_poll = self.bounds.turn_s < _LAST_TURN_S and self.bounds.is_reachable(due_s - 1, span.ends_s)
        if can_poll and not any(one.at_s >= due_s - 0.01 for one in polls):
            yield "last poll", "no request at the deadline"

    def _execution_timeout(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        yield from self._timeout(span, polls, "execution_timeout")

    def _terminal_answers(
        self, span: Span, polls: list[Poll], event: dict[str, object] | None
    ) -> Iterator[Found]:
        """Check that the first answer with an end ended the wait."""
        for poll in polls:
            if poll.kind not in ("video", "failed") or not self.was_delivered(poll):
                continue
            assert poll.answered_s is not None
            arrived_s = poll.answered_s + LAG_S
            reason = {"video": "succeeded", "failed": "failed"}[poll.kind]
            if span.ends_s > arrived_s:
                yield "no lost end", f"{reason} was answered {span.ends_s - poll.answered_s:.1f} s before"
            elif event is not None and event["reason"] != reason:
                yield "no lost end", f"{reason} was answered, and the end is {event['reason']}"
            return

    # ------------------------------------------------------------------------------ the times of the polls

    def _polls_of_nobody(self) -> Iterator[Found]:
        for poll in self.polls:
            span = self._span_of(poll)
            if span is None or poll.at_s > span.ends_s + LAG_S:
                yield "one poller", f"a poll at {poll.at_s:.2f} s, when no trigger ran"

    def _schedule(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        """Check that no poll comes too early."""
        wait, due_s = self.wait, self.due_s(span)
        first_s = span.begins_s + max(wait.next_poll_s - span.elapsed_s, 0.0)
        if span.elapsed_s >= wait.next_poll_s:
            first_s += wait.poke_interval_s
        if due_s is not None:
            first_s = max(min(first_s, due_s), span.begins_s + _SHORTEST_S)
        if polls and polls[0].at_s < first_s - 0.01:
            yield "first delay", f"the first poll came {first_s - polls[0].at_s:.2f} s early"
        for number, (poll, following) in enumerate(pairwise(polls), 1):
            if due_s is not None and following.at_s >= due_s - 0.01:
                return
            budget_s = following.at_s - self._budget_from_s(span, polls[:number])
            if poll.answered_s is None or not self.was_delivered(poll) or budget_s > 0.5 * self.tolerance_s:
                continue  # a repeated request, or the last one of an outage
            least_s, delay_s = wait.poke_interval_s, following.at_s - poll.answered_s
            if poll.kind == "no_address":
                least_s = min(least_s / 2 if wait.exponential_backoff else least_s, 2.0)
            if delay_s < least_s - 0.01:
                yield "delay", f"polls {delay_s:.2f} s apart at {following.at_s:.1f} s"
            if poll.kind == "none" and delay_s < poll.asked_s - 0.01:
                yield "Retry-After", f"{delay_s:.1f} of {poll.asked_s:g} s at {following.at_s:.1f} s"

    def _lateness(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        """Check that no poll comes too late, where nothing could delay it."""
        wait = self.wait
        own_signs = [one.at_s for one in polls if one.kind in ("none", "no_address")]
        times_s = [span.begins_s, *(one.at_s for one in polls), span.ends_s]
        for before_s, after_s in pairwise(times_s):
            elapsed_s = span.elapsed_s + before_s - span.begins_s + self.poll_s
            longest_s = max(wait.max_wait_s or 60.0, wait.poke_interval_s)
            if not wait.exponential_backoff:
                longest_s = min(longest_s, max(wait.poke_interval_s, 0.05 * elapsed_s))
            longest_s = max(2 * longest_s, wait.next_poll_s) + self.poll_s + LAG_S
            calm_from_s = before_s - longest_s
            if after_s - before_s > longest_s and self.bounds.is_calm(calm_from_s, after_s, own_signs):
                yield "no late poll", f"no poll for {after_s - before_s:.1f} s from {before_s:.1f} s on"

    def _patience(self, span: Span, polls: list[Poll]) -> Iterator[Found]:
        """Check that no outage lasts much longer than the tolerance."""
        if self.wait.silent_fail:
            return
        usable = [one.answered_s for one in polls if one.answered_s is not None and one.kind != "none"]
        longest_s = max(self.wait.max_wait_s or 60.0, self.wait.poke_interval_s, self.wait.next_poll_s)
        most_s = self.tolerance_s + 2 * longest_s + 3 * self.poll_s + LAG_S
        for before_s, after_s in pairwise([span.begins_s, *usable, span.ends_s]):
            if after_s - before_s > most_s:
                yield "tolerance", f"the wait went on for {after_s - before_s:.1f} s without a status"
