"""The download operator: its result, and a destination that cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.drive import run_task
from support.submits import submit

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator


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
        "duration_s": pytest.approx(3, abs=1.5),
        "poster": None,
        "captions": {},
        "checks": None,
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
