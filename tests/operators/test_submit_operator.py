"""The submit operator over the wire: it pays once, and reports an uncertain submit."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from datetime import datetime, timezone
from typing import Any

import pytest
from support.drive import Run, Store, alarm_in_a_pause, alarm_when, rings, run_task
from support.submits import INPUTS, code_of, has_no_job, posts, submit

from airflow_provider_twinsync.emulator.faults import (
    AcceptThenHang,
    AcceptThenHttpError,
    AcceptThenReset,
    Body,
    HttpError,
    NotJson,
    ResultCode,
)


def test_it_returns_the_id_of_the_one_job_it_made(emulator):
    """One POST, and the XCom is a plain text."""
    run = run_task(submit())
    assert [run.result] == list(emulator.world.tasks)
    assert run.result == json.loads(json.dumps(run.result))
    assert run.xcoms["twinsync_link"] == f"{emulator.url}/phototalking?taskID={run.result}"
    assert emulator.world.journal[0].form == INPUTS


@pytest.mark.parametrize(
    ("fault", "ended", "code", "requests"),
    [
        (ResultCode(code=200), "AirflowFailException", "TS301", 1),
        (ResultCode(code=201), "AirflowFailException", "TS302", 1),
        (ResultCode(code=202), "AirflowFailException", "TS303", 1),
        (ResultCode(code=203, times=None), "AirflowException", "TS304", 4),
        (HttpError(status=429, times=None), "AirflowException", "TS304", 4),
        (HttpError(status=503, times=None), "AirflowFailException", "TS309", 1),
        (AcceptThenReset(), "AirflowFailException", "TS309", 1),
        (HttpError(status=500), "AirflowFailException", "TS309", 1),
        (NotJson(), "AirflowFailException", "TS309", 1),
    ],
    ids=lambda value: getattr(value, "name", None) and repr(value),
)
def test_a_submit_that_fails(emulator, fault, ended, code, requests):
    """Repeated if nothing was accepted, never if a job may exist; so are the task's retries."""
    emulator.world.faults.add("submit", fault)
    run = run_task(submit())
    assert (run.ended, code_of(run.error)) == (ended, code)
    assert posts(emulator) == requests
    assert emulator.key not in str(run.error)


def test_an_uncertain_submit_has_its_time_and_inputs(emulator):
    """A person has to find the job."""
    emulator.world.faults.add("submit", AcceptThenReset())
    began = datetime.now(timezone.utc)
    run = run_task(submit())
    (when,) = re.findall(r"TS309 .* (20\d\d-\S+) ", str(run.error))
    assert -1 <= (datetime.fromisoformat(when) - began).total_seconds() <= 30
    assert when.endswith("+00:00")
    assert len(emulator.world.tasks) == 1
    assert INPUTS["text"] in str(run.error)
    assert INPUTS["image_url"] in str(run.error)


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", ""])
def test_an_alarm_during_a_submit_is_uncertain(emulator, recorded):
    """An execution_timeout is common, and so are retries: the next try must not submit again."""
    emulator.world.faults.add("submit", AcceptThenHang())
    with alarm_when(lambda: emulator.world.tasks):
        run = run_task(submit(), store=Store() if recorded else None)
    assert run.ended == "AirflowFailException"
    assert code_of(run.error) == "TS309"
    assert len(emulator.world.tasks) == 1


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", ""])
@pytest.mark.parametrize(
    "fault", [ResultCode(code=203), HttpError(status=429, retry_after_s=30)], ids=["203", "429"]
)
def test_an_alarm_between_two_submits_is_no_false_alarm(emulator, monkeypatch, fault, recorded):
    """Nothing was accepted: Airflow may retry the task, and no try reports a job that may exist."""
    store = Store() if recorded else None
    emulator.world.faults.add("submit", fault)
    monkeypatch.setattr(time, "sleep", rings)
    run = run_task(submit(), store=store)
    assert run.ended == "AirflowException"
    assert code_of(run.error) == "TS308"
    assert "paid" not in str(run.error)
    assert not store or has_no_job(store)
    assert run_task(submit(), store=store).ended == "success"
    assert [len(emulator.world.tasks), posts(emulator)] == [1, 2]


def test_a_job_that_the_answer_names_is_not_paid_again_with_any_choice_of_the_user(emulator):
    """`on_uncertain_submit="retry"` is for a job with an unknown id."""
    named = Body(json={"result_code": 203, "task_id": "20230423_11_23_05_10279"}, times=None)
    emulator.world.faults.add("submit", named)
    store = Store()
    run = run_task(submit(on_uncertain_submit="retry"), store=store)
    assert run.ended == "AirflowFailException"
    assert re.match("TS310 .*'20230423_11_23_05_10279'", str(run.error))
    assert posts(emulator) == 1
    assert store.rows, "a rerun needs the record"


