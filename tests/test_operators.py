"""The submit operator over the wire: it pays once, reports an uncertain submit, and waits like the sensor."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowTaskTimeout
from support.drive import Run, Store, alarm_in_a_pause, alarm_when, run_task
from support.submits import INPUTS, code_of, posts, submit

from airflow_provider_twinsync._api.submit import fingerprint
from airflow_provider_twinsync._records.submit_record import STORE_KEY, SubmitRecord
from airflow_provider_twinsync.emulator.faults import (
    AcceptThenHang,
    AcceptThenHttpError,
    AcceptThenReset,
    Body,
    FailJob,
    HttpError,
    NotJson,
    ResultCode,
)
from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator

WAITING = {"wait_for_completion": True, "poke_interval": 0}
IN_BOTH_MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "poke"])


def has_no_job(store: Store) -> bool:
    """Return True if the record has a try that is over, and made no job."""
    record = SubmitRecord.read(store.rows.get(STORE_KEY))
    return record.made_no_job and not record.is_damaged and not record.twinsync_task_id


@pytest.fixture(autouse=True)
def _connected(connection, sleeps):
    """The delays between two submits are skipped, and those of a wait are short."""


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


def rings(*_: Any, **__: Any) -> Any:
    """The alarm of an execution_timeout, in a call that is not the package's."""
    raise AirflowTaskTimeout("Timeout, PID: 1")


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


def test_stopping_it_during_a_submit_logs_the_inputs_of_the_job(emulator, capsys):
    """A job may exist, and its id is unknown."""

    class TerminatedError(BaseException):
        """Stands for Airflow 2's exception for a SIGTERM, which comes before the answer."""

    operator = submit()

    def stop(*_):
        operator.on_kill()
        raise TerminatedError

    before = signal.signal(signal.SIGALRM, stop)
    emulator.world.faults.add("submit", AcceptThenHang())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        run = run_task(operator)
    finally:
        signal.signal(signal.SIGALRM, before)
    # Without a record a retry would pay again.
    assert run.ended == "AirflowFailException"
    assert re.match("TS309 .*TerminatedError", str(run.error))
    when = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.search(rf"TS320 .*'你好.* {when}\.", capsys.readouterr().out)


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


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("text", ""),
        ("text", "None"),
        ("text", "{% if x %}Hello"),
        ("text", "字" * 151),
        ("text", None),
        ("image_url", "portrait.jpeg"),
        ("image_url", "ftp://example.com/a.jpg"),
        ("image_url", "null"),
        ("pronouncer", "Xiaohan"),
    ],
)
def test_bad_input_sends_nothing(emulator, argument, value):
    """A template rendered to the value. The message names the argument; there is no retry."""
    operator = submit(**{argument: "{{ params.given }}"})
    setattr(operator, argument, value)
    run = run_task(operator)
    assert run.ended == "AirflowFailException"
    assert argument in str(run.error) or str(value) in str(run.error)
    assert not emulator.world.journal


def test_a_connection_that_is_not_found_leaves_the_retries_and_no_record(emulator):
    """Airflow 3 reports 'not found' also while its database is away; nothing was sent."""
    store = Store()
    run = run_task(submit(twinsync_conn_id="nowhere"), store=store)
    assert run.ended == "AirflowException"
    assert "airflow connections add nowhere" in str(run.error)
    assert store.rows == {}
    assert not emulator.world.journal


def test_every_argument_a_dag_author_would_template_is_a_template_field():
    """Texts and photos come from elsewhere."""
    assert set(TwinSyncSubmitOperator.template_fields) == {*INPUTS, "twinsync_conn_id"}
    assert set(TwinSyncDownloadOperator.template_fields) == {
        "result_url",
        "destination",
        "twinsync_task_id",
        "twinsync_conn_id",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        {"on_uncertain_submit": "perhaps"},
        {"timeout": -1},
        {"poke_interval": "5"},
        {"max_wait": True},
        {"text": "None"},
        {"text": " ?! "},
        {"image_url": "s3://bucket/a.jpg"},
        {"image_url": ""},
        {"pronouncer": "Xiaohan"},
    ],
    ids=str,
)
def test_an_argument_that_cannot_be_meant_is_an_error_of_the_dag_file(arguments):
    """It shows when the DAG is parsed, before anything runs."""
    (name,) = arguments
    with pytest.raises(ValueError, match=f"(?i){name} is") as caught:
        submit(**arguments)
    assert name != "on_uncertain_submit" or code_of(caught.value) == "TS114"


