"""A wait that begins in the triggerer: its deadline, its id, and a connection that nobody has read yet."""

from __future__ import annotations

import asyncio
import re

import pytest
from support.clock import Clock
from support.drive import first_event, run_task
from support.triggerer import event_at_once, last_event, of_task, since_3_3, started

from airflow_provider_twinsync.sensors import TwinSyncSensor


def test_the_deadline_outlives_a_triggerer(emulator, job, monkeypatch):
    """It counts from the deferral of the task, which is not in the arguments; a naive time is UTC."""
    clock = Clock(monkeypatch)
    for ago_s in (0.0, 50.0, 1000.0):
        trigger = started(job, ago_s=ago_s, poke_interval_s=5.0)
        if ago_s:
            trigger.timeout_after = trigger.timeout_after.replace(tzinfo=None)  # type: ignore[attr-defined]
        began_s = clock.now_s
        assert asyncio.run(first_event(trigger))["reason"] == "timeout"
        assert clock.now_s - began_s == pytest.approx(max(60.0 - ago_s, 0.1), abs=0.2)


@pytest.mark.parametrize("value", ["None", "", " ", "\n"], ids=repr)
def test_an_id_that_is_none_ends_a_wait_at_once(emulator, connection, value):
    """As on a worker: nothing is sent, and the message is the same."""
    event = event_at_once(started(value, poke_interval_s=60.0))
    assert event["reason"] == "unusable"
    assert event["message"].startswith(f"TS113 twinsync_task_id is {value!r}")
    assert not emulator.world.journal
    run = run_task(TwinSyncSensor(task_id="wait", twinsync_task_id=value))
    assert str(run.error) == event["message"]


def test_a_connection_that_is_wrong_ends_a_wait_at_once(emulator, connect, job):
    connect(colour="blue")
    event = event_at_once(started(job, poke_interval_s=60.0))
    assert event["reason"] == "unusable"
    assert re.match("TS205 .*colour", event["message"])


@since_3_3
def test_a_connection_that_nobody_ever_read_ends_a_wait_at_once(job, supervisor):
    """Airflow's database answers twice that there is none: a retry of the task may find it."""
    trigger = of_task(started(job, twinsync_conn_id="no_such", poke_interval_s=60.0))
    event = event_at_once(trigger)
    assert event["reason"] == "status_lost"
    assert re.match("TS201 .*'no_such'", event["message"])


@since_3_3
@pytest.mark.parametrize("why", ["an earlier triggerer or try read it", "the database is down"])
def test_a_connection_that_may_be_there_is_looked_up_again(job, supervisor, why):
    """Airflow answers that there is none while its database is down, too."""
    if why == "the database is down":
        supervisor.fails_on = "twinsync_link"
    else:
        supervisor.xcoms["twinsync_link"] = "http://127.0.0.1/phototalking?taskID=1"
    assert (
        last_event(of_task(started(job, twinsync_conn_id="no_such", timeout_s=0.3))) == "TriggerEvent timeout"
    )


@since_3_3
def test_a_database_that_comes_back_between_two_questions_ends_no_wait(emulator, job, supervisor):
    emulator.world.advance(7200)
    address = {"host": emulator.host, "port": emulator.port, "schema": "http", "login": None}
    there = {"conn_id": "late", "conn_type": "twinsync", "password": emulator.key, "extra": None, **address}
    supervisor.connections = [{}, there]
    assert last_event(of_task(started(job, twinsync_conn_id="late"))) == "TriggerEvent succeeded"
