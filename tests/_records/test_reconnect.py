"""A try that reconnects to the job of an earlier one, submits, or fails."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.drive import Store
from support.submits import code_of

from airflow_provider_twinsync._api.status import Job, JobState
from airflow_provider_twinsync._records.keeper import RecordKeeper
from airflow_provider_twinsync._records.reconnect import find_job
from airflow_provider_twinsync._records.submit_record import VERSION, SubmitRecord, job_of
from airflow_provider_twinsync._records.task_state_store import HOW_TO_DELETE, STORE_KEY, TaskStateStore
from airflow_provider_twinsync.exceptions import StatusError, UnavailableError, UncertainSubmitError

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "20230423_11_23_05_10279"
#: The intent of a submit, and a record with its job.
INTENT = {"v": VERSION, "inputs": "in", "shown": "a text", "marked_at": "noon", "twinsync_task_id": None}
KNOWN = {**INTENT, "twinsync_task_id": ID}
SECOND_TRY = {"try_number": 2, "may_pay_twice": False, "patience_s": 0.0}


class Log:
    """The lines of a task's log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, message: str, *arguments: Any) -> None:
        self.lines.append(("info", message % arguments))

    def warning(self, message: str, *arguments: Any) -> None:
        self.lines.append(("warning", message % arguments))


def store_of(entry: Any) -> Store:
    """Return the store of a task, with an entry of an earlier try."""
    return Store() if entry is None else Store({STORE_KEY: entry})


def keeper_of(store: Store, inputs: str = "in") -> RecordKeeper:
    """Return the keeper of a record, for a try of a task with one retry."""
    return RecordKeeper(TaskStateStore(store), inputs, "a text", 1)


def read_by(store: Store, inputs: str = "in") -> RecordKeeper:
    """Return the keeper of a record that it has read."""
    keeper = keeper_of(store, inputs)
    keeper.read()
    return keeper


def job(state: JobState) -> Callable[[str], Job]:
    """Return a function that requests the status of a job."""

    def get_job(job_id: str) -> Job:
        assert job_id == ID
        return Job(job_id, state, 100, "")

    return get_job


def unavailable(_: str) -> Job:
    raise StatusError("TS404 HTTP 502")


@pytest.mark.parametrize(
    ("get_job", "inputs", "result", "lines"),
    [
        (job(JobState.WAITING), "in", ID, [("info", ID, HOW_TO_DELETE)]),
        (job(JobState.SUCCEEDED), "in", ID, [("info", ID, HOW_TO_DELETE)]),
        (unavailable, "in", ID, [("info", ID, HOW_TO_DELETE), ("warning", "TS404 HTTP 502")]),
        (job(JobState.FAILED), "in", None, [("info", ID)]),
        (job(JobState.WAITING), "other", None, [("warning", "TS319 ", ID)]),
    ],
    ids=["waiting", "finished", "unavailable", "failed", "other inputs"],
)
def test_a_job_is_taken_up_unless_it_has_failed(
    get_job: Callable[[str], Job], inputs: str, result: str | None, lines: list[tuple[str, ...]]
) -> None:
    """Or is of other inputs; the log names it."""
    log = Log()
    keeper = keeper_of(store_of(KNOWN), inputs)
    assert find_job(keeper, get_job, log, **SECOND_TRY) == result
    assert [level for level, _ in log.lines] == [level for level, *_ in lines]
    for (_, line), (_, *parts) in zip(log.lines, lines, strict=True):
        assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize(("try_number", "codes"), [(1, []), (2, ["TS317"])])
def test_without_a_record_a_try_submits(try_number: int, codes: list[str]) -> None:
    """A later one warns: Airflow may have discarded it."""
    log, keeper = Log(), keeper_of(Store())
    assert find_job(keeper, unavailable, log, **{**SECOND_TRY, "try_number": try_number}) is None
    assert [code_of(line) for _, line in log.lines] == codes
    assert all(f" try {try_number} " in line for _, line in log.lines)


@pytest.mark.parametrize(
    ("entry", "may_pay_twice", "submits"),
    [
        (INTENT, False, False),
        (INTENT, True, True),
        ({**INTENT, "names_job": True}, True, False),
        ({**INTENT, "told_at_max_tries": 1}, False, False),
        ({**INTENT, "told_at_max_tries": 0}, False, True),  # a person has cleared the task since
        ({**INTENT, "made_no_job": True}, False, True),
        ({**INTENT, "made_no_job": True, "inputs": None}, False, False),
        ("damaged", False, False),
    ],
    ids=str,
)
def test_an_uncertain_submit_is_reported_until_a_person_decides(
    entry: Any, may_pay_twice: bool, submits: bool
) -> None:
    """By a clear, or with on_uncertain_submit."""
    store, log = store_of(entry), Log()
    keeper = keeper_of(store)

    def try_again() -> str | None:
        return find_job(keeper, unavailable, log, **{**SECOND_TRY, "may_pay_twice": may_pay_twice})

    if submits:
        assert try_again() is None
        assert [code_of(line) for _, line in log.lines] == (["TS313"] if may_pay_twice else [])
        return
    with pytest.raises(UncertainSubmitError) as caught:
        try_again()
    assert caught.value.code == ("TS314" if keeper.record.is_damaged else "TS313")
    assert store.rows[STORE_KEY]["told_at_max_tries"] == 1


