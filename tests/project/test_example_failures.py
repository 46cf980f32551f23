"""The example DAGs when a video fails, run by `dag.test()`: the others go on, and a run tells of it."""

from __future__ import annotations

import json

import pytest
from support.dags import load, module
from support.environment import AIRFLOW_VERSION
from support.example_runs import xcoms

from airflow_provider_twinsync.emulator.faults import FailJob, ResultCode

pytestmark = pytest.mark.usefixtures("short_jobs")

FETCHED = ("video.fetch", "success")


def test_a_job_that_fails_fails_the_wait_and_makes_no_file(emulator, tmp_path):
    """Downstream of a video that is not there, nothing runs."""
    emulator.world.faults.add("submit", FailJob())
    run = load("three_steps").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert run.state == "failed"
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states == {"submit": "success", "wait": "failed", "fetch": "upstream_failed"}
    assert list(tmp_path.iterdir()) == []


def test_one_text_of_many_that_fails_holds_up_no_other(emulator, tmp_path):
    """Each text goes its own way, to the end."""
    emulator.world.faults.add("submit", FailJob())
    texts = {"a": "One.", "b": "Two.", "c": "Three."}
    run = load("many_photos").test(run_conf={"texts": texts, "folder": str(tmp_path)})
    assert run.state == "failed"
    states = sorted(ti.state for ti in run.get_task_instances() if ti.task_id == "video.fetch")
    assert states == ["success", "success", "upstream_failed"]
    # The names are those of the rows, whichever failed.
    fetched = [ti.map_index for ti in run.get_task_instances() if (ti.task_id, ti.state) == FETCHED]
    names = {f"{run.run_id}-{list(texts)[index]}.mp4" for index in fetched}
    assert {path.name for path in tmp_path.iterdir()} == names


FLAT = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_twinsync.operators import TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG("flat", schedule=None) as dag:
    submit = TwinSyncSubmitOperator.partial(
        task_id="submit", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural"
    ).expand(text=["word " * 151, "Two.", "Three."])
    TwinSyncSensor.partial(task_id="wait", trigger_rule="all_done", timeout=60).expand(
        twinsync_task_id=submit.output
    )
"""


@pytest.mark.slow
def test_rows_that_are_mapped_one_task_at_a_time_move_after_a_failure(emulator, monkeypatch, tmp_path):
    """Which the page about many videos warns of: the first wait has the job of the second row."""
    (tmp_path / "flat.py").write_text(FLAT)
    bundle = {
        "name": "flat",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    run = module("flat", tmp_path).dag.test()
    waits = {ti.map_index: ti.state for ti in run.get_task_instances() if ti.task_id == "wait"}
    assert waits == {0: "success", 1: "success"}
    texts = {f"{emulator.url}/example/{job.id}.mp4": job.text for job in emulator.world.tasks.values()}
    found = [texts[address] for address in xcoms(run, "wait")]
    assert sorted(found) == ["Three.", "Two."]
    assert found == [emulator.world.tasks[job].text for job in xcoms(run, "submit")]


def test_a_run_fails_when_one_of_its_videos_failed(emulator, tmp_path):
    """Although a task that runs whatever became of them has succeeded."""
    emulator.world.faults.add("submit", FailJob())
    run = load("fail_the_run").test(run_conf={"folder": str(tmp_path)})
    assert run.state == "failed"
    [made] = tmp_path.iterdir()
    assert xcoms(run, "summary") == [str(made)]
    states = {ti.task_id: ti.state for ti in run.get_task_instances() if "." not in ti.task_id}
    assert states == {"rows": "success", "summary": "success", "fail_the_run": "failed"}


@pytest.mark.slow
def test_a_run_without_a_failed_video_succeeds(emulator, tmp_path):
    """The task that fails a run is skipped."""
    run = load("fail_the_run").test(run_conf={"folder": str(tmp_path)})
    assert run.state == "success"
    assert xcoms(run, "summary") == [f"{tmp_path}/0.mp4, {tmp_path}/1.mp4"]
    states = {ti.task_id: ti.state for ti in run.get_task_instances() if "." not in ti.task_id}
    assert states == {"rows": "success", "summary": "success", "fail_the_run": "skipped"}


@pytest.mark.slow
def test_without_that_task_such_a_run_succeeds(emulator, tmp_path):
    """Which is why the page exists: Airflow judges a run by its last tasks alone."""
    emulator.world.faults.add("submit", FailJob())
    dag = load("fail_the_run").partial_subset("summary", include_upstream=True)
    assert dag.test(run_conf={"folder": str(tmp_path)}).state == "success"


@pytest.mark.slow
def test_the_example_of_own_tasks_takes_the_other_photo(emulator, tmp_path):
    """Of a photo that the service cannot use, no job is made."""
    emulator.world.faults.add("submit", ResultCode(code=202))
    photos = ["https://example.com/broken.jpg", "https://example.com/spare.jpg"]
    run = load("own_tasks").test(run_conf={"photos": photos, "destination": str(tmp_path / "video.mp4")})
    assert run.state == "success"
    assert [job.image_url for job in emulator.world.tasks.values()] == photos[1:]


def test_the_example_of_alerts_goes_on_without_a_video(emulator, tmp_path, logged):
    """The callback hears of the task that failed, in the task's words; the others were not run."""
    emulator.world.faults.add("submit", FailJob())
    run = load("alerts").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states == {
        "submit": "success",
        "wait": "failed",
        "fetch": "upstream_failed",
        "go_on_without_it": "success",
    }
    (job,) = emulator.world.tasks
    told = [line for line in logged().splitlines() if "No video: wait failed. " in line]
    assert told
    # Of Airflow 3.0 to 3.2, `dag.test()` gives a callback no exception; a worker does.
    if not (3, 0) <= AIRFLOW_VERSION < (3, 3):
        assert all(f"wait failed. TS401 TwinSync job {job} failed (code 104)" in line for line in told)


@pytest.mark.slow
def test_the_example_of_alerts_is_quiet_when_there_is_a_video(emulator, tmp_path, logged):
    """Nothing to tell, and nothing to do without one."""
    run = load("alerts").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states.pop("go_on_without_it") == "skipped"
    assert set(states.values()) == {"success"}
    assert "No video: " not in logged()
