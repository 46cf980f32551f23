"""What a look means for a wait: what to tolerate, when to stop, and what to say.

Pure: no input or output, no clock, no randomness. The worker and the triggerer tell the same :class:`Poller`
what each look brought and how long it has been, and do what it says.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_twinsync._api.shown import shown_duration, shown_url
from airflow_provider_twinsync._api.status import Job, JobState, build_status, parse_job
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason
from airflow_provider_twinsync._wait.schedule import PollSchedule, outage_delay_s, requested_delay_s
from airflow_provider_twinsync.exceptions import (
    NoAddressError,
    StatusError,
)

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.exchange import Answer, Request

#: Nothing is asked more often than this, not even with a ``poke_interval`` of 0.
_MIN_DELAY_S = 0.1
#: So much longer than to the deadline a look waits for its turn.
_LAST_TURN_S = 10.0
#: An outage ends a wait after at least two polls: one poll alone may last as long as the tolerance.
_MIN_TROUBLES = 2
#: A poll that begins within this time before the end of the tolerance may be the last one.
_LAST_POLL_S = 30.0
#: The polls of a finished job without an address, with delays of at most 2, 4, 8 and 16 s: half a minute is
#: enough for a service that stores the state first and the address after it.
_MAX_WITHOUT_ADDRESS = 5
#: A wait of which nothing else is to be said says so often that it still waits.
_SIGN_OF_LIFE_S = 3600.0


class Poller:
    """One wait for one job: told what each look brought, it says what to do next.

    :param twinsync_task_id: the job to wait for.
    :param policy: how to wait.
    :param is_one_look: it is one of many looks of which another counts the time: nothing is said of times.
    :raises UsageError: the id is none.
    """

    def __init__(self, twinsync_task_id: str, policy: PollSchedule, *, is_one_poll: bool = False) -> None:
        self.twinsync_task_id = twinsync_task_id
        self.policy = policy
        self.is_one_poll = is_one_poll
        build_status(twinsync_task_id)
        self._deadline_s = policy.deadline_s
        self._last_answer: Answer | None = None
        self._last_seen: Job
        self._polls = 0
        self._last_state: JobState | None = None
        self._said_at_s = 0.0
        self._troubles = 0
        self._trouble_since_s = 0.0
        self._last_problem: str | None = None
        self._without_address = 0
        self._finished_since_s = 0.0

    @property
    def request(self) -> Request:
        """The question for the job's status."""
        return build_status(self.twinsync_task_id)

    def read(self, answer: Answer, *, key: str) -> Job | StatusError:
        """Read the answer to :attr:`request`; mostly it is the same as the one before.

        :param key: the access key, which is hidden where the answer repeats it.
        """
        if answer == self._last_answer:
            return self._last_seen
        try:
            seen = parse_job(self.twinsync_task_id, answer, key=key)
        except StatusError as error:
            return error  # not kept: it may come with a page
        self._last_answer, self._last_seen = answer, seen
        return seen

    def next(self, seen: Job | StatusError, elapsed_s: float, took_s: float = 0.0) -> Again | End:
        """Decide what follows a look.

        :param seen: the job's status, or the error that came instead.
        :param elapsed_s: seconds from the start of the wait to the look.
        :param took_s: seconds that the look took: in the end it is when it began that counts, as a job may
            finish while an answer is on its way.
        """
        if isinstance(seen, NoAddressError):
            # Not counted: a triggerer that takes the wait over counts from one.
            return self._after_no_address(seen, elapsed_s, took_s)
        self._polls += 1
        if isinstance(seen, StatusError):
            return self._after_trouble(seen, elapsed_s, took_s)
        if seen.state is JobState.SUCCEEDED:
            where = f"its video is at {shown_url(seen.result_url or '')}"
            after = "" if self.is_one_poll else f" after {shown_duration(elapsed_s)}"
            said = f"is finished{after}; {where}"
            return self._end(EndReason.SUCCEEDED, said, seen.result_url)
        if seen.state is JobState.FAILED:
            said = f": {seen.message.rstrip('.')}." if seen.message else "."
            return self._end(
                EndReason.FAILED,
                f"failed (code {seen.code}){said} Waiting for it again would not help: submit the text anew, "
                "with another photo or text if this one keeps failing.",
            )
        note = None
        if self._troubles:
            outage_s = elapsed_s - self._trouble_since_s
            state = f"{seen.state.value} ({shown_duration(elapsed_s)})"
            note = f"is reported again after {outage_s:.0f} s without a status, and is {state}"
        elif seen.state is not self._last_state:
            note = f"is {seen.state.value}" + ("" if self.is_one_poll else f" ({shown_duration(elapsed_s)})")
        elif self._is_silent_for_long(elapsed_s):
            note = f"is still {seen.state.value} ({shown_duration(elapsed_s)})"
        self._troubles = self._without_address = 0
        self._last_state = seen.state
        return self._again(elapsed_s, took_s, note=note)

    @property
    def last_state(self) -> JobState | None:
        """The job's state as it was seen last, or None."""
        return self._last_state

    @property
    def lacks_address(self) -> bool:
        """Return whether the last poll found the job finished, without an address of its video."""
        return self._without_address > 0

    @property
    def trouble_since_s(self) -> float | None:
        """When the status began to be unavailable, in seconds from the start of the wait, or None."""
        return self._trouble_since_s if self._troubles else None

    def tolerate(self, tolerance_s: float) -> None:
        """Take the connection's tolerance, once it is known; who bears with everything goes on to."""
        if self.policy.tolerance_s is not None:
            self.policy = replace(self.policy, tolerance_s=tolerance_s)

    def go_on(
        self,
        elapsed_s: float,
        *,
        next_poll_s: float = 0.0,
        trouble_since_s: float | None = None,
        last_state: JobState | None = None,
    ) -> Again:
        """Take over a wait that another process began: look again after the usual pause, and once at least.

        The pause matters for a wait that was just deferred: a trigger that fires at once, because the job
        finished in between, can have its task failed by an executor event that came late (Airflow 3.3.2).

        :param elapsed_s: seconds since the start of the wait.
        :param next_look_s: when the other process meant to look again, in seconds from the start of the wait.
        :param trouble_since_s: its :attr:`trouble_since_s`.
        :param last_state: its :attr:`last_state`, which it has told: only another one is news.
        """
        self._polls += 1
        self._last_state, self._said_at_s = last_state, elapsed_s
        delay_s = self.policy.reconnect_delay_s(elapsed_s, self.twinsync_task_id)
        # Before that time nobody can have looked in between. After it, a triggerer may have, and a status
        # that could not be had then says nothing of now.
        if elapsed_s < next_poll_s:
            delay_s = next_poll_s - elapsed_s
            if trouble_since_s is not None:
                self._troubles, self._trouble_since_s = 1, trouble_since_s
        return Again(max(self._until_deadline_s(elapsed_s, delay_s), _MIN_DELAY_S))

    def patience(self, elapsed_s: float) -> tuple[float | None, bool]:
        """Say how long the next look may wait for its turn, in seconds, and whether it may end the wait.

        Airflow ends a wait whose trigger says nothing for long after the deadline, and names no reason. What
        may end a wait has to be asked for, whatever other waits were told.
        """
        decides = self._may_be_last(elapsed_s)
        if self._deadline_s is None:
            return None, decides
        left_s = self._deadline_s - elapsed_s
        return max(left_s, 0.0) + _LAST_TURN_S, decides or left_s < _MIN_DELAY_S

    def _until_deadline_s(self, elapsed_s: float, delay_s: float) -> float:
        """Shorten a delay so that the last look is at the deadline, and a video that came in time is seen."""
        return delay_s if self._deadline_s is None else min(delay_s, self._deadline_s - elapsed_s)

    def _left_of_tolerance_s(self, now_s: float) -> float | None:
        """Return the seconds that an outage may still last; None without an outage or a limit."""
        if self.policy.tolerance_s is None or not self._troubles:
            return None
        return self._trouble_since_s + self.policy.tolerance_s - now_s

    def _may_be_last(self, elapsed_s: float) -> bool:
        """Return whether a poll that begins now may be the last one of an outage."""
        left_s, tolerance_s = self._left_of_tolerance_s(elapsed_s), self.policy.tolerance_s
        if left_s is None or tolerance_s is None:
            return False
        return left_s <= min(_LAST_POLL_S, tolerance_s / 10)

    def _after_trouble(self, trouble: StatusError, elapsed_s: float, took_s: float) -> Again | End:
        if not self._troubles:
            self._trouble_since_s = elapsed_s
        self._troubles += 1
        self._without_address = 0
        self._last_problem = trouble.problem
        now_s = elapsed_s + took_s
        left_s = self._left_of_tolerance_s(now_s)
        # A poll that was under way at the end of the tolerance is the last one, as is one that began then.
        is_over = left_s is not None and left_s <= 0
        if is_over and self._may_be_last(elapsed_s) and self._troubles >= _MIN_TROUBLES:
            outage_s = now_s - self._trouble_since_s
            before = f"Last seen: {self._last_state.value}. " if self._last_state else ""
            return self._end(
                EndReason.STATUS_LOST,
                f"could not be followed for {outage_s:.0f} s, over {self._troubles} attempts. {before}The "
                f"last one: {trouble.problem}. {self._prospect}",
            )
        note = None
        if self._troubles == 1:
            tolerance_s = self.policy.tolerance_s
            until = "until the deadline" if tolerance_s is None else f"for up to {tolerance_s:g} s"
            note = f"cannot be followed at the moment, and is asked for again {until}: {trouble.problem}"
        elif self._is_silent_for_long(elapsed_s):
            note = f"still cannot be followed ({shown_duration(elapsed_s)}): {trouble.problem}"
        delay_s = max(requested_delay_s(trouble.retry_after_s), outage_delay_s(self._troubles))
        return self._again(
            elapsed_s, took_s, note=note, level=logging.WARNING, at_least_s=delay_s, at_most_s=left_s
        )

    def _after_no_address(self, seen: NoAddressError, elapsed_s: float, took_s: float) -> Again | End:
        """Poll a few times more for the address of a finished job's video."""
        if not self._without_address:
            self._finished_since_s = elapsed_s
        self._troubles = 0
        self._without_address += 1
        self._last_state = JobState.SUCCEEDED
        self._last_problem = seen.problem
        is_deadline = self._deadline_s is not None and elapsed_s >= self._deadline_s
        if is_deadline or self._without_address >= _MAX_WITHOUT_ADDRESS:
            return self._ended_without_address(elapsed_s)
        note = None
        if self._without_address == 1:
            note = f"is finished, but has no usable address of its video yet; polling again: {seen.problem}"
        return self._again(
            elapsed_s,
            took_s,
            note=note,
            level=logging.WARNING,
            at_least_s=requested_delay_s(seen.retry_after_s),
            at_most_s=2.0**self._without_address,
        )

    def _ended_without_address(self, elapsed_s: float) -> End:
        polls = "1 poll" if self._without_address == 1 else f"{self._without_address} polls"
        return self._end(
            EndReason.NO_ADDRESS,
            f"is finished and its video has no usable address, after {polls} over "
            f"{elapsed_s - self._finished_since_s:.0f} s. The last answer: {self._last_problem}. More "
            "waiting does not help, and another submit is another paid job: ask the service for the video "
            "of this one.",
        )

    def _again(
        self,
        elapsed_s: float,
        took_s: float,
        *,
        note: str | None,
        level: int = logging.INFO,
        at_least_s: float = 0.0,
        at_most_s: float | None = None,
    ) -> Again | End:
        now_s = elapsed_s + took_s
        delay_s = max(self.policy.delay_s(self._polls, now_s, self.twinsync_task_id), at_least_s)
        if at_most_s is not None:
            delay_s = min(delay_s, at_most_s)
        if self._deadline_s is not None and elapsed_s >= self._deadline_s:
            return self.timed_out(elapsed_s)
        delay_s = self._until_deadline_s(now_s, delay_s)
        delay_s = max(delay_s, _MIN_DELAY_S)
        if note is None:
            return Again(delay_s)
        self._said_at_s = elapsed_s
        if self.is_one_poll:
            return Again(delay_s, f"TwinSync job {self.twinsync_task_id} {note.rstrip('.')}.", level)
        next_look = f"next look in {shown_duration(delay_s)}"
        if self._deadline_s is not None:
            next_look += f", {self._deadline_name} in {shown_duration(max(self._deadline_s - now_s, 0.0))}"
        return Again(delay_s, f"TwinSync job {self.twinsync_task_id} {note}; {next_look}.", level)

    def _is_silent_for_long(self, elapsed_s: float) -> bool:
        return elapsed_s - self._said_at_s >= _SIGN_OF_LIFE_S

    @property
    def _deadline_name(self) -> str:
        timeout_s = self.policy.timeout_s
        return "timeout" if timeout_s is not None and timeout_s == self._deadline_s else "execution_timeout"

    def timed_out(self, elapsed_s: float) -> End:
        """Say that a deadline has passed; for Airflow's own alarm too, which ends a task in the worker.

        :param elapsed_s: seconds since the start of the wait.
        """
        if self.lacks_address:
            return self._ended_without_address(elapsed_s)
        name = self._deadline_name
        known = f"last seen: {self._last_state.value}" if self._last_state else "it was never seen"
        if self._troubles and self._last_problem:
            outage_s = elapsed_s - self._trouble_since_s
            known += f"; no status for {outage_s:.0f} s, the last answer: {self._last_problem}"
        return self._end(
            EndReason(name),
            f"was not finished after {elapsed_s:.0f} s, the {name} of this task ({known}). {self._prospect}",
        )

    @property
    def _prospect(self) -> str:
        """Return a sentence about the job's future, as far as it is known."""
        if self._last_state is JobState.SUCCEEDED:
            return (
                "The job is finished, and its video had no usable address: wait for it again, or ask the "
                "service."
            )
        if self._last_state and not self._troubles:
            return "The job itself goes on and may still finish."
        return "If the id is right, the job may still finish."

    def _end(self, reason: EndReason, message: str, result_url: str | None = None) -> End:
        return End(
            reason, self.twinsync_task_id, f"TwinSync job {self.twinsync_task_id} {message}", result_url
        )