@pytest.mark.parametrize(
    ("found", "record"),
    [
        (None, SubmitRecord()),
        (5, SubmitRecord(is_there=True, is_damaged=True)),
        (KNOWN, SubmitRecord(True, False, ID, "in", "a text", "noon")),
        ({**KNOWN, "told_at_max_tries": 3}, SubmitRecord(True, False, ID, "in", "a text", "noon", 3)),
        ({**KNOWN, "told_at_max_tries": True}, SubmitRecord(True, False, ID, "in", "a text", "noon")),
        (
            {**INTENT, "made_no_job": True},
            SubmitRecord(True, False, None, "in", "a text", "noon", made_no_job=True),
        ),
        ({**KNOWN, "made_no_job": True}, SubmitRecord(True, False, ID, "in", "a text", "noon")),
        (
            {**INTENT, "made_no_job": 1},
            SubmitRecord(True, True, None, "in", "a text", "noon"),
        ),
        (
            {**INTENT, "names_job": True},
            SubmitRecord(True, False, None, "in", "a text", "noon", names_job=True),
        ),
        ({**INTENT, "names_job": 1}, SubmitRecord(True, False, None, "in", "a text", "noon")),
        ({**KNOWN, "inputs": 5, "shown": ""}, SubmitRecord(True, True, ID, None, marked_at="noon")),
        ({**KNOWN, "v": VERSION + 1}, SubmitRecord(True, True, ID, "in", "a text", "noon")),
        ({**KNOWN, "v": True}, SubmitRecord(True, True, ID, "in", "a text", "noon")),
        ({**KNOWN, "twinsync_task_id": 5}, SubmitRecord(True, True, None, "in", "a text", "noon")),
    ],
    ids=str,
)
def test_a_record_is_read_field_by_field(found: Any, record: SubmitRecord) -> None:
    """A damaged one as far as it can be read."""
    assert SubmitRecord.read(found) == record


def test_the_error_about_an_earlier_submit_has_its_inputs_and_its_time() -> None:
    """And its job, if a damaged record has it."""
    for entry, parts in [
        (INTENT, ["TS313 ", " noon, ", ": a text."]),
        ({**KNOWN, "inputs": 5}, ["TS314 ", " noon, ", f" names TwinSync job {ID}. ", ": a text."]),
        ({**INTENT, "inputs": 5}, ["TS314 ", " is unknown. It may have been paid: "]),
    ]:
        error = SubmitRecord.read(entry).uncertain(HOW_TO_DELETE)
        assert [part for part in parts if part not in str(error)] == []
        assert (HOW_TO_DELETE in error.advice) is (error.code == "TS314")


@pytest.mark.parametrize(
    ("entry", "found"),
    [(KNOWN, ID), (INTENT, None), ({}, None), (None, None), ({"twinsync_task_id": "None"}, None)],
    ids=str,
)
def test_the_job_of_an_entry_is_an_id_that_a_wait_takes(entry: Any, found: str | None) -> None:
    """Other entries have none."""
    assert job_of(entry) == found


class Unwritable(Store):
    """A store that takes nothing."""

    def set(self, key: str, value: Any) -> None:
        raise RuntimeError("away")


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (lambda keeper: keeper.write_job(ID), "TS323"),
        (lambda keeper: keeper.write_reported(), "TS321"),
        (lambda keeper: keeper.write_no_job(), "TS322"),
    ],
    ids=["job", "reported", "no job"],
)
def test_a_store_that_takes_nothing_fails_no_task(
    logged: Callable[[], str], write: Callable[[RecordKeeper], object], code: str
) -> None:
    """After the submit only a line in the log is left to do."""
    assert not write(keeper_of(Unwritable()))
    log = logged()
    assert f"{code} " in log
    assert "(away)." in log


def test_without_a_store_nothing_is_written() -> None:
    """And the log does not claim that a retry can reconnect."""
    keeper = RecordKeeper(None, "in", "a text", 1)
    keeper.write_intent()
    keeper.write_reported()
    keeper.write_no_job()
    assert not keeper.write_job(ID)
    assert (keeper.record, keeper.is_missing(2)) == (SubmitRecord(), False)


def test_a_store_that_cannot_be_read_is_named_with_its_error() -> None:
    """It is not one without a record."""

    class Unreadable(Store):
        def get(self, key: str) -> Any:
            raise ValueError(f"no {key}")

    with pytest.raises(UnavailableError) as caught:
        read_by(Unreadable())
    assert caught.value.code == "TS315"
    assert f"(ValueError: no {STORE_KEY})" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "kept"),
    [(INTENT, INTENT), ({**INTENT, "inputs": 5}, {"v": VERSION}), ("damaged", {"v": VERSION})],
    ids=str,
)
def test_a_report_keeps_the_intent_of_an_earlier_try(entry: Any, kept: dict[str, Any]) -> None:
    """A damaged one may be too large for the store."""
    store = store_of(entry)
    read_by(store).write_reported()
    assert store.rows[STORE_KEY] == {**kept, "told_at_max_tries": 1}


def test_what_is_written_is_read_by_the_next_try() -> None:
    """An intent, its job, or that there is none."""
    store = Store()
    keeper = keeper_of(store)
    keeper.write_intent()
    assert read_by(store).is_uncertain
    assert datetime.fromisoformat(read_by(store).record.marked_at).utcoffset() == timedelta(0)
    keeper.write_reported(names_job=True)
    written = RecordKeeper(TaskStateStore(store), "in", "a text", 2)
    written.read()
    assert (written.is_uncertain, written.record.names_job, written.record.shown) == (False, True, "a text")
    assert keeper.write_job(ID)
    known = read_by(store, "other")
    assert (known.twinsync_task_id, known.has_same_inputs) == (ID, False)
    known.write_intent()
    known.write_no_job()  # the job of the earlier try counts again
    assert job_of(store.rows[STORE_KEY]) == ID
    assert read_by(store).has_same_inputs
    store = Store()
    keeper_of(store).write_no_job()
    assert SubmitRecord.read(store.rows[STORE_KEY]).made_no_job
