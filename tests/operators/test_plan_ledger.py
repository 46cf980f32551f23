"""A plan compared with its ledger: a second night pays for the rows that changed."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from support.drive import Run, run_task
from support.plans import plan_in, rows, written
from support.submits import code_of, posts

from airflow_provider_twinsync.emulator.faults import AcceptThenReset, FailJob, ResultCode, SilentVideo
from airflow_provider_twinsync.hooks import TwinSyncHook
from airflow_provider_twinsync.operators import TwinSyncVideoOperator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Run]:
    """Plan rows with a ledger."""
    return partial(plan_in, tmp_path, ledger=str(tmp_path / "ledger"))


def make(run: Run) -> list[Run]:
    """Make the videos of a plan, as the mapped task does."""
    assert run.ended == "success", run.error
    made = []
    for index, row in enumerate(run.result):
        operator = TwinSyncVideoOperator(task_id="make", poke_interval=0, deferrable=False, **row)
        made.append(run_task(operator, task_id="make", map_index=index))
    return made


def states(tmp_path: Path) -> list[tuple[str, int]]:
    """Return the state and the jobs of each row of the last plan."""
    return [(row["state"], row["jobs"]) for row in written(tmp_path)["rows"]]


def test_a_second_night_pays_for_the_changed_rows(emulator, plan, tmp_path):
    """And for nothing, if nothing changed."""
    assert all(made.ended == "success" for made in make(plan(rows("one", "two", "three"))))
    again = plan(rows("one", "two", "three"))
    assert (again.result, again.xcoms["counts"]["unchanged"]) == ([], 3)
    stored = written(tmp_path)["rows"][1]["stored"]
    assert stored["path"] == f"{tmp_path}/videos/r2.mp4"
    changed = plan(rows("one", "2", "three", "four"))
    assert states(tmp_path) == [("unchanged", 0), ("new", 1), ("unchanged", 0), ("new", 1)]
    assert [row["row_id"] for row in changed.result] == ["r2", "r4"]
    make(changed)
    assert posts(emulator) == 5
    assert plan(rows("one", "2", "three", "four")).result == []


def test_a_long_text_pays_for_its_changed_parts(emulator, connect, plan, tmp_path):
    """The other parts have their jobs."""
    connect(text_limit_words=10)
    texts = [f"One two three four five six seven {number}." for number in ("a", "b", "c")]
    make(plan(rows(" ".join(texts))))
    assert plan(rows(" ".join(texts))).result == []
    make(plan(rows(" ".join([*texts[:2], "One two three four five six seven d."]))))
    assert posts(emulator) == 4


@pytest.mark.parametrize("change", ["gone", "other size", "another destination"])
def test_a_video_that_is_not_there_is_fetched_and_not_paid(emulator, plan, tmp_path, change):
    make(plan(rows("one", "two")))
    video = tmp_path / "videos" / "r1.mp4"
    night = rows("one", "two")
    if change == "gone":
        video.unlink()
    elif change == "other size":
        video.write_bytes(b"")
    else:
        night[0]["destination"] = str(tmp_path / "elsewhere.mp4")
    run = plan(night, max_jobs=0)
    assert states(tmp_path) == [("retry", 0), ("unchanged", 0)]
    assert [made.ended for made in make(run)] == ["success"]
    assert posts(emulator) == 2


def test_a_job_that_failed_is_paid_again(emulator, plan, tmp_path):
    """The plan asks the service for jobs without a stored video."""
    emulator.world.faults.add("submit", FailJob(times=1))
    make(plan(rows("one", "two")))
    assert code_of(plan(rows("one", "two"), max_jobs=0).error) == "TS173"
    assert states(tmp_path) == [("retry", 1), ("unchanged", 0)]


def test_a_job_without_a_stored_video_is_paid_already(emulator, plan, tmp_path):
    """For example of a worker that was killed."""
    [row] = plan(rows("one")).result
    inputs = {name: row[name] for name in ("text", "image_url", "pronouncer", "ledger", "reuse")}
    TwinSyncHook().submit_once(**inputs)
    plan(rows("one"), max_jobs=0)
    assert states(tmp_path) == [("retry", 0)]


def test_a_service_that_is_down_makes_no_bill_smaller(emulator, plan, tmp_path):
    """The status of a job is unknown, so the job may have failed."""
    for row in plan(rows("one", "two")).result:
        inputs = {name: row[name] for name in ("text", "image_url", "pronouncer", "ledger", "reuse")}
        TwinSyncHook().submit_once(**inputs)
    emulator.world.faults.add("status", ResultCode(203, times=1_000))
    assert plan(rows("one", "two")).ended == "success"
    assert states(tmp_path) == [("retry", 1), ("retry", 1)]


def test_an_uncertain_submit_is_to_retry(emulator, plan, tmp_path):
    """It counts as a job: after a decision of a person it may be one."""
    emulator.world.faults.add("submit", AcceptThenReset(times=1))
    make(plan(rows("one")))
    plan(rows("one"))
    assert states(tmp_path) == [("retry", 1)]


def test_a_refused_submit_is_to_retry(emulator, plan, tmp_path):
    emulator.world.faults.add("submit", ResultCode(200, times=1))
    make(plan(rows("one")))
    plan(rows("one"))
    assert states(tmp_path) == [("retry", 1)]


def change_records(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    for path in (tmp_path / "ledger").iterdir():
        record = json.loads(path.read_text(encoding="utf-8"))
        change(record)
        path.write_text(json.dumps(record), encoding="utf-8")


def test_a_rejected_video_is_made_again(plan, tmp_path):
    """Its check marks the record."""
    make(plan(rows("one")))
    change_records(tmp_path, lambda record: record.update(rejected={"at": "2026-11-28"}))
    plan(rows("one"))
    assert states(tmp_path) == [("retry", 1)]


def test_a_damaged_record_is_to_retry(plan, tmp_path):
    make(plan(rows("one")))
    change_records(tmp_path, lambda record: record.update(v=99))
    plan(rows("one"))
    assert states(tmp_path) == [("retry", 1)]


def test_captions_that_are_wanted_now_are_not_there(plan, tmp_path):
    """The record of the video names its captions and its poster."""
    make(plan(rows("one")))
    wanted = [{**rows("one")[0], "captions": "srt", "poster": "true"}]
    plan(wanted)
    assert states(tmp_path) == [("retry", 0)]
    make(plan(wanted))
    plan(wanted)
    assert states(tmp_path) == [("unchanged", 0)]
    for name in ("r1.srt", "r1.jpg"):
        content = (tmp_path / "videos" / name).read_bytes()
        (tmp_path / "videos" / name).unlink()
        plan(wanted)
        assert states(tmp_path) == [("retry", 0)]
        (tmp_path / "videos" / name).write_bytes(content)


def test_a_video_that_was_not_checked_is_checked(emulator, plan, tmp_path):
    """A check that is wanted now finds a bad video of an earlier night."""
    emulator.world.faults.add("submit", SilentVideo(times=1))
    make(plan(rows("one")))
    wanted = [{**rows("one")[0], "check": "true"}]
    [made] = make(plan(wanted))
    assert code_of(made.error) == "TS530"
    plan(wanted)
    assert states(tmp_path) == [("retry", 1)]


def test_two_rows_with_one_job(emulator, plan, tmp_path):
    """It is paid once. The record has both videos: the service may forget the job."""
    make(plan(rows("one", "one")))
    assert posts(emulator) == 1
    plan(rows("one", "one"), max_jobs=0)
    assert states(tmp_path) == [("unchanged", 0), ("unchanged", 0)]


def test_two_rows_with_one_bad_job(emulator, plan, tmp_path):
    """A night pays for no job more than its plan has; the report has the reason of both rows."""
    emulator.world.faults.add("submit", SilentVideo(times=1))
    night = plan(rows("one", "one"), max_jobs=1, more={"check": True})
    first, second = make(night)
    assert (code_of(first.error), code_of(second.error)) == ("TS530", "TS533")
    assert [made.xcoms["rejected"]["row_id"] for made in (first, second)] == ["r1", "r2"]
    assert posts(emulator) == 1
    plan(rows("one", "one"), more={"check": True})
    assert states(tmp_path) == [("retry", 1), ("retry", 0)]


def test_two_texts_with_one_part(connect, plan, tmp_path):
    """Their first part is one job."""
    connect(text_limit_words=10)
    texts = [f"One two three four five six seven eight. One two three {last}." for last in ("a", "b")]
    make(plan(rows(*texts)))
    plan(rows(*texts), max_jobs=0)
    assert states(tmp_path) == [("unchanged", 0), ("unchanged", 0)]


def test_the_ledger_of_the_connection(connect, plan, tmp_path):
    """The rows name it, so that the video operator uses it too."""
    connect(ledger=str(tmp_path / "ledger"))
    run = plan(rows("one"), ledger=None)
    assert (run.result[0]["ledger"], run.result[0]["reuse"]) == (str(tmp_path / "ledger"), "runs")
    make(run)
    assert plan(rows("one"), ledger=None).result == []


def test_without_a_ledger_every_row_is_new(plan, tmp_path, logged):
    run = plan(rows("one"), ledger=None)
    assert "ledger" not in run.result[0]
    assert "TS181 " in logged()


def test_a_sheet_of_errors_has_a_ledger(plan, logged):
    """No row is compared with it."""
    run = plan(rows(""))
    assert code_of(run.error) == "TS172"
    assert "TS181 " not in logged()


def test_a_ledger_that_cannot_be_read_is_no_empty_one(plan, tmp_path):
    (tmp_path / "ledger").touch()
    run = plan(rows("one"))
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS331")


def test_another_account_has_records_of_its_own(emulator, connect, plan, tmp_path):
    make(plan(rows("one")))
    emulator.world.key = "another-key"
    connect(password="another-key")
    plan(rows("one"))
    assert states(tmp_path) == [("new", 1)]
