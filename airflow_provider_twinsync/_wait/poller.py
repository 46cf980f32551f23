"""The wait for one job: the decision after each poll.

Pure: no input or output, no clock, no randomness. The worker and the triggerer pass each answer and the time
to the same :class:`Poller`, and do as it decides.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_twinsync._api.settings import DEFAULT_TOLERANCE_S
from airflow_provider_twinsync._api.shown import shown_duration
from airflow_provider_twinsync._api.status import Job, JobState, build_status, parse_job
from airflow_provider_twinsync._wait import messages, schedule
from airflow_provider_twinsync._wait.config import Handover
from airflow_provider_twinsync._wait.outage import Outage
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason
from airflow_provider_twinsync.exceptions import NoAddressError, StatusError

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.exchange import Outcome, Request
    from airflow_provider_twinsync._wait.config import WaitConfig

#: The shortest delay, even with a ``poke_interval`` of 0.
_MIN_DELAY_S = 0.1
#: A poll waits for its turn until this long after the deadline.
_LAST_TURN_S = 10.0
#: The polls of a finished job without an address, with delays of at most 2, 4, 8 and 16 s: half a minute is
#: enough for a service that stores the state first and the address after it.
_MAX_WITHOUT_ADDRESS = 5
#: A triggerer takes a new wait within seconds, and that of a dead triggerer in half a minute.
_LATE_S = 60.0
#: A wait without news logs at least one line in this time.
_SIGN_OF_LIFE_S = 3600.0


class Poller:
    """One wait for one job: it decides after each poll, and builds the messages.

    For example, ``Poller("7", WaitConfig(timeout_s=60)).next(job, 60.0)`` is an :class:`End` of the reason
    ``TIMEOUT``, as long as the job is neither finished nor failed.

    :param twinsync_task_id: the job.
    :param config: the options of the wait.
    :param is_one_poll: another process counts the time and the polls, so that no message names a time.
    :raises UsageError: the id is none that a service could have given.
    """

    def __init__(self, twinsync_task_id: str, config: WaitConfig, *, is_one_poll: bool = False) -> None:
        self.twinsync_task_id = twinsync_task_id
        self.config = config
        self.is_one_poll = is_one_poll
        build_status(twinsync_task_id)
        self._deadline_s = config.deadline_s
        self._tolerance_s = None if config.silent_fail else DEFAULT_TOLERANCE_S
        self._last_answer: Outcome | None = None
        self._last_job: Job
        self._polls = 0
        self._last_state: JobState | None = None
        self._noted_at_s = 0.0
        self._outage = Outage()
        self._last_problem: str | None = None
        self._without_address = 0
        self._finished_since_s = 0.0

    @property
    def request(self) -> Request:
        """Return the status request of the job."""
        return build_status(self.twinsync_task_id)

    def read(self, answer: Outcome, *, key: str) -> Job | StatusError:
        """Read the answer to :attr:`request`; most answers equal the one before.

        :param key: the access key, which is hidden where the answer repeats it.
        """
        if answer == self._last_answer:
            return self._last_job
        try:
            job = parse_job(self.twinsync_task_id, answer, key=key)
        except StatusError as error:
            return error  # not kept: its answer may be a large page
        self._last_answer, self._last_job = answer, job
        return job

    def next(self, seen: Job | StatusError, elapsed_s: float, took_s: float = 0.0) -> Again | End:
        """Decide what follows a poll.

        :param seen: the job's status, or the error that came instead.
        :param elapsed_s: seconds from the start of the wait to the start of the poll. Only these count at the
            deadline, as a job may finish while an answer is on its way.
        :param took_s: seconds that the poll took.
        """
        if isinstance(seen, NoAddressError):
            # Not counted: a triggerer that resumes the wait counts from one.
            return self._after_no_address(seen, elapsed_s, took_s)
        self._polls += 1
        if isinstance(seen, StatusError):
            return self._after_no_status(seen, elapsed_s, took_s)
        if seen.state is JobState.SUCCEEDED:
            message = messages.succeeded(seen, None if self.is_one_poll else elapsed_s)
            return self._end(EndReason.SUCCEEDED, elapsed_s, message, seen.result_url)
        if seen.state is JobState.FAILED:
            return self._end(EndReason.FAILED, elapsed_s, messages.failed(seen))
        note, job = None, f"TwinSync job {self.twinsync_task_id}"
        state = seen.state.value + ("" if self.is_one_poll else f" ({shown_duration(elapsed_s)})")
        if self._outage.polls:
            lasted_s = elapsed_s - self._outage.since_s
            note = f"Status of {job} available again after {lasted_s:.0f} s: {state}"
        elif seen.state is not self._last_state:
            note = f"{job} is {state}"
        elif self._is_silent_for_long(elapsed_s):
            note = f"{job} is still {state}"
        self._outage.end()
        self._without_address = 0
        self._last_state = seen.state
        return self._again(elapsed_s, took_s, note=note)

    @property
    def lacks_address(self) -> bool:
        """Return whether the last poll found the job finished, without an address of its video."""
        return self._without_address > 0

    def tolerate(self, tolerance_s: float) -> None:
        """Set the connection's tolerance, once it is known. A wait with ``silent_fail`` has none."""
        if not self.config.silent_fail:
            self._tolerance_s = tolerance_s

    def hand_over(self, *, started_at: float, next_poll_s: float) -> Handover:
        """Return the state for the process that resumes this wait.

        :param started_at: the start of the wait, in seconds since 1970.
        :param next_poll_s: the next poll, in seconds from the start.
        """
        return Handover(
            started_at=started_at,
            next_poll_s=next_poll_s,
            outage_since_s=self._outage.since_s if self._outage.polls else None,
            last_state=self._last_state.value if self._last_state else None,
        )

    def resume(self, elapsed_s: float, handover: Handover, queue: str | None = None) -> Again:
        """Resume a wait that another process began: poll at least once, after the usual delay.

        The delay matters for a wait that was just deferred: a trigger that fires at once, because the job
        finished in between, can have its task failed by an executor event that came late (Airflow 3.3.2).

        :param elapsed_s: seconds since the start of the wait.
        :param handover: the state of the wait in the other process.
        :param queue: the queue of the task, where triggers have queues: a wait that begins late then has a
            note. A wait that no worker began has no queue.
        """
        self._polls += 1
        self._noted_at_s = elapsed_s
        # The other process has logged this state, so only another state is news. If a later version of this
        # package began the wait, the state may be unknown here.
        self._last_state = next((state for state in JobState if state.value == handover.last_state), None)
        delay_s = schedule.reconnect_delay_s(self.config, elapsed_s, self.twinsync_task_id)
        # Before that time no process can have polled in between. After it a triggerer may have, and an outage
        # of the past is no news of now.
        if elapsed_s < handover.next_poll_s:
            delay_s = handover.next_poll_s - elapsed_s
            if handover.outage_since_s is not None:
                self._outage.begin(handover.outage_since_s)
        delay_s = max(self._until_deadline_s(elapsed_s, delay_s), _MIN_DELAY_S)
        late_s = elapsed_s - handover.next_poll_s
        if queue is None or late_s <= _LATE_S or handover.airflow_timeout_s is not None:
            return Again(delay_s)
        return Again(delay_s, messages.late_note(self.twinsync_task_id, late_s, queue), logging.WARNING)

    def turn_limit(self, elapsed_s: float) -> tuple[float | None, bool]:
        """Return how long the next poll may wait for its turn, in seconds, and whether it may end the wait.

        If the trigger is silent for long after the deadline, Airflow ends the wait and names no reason. A
        poll that may end the wait is sent, even if the circuit breaker is open.
        """
        decides = self._outage.may_be_last(self._tolerance_s, elapsed_s)
        if self._deadline_s is None:
            return None, decides
        left_s = self._deadline_s - elapsed_s
        return max(left_s, 0.0) + _LAST_TURN_S, decides or left_s < _MIN_DELAY_S

    def timed_out(self, elapsed_s: float) -> End:
        """Return the end at a deadline; also for Airflow's own alarm, which ends a task in the worker.

        :param elapsed_s: seconds since the start of the wait.
        """
        if self.lacks_address:
            return self._ended_without_address(elapsed_s)
        name, job_id = self._deadline_name, self.twinsync_task_id
        return self._end(
            EndReason(name),
            elapsed_s,
            messages.timed_out(job_id, name, elapsed_s, self._last_state, self._outage, self._last_problem),
        )

    def _after_no_status(self, error: StatusError, elapsed_s: float, took_s: float) -> Again | End:
        outage, job_id, tolerance_s = self._outage, self.twinsync_task_id, self._tolerance_s
        outage.record(elapsed_s)
        self._without_address = 0
        self._last_problem = error.problem
        now_s = elapsed_s + took_s
        if outage.is_over(tolerance_s, elapsed_s, took_s):
            message = messages.status_lost(job_id, outage, now_s, self._last_state, error.problem)
            return self._end(EndReason.STATUS_LOST, elapsed_s, message)
        note = None
        if outage.polls == 1:
            note = messages.outage_note(job_id, error.problem, tolerance_s)
        elif self._is_silent_for_long(elapsed_s):
            note = messages.long_outage_note(job_id, error.problem, elapsed_s)
        return self._again(
            elapsed_s,
            took_s,
            note=note,
            level=logging.WARNING,
            at_least_s=max(
                schedule.requested_delay_s(error.retry_after_s), schedule.outage_delay_s(outage.polls)
            ),
            at_most_s=outage.left_s(tolerance_s, now_s),
        )

    def _after_no_address(self, error: NoAddressError, elapsed_s: float, took_s: float) -> Again | End:
        """Poll a few times more for the address of a finished job's video."""
        if not self._without_address:
            self._finished_since_s = elapsed_s
        self._outage.end()
        self._without_address += 1
        self._last_state = JobState.SUCCEEDED
        self._last_problem = error.problem
        if self._without_address >= _MAX_WITHOUT_ADDRESS:
            return self._ended_without_address(elapsed_s)
        is_first = self._without_address == 1
        return self._again(
            elapsed_s,
            took_s,
            note=messages.no_address_note(self.twinsync_task_id, error.problem) if is_first else None,
            level=logging.WARNING,
            at_least_s=schedule.requested_delay_s(error.retry_after_s),
            at_most_s=2.0**self._without_address,
        )

    def _ended_without_address(self, elapsed_s: float) -> End:
        polls, lasted_s = self._without_address, elapsed_s - self._finished_since_s
        message = messages.without_address(self.twinsync_task_id, polls, lasted_s, self._last_problem)
        return self._end(EndReason.NO_ADDRESS, elapsed_s, message)

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
        delay_s = max(schedule.delay_s(self.config, self._polls, now_s, self.twinsync_task_id), at_least_s)
        if at_most_s is not None:
            delay_s = min(delay_s, at_most_s)
        if self._deadline_s is not None and elapsed_s >= self._deadline_s:
            return self.timed_out(elapsed_s)
        delay_s = max(self._until_deadline_s(now_s, delay_s), _MIN_DELAY_S)
        if note is None:
            return Again(delay_s)
        self._noted_at_s = elapsed_s
        if self.is_one_poll:
            return Again(delay_s, f"{note}.", level)
        next_poll = f"next poll in {shown_duration(delay_s)}"
        if self._deadline_s is not None:
            next_poll += f", {self._deadline_name} in {shown_duration(max(self._deadline_s - now_s, 0.0))}"
        return Again(delay_s, f"{note}; {next_poll}.", level)

    def _until_deadline_s(self, elapsed_s: float, delay_s: float) -> float:
        """Shorten a delay so that the last poll is at the deadline, and a video that came in time is seen."""
        return delay_s if self._deadline_s is None else min(delay_s, self._deadline_s - elapsed_s)

    def _is_silent_for_long(self, elapsed_s: float) -> bool:
        return elapsed_s - self._noted_at_s >= _SIGN_OF_LIFE_S

    @property
    def _deadline_name(self) -> str:
        timeout_s = self.config.timeout_s
        return "timeout" if timeout_s is not None and timeout_s == self._deadline_s else "execution_timeout"

    def _end(self, reason: EndReason, elapsed_s: float, message: str, result_url: str | None = None) -> End:
        known_s = None if self.is_one_poll else elapsed_s
        return End(reason, self.twinsync_task_id, message, result_url, known_s)
