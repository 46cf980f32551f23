"""The stored video in a record: another run with the same inputs does not fetch it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from airflow.providers.common.compat.sdk import DAG
from support.drive import run_task
from support.submits import INPUTS, WAITING, posts, submit

from airflow_provider_twinsync._records.stored import read_stored, write_stored
from airflow_provider_twinsync.operators import TwinSyncDownloadOperator

if TYPE_CHECKING:
    from support.drive import Run


@pytest.fixture(autouse=True)
def _connected(connection, sleeps):
    """The delays between two polls are skipped."""


class Night:
    """A DAG with a submit and a download; each run of it is another night."""

    def __init__(self, ledger: str, destination: str, reuse: str) -> None:
        with DAG("night", schedule=None):
            self.submit = submit(ledger=ledger, reuse=reuse, **WAITING)
            self.fetch = TwinSyncDownloadOperator(
                task_id="fetch", result_url="", destination=destination, twinsync_task_id=""
            )
            self.submit >> self.fetch

    def run(self, run_id: str) -> Run:
        """Make the video, and return the try of the download."""
        made = run_task(self.submit, run_id=run_id)
        self.fetch.result_url, self.fetch.twinsync_task_id = made.xcoms["result_url"], made.result

        return run_task(self.fetch, run_id=run_id, task_id="fetch", pulled={"submit": made.xcoms})


def fetches(emulator) -> int:
    return sum(entry.call == "result" for entry in emulator.world.journal)


@pytest.mark.slow
@pytest.mark.parametrize("reuse", ["runs", "tries"])
def test_another_night_with_the_same_inputs_fetches_nothing(emulator, ledger, files, tmp_path, reuse):
    """Of all runs, if the task says so."""
    night = Night(ledger, str(tmp_path / "a.mp4"), reuse)
    first, second = night.run("monday"), night.run("tuesday")
    assert (first.ended, second.ended) == ("success", "success"), second.error
    is_same = reuse == "runs"
    assert (posts(emulator), fetches(emulator)) == ((1, 1) if is_same else (2, 2))
    records = [json.loads(text) for text in files().values()]
    assert {record["stored"]["sha256"] for record in records} == {
        first.result["sha256"],
        second.result["sha256"],
    }
    assert second.xcoms["path"] == str(tmp_path / "a.mp4")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["gone", "other bytes", "another destination"])
def test_a_video_that_is_not_there_is_fetched_again(emulator, ledger, tmp_path, change):
    """The job is not paid again."""
    video = tmp_path / "a.mp4"
    night = Night(ledger, str(video), "runs")
    first = night.run("monday").result
    if change == "gone":
        video.unlink()
    elif change == "other bytes":
        video.write_bytes(b"x")
    else:
        night.fetch.destination = str(tmp_path / "b.mp4")
    second = night.run("tuesday").result
    assert (posts(emulator), fetches(emulator)) == (1, 2)
    assert second["sha256"] == first["sha256"]


@pytest.mark.slow
def test_a_ledger_that_is_away_costs_no_video(emulator, tmp_path, logged):
    """A line in the log is all."""
    night = Night(str(tmp_path / "ledger"), str(tmp_path / "a.mp4"), "runs")
    made = run_task(night.submit, run_id="monday")
    night.fetch.result_url, night.fetch.twinsync_task_id = made.xcoms["result_url"], made.result
    for path in (tmp_path / "ledger").iterdir():
        path.unlink()
    (tmp_path / "ledger").rmdir()
    (tmp_path / "ledger").write_text("a file")
    run = run_task(night.fetch, run_id="monday", task_id="fetch", pulled={"submit": made.xcoms})
    assert run.ended == "success"
    log = logged()
    assert "TS333 " in log
    assert "TS332 " in log
    assert INPUTS["text"] not in log


def test_a_record_has_the_places_of_the_newest_videos(tmp_path):
    """A ledger reads 64 kB of a record; each place is there once."""
    record, job = tmp_path / "record.json", "20230423_11_23_05_10279"
    record.write_text(json.dumps({"v": 1, "inputs": "0" * 32, "twinsync_task_id": job, "reuse": "runs"}))
    paths = [f"/videos/{number}/{'long' * 50}.mp4" for number in range(200)]
    for path in [*paths, paths[-2]]:
        write_stored(str(record), job, {"path": path, "sha256": "0" * 64})
    kept = [video["path"] for video in read_stored(str(record), job)]
    assert kept[:3] == [paths[-2], paths[-1], paths[-3]]
    assert 20 < len(kept) == len(set(kept))
    assert record.stat().st_size < 40_000
