"""Properties that hold for any wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.polls import DONE, FAILED, ID, MIN_DELAY_S, NO_STATUS, RUNNING, WAITING, busy, poller

from airflow_provider_twinsync._wait.outcome import Again, End, EndReason
from airflow_provider_twinsync.exceptions import StatusError

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync._wait.config import Handover

POLLS = st.lists(
    st.tuples(
        st.sampled_from([WAITING, RUNNING, WAITING, NO_STATUS, NO_STATUS, busy(1), busy(1e6), DONE, FAILED]),
        st.floats(0, 100),
    ),
    max_size=60,
)
LIMITS = st.none() | st.floats(0, 500)
POLICIES = st.builds(
    dict[str, Any],
    poke_interval_s=st.floats(0, 100),
    exponential_backoff=st.booleans(),
    max_wait_s=LIMITS,
    tolerance_s=st.none() | st.floats(0.1, 500),
    timeout_s=LIMITS,
    execution_timeout_s=LIMITS,
)


# A busy machine is slow, and that is no failure.
@hypothesis_settings(deadline=None)
@given(POLICIES, POLLS)
def test_any_wait_ends_once_and_for_the_reason_that_was_seen(
    policy: dict[str, Any], polls: list[tuple[Job | StatusError, float]]
) -> None:
    """No end before its cause, none missing after it, and always a delay within the deadline."""
    wait = poller(**policy)
    deadline_s = min(
        (d for d in (policy["timeout_s"], policy["execution_timeout_s"]) if d is not None),
        default=float("inf"),
    )
    elapsed_s, since_s, without_status = 0.0, 0.0, 0
    for seen, delay_s in polls:
        elapsed_s += delay_s
        since_s = elapsed_s if not without_status else since_s
        without_status = without_status + 1 if isinstance(seen, StatusError) else 0
        tolerance_s = policy["tolerance_s"]
        lost = without_status >= 2 and tolerance_s is not None and since_s + tolerance_s <= elapsed_s
        step = wait.next(seen, elapsed_s)
        if isinstance(step, Again):
            assert seen not in (DONE, FAILED)
            assert not lost
            assert elapsed_s < deadline_s
            assert MIN_DELAY_S <= step.delay_s < float("inf")
            assert elapsed_s + step.delay_s <= max(deadline_s, elapsed_s + MIN_DELAY_S) + 1e-6
            continue
        assert (step.reason is EndReason.SUCCEEDED) is (seen is DONE) is (step.result_url is not None)
        assert (step.reason is EndReason.FAILED) is (seen is FAILED)
        assert (step.reason is EndReason.STATUS_LOST) is lost
        if seen not in (DONE, FAILED) and not lost:
            assert elapsed_s >= deadline_s
            earlier = policy["timeout_s"] == deadline_s
            assert step.reason is (EndReason.TIMEOUT if earlier else EndReason.EXECUTION_TIMEOUT)
        assert ID in step.message
        break


@dataclass
class Restart:
    """The process is gone, and another resumes the wait, with the trigger's arguments, which never change.

    :param down_s: how long nobody waited.
    :param step_s: how far the wall clock was set in that time.
    """

    down_s: float
    step_s: float


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [WAITING, RUNNING, NO_STATUS, NO_STATUS, NO_STATUS, busy(1), busy(1e6), DONE, FAILED]
        ),
        st.sampled_from([0.0, 0.0, 0.5, 30.0]) | st.floats(0, 100),
    )
    | st.builds(
        Restart, st.floats(0, 1000), st.sampled_from([0.0, 0.0, -1e6, 3600.0]) | st.floats(-500, 500)
    ),
    max_size=40,
)


@hypothesis_settings(deadline=None)
@given(POLICIES, EVENTS)
def test_any_wait_ends_once_over_any_restarts(
    policy: dict[str, Any], events: list[tuple[Job | StatusError, float] | Restart]
) -> None:
    """Answers, late polls, dead triggerers, clocks that are set: one end, in time, for a reason seen.

    What is counted here is what a process can know: the wall clock when it starts, then its own.
    """
    deadline_s = min(
        (d for d in (policy["timeout_s"], policy["execution_timeout_s"]) if d is not None),
        default=float("inf"),
    )
    # The worker's poll; then its arguments go to the triggerer.
    wait, elapsed_s, lost_wall_s = poller(**policy), 0.0, 0.0
    good_at_s = 0.0  # the last good answer, or the earliest start of an outage
    pending: list[Any] = [*events, *[(WAITING, 0.0)] * 3, (DONE, 0.0)]
    step: Again | End | None = None
    handed: Handover | None = None
    ends = []
    while not ends:
        event = pending.pop(0)
        if isinstance(event, Restart) or (handed is None and step is not None):
            if isinstance(event, Restart):
                lost_wall_s = event.down_s + event.step_s
            else:
                pending.insert(0, event)
                lost_wall_s = 0.0
            if step is None:  # killed before its first poll: Airflow runs the worker again
                continue
            if handed is None:
                handed = wait.hand_over(started_at=0.0, next_poll_s=elapsed_s + step.delay_s)
            elapsed_s = max(0.0, elapsed_s + lost_wall_s)
            wait = poller(**policy)
            step = wait.resume(elapsed_s, handed)
            since_s = wait.hand_over(started_at=0.0, next_poll_s=0.0).outage_since_s
            assert since_s in (None, handed.outage_since_s)
            assert since_s is None or elapsed_s < handed.next_poll_s, "no process can have polled since"
            good_at_s = elapsed_s if since_s is None else since_s
        else:
            seen, late_s = event
            elapsed_s += (0.0 if step is None else step.delay_s) + late_s
            found = wait.next(seen, elapsed_s)
            if isinstance(found, End):
                ends.append(found)
                break
            assert seen not in (DONE, FAILED)
            assert elapsed_s < deadline_s, "none waits after the deadline"
            good_at_s = good_at_s if isinstance(seen, StatusError) else elapsed_s
            step = found
        assert MIN_DELAY_S <= step.delay_s < float("inf")
        assert elapsed_s + step.delay_s <= max(deadline_s, elapsed_s + MIN_DELAY_S) + 1e-6
    [end] = ends
    assert (end.reason is EndReason.SUCCEEDED) is (seen is DONE) is (end.result_url is not None)
    assert (end.reason is EndReason.FAILED) is (seen is FAILED)
    if end.reason in (EndReason.TIMEOUT, EndReason.EXECUTION_TIMEOUT):
        assert elapsed_s >= deadline_s, "no end before the deadline says timeout"
    if end.reason is EndReason.STATUS_LOST:
        assert isinstance(seen, StatusError)
        assert policy["tolerance_s"] is not None
        assert elapsed_s - good_at_s >= policy["tolerance_s"] - 1e-6