def test_constants_from_default_args_are_checked_when_the_dag_is_parsed():
    """Where several tasks take one voice from."""
    with DAG("parsed", schedule=None, default_args={"pronouncer": "Xiaohan"}):
        with pytest.raises(ValueError, match="pronouncer is 'Xiaohan'"):
            TwinSyncSubmitOperator(task_id="submit", text="Hello", image_url=INPUTS["image_url"])
        TwinSyncSubmitOperator(task_id="other", **INPUTS)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"text": "{{ params.text }}", "image_url": "{{ params.photo }}", "pronouncer": "{{ params.voice }}"},
        {"text": "news.txt"},
        {"text": "word " * 1_000},
        {"pronouncer": "en-US-NewerShape"},
    ],
    ids=str,
)
def test_a_value_that_may_be_valid_when_the_task_runs_is_parsed_without_a_warning(arguments, caplog, capsys):
    """A DAG file is parsed every few seconds: the warnings come when the task runs."""
    submit(**arguments)
    assert caplog.messages == []
    assert capsys.readouterr().out == ""


def test_outputs_of_tasks_are_checked_when_the_task_runs():
    """They are no constants."""
    with DAG("parsed", schedule=None):
        made = submit()
        TwinSyncSubmitOperator(
            task_id="other", text=made.output, image_url=made.output, pronouncer=made.output
        )


def test_a_mapped_task_is_checked_when_it_runs_and_not_retried(emulator):
    """Its values are there when Airflow makes a task of each: an error then would leave the retries."""
    with DAG("parsed", schedule=None):
        mapped = TwinSyncSubmitOperator.partial(
            task_id="submit", text="Hello", pronouncer=INPUTS["pronouncer"]
        ).expand(image_url=[INPUTS["image_url"], "None"])
    arguments = {"text": "Hello", "pronouncer": INPUTS["pronouncer"], "image_url": "None"}
    operator = mapped.operator_class(task_id="submit", **arguments, _airflow_from_mapped=True)
    run = run_task(operator)
    assert run.ended == "AirflowFailException"
    assert "image_url is 'None'" in str(run.error)
    assert not emulator.world.journal


def test_a_signature_is_in_no_message_and_no_record_of_an_uncertain_submit(emulator, capsys, caplog):
    """The photo is shown without it: in the error, the log, the XComs and the task's state store."""
    emulator.world.faults.add("submit", AcceptThenReset())
    store = Store()
    signed = "https://user:s3cret@example.com/portrait.jpeg?X-Amz-Signature=s3cret"
    run = run_task(submit(image_url=signed), store=store)
    assert run.ended == "AirflowFailException"
    assert emulator.world.journal[0].form["image_url"] == signed
    again = run_task(submit(image_url=signed), store=store)
    shown = str(run.error) + str(again.error) + json.dumps(store.rows)
    assert shown.count("https://example.com/portrait.jpeg") == 3
    shown += repr(run.xcoms) + repr(again.xcoms) + "".join(capsys.readouterr()) + caplog.text
    assert "s3cret" not in shown


