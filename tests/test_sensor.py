"""The sensor over the wire: one table of cases, and each ends alike in the worker and in the triggerer."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from support.clock import Clock
from support.drive import Run, alarm_in_a_pause, alarm_when, run_task
from support.environment import AIRFLOW_VERSION, KEY
from support.servers import answer

from airflow_provider_twinsync.emulator.faults import (
    FailJob,
    Hang,
    HttpError,
    NotJson,
    ResetBefore,
    ResultCode,
    Slow,
)
from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.triggers import TwinSyncTrigger

IN_BOTH_MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "poke"])


@pytest.fixture
def job(emulator, hook) -> str:
    """A job that stays in the queue until the emulator's clock is moved."""
    emulator.world.waiting_s = 3600.0
    return submit(hook)


def submit(hook) -> str:
    return hook.submit(text="你好", image_url="https://example.com/a.jpg", pronouncer="zh-CN-XiaohanNeural")


@pytest.fixture
def clock(emulator, monkeypatch) -> Clock:
    """Nobody sleeps for real, and a wait that is handed over is so at once."""
    return Clock(monkeypatch)


def status(code: Any, **more: Any) -> bytes:
    """A server's answer to a status request."""
    return answer(200, json.dumps({"result_code": code, **more}).encode())


def sensor(**arguments: Any) -> TwinSyncSensor:
    return TwinSyncSensor(**{"task_id": "wait", "poke_interval": 0, **arguments})


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


@pytest.mark.parametrize(
    ("soft_fail", "ended"), [(False, "AirflowTaskTimeout"), (True, "AirflowSkipException")]
)
@pytest.mark.parametrize("poke_interval", [0, 60])
def test_the_alarm_of_a_worker_ends_a_wait_like_the_trigger(job, soft_fail, ended, poke_interval):
    """Airflow's own alarm rings before our poll at the deadline; the message names the job all the same."""
    waiting = sensor(
        twinsync_task_id=job,
        deferrable=False,
        soft_fail=soft_fail,
        poke_interval=poke_interval,
        execution_timeout=timedelta(seconds=61),
    )
    with alarm_in_a_pause():
        run = run_task(waiting)
    assert run.ended == ended
    assert str(run.error).startswith("TS405 ")
    assert job in str(run.error)
    assert "execution_timeout" in str(run.error)


@IN_BOTH_MODES
@pytest.mark.parametrize(
    ("soft_fail", "ended"), [(False, "AirflowTaskTimeout"), (True, "AirflowSkipException")]
)
def test_the_alarm_of_a_worker_in_mid_request(emulator, job, deferrable, soft_fail, ended):
    """The service hangs: the first poll is the worker's in both modes."""
    emulator.world.faults.add("status", Hang())
    waiting = sensor(
        twinsync_task_id=job,
        deferrable=deferrable,
        soft_fail=soft_fail,
        execution_timeout=timedelta(seconds=61),
    )
    with alarm_when(lambda: len(emulator.world.journal) > 1):
        run = run_task(waiting)
    assert run.ended == ended
    assert str(run.error).startswith("TS405 ")
    assert job in str(run.error)
    assert "execution_timeout" in str(run.error)


@pytest.mark.slow
@IN_BOTH_MODES
@pytest.mark.parametrize(
    ("is_done", "skips", "ended"),
    [
        (True, {}, "success"),
        (False, {}, "AirflowSensorTimeout"),
        (False, {"never_fail": True}, "AirflowSkipException"),
        (False, {"soft_fail": True}, "AirflowSkipException"),
    ],
    ids=["done meanwhile", "not done", "never_fail", "soft_fail"],
)
def test_a_poll_that_lasts_beyond_the_deadline(emulator, hook, deferrable, is_done, skips, ended, capsys):
    """A slow service: there is a last poll, its video counts, and the end names the job."""
    emulator.world.waiting_s = 0.3 if is_done else 3600.0
    emulator.world.faults.add("status", Slow(delay_s=0.8, times=None))
    job = submit(hook)
    run = run_task(sensor(twinsync_task_id=job, deferrable=deferrable, timeout=0.5, **skips))
    assert run.ended == ended
    # The message of a skip after a deferral is BaseSensorOperator's.
    assert f"TS405 TwinSync job {job} " in f"{run.error} {capsys.readouterr().out}" or is_done


