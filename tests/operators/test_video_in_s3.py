"""`TwinSyncVideoOperator` with a destination in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.buckets import BUCKET, keys, photo_bucket
from support.drive import run_task
from support.submits import INPUTS, code_of, posts

from airflow_provider_twinsync.operators import TwinSyncVideoOperator

pytest.importorskip("s3fs", reason="the tests of S3 need the provider for it")
pytest.importorskip("moto", reason="the tests of S3 need an S3 on loopback")

if TYPE_CHECKING:
    from support.drive import Run

CONNECTION = "s3_of_whole_videos"


def make(destination: str) -> Run:
    given = {**INPUTS, "task_id": "video", "poke_interval": 0, "deferrable": False}
    return run_task(TwinSyncVideoOperator(**given, destination=destination), task_id="video")


@pytest.mark.slow
def test_a_bucket_that_does_not_exist_costs_nothing(emulator, connection, moto_port):
    """The task fails before it pays; a bucket that exists gets the video."""
    with photo_bucket(moto_port, CONNECTION) as client:
        missing = make(f"s3://{CONNECTION}@no-bucket-of-that-name/a.mp4")
        assert (missing.ended, code_of(missing.error)) == ("AirflowFailException", "TS522")
        assert posts(emulator) == 0
        made = make(f"s3://{CONNECTION}@{BUCKET}/2026/a.mp4")
        assert made.ended == "success", made.error
        assert keys(client) == ["2026/a.mp4"]