class TestTheTaskStateStore:
    """The submit record, in the store that Airflow 3.3 has for a task: a job is not paid twice."""

    def test_a_retry_reconnects_to_the_job(self, emulator, capsys):
        """The same inputs and a job that did not fail: the task returns the same id, and logs that."""
        store = Store()
        first, second = run_task(submit(), store=store), run_task(submit(), store=store)
        assert first.result == second.result
        assert posts(emulator) == 1
        assert "reconnects to it" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "again", [{"text": "再见"}, {"durable": False}], ids=["other text", "not durable"]
    )
    def test_other_inputs_or_no_record_make_another_job(self, emulator, again):
        """The new inputs are not those of the job; or the user wants no record."""
        store = Store()
        first, second = run_task(submit(), store=store), run_task(submit(**again), store=store)
        assert first.result != second.result
        assert posts(emulator) == 2

    def test_a_job_that_failed_is_submitted_again(self, emulator):
        """A wait for it would fail again."""
        store = Store()
        emulator.world.faults.add("submit", FailJob())
        first, second = run_task(submit(), store=store), run_task(submit(), store=store)
        assert first.result != second.result

    def test_a_retry_reconnects_to_a_job_without_a_status(self, emulator, capsys):
        """A poll that fails is no reason to pay."""
        store = Store()
        first = run_task(submit(), store=store)
        capsys.readouterr()
        emulator.world.faults.add("status", HttpError(status=500))
        assert run_task(submit(), store=store).result == first.result
        lines = [
            line for line in capsys.readouterr().out.splitlines() if f"TwinSync job {first.result}" in line
        ]
        # After a clear, a person needs this first, and the way to a new job.
        assert "durable=False" in lines[0]
        assert "HTTP 500" in lines[1]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "arguments", [{}, {**WAITING, "deferrable": False}, WAITING], ids=["two", "poke", "deferred"]
    )
    @pytest.mark.parametrize("age_s", [0, 1, 3600], ids=["waiting", "running", "finished"])
    def test_every_form_reconnects_to_a_job_in_any_state_but_failed(self, emulator, arguments, age_s):
        """The two tasks and the one task have the same record, deferred or not."""
        store = Store()
        emulator.world.waiting_s, emulator.world.duration_s = 0.5, 1
        first = run_task(submit(), store=store)
        emulator.world.advance(age_s)
        second = run_task(submit(**arguments), store=store)
        assert second.ended == "success"
        assert second.result == first.result
        assert posts(emulator) == 1

    def test_a_try_that_was_killed_in_its_submit_is_uncertain(self, emulator):
        """The intent is there before the POST; the next try does not submit again, and a clear does."""
        store = Store()

        class KilledError(BaseException):
            """Stands for a SIGKILL: nothing of the package runs after it."""

        class DyingStore(Store):
            def set(self, key: str, value: Any) -> None:
                if value["twinsync_task_id"] is not None:
                    raise KilledError
                super().set(key, value)

        assert run_task(submit(), store=DyingStore(store.rows)).ended == "KilledError"
        second = run_task(submit(), store=store)
        assert second.ended == "AirflowFailException"
        assert re.match("TS313 .* at 20", str(second.error))
        assert posts(emulator) == 1
        assert run_task(submit(), store=store, clears=1).ended == "success"

    @pytest.mark.parametrize("reported_by", ["the try itself", "the next try"])
    def test_only_a_clear_submits_again_after_an_uncertain_submit(self, emulator, reported_by):
        """A retry follows a worker that dies after its report, before Airflow knows of the failure."""
        store = Store()
        if reported_by == "the try itself":
            emulator.world.faults.add("submit", AcceptThenReset())
        else:
            store.set(STORE_KEY, {"v": 1, "inputs": "other", "marked_at": "2026-11-23T12:00:00+00:00"})
        made = int(reported_by == "the try itself")
        for _ in range(3):
            run = run_task(submit(), store=store, clears=2)
            assert run.ended == "AirflowFailException"
            assert code_of(run.error) in ("TS309", "TS313")
            assert posts(emulator) == made
        assert run_task(submit(), store=store, clears=3).ended == "success"
        assert posts(emulator) == made + 1
        # Then there is a job, and the next try reconnects to it.
        assert run_task(submit(), store=store, clears=3).ended == "success"
        assert posts(emulator) == made + 1

    def test_an_uncertain_submit_after_a_clear_is_a_new_one(self, emulator):
        """A decision of a person counts once."""
        store = Store()
        emulator.world.faults.add("submit", AcceptThenReset(times=2))
        assert run_task(submit(), store=store).ended == "AirflowFailException"
        assert run_task(submit(), store=store, clears=1).ended == "AirflowFailException"
        assert run_task(submit(), store=store, clears=1).ended == "AirflowFailException"
        assert posts(emulator) == 2

    @pytest.mark.parametrize("fault", [AcceptThenReset(), None], ids=["no answer", "killed"])
    def test_a_user_may_choose_to_risk_it(self, emulator, fault, capsys):
        """With "retry" Airflow's next try submits again, and the message has no other advice."""
        store = Store()
        if fault:
            emulator.world.faults.add("submit", fault)
            first = run_task(submit(on_uncertain_submit="retry"), store=store)
            assert first.ended == "AirflowException"
            assert re.match("TS309 .*on_uncertain_submit", str(first.error))
            assert "not submitted again" not in str(first.error)
        else:
            store.set(STORE_KEY, {"v": 1, "inputs": "other", "marked_at": "2026-11-23T12:00:00+00:00"})
        assert run_task(submit(on_uncertain_submit="retry"), store=store).ended == "success"
        assert posts(emulator) == (2 if fault else 1)
        assert fault or re.search("TS313 .*on_uncertain_submit", capsys.readouterr().out)

    def test_a_store_that_fails_at_the_end_changes_nothing_about_it(self, emulator, caplog):
        """A refused job is not reported as uncertain, and an uncertain one is not retried."""

        class OneSetStore(Store):
            def set(self, key: str, value: Any) -> None:
                if self.rows:
                    raise RuntimeError("the API server is away")
                super().set(key, value)

            def delete(self, key: str) -> None:
                raise RuntimeError("the API server is away")

        emulator.world.faults.add("submit", ResultCode(code=201))
        emulator.world.faults.add("submit", AcceptThenReset())
        assert code_of(run_task(submit(), store=OneSetStore()).error) == "TS302"
        assert "TS322 " in caplog.text
        assert "(the API server is away)" in caplog.text
        store = OneSetStore()
        uncertain = run_task(submit(), store=store)
        assert uncertain.ended == "AirflowFailException"
        assert code_of(uncertain.error) == "TS309"
        assert "TS321 " in caplog.text
        # The report is not recorded, so even a clear reports it once more, and the next one submits.
        store = Store(store.rows)
        assert run_task(submit(), store=store, clears=1).ended == "AirflowFailException"
        assert run_task(submit(), store=store, clears=2).ended == "success"
        assert posts(emulator) == 3

    def test_an_alarm_during_the_intent_is_no_false_alarm(self, emulator):
        """Nothing was sent yet."""

        class RingingStore(Store):
            def set(self, key: str, value: Any) -> None:
                super().set(key, value)
                rings()

        store = RingingStore()
        assert run_task(submit(), store=store).ended == "AirflowTaskTimeout"
        assert has_no_job(store)

    @pytest.mark.parametrize(
        "fault", [ResultCode(code=201), ResultCode(code=203, times=4)], ids=["201", "203"]
    )
    def test_a_submit_that_made_no_job_is_not_uncertain(self, emulator, fault):
        """The next try submits."""
        store = Store()
        emulator.world.faults.add("submit", fault)
        assert run_task(submit(), store=store).ended != "success"
        assert run_task(submit(), store=store).ended == "success"

    def test_a_submit_that_made_no_job_keeps_the_record_of_an_earlier_one(self, emulator):
        """A person edits the text, makes a mistake, and undoes it: the first job is still there."""
        store = Store()
        first = run_task(submit(), store=store)
        assert run_task(submit(text="字" * 151), store=store).ended == "AirflowFailException"
        emulator.world.faults.add("submit", ResultCode(code=202))
        assert run_task(submit(text="Another."), store=store).ended == "AirflowFailException"
        assert run_task(submit(), store=store).result == first.result
        assert len(emulator.world.tasks) == 1

    def test_an_id_that_cannot_be_stored_is_not_lost(self, emulator, caplog):
        """The job is paid for: the task continues with it, and logs that no retry can reconnect."""

        class FullStore(Store):
            def set(self, key: str, value: Any) -> None:
                if value["twinsync_task_id"] is not None:
                    raise RuntimeError("the API server is away")
                super().set(key, value)

        run = run_task(submit(), store=FullStore())
        assert [run.result] == list(emulator.world.tasks)
        assert re.search(rf"TS323 .*{run.result}.*\(the API server", caplog.text)
        emulator.world.faults.add("submit", FailJob())
        emulator.world.faults.add("status", HttpError(status=500, times=None))
        run = run_task(submit(**WAITING, timeout=0.3), store=FullStore())
        assert "pays nothing" not in str(run.error)
        assert "Another try of this task would submit and pay again" in str(run.error)

    def test_a_store_that_fails_before_the_submit_pays_nothing(self, emulator):
        """The intent comes first."""

        class NoStore(Store):
            def set(self, key: str, value: Any) -> None:
                raise RuntimeError("the API server is away")

        assert run_task(submit(), store=NoStore()).ended == "RuntimeError"
        assert not emulator.world.journal

    def test_an_uncertain_try_is_reported_with_any_inputs_of_this_try(self, emulator):
        """A text that changes with every try must not hide a job that was perhaps paid."""
        store = Store({STORE_KEY: {"v": 1, "inputs": "other", "marked_at": "2026-11-23T12:00:00+00:00"}})
        run = run_task(submit(), store=store)
        assert run.ended == "AirflowFailException"
        assert code_of(run.error) == "TS313"
        assert "2026-11-23T12:00:00+00:00" in str(run.error)
        assert not emulator.world.journal

    def test_an_uncertain_try_is_reported_with_its_own_inputs(self, emulator):
        """The text that may have been paid is that of the earlier try, not of this one."""
        store = Store()
        emulator.world.faults.add("submit", AcceptThenReset())
        assert run_task(submit(), store=store).ended == "AirflowFailException"
        run = run_task(submit(text="再见", image_url="https://example.com/other.jpeg"), store=store)
        assert all(f"'{INPUTS[name]}'" in str(run.error) for name in ("text", "image_url"))
        assert "再见" not in str(run.error)

    def test_another_job_for_other_inputs_is_warned_of(self, emulator, capsys):
        """It may be a template that was not meant to change."""
        store = Store()
        first = run_task(submit(), store=store)
        run_task(submit(text="再见"), store=store)
        assert re.search(f"TS319 .*{first.result}", capsys.readouterr().out)

    def test_a_job_of_another_service_is_submitted_again(self, emulator, connect):
        """Tried on the emulator, then run on the real service, which does not know the id."""
        store = Store()
        run_task(submit(), store=store)
        connect(host="localhost")
        run_task(submit(), store=store)
        assert posts(emulator) == 2

    @pytest.mark.parametrize("entry", ["text", [], {"twinsync_task_id": None}, {"twinsync_task_id": 5}, {}])
    def test_an_entry_that_cannot_be_read_may_stand_for_a_job(self, emulator, entry):
        """Of a later version, or of a state backend that is gone."""
        store = Store({STORE_KEY: entry})
        run = run_task(submit(), store=store)
        assert run.ended == "AirflowFailException"
        assert code_of(run.error) == "TS314"
        assert not emulator.world.journal
        assert run_task(submit(), store=store, clears=1).ended == "success"

    def test_it_never_holds_the_key(self, emulator):
        """It is a row of the database."""
        store = Store()
        run_task(submit(), store=store)
        assert emulator.key not in str(store.rows)