def test_a_sensor_that_is_rescheduled_tolerates_an_outage_until_its_timeout(emulator, job, connect, capsys):
    """Each poll is a process of its own, without a past; the log promises no more."""
    connect(tolerance_s=0.001)
    emulator.world.faults.add("status", HttpError(status=500, times=None))
    waiting = sensor(twinsync_task_id=job, deferrable=False, mode="reschedule")
    for _ in range(4):
        assert waiting.poke({}).is_done is False
    assert "until the deadline" in capsys.readouterr().out


def test_the_log_of_a_sensor_that_is_rescheduled_has_no_times(emulator, job, capsys):
    """The process of a poll knows neither the start of the wait nor the next poll."""
    lines = []
    for advanced_s in (0, 3600):
        emulator.world.advance(advanced_s)
        sensor(twinsync_task_id=job, deferrable=False, mode="reschedule").poke({})
        lines += [line for line in capsys.readouterr().out.splitlines() if f"TwinSync job {job}" in line]
    assert [line.partition(f"TwinSync job {job} ")[2].partition(" [")[0] for line in lines] == [
        "is waiting.",
        f"is finished; its video is at {emulator.url}/example/{job}.mp4",
    ]


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
@pytest.mark.parametrize("code", [103, "103", "100"])
def test_every_code_of_success_is_success(emulator, hook, code, deferrable):
    """The document's table has 103 and its example 100; digits in a text are a number."""
    job = submit(hook)
    emulator.world.faults.add("status", ResultCode(code=code))
    assert run_task(sensor(twinsync_task_id=job, deferrable=deferrable)).result.endswith(f"{job}.mp4")


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


IN_ALL_MODES = pytest.mark.parametrize(
    "mode",
    [{"deferrable": True}, {"deferrable": False}, {"deferrable": False, "mode": "reschedule"}],
    ids=str,
)


def wait_in(mode: dict[str, Any], job: str, **arguments: Any) -> Any:
    """Run a sensor to its end; a rescheduled one to its first poll's, which has to end it."""
    waiting = sensor(twinsync_task_id=job, poke_interval=3600, **mode, **arguments)
    if "mode" not in mode:
        run = run_task(waiting)
        assert run.trigger is None, "a job that is finished needs no triggerer"
        return run
    run = Run()
    try:
        run.result = waiting.poke({}).xcom_value
    except Exception as error:
        run.error = error
    return run


@IN_ALL_MODES
@pytest.mark.parametrize("url", [None, "", "/a.mp4", "ftp://h/a.mp4", "http://h/a\u202eb.mp4"])
def test_a_finished_job_without_an_address_ends_the_wait_for_this_reason(serve, connect, clock, mode, url):
    """After five polls in half a minute, with any interval; without a retry or a promise."""
    body = json.dumps({"result_code": 103, "result_url": url}).encode()
    served = serve(lambda _: [answer(200, body)])
    connect(port=served.port)
    run = wait_in(mode, "1")
    assert run.ended == "AirflowFailException"
    assert str(run.error).startswith("TS403 TwinSync job 1 ")
    assert "5 polls over 30 s" in str(run.error)
    assert "may still finish" not in str(run.error)
    assert "Clear this task" not in str(run.error)
    assert len(served.requests) == 5
    assert clock.now_s == 30


@IN_ALL_MODES
def test_an_address_that_comes_late_is_taken(serve, connect, clock, mode):
    """The service stored the state first."""
    answers = [status(103), status(103), status(103, result_url=" http://127.0.0.1/a.mp4\n")]
    connect(port=serve(lambda _: [answers.pop(0)]).port)
    assert wait_in(mode, "1").result == "http://127.0.0.1/a.mp4"


@IN_ALL_MODES
def test_the_answer_about_another_job_is_no_success(serve, connect, clock, mode):
    """It is tolerated as an outage is; then this job's own answer comes."""
    answers = [
        status(103, result_url="http://h/other.mp4", msg="taskID:2 has been completed"),
        status(103, result_url="http://h/other.mp4", task_id="2"),
        status(103, result_url="http://h/this.mp4", msg="taskID:1 has been completed"),
    ]
    connect(port=serve(lambda _: [answers.pop(0)]).port)
    if "mode" in mode:
        waiting = sensor(twinsync_task_id="1", **mode)
        assert [waiting.poke({}).is_done for _ in range(2)] == [False, False]
        assert waiting.poke({}).xcom_value == "http://h/this.mp4"
    else:
        assert run_task(sensor(twinsync_task_id="1", **mode)).result == "http://h/this.mp4"


