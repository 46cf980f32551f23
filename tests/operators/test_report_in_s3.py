"""`TwinSyncReportOperator` beside its videos in S3."""

from __future__ import annotations

import io
import json
import re

import pytest
from PIL import Image
from support.buckets import BUCKET, photo_bucket
from support.drive import run_task

from airflow_provider_twinsync.operators import TwinSyncReportOperator

pytest.importorskip("s3fs", reason="the tests of S3 need the provider for it")
pytest.importorskip("moto", reason="the tests of S3 need an S3 on loopback")

CONNECTION = "s3_of_reports"


@pytest.mark.slow
def test_a_report_in_s3(moto_port):
    """Plan and posters come from the bucket; a browser gets a page, whose links are relative."""
    root = f"s3://{CONNECTION}@{BUCKET}"
    packed = io.BytesIO()
    Image.new("RGB", (300, 300)).save(packed, "JPEG")
    plan = {"version": 1, "rows": [{"row_id": "a", "state": "new"}]}
    with photo_bucket(moto_port, CONNECTION) as client:
        client.put_object(Bucket=BUCKET, Key="plan.json", Body=json.dumps(plan).encode())
        client.put_object(Bucket=BUCKET, Key="a.jpg", Body=packed.getvalue())
        operator = TwinSyncReportOperator(
            task_id="report",
            videos=[{"path": f"{root}/2026/a.mp4", "poster": f"{root}/a.jpg", "row_id": "a"}],
            plan=f"{root}/plan.json",
            destination=f"{root}/reports/night.html",
        )
        run = run_task(operator, task_id="report")
        assert run.ended == "success", run.error
        page = client.get_object(Bucket=BUCKET, Key="reports/night.html")
    assert page["ContentType"] == "text/html"
    text = page["Body"].read().decode()
    assert re.findall('href="([^"]+)"', text) == ["../2026/a.mp4"]
    assert "data:image/jpeg" in text