class TestTheOneTaskForm:
    """`wait_for_completion=True`."""

    @IN_BOTH_MODES
    def test_it_returns_the_id_and_pushes_the_address(self, emulator, deferrable):
        """The return value is the id in every mode."""
        emulator.world.waiting_s = 0.3
        run = run_task(submit(**WAITING, deferrable=deferrable))
        assert bool(run.trigger) is deferrable
        assert [run.result] == list(emulator.world.tasks)
        address = f"{emulator.url}/example/{run.result}.mp4"
        assert run.xcoms == {
            "twinsync_task_id": run.result,
            "result_url": address,
            "twinsync_link": address,
            "twinsync_inputs": {
                "twinsync_task_id": run.result,
                "fingerprint": fingerprint(f"{emulator.url}/phototalking", *INPUTS.values()),
                "photo": INPUTS["image_url"],
            },
        }

    @IN_BOTH_MODES
    @pytest.mark.parametrize(
        ("fault", "arguments", "recorded", "ended"),
        [
            # A retry submits a new job.
            (FailJob(), {}, False, "AirflowException"),
            (None, {"timeout": 0.3}, False, "AirflowSensorTimeout"),
            (None, {"execution_timeout": timedelta(seconds=0.3)}, True, "AirflowTaskTimeout"),
            (None, {"execution_timeout": timedelta(seconds=0.3)}, False, "AirflowFailException"),
            # A retry would pay again without a record, and reconnects with one.
            (HttpError(status=500, times=None), {}, False, "AirflowFailException"),
            (HttpError(status=500, times=None), {}, True, "AirflowException"),
        ],
        ids=[
            "failed",
            "timeout",
            "execution_timeout, recorded",
            "execution_timeout",
            "lost",
            "lost, recorded",
        ],
    )
    def test_a_wait_that_fails(self, emulator, connect, fault, arguments, recorded, ended, deferrable):
        """The id is in the message and in an XCom: a job was paid."""
        connect(tolerance_s=0.3)
        if isinstance(fault, FailJob):
            emulator.world.faults.add("submit", fault)
        else:
            emulator.world.waiting_s = 3600.0
        if isinstance(fault, HttpError):
            emulator.world.faults.add("status", fault)
        run = run_task(
            submit(**WAITING, **arguments, deferrable=deferrable), store=Store() if recorded else None
        )
        (job,) = emulator.world.tasks
        assert run.ended == ended
        assert job in str(run.error)
        assert run.xcoms["twinsync_task_id"] == job
        assert "result_url" not in run.xcoms

    def test_a_task_that_is_not_durable_has_no_record_in_a_store(self, emulator, connect, capsys):
        """A wait that ends badly skips the retries, as below Airflow 3.3: they would pay again."""
        connect(tolerance_s=0.3)
        emulator.world.faults.add("status", HttpError(status=500, times=None))
        store = Store()
        run = run_task(submit(**WAITING, durable=False, retries=1), store=store)
        assert run.ended == "AirflowFailException"
        assert store.rows == {}
        assert "TS318 " in capsys.readouterr().out

    def test_retries_without_a_record_are_warned_of(self, emulator, capsys):
        """Below Airflow 3.3 every try submits; the warning comes before anything is paid."""
        run_task(submit(**WAITING, retries=2))
        log = capsys.readouterr().out
        assert 0 < log.index("TS318 ") < log.index("is submitted (")

    @pytest.mark.parametrize(
        ("recorded", "ended", "advice"),
        [
            (True, "AirflowException", "A retry of this task waits for the same job and pays nothing"),
            (False, "AirflowFailException", "Another try of this task would submit and pay again"),
        ],
        ids=["recorded", ""],
    )
    @pytest.mark.parametrize(
        ("next_method", "next_kwargs"),
        [
            ("execute_complete", {"event": {"reason": "an older one"}}),
            ("__fail__", {"error": "Trigger failure", "traceback": ["of the trigger"]}),
        ],
        ids=["unknown event", "trigger died"],
    )
    def test_a_deferral_that_ends_badly_does_not_pay_again(
        self, recorded, ended, advice, next_method, next_kwargs
    ):
        """Only a recorded job allows a retry, and the advice fits."""
        run = Run()
        store = Store({STORE_KEY: {"twinsync_task_id": "20230423_11_23_05_10279"}})
        context = {"ti": run, **({"task_state_store": store} if recorded else {})}
        with pytest.raises(AirflowException) as caught:
            submit(**WAITING).resume_execution(next_method, next_kwargs, context)
        assert caught.type.__name__.replace("TaskDeferralError", "AirflowException") == ended
        assert next_method == "__fail__" or advice in str(caught.value)

    def test_a_triggerer_that_never_answers_is_a_timeout_without_a_retry(self, emulator):
        """A retry would pay again."""
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        with pytest.raises(AirflowSensorTimeout):
            submit(**WAITING).resume_execution("__fail__", {"error": "Trigger timeout"}, {})

    @pytest.mark.parametrize("recorded", [True, False], ids=["recorded", ""])
    def test_an_xcom_that_cannot_be_stored_does_not_pay_again(self, emulator, monkeypatch, recorded):
        """The link is not worth a task, and the id is in the error."""

        def away(*_: Any, **__: Any) -> None:
            raise RuntimeError("the API server is away")

        monkeypatch.setattr(Run, "xcom_push", away)
        store = Store() if recorded else None
        assert run_task(submit()).ended == "success"
        run = run_task(submit(**WAITING), store=store)
        assert run.ended == ("RuntimeError" if recorded else "AirflowFailException")
        assert recorded or re.match(f"TS324 .*{list(emulator.world.tasks)[-1]}", str(run.error))

    def test_the_alarm_of_a_worker_ends_it_like_the_trigger(self, emulator):
        """Airflow's own: without a record a retry would pay again."""
        emulator.world.waiting_s = 3600.0
        with alarm_in_a_pause():
            run = run_task(submit(**WAITING, deferrable=False, execution_timeout=timedelta(seconds=61)))
        assert run.ended == "AirflowFailException"
        assert "execution_timeout" in str(run.error)
        assert next(iter(emulator.world.tasks)) in str(run.error)

    def test_stopping_it_logs_that_the_job_continues(self, emulator, capsys):
        """There is no call that would cancel it."""
        operator = submit()
        job = run_task(operator).result
        capsys.readouterr()
        operator.on_kill()
        assert f"TwinSync job {job} " in capsys.readouterr().out