@IN_ALL_MODES
def test_no_status_request_is_answered_by_a_cache(serve, connect, clock, mode):
    """Each of them forbids it, from the worker and from the triggerer."""
    answers = [status(102), status(102), status(103, result_url="http://h/a.mp4")]
    served = serve(lambda _: [answers.pop(0)])
    connect(port=served.port)
    if "mode" in mode:
        waiting = sensor(twinsync_task_id="1", **mode)
        assert [waiting.poke({}).is_done for _ in range(3)] == [False, False, True]
    else:
        assert run_task(sensor(twinsync_task_id="1", **mode)).ended == "success"
    assert [request.headers.get("cache-control") for request in served.requests] == ["no-cache"] * 3


@IN_BOTH_MODES
@pytest.mark.parametrize("written", [KEY, quote(KEY, safe="").lower(), KEY.replace("-", r"\u002D")])
def test_a_status_that_repeats_the_key_does_not_bring_it_anywhere(
    serve, connect, clock, deferrable, written, capsys
):
    """Neither into the log, nor the exception, nor the event that is stored in the database."""
    answers = [status(102, msg=f"key {written}"), answer(503, f"<p>{written}</p>".encode())]
    answers += [status(102), status(104, msg=f"account of key {written} has no credit")]
    connect(port=serve(lambda _: [answers.pop(0)]).port)
    run = run_task(sensor(twinsync_task_id="1", deferrable=deferrable))
    assert run.ended == "AirflowFailException"
    assert str(run.error).startswith("TS401 ")
    assert "(code 104): account of key *** has no credit." in str(run.error)
    kept = f"{run.error!r} {run.event} {run.xcoms} {capsys.readouterr().out}"
    assert "<p>***</p>" in kept
    assert written not in kept
    assert KEY not in kept


def test_never_fail_skips(emulator, hook):
    """It is the other name under which a sensor may skip."""
    emulator.world.faults.add("submit", FailJob())
    run = run_task(sensor(twinsync_task_id=submit(hook), never_fail=True))
    assert run.ended == "AirflowSkipException"


@pytest.mark.parametrize(
    ("arguments", "waited_s", "least_s", "most_s"),
    [
        ({"poke_interval": 60}, 0, 60, 66),
        ({"poke_interval": 60}, 3600, 60, 60),
        ({"poke_interval": 10, "max_wait": 300}, 3600, 180, 198),
        ({"poke_interval": 60, "exponential_backoff": True}, 0, 30, 60),
    ],
    ids=["the floor", "the default ceiling", "a share of the time waited", "backoff is Airflow's"],
)
def test_a_rescheduled_sensor_polls_once_a_time(
    monkeypatch, emulator, job, arguments, waited_s, least_s, most_s
):
    """With mode="reschedule" each poll frees the worker; the delay is as in the other modes."""
    from airflow.providers.common.compat.sdk import timezone
    from support.drive import AirflowRescheduleException

    began = timezone.utcnow() - timedelta(seconds=waited_s)

    class TaskInstance(dict):  # as BaseSensorOperator uses it in this mode
        xcom_push = staticmethod(lambda **_: None)
        get_first_reschedule_date = staticmethod(lambda _: began)
        max_tries = map_index = 0
        dag_id = task_id = run_id = "wait"

    if AIRFLOW_VERSION < (3, 0):  # it asks the database itself
        monkeypatch.setattr("airflow.sensors.base._orig_start_date", lambda **_: began)
    asked = sensor(twinsync_task_id=job, deferrable=False, mode="reschedule", timeout=6000, **arguments)
    with pytest.raises(AirflowRescheduleException) as rescheduled:
        asked.execute({"ti": TaskInstance()})
    delay_s = (rescheduled.value.reschedule_date - timezone.utcnow()).total_seconds()
    assert least_s - 1 < delay_s <= most_s
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status"]


def test_the_deferral_has_a_backstop_behind_the_trigger_s_own_deadline(job):
    """Airflow's deadline names neither job nor reason, so it comes later."""
    from airflow.providers.common.compat.sdk import TaskDeferred

    waiting = sensor(twinsync_task_id=job, timeout=100, execution_timeout=timedelta(seconds=50))
    with pytest.raises(TaskDeferred) as deferral:
        waiting.execute({"ti": type("TI", (), {"xcom_push": staticmethod(lambda **_: None)})()})
    assert isinstance(deferral.value.trigger, TwinSyncTrigger)
    assert timedelta(seconds=50) < deferral.value.timeout <= timedelta(seconds=120)


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
