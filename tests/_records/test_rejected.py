"""The mark of a job whose video failed its check: a retry pays nothing, a clear and another run submit."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.drive import Run, Store, run_task
from support.ledgers import states
from support.submits import INPUTS, code_of, posts, submit

from airflow_provider_twinsync._airflow.records import mark_rejected
from airflow_provider_twinsync._records.submit_record import SubmitRecord, rejection
from airflow_provider_twinsync.exceptions import VideoRejectedError
from airflow_provider_twinsync.operators import TwinSyncVideoOperator

ERROR = VideoRejectedError(
    "TS530 The video fails its check: silent for 6.2 s (limit 2 s).",
    checks={"length_s": 9.0, "longest_silent_s": 6.2},
)


@pytest.fixture(autouse=True)
def _connected(connection, sleeps):
    """The delays between two polls are skipped."""


class Night:
    """A video task, and the check of its video."""

    def __init__(self, destination: Any, **arguments: Any) -> None:
        self.store = None if "ledger" in arguments else Store()
        self.operator = TwinSyncVideoOperator(
            task_id="video", destination=str(destination), poke_interval=0, **INPUTS, **arguments
        )

    def run(self, run_id: str = "monday", **kwargs: Any) -> Run:
        return run_task(self.operator, task_id="video", run_id=run_id, store=self.store, **kwargs)

    def reject(self, run: Run) -> None:
        """Mark the jobs of a run, as its task does."""
        context = {"ti": run} if self.store is None else {"ti": run, "task_state_store": self.store}
        mark_rejected(context, run.xcoms["twinsync_inputs"], ERROR)


@pytest.fixture(params=["store", "tries", "runs"])
def night(request, tmp_path):
    """A video task with each kind of record."""
    if request.param == "store":
        return Night(tmp_path / "a.mp4")
    return Night(tmp_path / "a.mp4", ledger=str(tmp_path / "ledger"), reuse=request.param)


def test_a_retry_pays_nothing_and_a_clear_submits(emulator, night):
    """The task may die between the mark and its end: Airflow then retries it."""
    first = night.run()
    assert first.ended == "success", first.error
    night.reject(first)
    for number in (2, 3):
        retry = night.run(try_number=number)
        assert (retry.ended, code_of(retry.error)) == ("AirflowFailException", "TS533")
        assert first.result["twinsync_task_ids"][0] in str(retry.error)
        assert "silent for 6.2 s (limit 2 s)" in str(retry.error)
    assert posts(emulator) == 1
    cleared = night.run(try_number=4, clears=1)
    assert cleared.ended == "success", cleared.error
    assert posts(emulator) == 2
    again = night.run(try_number=5, clears=1)
    assert again.result["twinsync_task_ids"] == cleared.result["twinsync_task_ids"]
    assert posts(emulator) == 2


def test_each_new_job_may_be_rejected(emulator, night):
    """And each clear pays for one."""
    for clears in range(3):
        run = night.run(try_number=2 * clears + 1, clears=clears)
        assert run.ended == "success", run.error
        night.reject(run)
        assert code_of(night.run(try_number=2 * clears + 2, clears=clears).error) == "TS533"
        assert posts(emulator) == clears + 1


def test_another_run_submits_and_the_first_one_finds_its_job(emulator, tmp_path):
    """With ``reuse="runs"``; a retry of the task that rejected the first job does not stop at its mark."""
    night = Night(tmp_path / "a.mp4", ledger=str(tmp_path / "ledger"), reuse="runs")
    first = night.run("monday")
    night.reject(first)
    second = night.run("tuesday")
    assert second.ended == "success", second.error
    assert second.result["twinsync_task_ids"] != first.result["twinsync_task_ids"]
    retry = night.run("monday", try_number=2)
    assert retry.result["twinsync_task_ids"] == second.result["twinsync_task_ids"]
    assert posts(emulator) == 2


def test_the_mark_of_a_download_is_for_the_submit(emulator, ledger, files, run):
    """Another task checks there, so each run of the submit is a person's; the command shows the state."""
    made = run_task(submit(ledger=ledger))
    download = SimpleNamespace(
        dag_id="dag", task_id="fetch", run_id="run", map_index=-1, try_number=1, max_tries=0
    )
    mark_rejected({"ti": download}, [made.xcoms["twinsync_inputs"]], ERROR)
    [record] = [json.loads(text) for text in files().values()]
    assert record["rejected"]["checks"] == ERROR.checks
    assert record["twinsync_task_id"] == made.result
    code, listed, _ = run()
    assert (code, states(listed)) == (0, ["rejected"])
    shown = run(made.xcoms["twinsync_inputs"]["fingerprint"])[1]
    assert "silent for 6.2 s (limit 2 s)" in shown
    second = run_task(submit(ledger=ledger), try_number=2, clears=0)
    assert second.ended == "success", second.error
    assert second.result != made.result
    assert posts(emulator) == 2


def test_a_record_of_another_job_has_no_mark(tmp_path):
    """It was replaced meanwhile."""
    night = Night(tmp_path / "a.mp4", ledger=str(tmp_path / "ledger"))
    first = night.run()
    [job] = first.xcoms["twinsync_inputs"]
    job["twinsync_task_id"] = "20230423_11_23_05_10279"
    night.reject(first)
    assert code_of(night.run(try_number=2).error) == ""


class Broken(Store):
    def set(self, key: str, value: Any) -> None:
        if "rejected" in value:
            raise OSError("no space left")
        super().set(key, value)


@pytest.mark.parametrize("kind", ["store", "ledger"])
def test_a_store_that_is_away_hides_no_result(tmp_path, logged, kind):
    """A line in the log; and the job itself stays in the record."""
    if kind == "store":
        night = Night(tmp_path / "a.mp4")
        night.store = Broken()
    else:
        night = Night(tmp_path / "a.mp4", ledger=str(tmp_path / "ledger"))
    run = night.run()
    if kind == "ledger":
        for path in (tmp_path / "ledger").iterdir():
            path.write_bytes(b"{")
    night.reject(run)
    line = next(line for line in logged().splitlines() if "TS534 " in line)
    assert run.result["twinsync_task_ids"][0] in line
    assert INPUTS["text"] not in line


def test_without_a_record_there_is_nothing_to_mark(tmp_path):
    """Below Airflow 3.3, for example."""
    operator = TwinSyncVideoOperator(
        task_id="video", destination=str(tmp_path / "a.mp4"), poke_interval=0, **INPUTS
    )
    run = run_task(operator, task_id="video")
    mark_rejected({"ti": run}, run.xcoms["twinsync_inputs"], ERROR)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MARK = rejection("TS530 It is black.", {}, {"dag_id": "d"}, 1, "noon")


@given(JSON | st.builds(lambda name, value: {**MARK, name: value}, st.sampled_from(sorted(MARK)), JSON))
def test_any_mark_is_read(mark):
    """A damaged mark is none: the job is known, so nothing is paid."""
    entry = {"v": 1, "inputs": "in", "twinsync_task_id": "20230423_11_23_05_10279", "rejected": mark}
    record = SubmitRecord.read(entry)
    assert not record.is_damaged
    assert record.twinsync_task_id
    if not isinstance(mark, dict) or not isinstance(mark.get("message"), str):
        assert record.rejected is None
    assert record.rejected is None or record.rejected.isprintable()
