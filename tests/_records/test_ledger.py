"""A submit task with a ledger, on a disk and in S3, on any Airflow: no task state store is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.drive import Run, Store, rings, run_task, set_current_context
from support.environment import KEY
from support.submits import INPUTS, WAITING, code_of, posts, submit

from airflow_provider_twinsync._api.submit import fingerprint
from airflow_provider_twinsync._records.ledger import account, record_name
from airflow_provider_twinsync._records.task_state_store import STORE_KEY
from airflow_provider_twinsync.emulator.faults import AcceptThenReset, Body, ResultCode
from airflow_provider_twinsync.exceptions import UncertainSubmitError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator import Emulator


@pytest.fixture(autouse=True)
def _connected(connection, sleeps):
    """The delays between two submits, and those of a wait for another task, are skipped."""


def name_in(emulator: Emulator, owner: dict[str, Any] | None = None) -> str:
    """Return the name of the records of `INPUTS`."""
    url = f"{emulator.url}/phototalking"
    return record_name(fingerprint(url, *INPUTS.values()), account(url, KEY), owner)


INSTANCE = {"dag_id": "dag", "task_id": "submit", "run_id": "run", "map_index": -1, "try_number": 1}


def test_a_retry_and_a_clear_reconnect(emulator, ledger):
    """The first try was killed after the answer, so Airflow knows nothing of it."""
    job = run_task(submit(ledger=ledger)).result
    assert run_task(submit(ledger=ledger), try_number=2).result == job
    assert run_task(submit(ledger=ledger), try_number=3, clears=2).result == job
    assert posts(emulator) == 1


def test_the_connection_has_the_ledger_of_all_tasks(emulator, ledger, connect):
    """A task needs no argument."""
    connect(ledger=ledger)
    job = run_task(submit()).result
    assert run_task(submit(), try_number=2).result == job
    assert posts(emulator) == 1


def test_the_record_is_small_and_for_a_person(emulator, ledger, files):
    """Its name begins with the fingerprint, which is in the XCom of the task."""
    run = run_task(submit(ledger=ledger, image_url=INPUTS["image_url"] + "?sig=s3cret"))
    (name, content), *others = files().items()
    record = json.loads(content)
    assert others == []
    assert name.startswith(run.xcoms["twinsync_inputs"]["fingerprint"])
    assert run.xcoms["twinsync_inputs"]["record"].endswith(name)
    assert record["twinsync_task_id"] == run.result
    assert record["owner"] == INSTANCE
    assert INPUTS["text"] in record["shown"]
    assert INPUTS["image_url"] in record["shown"]
    assert record["pronouncer"] == repr(INPUTS["pronouncer"])
    assert record["service"] == f"{emulator.url}/phototalking"
    assert (record["v"], record["reuse"], len(content) < 1500) == (1, "tries", True)
    assert [secret for secret in ("s3cret", KEY) if secret in content] == []


@pytest.mark.parametrize(
    ("reuse", "other", "reconnects"),
    [
        ("tries", {"run_id": "next"}, False),
        ("tries", {"map_index": 3}, False),
        ("runs", {"run_id": "next"}, True),
        ("runs", {"dag_id": "b", "task_id": "c"}, True),
    ],
)
def test_another_task_reconnects_with_reuse_runs(emulator, ledger, reuse, other, reconnects):
    """Else each task instance submits."""
    job = run_task(submit(ledger=ledger, reuse=reuse)).result
    assert (run_task(submit(ledger=ledger, reuse=reuse), **other).result == job) is reconnects
    assert posts(emulator) == 2 - reconnects


def test_other_inputs_and_other_accounts_have_other_records(emulator, ledger, connect):
    """The key and the service are part of a record's name."""
    run_task(submit(ledger=ledger, reuse="runs"))
    run_task(submit(ledger=ledger, reuse="runs", text="Another text."))
    assert posts(emulator) == 2
    url = f"{emulator.url}/phototalking"
    assert len({account(url, KEY), account(url, "other"), account("http://other", KEY)}) == 3


def test_a_failed_job_is_submitted_again_and_once(emulator, ledger, files):
    """Its record stays, and the new job has its own."""
    first = run_task(submit(ledger=ledger)).result
    emulator.world.tasks[first].failure = "no face"
    second = run_task(submit(ledger=ledger), try_number=2).result
    assert second != first
    for number in (3, 4):
        assert run_task(submit(ledger=ledger), try_number=number).result == second
    assert posts(emulator) == 2
    name = name_in(emulator, INSTANCE)
    assert list(files()) == [f"{name}.2.json", f"{name}.json"]


