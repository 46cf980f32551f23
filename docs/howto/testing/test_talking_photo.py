import json

import pytest
from talking_photo import dag

from airflow_provider_twinsync.emulator import AcceptThenReset, FailJob, HttpError


@pytest.fixture(autouse=True)
def world(twinsync_emulator, monkeypatch):
    """Lead the default connection to an emulator, and give what it knows."""
    connection = {
        "conn_type": "twinsync",
        "host": twinsync_emulator.host,
        "port": twinsync_emulator.port,
        "password": twinsync_emulator.key,
    }
    monkeypatch.setenv("AIRFLOW_CONN_TWINSYNC_DEFAULT", json.dumps(connection))
    return twinsync_emulator.world


@pytest.fixture
def video(tmp_path):
    """Say where the video goes."""
    return tmp_path / "video.mp4"


def test_a_video_is_made(world, video):
    run = dag.test(run_conf={"text": "Hello!", "destination": str(video)})
    assert run.state == "success"
    assert [job.text for job in world.tasks.values()] == ["Hello!"]
    assert video.stat().st_size > 0


def test_a_busy_service_is_asked_again(world, video):
    world.faults.add("submit", HttpError(status=429, retry_after_s=1))
    run = dag.test(run_conf={"destination": str(video)})
    assert run.state == "success"
    assert len(world.tasks) == 1


def test_a_job_that_fails_fails_the_run(world, video):
    world.faults.add("submit", FailJob())
    run = dag.test(run_conf={"destination": str(video)})
    assert run.state == "failed"
    assert not video.exists()


def test_a_lost_answer_is_not_paid_twice(world, video):
    world.faults.add("submit", AcceptThenReset())
    run = dag.test(run_conf={"destination": str(video)})
    assert run.state == "failed"
    assert len(world.tasks) == 1