def test_a_real_alarm_in_a_pause_between_two_submits(emulator):
    """Airflow's own, by a signal."""
    emulator.world.faults.add("submit", HttpError(status=429, retry_after_s=30))
    store = Store()
    with alarm_in_a_pause() as pauses_s:
        run = run_task(submit(), store=store)
    assert run.ended == "AirflowException"
    assert has_no_job(store)
    assert pauses_s == [30]


@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", ""])
def test_an_alarm_while_the_answer_is_read_is_uncertain(emulator, monkeypatch, attempts, recorded):
    """The answer is there, its id not yet read: a job exists, and the task does not submit again."""
    detect = json.detect_encoding

    def detect_encoding(body: bytes) -> str:
        # The first call with the body of an answer. Only the answer of a new job has an id.
        if b'"task_id"' in body:
            rings()
        return detect(body)

    if attempts == 2:
        emulator.world.faults.add("submit", ResultCode(code=203))
    monkeypatch.setattr(json, "detect_encoding", detect_encoding)
    run = run_task(submit(), store=Store() if recorded else None)
    assert run.ended == "AirflowFailException"
    assert re.match("TS309 .*execution_timeout", str(run.error))
    assert [len(emulator.world.tasks), posts(emulator)] == [1, attempts]


@pytest.mark.parametrize(
    ("recorded", "ended"),
    [(True, "AirflowTaskTimeout"), (False, "AirflowFailException")],
    ids=["recorded", ""],
)
@pytest.mark.parametrize("waits", [True, False], ids=["one task", "two tasks"])
def test_an_alarm_after_the_id_is_known_does_not_pay_again(emulator, monkeypatch, recorded, ended, waits):
    """The next try reconnects to a recorded job; without a record there is no next try."""
    store = Store() if recorded else None
    with monkeypatch.context() as alarm:
        alarm.setattr(Run, "xcom_push", rings)
        run = run_task(submit(wait_for_completion=waits), store=store)
    (job,) = emulator.world.tasks
    assert run.ended == ended
    if recorded:
        assert run_task(submit(), store=store).result == job
    else:
        assert code_of(run.error) == "TS324"
        assert job in str(run.error)


def test_an_error_before_a_byte_is_sent_is_no_false_alarm(emulator, monkeypatch):
    """For example, of a machine without threads left: Airflow may retry the task."""

    def no_more(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    store = Store()
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", no_more)
        assert run_task(submit(), store=store).ended == "AirflowException"
    assert has_no_job(store)
    assert not emulator.world.journal


def is_connecting() -> bool:
    """Return True once the thread runs that limits the time of a request, just before it connects."""
    return any(thread.name == "twinsync-time-limit" for thread in threading.enumerate())


def test_an_alarm_while_it_connects_is_no_false_alarm(emulator, connect):
    """Nothing was sent: the host takes no connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]  # they fill its queue
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        connect(port=port)
        store = Store()
        with alarm_when(is_connecting):
            run = run_task(submit(), store=store)
        for one in waiting:
            one.close()
    assert run.ended == "AirflowException"
    assert code_of(run.error) == "TS308"
    assert has_no_job(store)


def test_a_service_that_asks_for_a_long_delay_gets_one_submit(emulator):
    """The message has the number of submits, the delay, and the argument to set."""
    emulator.world.faults.add("submit", HttpError(status=429, retry_after_s=90))
    run = run_task(submit())
    assert run.ended == "AirflowException"
    assert re.match("TS304 .* once, .* 90 s: .*retry_delay", str(run.error))
    assert posts(emulator) == 1


def test_an_uncertain_submit_may_be_retried_on_demand(emulator):
    """It is the user's choice to risk paying twice."""
    store = Store()
    emulator.world.faults.add("submit", AcceptThenReset())
    operator = submit(on_uncertain_submit="retry")
    assert run_task(operator, store=store).ended == "AirflowException"
    assert run_task(operator, store=store).ended == "success"
    assert posts(emulator) == 2


def test_a_try_that_airflow_lost_does_not_submit_again_after_an_answer_that_names_a_job(emulator):
    """The worker died before Airflow knew of the failure, and on_uncertain_submit would submit again."""
    store = Store()
    fault = AcceptThenHttpError(status=503, body='{"result_code": 203, "task_id": "{task_id}"}')
    emulator.world.faults.add("submit", fault)
    for _ in range(2):
        run = run_task(submit(on_uncertain_submit="retry"), store=store)
        assert run.ended == "AirflowFailException"
    assert posts(emulator) == 1
