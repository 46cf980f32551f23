"""A submit record that may be damaged, for example by hand: no rerun pays unasked or fails for ever."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.drive import Store, run_task
from support.submits import INPUTS, code_of, posts, submit

from airflow_provider_twinsync._api.submit import fingerprint
from airflow_provider_twinsync._records.submit_record import SubmitRecord
from airflow_provider_twinsync._records.task_state_store import HOW_TO_DELETE, STORE_KEY
from airflow_provider_twinsync.emulator.faults import ResultCode

ID = "20230423_11_23_05_10279"
FIELDS = ("v", "inputs", "shown", "marked_at", "twinsync_task_id", "told_at_max_tries", "made_no_job")


@pytest.fixture(autouse=True)
def _connected(connection, sleeps):
    """The delays between two submits are skipped."""


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=300)
    | st.sampled_from([ID, "None", "a\tb", "x" * 251, "\u200b", "\ud800", 10**30, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
records = json_values | st.dictionaries(st.sampled_from(FIELDS), json_values, min_size=1)


@given(found=records.filter(lambda found: found is not None))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_clear_submits_with_any_record(emulator, found):
    """A try reconnects, or submits if there is certainly no job, or fails with advice; a clear submits."""
    emulator.world.tasks.clear()
    emulator.world.journal.clear()
    record = SubmitRecord.read(found)
    store = Store({STORE_KEY: found})
    first = run_task(submit(), store=store)
    if first.ended == "success":
        is_known = not record.is_damaged and (record.made_no_job or record.twinsync_task_id)
        assert is_known or (record.told_at_max_tries is not None and record.told_at_max_tries < 0)
        return
    assert first.ended == "AirflowFailException"
    assert code_of(first.error) == ("TS314" if record.is_damaged else "TS313")
    assert len(str(first.error)) < 2500
    assert str(first.error).isprintable()
    assert not record.is_damaged or HOW_TO_DELETE in str(first.error)
    # Airflow's own retry pays no more than the try before it did.
    assert run_task(submit(), store=store).ended == "AirflowFailException"
    assert posts(emulator) == 0
    cleared = run_task(submit(), store=store, clears=1)
    assert cleared.ended == "success", cleared.error
    assert posts(emulator) == 1


@pytest.mark.parametrize(
    "job", ["None", "x" * 251, "a\tb", "a\u200bb", "", " ", 5, True, [ID], {"id": ID}], ids=repr
)
def test_a_record_with_an_id_that_no_wait_takes(emulator, job):
    """It would be refused by every rerun: it is uncertain, and a clear submits."""
    known = fingerprint(f"{emulator.url}/phototalking", *INPUTS.values())
    store = Store(
        {STORE_KEY: {"v": 1, "inputs": known, "shown": "it", "marked_at": "then", "twinsync_task_id": job}}
    )
    run = run_task(submit(), store=store)
    assert run.ended == "AirflowFailException"
    assert re.match("TS314 .* then,", str(run.error))
    assert f"the entry {STORE_KEY} of this task instance's state store" in str(run.error)
    assert HOW_TO_DELETE in str(run.error)
    assert not emulator.world.journal
    assert run_task(submit(), store=store, clears=1).ended == "success"


def test_a_job_whose_inputs_are_not_known_is_named(emulator):
    """It may be the one that is wanted: it is not paid again, and can be waited for."""
    run = run_task(submit(), store=Store({STORE_KEY: {"twinsync_task_id": ID}}))
    assert run.ended == "AirflowFailException"
    assert re.match(f"TS314 .* job {ID}", str(run.error))
    assert not emulator.world.journal


def test_a_huge_record_is_neither_shown_nor_stored_again(emulator):
    """A megabyte of anything."""
    store = Store({STORE_KEY: {"shown": "x" * 1_000_000, "marked_at": "y\n" * 500_000, "z": "z" * 1_000_000}})
    run = run_task(submit(), store=store)
    assert len(str(run.error)) < 2500
    assert len(str(store.rows)) < 1000
    assert run_task(submit(), store=store, clears=1).ended == "success"


@pytest.mark.parametrize(
    "error", [ValueError("Expecting value: line 1"), RuntimeError("away\nnow")], ids=repr
)
def test_a_store_that_cannot_be_read_is_not_one_without_a_record(emulator, error):
    """Nothing is paid, Airflow may retry, and the message names the entry to delete if that persists."""

    class Unreadable(Store):
        def get(self, key: str) -> Any:
            raise error

    run = run_task(submit(), store=Unreadable())
    assert run.ended == "AirflowException"
    assert code_of(run.error) == "TS315"
    assert HOW_TO_DELETE in str(run.error)
    assert "\n" not in str(run.error)
    assert not emulator.world.journal


def test_a_later_try_without_a_record_warns(emulator, capsys):
    """Airflow may have discarded it: an earlier try may have paid."""
    run_task(submit(), store=Store())
    assert "TS317 " not in capsys.readouterr().out
    run_task(submit(), store=Store(), try_number=2)
    log = capsys.readouterr().out
    assert re.search("TS317 .* try 2 ", log)
    assert log.index("TS317 ") < log.index("is submitted (")


@pytest.mark.parametrize("why", ["nothing was accepted", "not wanted", "no store"])
def test_a_later_try_that_can_expect_no_record_does_not_warn(emulator, capsys, why):
    """A try that ended without a job records that."""
    store = None if why == "no store" else Store()
    if why == "nothing was accepted":
        emulator.world.faults.add("submit", ResultCode(code=203, times=4))
        assert run_task(submit(), store=store).ended == "AirflowException"
    again = submit(durable=False) if why == "not wanted" else submit()
    assert run_task(again, store=store, try_number=2).ended == "success"
    assert "TS317 " not in capsys.readouterr().out


@pytest.mark.parametrize("version", [None, 0, 2, True, "1", 1.5])
def test_a_record_of_another_version_is_uncertain_and_never_absent(emulator, version):
    """A package that was downgraded does not know all that a newer one wrote."""
    store = Store()
    job = run_task(submit(), store=store).result
    assert store.rows[STORE_KEY]["v"] == 1
    store.rows[STORE_KEY]["v"] = version
    run = run_task(submit(), store=store)
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS314")
    assert job in str(run.error)
    assert posts(emulator) == 1


def test_a_job_of_another_version_is_not_paid_again_with_any_choice_of_the_user(emulator):
    """`on_uncertain_submit="retry"` is for a job with an unknown id."""
    store = Store()
    job = run_task(submit(), store=store).result
    store.rows[STORE_KEY]["v"] = 2
    for _ in range(3):
        run = run_task(submit(on_uncertain_submit="retry"), store=store)
        assert run.ended == "AirflowFailException"
    assert posts(emulator) == 1
    assert run_task(submit(), store=Store({STORE_KEY: {**store.rows[STORE_KEY]}}), clears=1).result != job
