"""The sensor over the wire: one table of cases, and each ends alike in the worker and in the triggerer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from support.drive import run_task
from support.sensors import IN_BOTH_MODES, sensor, submit

from airflow_provider_twinsync.emulator.faults import FailJob, HttpError, NotJson, ResetBefore, ResultCode
from airflow_provider_twinsync.sensors import TwinSyncSensor


@IN_BOTH_MODES
def test_a_finished_job_gives_its_address_at_the_first_poll(emulator, hook, deferrable):
    """Nothing is deferred for a finished job: the answer to the one poll is the result."""
    job = submit(hook)
    run = run_task(sensor(twinsync_task_id=job, deferrable=deferrable))
    assert run.result == f"{emulator.url}/example/{job}.mp4"
    assert run.trigger is None
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status"]
    assert run.xcoms["twinsync_link"] == run.result


@IN_BOTH_MODES
def test_a_job_that_takes_its_time_is_waited_for(emulator, hook, deferrable, capsys):
    """Waiting, running, finished: each is logged once, and nothing else is."""
    emulator.world.waiting_s, emulator.world.duration_s = 0.5, 0.5
    job = submit(hook)
    run = run_task(sensor(twinsync_task_id=job, deferrable=deferrable))
    assert run.result == f"{emulator.url}/example/{job}.mp4"
    assert bool(run.trigger) is deferrable
    words = [
        line.partition(job)[2].split()[1] for line in capsys.readouterr().out.splitlines() if job in line
    ]
    assert words == ["waiting", "running", "finished"]


#: The faults of the service, the arguments of the sensor, the job, the end of the task, its code and data.
FAILURES = {
    "a failed job is not waited for again": (
        [],
        {},
        "failed",
        "AirflowFailException",
        "TS401",
        "104",
    ),
    "a deadline is a sensor's timeout": (
        [],
        {"timeout": 0.5},
        "queued",
        "AirflowSensorTimeout",
        "TS405",
        "timeout",
    ),
    "the earlier deadline counts": (
        [],
        {"timeout": 99, "execution_timeout": timedelta(seconds=0.5)},
        "queued",
        "AirflowTaskTimeout",
        "TS405",
        "execution_timeout",
    ),
    "an unknown id fails after the tolerance": (
        [ResultCode(code=200, times=None)],
        {},
        "queued",
        "AirflowException",
        "TS402",
        '"result_code": 200',
    ),
    "a code in no table is never success": (
        [ResultCode(code=777, times=None)],
        {},
        "finished",
        "AirflowException",
        "TS402",
        "777",
    ),
    "errors without end fail after the tolerance": (
        [HttpError(status=500, times=None)],
        {},
        "finished",
        "AirflowException",
        "TS402",
        "HTTP 500",
    ),
    "resets without end fail after the tolerance": (
        [ResetBefore(times=None)],
        {},
        "finished",
        "AirflowException",
        "TS402",
        "no answer",
    ),
    "silent_fail tolerates an outage until the deadline": (
        [NotJson(times=None)],
        {"silent_fail": True, "timeout": 1},
        "finished",
        "AirflowSensorTimeout",
        "TS405",
        "no status for 1 s, last answer: the answer is not JSON",
    ),
    "a timeout of a wrong id claims no job": (
        [ResultCode(code=200, times=None)],
        {"timeout": 0.2},
        "queued",
        "AirflowSensorTimeout",
        "TS405",
        "the service does not know this id: HTTP 200",
    ),
}


@pytest.mark.slow
@IN_BOTH_MODES
@pytest.mark.parametrize("soft_fail", [False, True], ids=["", "soft_fail"])
@pytest.mark.parametrize(
    ("faults", "arguments", "job", "ended", "code", "data"), FAILURES.values(), ids=FAILURES
)
def test_a_wait_ends_alike_in_both_modes(
    emulator, connect, hook, faults, arguments, job, ended, code, data, soft_fail, deferrable, capsys
):
    """Every row: the same exception with the same message, and with soft_fail a skip."""
    connect(tolerance_s=0.3)
    if job == "failed":
        emulator.world.faults.add("submit", FailJob())
    emulator.world.waiting_s = 3600.0 if job == "queued" else 0.3
    twinsync_task_id = submit(hook)
    for fault in faults:
        emulator.world.faults.add("status", fault)
    run = run_task(
        sensor(twinsync_task_id=twinsync_task_id, deferrable=deferrable, soft_fail=soft_fail, **arguments)
    )
    assert run.ended == ("AirflowSkipException" if soft_fail else ended)
    # Airflow replaces the message of a deferred sensor's skip: there the log has it.
    message = capsys.readouterr().out if soft_fail and deferrable else str(run.error)
    assert twinsync_task_id in message
    assert f"{code} " in message
    assert data in message
    # The link of a failed task leads to the job's status.
    assert run.xcoms == {"twinsync_link": f"{emulator.url}/phototalking?taskID={twinsync_task_id}"}


@IN_BOTH_MODES
@pytest.mark.parametrize("good_polls", [0, 1], ids=["at the first poll", "later"])
def test_a_short_outage_is_tolerated_and_logged_once(emulator, hook, clock, deferrable, good_polls, capsys):
    """One line when it begins, one when it ends, none for each poll, also where it is handed over."""
    emulator.world.waiting_s, emulator.world.duration_s = 0.0, 70.0
    job = submit(hook)
    if good_polls:
        emulator.world.faults.add("status", ResultCode(code=102))
    emulator.world.faults.add("status", HttpError(status=503, times=3))
    waiting = sensor(twinsync_task_id=job, deferrable=deferrable, poke_interval=10, max_wait=10)
    run = run_task(waiting)
    assert run.ended == "success"
    log = capsys.readouterr().out
    assert log.count("TS408") == 1
    assert log.count("available again after 30 s") == 1


@IN_BOTH_MODES
@pytest.mark.parametrize("value", [None, "None", "", "  ", 7], ids=repr)
def test_an_id_that_is_none_sends_nothing(emulator, connection, value, deferrable):
    """An empty XCom renders to no id, and nothing is sent."""
    run = run_task(sensor(twinsync_task_id=value, deferrable=deferrable))
    assert run.ended == "AirflowFailException"
    assert "twinsync_task_id" in str(run.error)
    assert not emulator.world.journal


@IN_BOTH_MODES
def test_a_missing_connection_is_named(deferrable):
    """The message has the command that adds it; a retry may help, as a database may have been away."""
    run = run_task(sensor(twinsync_task_id="1", twinsync_conn_id="nowhere", deferrable=deferrable))
    assert run.ended == "AirflowException"
    assert "airflow connections add nowhere --conn-type twinsync" in str(run.error)


@IN_BOTH_MODES
def test_a_connection_that_cannot_be_looked_up_may_be_retried(emulator, connection, monkeypatch, deferrable):
    """An outage of a secrets backend leaves the task's retries."""

    def away(*_: Any, **__: Any) -> None:
        raise RuntimeError("the vault is sealed")

    monkeypatch.setattr(BaseHook, "get_connection", staticmethod(away))
    run = run_task(sensor(twinsync_task_id="1", deferrable=deferrable))
    assert run.ended == "AirflowException"
    assert "twinsync_default" in str(run.error)
    assert "(RuntimeError: the vault is sealed)" in str(run.error)
    assert not emulator.world.journal


