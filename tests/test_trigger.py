"""The trigger over the wire: its deadline, its first poll, and clocks that are set."""

from __future__ import annotations

import asyncio
import time

import pytest
from support.drive import first_delay_s, first_event, trigger_for, trigger_of
from support.triggerer import of_task

from airflow_provider_twinsync.triggers import TwinSyncTrigger


def test_the_deadline_is_counted_from_the_start_of_the_wait(emulator, job):
    """A triggerer that resumes the wait after the deadline polls once more, and ends with a timeout."""
    began = time.monotonic()
    trigger = trigger_of(job, started_at=time.time() - 100, timeout_s=60.0)
    event = asyncio.run(first_event(trigger))
    assert event["reason"] == "timeout"
    assert time.monotonic() - began < 30
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status"]


def test_a_video_that_came_while_no_triggerer_ran_is_not_missed(emulator, job):
    """The last poll is at or after the deadline, and a video is a video."""
    emulator.world.advance(7200)
    trigger = trigger_of(job, started_at=time.time() - 100, timeout_s=60.0)
    assert asyncio.run(first_event(trigger))["reason"] == "succeeded"


@pytest.mark.parametrize(
    ("queues_enabled", "late_s", "lines"), [("True", 100.0, 1), ("True", 5.0, 0), ("False", 100.0, 0)]
)
def test_a_wait_that_a_triggerer_takes_late_logs_its_queue(
    emulator, job, monkeypatch, caplog, queues_enabled, late_s, lines
):
    """No triggerer may have served the queue until now; without queues there is nothing to check."""
    monkeypatch.setenv("AIRFLOW__TRIGGERER__QUEUES_ENABLED", queues_enabled)
    emulator.world.advance(7200)
    trigger = trigger_of(job, started_at=time.time() - late_s, poke_interval_s=0.1, max_wait_s=0.1)
    assert asyncio.run(first_event(of_task(trigger, queue="gpu")))["reason"] == "succeeded"
    late = [one.getMessage() for one in caplog.records if one.getMessage().startswith("TS414 ")]
    assert len(late) == lines
    assert all("gpu" in line for line in late)


def test_the_first_poll_of_a_deferred_wait_comes_after_a_delay(emulator, job):
    """A trigger that fires at once can have its task failed by a late executor event."""
    emulator.world.advance(7200)
    began = time.monotonic()
    asyncio.run(first_event(trigger_of(job, poke_interval_s=0.5)))
    assert time.monotonic() - began >= 0.5


def test_a_state_that_only_a_later_version_knows_ends_no_wait(emulator, job):
    """A worker may be upgraded before its triggerer."""
    emulator.world.advance(7200)
    trigger = trigger_of(job, poke_interval_s=0.1, last_state="rendering")
    assert asyncio.run(first_event(trigger))["reason"] == "succeeded"


def test_an_outage_that_a_worker_met_is_not_logged_twice(emulator, connect, clock, capsys):
    """The tolerance goes on from the worker's poll, as long as the triggerer resumes before the next one."""
    connect(tolerance_s=60)
    trigger = trigger_for("1", every_s=20.0, next_poll_s=20.0, outage_since_s=0.0)
    event = asyncio.run(first_event(trigger))
    assert event["reason"] == "status_lost"
    assert clock.now_s == pytest.approx(60, abs=0.2)
    assert "TS408" not in capsys.readouterr().out


def test_a_trigger_that_starts_again_has_a_new_tolerance(emulator, connect, clock, capsys):
    """Its arguments are those of the first start, hours ago, and an outage of then is over."""
    connect(tolerance_s=60)
    trigger = trigger_for("1", every_s=20.0, next_poll_s=20.0, outage_since_s=0.0)
    clock.sleep(1000)
    event = asyncio.run(first_event(trigger))
    assert event["reason"] == "status_lost"
    assert clock.now_s == pytest.approx(1000 + first_delay_s("1", 20.0) + 60, abs=0.2)
    assert capsys.readouterr().out.count("TS408") == 1


@pytest.mark.parametrize(
    ("step_s", "pauses_s"),
    [(-1e6, [7.0, 5.0]), (5.0, [2.0, 5.0]), (50.0, [None, 5.0]), (1e6, [0.1])],
    ids=["set back", "a little forward", "forward", "far forward"],
)
def test_a_wall_clock_that_is_set_between_processes_parks_nothing(job, clock, step_s, pauses_s):
    """At worst the deadline moves; the delay is the one that was handed over, or the usual one."""
    trigger = trigger_for(job, next_poll_s=7.0)
    clock.step_wall(step_s)
    asyncio.run(first_event(trigger))
    wanted = [first_delay_s(job) if delay_s is None else delay_s for delay_s in pauses_s]
    assert clock.pauses[: len(wanted)] == pytest.approx(wanted, abs=1e-6)


def test_a_wall_clock_that_is_set_during_a_wait_changes_nothing(emulator, job, clock):
    """Inside one process time is counted monotonically."""
    emulator.world.waiting_s = 1e9  # the emulator reads the wall clock
    clock.at(100, lambda: clock.step_wall(1e6))
    clock.at(200, lambda: clock.step_wall(-3e6))
    event = asyncio.run(first_event(trigger_for(job)))
    assert event["reason"] == "timeout"
    assert clock.now_s == pytest.approx(3600, abs=0.2)


def test_stopping_a_task_that_waits_logs_that_its_job_goes_on(caplog):
    """Airflow 3.3 and later call it if a user marks or clears the task."""
    asyncio.run(TwinSyncTrigger(twinsync_task_id="20230423_1").on_kill())
    assert "TS410 TwinSync job 20230423_1 " in caplog.text