def test_a_failed_job_that_the_service_has_forgotten_is_not_the_job(emulator, ledger):
    """The later record counts."""
    first = run_task(submit(ledger=ledger)).result
    emulator.world.tasks[first].failure = "no face"
    second = run_task(submit(ledger=ledger), try_number=2).result
    del emulator.world.tasks[first]
    assert run_task(submit(ledger=ledger), try_number=3).result == second
    assert posts(emulator) == 2


def test_an_uncertain_submit_is_reported_until_a_person_clears(emulator, ledger):
    """As with Airflow's task state store."""
    emulator.world.faults.add("submit", AcceptThenReset())
    assert code_of(run_task(submit(ledger=ledger)).error) == "TS309"
    for _ in range(2):
        run = run_task(submit(ledger=ledger), try_number=2)
        assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS313")
    assert posts(emulator) == 1
    job = run_task(submit(ledger=ledger), try_number=3, clears=2).result
    assert run_task(submit(ledger=ledger), try_number=4, clears=2).result == job
    assert posts(emulator) == 2


def test_a_report_of_a_record_that_was_deleted_does_not_count(emulator, tmp_path):
    """A person deleted the record alone, and the next submit is uncertain as well."""
    emulator.world.faults.add("submit", AcceptThenReset(times=2))
    run_task(submit(ledger=tmp_path))
    (tmp_path / f"{name_in(emulator, INSTANCE)}.json").unlink()
    run_task(submit(ledger=tmp_path), clears=1)
    for path in tmp_path.glob("*.reported-*"):
        report = json.loads(path.read_text())
        path.write_text(json.dumps({**report, "told_at_max_tries": 0, "token": "of the first"}))
    run = run_task(submit(ledger=tmp_path), clears=1, try_number=2)
    assert (run.ended, code_of(run.error), posts(emulator)) == ("AirflowFailException", "TS313", 2)


@pytest.mark.parametrize(
    "fault", [ResultCode(code=203, times=4), ResultCode(code=200)], ids=["busy", "refused"]
)
def test_a_submit_that_made_no_job_is_repeated(emulator, ledger, fault):
    """By a retry or a clear."""
    emulator.world.faults.add("submit", fault)
    assert run_task(submit(ledger=ledger)).ended in ("AirflowException", "AirflowFailException")
    before = posts(emulator)
    assert run_task(submit(ledger=ledger), try_number=2).ended == "success"
    assert run_task(submit(ledger=ledger), try_number=3).ended == "success"
    assert posts(emulator) == before + 1


def test_an_answer_that_names_a_job_is_never_followed_by_a_submit(emulator, ledger):
    """Also with on_uncertain_submit="retry"."""
    emulator.world.faults.add("submit", Body(json={"result_code": 203, "task_id": "20230423_11_23_05_10279"}))
    task = {"ledger": ledger, "on_uncertain_submit": "retry"}
    for number in (1, 2):
        assert run_task(submit(**task), try_number=number).ended == "AirflowFailException"
    assert posts(emulator) == 1


def test_an_intent_of_another_task_is_waited_for(emulator, ledger, connect, monkeypatch):
    """And then named: this task paid nothing, and Airflow may retry it."""
    emulator.world.faults.add("submit", AcceptThenReset())
    run_task(submit(ledger=ledger, reuse="runs"))
    connect(request_timeout_s=0.01)
    run = run_task(submit(ledger=ledger, reuse="runs"), run_id="next", try_number=2)
    assert (run.ended, code_of(run.error)) == ("AirflowException", "TS330")
    assert [
        part for part in ("DAG 'dag'", "run 'run'", "ledger", "--delete") if part not in str(run.error)
    ] == []
    assert posts(emulator) == 1
    # A person clears the other task, which submits; this one follows.
    job = run_task(submit(ledger=ledger, reuse="runs"), clears=1, try_number=2).result
    assert run_task(submit(ledger=ledger, reuse="runs"), run_id="next", try_number=3).result == job
    assert posts(emulator) == 2


