"""A job that is finished, and has no address of its video yet."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from support.polls import ID, NO_ADDRESS, NO_STATUS, code_of, poller, run, signs

from airflow_provider_twinsync._wait.config import Handover
from airflow_provider_twinsync._wait.outcome import Again, End, EndReason
from airflow_provider_twinsync.exceptions import NoAddressError


@pytest.mark.parametrize(
    ("polls", "policy", "shown"),
    [
        pytest.param("nnnnn", {}, "W... no_address", id="five times"),
        pytest.param("nnnnD", {}, "W... succeeded", id="it comes late"),
        pytest.param("WWnnnnn", {}, "i.W... no_address", id="after the wait for it"),
        pytest.param("nnWnnnnn", {}, "W.iW... no_address", id="it was not finished"),
        pytest.param("nnxxnnnnn", {}, "W.W.W... no_address", id="an outage: counted again"),
        pytest.param("nnnnn", {"tolerance_s": None}, "W... no_address", id="with silent_fail"),
        pytest.param("nnnnn", {"tolerance_s": 0.1}, "W... no_address", id="whatever the tolerance is"),
        pytest.param("Wn", {"timeout_s": 10}, "i no_address", id="at the deadline"),
        pytest.param("Wn", {"execution_timeout_s": 10}, "i no_address", id="at the other deadline"),
    ],
)
def test_a_finished_job_without_an_address_is_asked_for_a_few_times(
    polls: str, policy: dict[str, Any], shown: str
) -> None:
    """Then the wait ends for this reason, and not for another."""
    steps = run(polls, **policy)
    assert signs(steps) == shown
    warnings = [str(step.note) for step in steps if isinstance(step, Again) and step.level > logging.INFO]
    problems = {"TS408": NO_STATUS.problem, "TS409": NO_ADDRESS.problem}
    assert all(ID in line and problems[line[:5]] in line for line in warnings if line != "None")
    if isinstance(steps[-1], End) and steps[-1].reason is EndReason.NO_ADDRESS:
        assert code_of(steps[-1]) == "TS403"
        for part in (ID, "no address: HTTP 200, {}"):
            assert part in steps[-1].message
        assert "may still finish" not in steps[-1].message
        assert "goes on" not in steps[-1].message


def test_the_address_is_asked_for_over_half_a_minute_whatever_the_interval_is() -> None:
    """A service may store the state first; an hour's interval would make hours of it."""
    for arguments in (
        {},
        {"poke_interval_s": 3600.0},
        {"poke_interval_s": 60.0, "exponential_backoff": True},
    ):
        wait, now_s = poller(**arguments), 0.0
        while isinstance(step := wait.next(NO_ADDRESS, now_s), Again):
            now_s += step.delay_s
            assert now_s < 1_000
        assert 4 <= now_s <= 30
    assert now_s == 30


@pytest.mark.parametrize(("retry_after_s", "delay_s"), [(None, 0.5), (1.5, 1.5), (7.0, 2.0)])
def test_a_service_may_ask_for_a_delay_before_the_address_is_asked_for(
    retry_after_s: float | None, delay_s: float
) -> None:
    """Up to the delay that the wait has for it."""
    error = NoAddressError("no address", problem="no address", retry_after_s=retry_after_s)
    step = poller(poke_interval_s=0.5, max_wait_s=0.5).next(error, 0.0)
    assert isinstance(step, Again)
    assert step.delay_s == delay_s


def test_an_outage_after_the_end_of_a_job_does_not_say_that_it_may_still_finish() -> None:
    """It is finished, for any end of the wait; another process knows it by the state that is handed over."""
    ends = [run("nxxx", timeout_s=30, tolerance_s=None)[-1], run("nxxxx", tolerance_s=30)[-1]]
    wait = poller(timeout_s=30)
    wait.resume(10, Handover(last_state="succeeded"))
    for end in (*ends, wait.next(NO_STATUS, 30)):
        assert isinstance(end, End)
        assert code_of(end) == ("TS402" if end.reason is EndReason.STATUS_LOST else "TS405")
        assert "The job is finished" in end.message
        assert "may still finish" not in end.message


def test_an_alarm_after_the_end_of_a_job_says_that_it_is_finished() -> None:
    """The execution_timeout of a worker rings at any time."""
    wait = poller(execution_timeout_s=60.0)
    wait.next(NO_ADDRESS, 59.0)
    end = wait.timed_out(60.0)
    assert (end.reason, code_of(end)) == (EndReason.NO_ADDRESS, "TS403")
    assert "1 poll over 1 s" in end.message