@IN_BOTH_MODES
@pytest.mark.parametrize("definition", ["twinsync://:a#b@host:1", '{"conn_type": "twinsync", "port": "abc"}'])
def test_a_connection_that_airflow_cannot_read_is_not_called_absent(monkeypatch, definition, deferrable):
    """Airflow only logs the reason; the message has the usual one."""
    monkeypatch.setenv("AIRFLOW_CONN_TWINSYNC_DEFAULT", definition)
    run = run_task(sensor(twinsync_task_id="1", deferrable=deferrable))
    assert run.ended == "AirflowException"
    assert "percent-encoded" in str(run.error)


def test_never_fail_skips(emulator, hook):
    """It is the other name under which a sensor may skip."""
    emulator.world.faults.add("submit", FailJob())
    run = run_task(sensor(twinsync_task_id=submit(hook), never_fail=True))
    assert run.ended == "AirflowSkipException"


@pytest.mark.parametrize(
    "event", [None, "success", {}, {"reason": "victory"}, {"reason": "succeeded"}], ids=repr
)
def test_an_event_that_is_not_understood_fails(event):
    """No event of an older or newer trigger is success by accident."""
    from airflow.providers.common.compat.sdk import AirflowException

    with pytest.raises(AirflowException, match=r"^TS407 "):
        sensor(twinsync_task_id="1").execute_complete({}, event)


def test_every_argument_a_dag_author_would_template_is_a_template_field():
    """The id comes from an XCom, the connection from a variable."""
    assert set(TwinSyncSensor.template_fields) == {"twinsync_task_id", "twinsync_conn_id"}


def test_stopping_it_logs_that_the_job_goes_on(emulator, job, capsys):
    """There is no call that would cancel it."""
    waiting = sensor(twinsync_task_id=job, deferrable=False)
    waiting.poke({})
    waiting.on_kill()
    assert f"TS410 TwinSync job {job} " in capsys.readouterr().out