@pytest.mark.parametrize("where", ["task state store", "nowhere"])
def test_an_id_that_the_ledger_does_not_take_is_kept_elsewhere(
    emulator, tmp_path, monkeypatch, logged, where
):
    """In the log and the XCom, and on Airflow 3.3 and later in the task state store."""
    from airflow_provider_twinsync._records.ledger_folder import LocalFolder

    ledger, store = str(tmp_path / "ledger"), Store() if where != "nowhere" else None

    def fail(self: Any, name: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(LocalFolder, "write", fail)
        run = run_task(submit(ledger=ledger), store=store)
    assert run.ended == "success"
    assert run.result in logged()
    again = run_task(submit(ledger=ledger), store=store, try_number=2)
    assert posts(emulator) == 1
    if store:
        assert store.rows[STORE_KEY]["twinsync_task_id"] == run.result
        assert again.result == run.result
        assert "TS329 " in logged()
    else:
        assert code_of(again.error) == "TS313"
        assert "TS323 " in logged()


@pytest.mark.parametrize(
    "content",
    ["", "not JSON", "[]", '{"v": 2}', "x" * 1_000_000, '{"v": 1, "inputs": "of another record"}', "\xff"],
    ids=["empty", "no JSON", "no object", "newer", "a megabyte", "other inputs", "no UTF-8"],
)
def test_a_record_that_cannot_be_read_is_never_absent(emulator, tmp_path, content):
    """It is uncertain until a person clears the task; the message has the command that deletes it."""
    folder = tmp_path / "ledger"
    folder.mkdir()
    (folder / f"{name_in(emulator, INSTANCE)}.json").write_text(content, "latin-1")
    run = run_task(submit(ledger=folder))
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS314")
    assert "python -m airflow_provider_twinsync ledger" in str(run.error)
    assert len(str(run.error)) < 2500
    assert run_task(submit(ledger=folder), try_number=2).ended == "AirflowFailException"
    assert posts(emulator) == 0
    assert run_task(submit(ledger=folder), clears=1).ended == "success"


def test_a_wait_in_the_triggerer_reconnects_after_its_end(emulator, ledger):
    """The task that was deferred knows its record from its own XCom."""
    emulator.world.waiting_s = 3600.0
    waits = {**WAITING, "ledger": ledger, "timeout": 0.3}
    run = run_task(submit(**waits))
    assert run.ended == "AirflowSensorTimeout"
    assert "pays nothing" in str(run.error)
    emulator.world.waiting_s = 0.0
    assert run_task(submit(**{**waits, "timeout": 60}), try_number=2).ended == "success"
    assert posts(emulator) == 1


def test_the_hook_submits_once(emulator, ledger):
    """Of any process, outside of a task."""
    jobs = {TwinSyncHook().submit_once(**INPUTS, ledger=ledger, reuse="runs") for _ in range(3)}
    assert (len(jobs), posts(emulator)) == (1, 1)
    assert run_task(submit(ledger=ledger, reuse="runs")).result in jobs


def test_an_alarm_while_the_hook_stores_a_job_names_it(emulator, tmp_path, monkeypatch):
    """The record has an intent alone, so nothing else knows the job that is paid for."""
    monkeypatch.setattr(Path, "replace", rings)
    with pytest.raises(UncertainSubmitError) as caught:
        TwinSyncHook().submit_once(**INPUTS, ledger=tmp_path, reuse="runs")
    [job] = emulator.world.tasks
    assert caught.value.code == "TS324"
    assert caught.value.names_job
    assert job in str(caught.value)


@pytest.mark.parametrize("where", ["ledger", "task state store"])
def test_a_task_of_your_own_submits_many_jobs_once_each(emulator, tmp_path, where):
    """Each text has its record, so a retry pays for none of them, in whichever order."""
    ledger = tmp_path if where == "ledger" else None
    context = {"ti": Run(), "task_state_store": Store()}
    with set_current_context(context):
        one, two = (
            [TwinSyncHook().submit_once(**{**INPUTS, "text": text}, ledger=ledger) for text in texts]
            for texts in (("One.", "Two."), ("Two.", "One."))
        )
    assert one == two[::-1]
    assert posts(emulator) == 2


@pytest.mark.parametrize("fault", [None, AcceptThenReset()], ids=["a job", "an uncertain submit"])
def test_a_record_from_before_the_ledger_counts(emulator, connect, tmp_path, fault):
    """Someone puts a ledger into the connection between two tries."""
    if fault:
        emulator.world.faults.add("submit", fault)
    store = Store()
    first = run_task(submit(), store=store)
    connect(ledger=str(tmp_path))
    second = run_task(submit(), store=store, try_number=2)
    assert (second.result, code_of(second.error)) == (first.result, "TS313" if fault else "")
    assert posts(emulator) == 1


def test_an_uncertain_submit_that_its_task_repeats_is_uncertain_for_others(emulator, tmp_path, connect):
    """They did not choose to pay twice."""
    emulator.world.faults.add("submit", AcceptThenReset())
    task = {"ledger": tmp_path, "reuse": "runs"}
    run_task(submit(**task, on_uncertain_submit="retry"))
    connect(request_timeout_s=0.01)
    assert code_of(run_task(submit(**task), run_id="next").error) == "TS330"
    assert posts(emulator) == 1
    connect()
    job = run_task(submit(**task, on_uncertain_submit="retry"), try_number=2).result
    assert run_task(submit(**task), run_id="next", try_number=2).result == job
    assert posts(emulator) == 2
