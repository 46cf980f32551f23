"""The events of assets: each describes its video."""

from __future__ import annotations

import hashlib
import re

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from support.airflow_runs import IS_AIRFLOW_2, xcoms
from support.drive import run_task
from support.lineage import PHOTO, SIGNATURE, VOICE, download, video

from airflow_provider_twinsync._api.submit import fingerprint

VIDEO = Asset("video")
VIDEO_KEYS = {
    *("path", "bytes", "sha256", "content_type", "duration_s", "poster", "captions", "checks"),
    *("twinsync_task_id", "fingerprint"),
}


def named(emulator, text: str) -> str:
    """The fingerprint of the inputs that these tests submit; a signature is no part of it."""
    return fingerprint(f"{emulator.url}/phototalking", text, PHOTO, VOICE)


@pytest.fixture
def outlet_events(monkeypatch):
    """Airflow's own, in the context of each task that is driven."""
    if IS_AIRFLOW_2:
        from airflow.utils.context import OutletEventAccessors
    else:
        from airflow.sdk.execution_time.context import OutletEventAccessors
    return OutletEventAccessors()


def test_the_event_describes_the_video(emulator, connection, outlet_events, tmp_path):
    """Path, bytes, checksum and job, for each asset; the extra of others stays."""
    job = emulator.world.accept(text="Hello", image_url=PHOTO, pronouncer=VOICE).id
    assets = [Asset("video"), Asset("another")]
    outlet_events[assets[0]].extra["mine"] = 1
    address = f"{emulator.url}/example/{job}.mp4"
    operator = download(
        result_url=address,
        twinsync_task_id=job,
        destination=tmp_path / "v.mp4",
        outlets=[*assets, AssetAlias("alias")],
    )
    operator.outlets.append(object())  # which Airflow passes over
    run = run_task(operator, context={"outlet_events": outlet_events})
    video = (tmp_path / "v.mp4").read_bytes()
    extra = {
        "path": str(tmp_path / "v.mp4"),
        "bytes": len(video),
        "sha256": hashlib.sha256(video).hexdigest(),
        "content_type": "video/mp4",
        "duration_s": 1.0,
        "poster": None,
        "captions": {},
        "checks": None,
        "twinsync_task_id": job,
        "fingerprint": None,  # no submit of this run made the job
    }
    assert run.ended == "success", run.error
    assert outlet_events[assets[0]].extra == {"mine": 1, **extra}
    assert outlet_events[assets[1]].extra == extra


def test_the_event_of_the_whole_video(emulator, connection, outlet_events, tmp_path):
    """Also after a deferral: its result, and the length of the text and the voice."""
    emulator.world.waiting_s = 0.3
    operator = video(destination=tmp_path / "v.mp4", outlets=[VIDEO])
    run = run_task(operator, task_id="video", context={"outlet_events": outlet_events})
    assert run.trigger
    assert outlet_events[VIDEO].extra == {**run.result, "text_words": 1, "pronouncer": VOICE}


def test_an_event_that_cannot_describe_the_video_ends_no_task(emulator, connection, tmp_path, caplog):
    """The video is worth more; a download without a job has no inputs."""

    class Events:
        def __getitem__(self, outlet: object) -> None:
            raise RuntimeError("no event")

    job = emulator.world.accept(text="Hello", image_url=PHOTO, pronouncer=VOICE).id
    address = f"{emulator.url}/example/{job}.mp4"
    operator = download(result_url=address, destination=tmp_path / "v.mp4", outlets=[VIDEO])
    assert run_task(operator, context={"outlet_events": Events()}).ended == "success"
    assert re.search(r"TS604 .*: no event", caplog.text)
    assert "TS603" not in caplog.text


@pytest.mark.slow
def test_a_download_that_fails_has_no_event(emulator, connection, outlet_events, tmp_path):
    """Airflow makes no event for it either."""
    operator = download(result_url="http://127.0.0.1:9/x", destination=tmp_path / "v.mp4", outlets=[VIDEO])
    run = run_task(operator, context={"outlet_events": outlet_events})
    assert run.ended != "success"
    assert dict(outlet_events) == {}


@pytest.mark.slow
def test_each_of_many_videos_has_the_fingerprint_of_its_own_inputs(emulator, dags):
    """Mapped like the submit, in another order, or not mapped: it is the job's id that counts."""
    assert dags("many") == "success"
    left = xcoms("lineage_many")
    told = [value for (_, key, _), value in left.items() if key == "told"]
    made = {job.id: named(emulator, job.text) for job in emulator.world.tasks.values()}
    assert len(made) == 4
    assert len(told) == 5
    assert {one["twinsync_task_id"]: one["fingerprint"] for one in told} == made | {"a-job-of-nobody": None}
    assert {set(one) == VIDEO_KEYS for one in told} == {True}
    inputs = [value for (_, key, _), value in left.items() if key == "twinsync_inputs"]
    assert len(inputs) == 4
    assert SIGNATURE not in str(inputs)