def test_the_download_operator_returns_the_file(emulator, tmp_path):
    """Path, size, checksum and type, and a link to the video."""
    import hashlib

    job = run_task(submit()).result
    address = f"{emulator.url}/example/{job}.mp4"
    run = run_task(
        TwinSyncDownloadOperator(task_id="fetch", result_url=address, destination=tmp_path / "v.mp4")
    )
    video = (tmp_path / "v.mp4").read_bytes()
    assert run.result == {
        "path": str(tmp_path / "v.mp4"),
        "bytes": len(video),
        "sha256": hashlib.sha256(video).hexdigest(),
        "content_type": "video/mp4",
        "duration_s": pytest.approx(1.5, abs=1.5),
    }
    # For `fetch.output["path"]` in a DAG.
    assert run.xcoms == {"twinsync_link": address, "path": str(tmp_path / "v.mp4")}


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"result_url": None}, "TS121 result_url is None"),
        ({"result_url": "None"}, "result_url is 'None'"),
        ({"destination": None}, "destination is None"),
        ({"twinsync_task_id": "None"}, "twinsync_task_id is 'None'"),
    ],
    ids=str,
)
def test_a_download_that_cannot_be_meant_sends_nothing(emulator, tmp_path, arguments, shown):
    """One clear error that names the argument, and no retry."""
    given = {
        "result_url": f"{emulator.url}/example/1.mp4",
        "destination": str(tmp_path / "v.mp4"),
        **arguments,
    }
    run = run_task(TwinSyncDownloadOperator(task_id="fetch", **given))
    assert run.ended == "AirflowFailException"
    assert shown in str(run.error)
    assert not emulator.world.journal


