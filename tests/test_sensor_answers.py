"""Odd answers about a job, which a sensor takes alike in each of its modes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from support.drive import Run, run_task
from support.environment import KEY
from support.sensors import IN_BOTH_MODES, sensor, submit
from support.servers import answer

from airflow_provider_twinsync.emulator.faults import ResultCode


def status(code: Any, **more: Any) -> bytes:
    """A server's answer to a status request."""
    return answer(200, json.dumps({"result_code": code, **more}).encode())


@IN_BOTH_MODES
@pytest.mark.parametrize("code", [103, "103", "100"])
def test_every_code_of_success_is_success(emulator, hook, code, deferrable):
    """The document's table has 103 and its example 100; digits in a text are a number."""
    job = submit(hook)
    emulator.world.faults.add("status", ResultCode(code=code))
    assert run_task(sensor(twinsync_task_id=job, deferrable=deferrable)).result.endswith(f"{job}.mp4")


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