@pytest.mark.parametrize(
    "destination",
    ["", "videos/", Path("s3://videos/a.mp4"), "s3://key:s3cret@videos/a.mp4", "file://videos/a.mp4", "None"],
    ids=str,
)
def test_a_destination_that_is_never_right_is_refused_before_the_job_is_paid_for(destination):
    """The download comes last: its constants are checked when the DAG is parsed."""
    with pytest.raises(ValueError, match="destination"):
        TwinSyncDownloadOperator(task_id="fetch", result_url="{{ x }}", destination=destination)


@pytest.mark.parametrize(
    "destination",
    ["{{ ds }}/", "s3://videos/{{ ds }}.mp4", "nosuchstore://videos/a.mp4", Path("a.mp4")],
    ids=str,
)
def test_a_destination_that_may_be_right_later_is_parsed(destination):
    """A template; a store with a provider on the worker only."""
    TwinSyncDownloadOperator(task_id="fetch", result_url="{{ x }}", destination=destination)


def test_a_try_that_airflow_lost_does_not_submit_again_after_an_answer_that_names_a_job(emulator):
    """The worker died before Airflow knew of the failure, and on_uncertain_submit would submit again."""
    store = Store()
    fault = AcceptThenHttpError(status=503, body='{"result_code": 203, "task_id": "{task_id}"}')
    emulator.world.faults.add("submit", fault)
    for _ in range(2):
        run = run_task(submit(on_uncertain_submit="retry"), store=store)
        assert run.ended == "AirflowFailException"
    assert posts(emulator) == 1
