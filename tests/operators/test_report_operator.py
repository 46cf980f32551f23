"""`TwinSyncReportOperator`: its arguments, its page, its posters, and its end."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from PIL import Image
from support.drive import run_task

from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.operators import TwinSyncReportOperator


def jpeg(size: int = 400) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (size, size), "#aa3366").save(packed, "JPEG")
    return packed.getvalue()


@pytest.fixture
def report(tmp_path):
    """Run a report, and return the try and the page."""

    def report(**arguments: Any) -> tuple[Any, str]:
        given = {"task_id": "report", "destination": tmp_path / "out" / "report.html", **arguments}
        run = run_task(TwinSyncReportOperator(**given), task_id="report")
        page = tmp_path / "out" / "report.html"
        return run, page.read_text("utf-8") if page.exists() else ""

    return report


@pytest.fixture
def plan(tmp_path):
    """Write a plan of rows, and return its path."""

    def plan(*rows: dict[str, Any], **fields: Any) -> str:
        content = {"version": 1, "source": "s3://conn@sheets/night.csv", "rows": rows, **fields}
        (tmp_path / "plan.json").write_text(json.dumps(content))
        return str(tmp_path / "plan.json")

    return plan


def test_the_result(report, tmp_path):
    video = {"path": str(tmp_path / "a.mp4"), "row_id": "a"}
    run, page = report(videos=[video, {"path": "s3://b/c.mp4"}])
    path = str(tmp_path / "out" / "report.html")
    assert run.result == {"path": path, "videos": 2, "missing": 0, "unchanged": 0}
    assert run.xcoms == {"path": path}
    assert re.findall('href="([^"]+)"', page) == ["../a.mp4"]
    assert page.count("<li ") == 2


def test_one_result_is_a_list_of_one(report):
    assert report(videos={"path": "/a.mp4"})[0].result["videos"] == 1


def test_a_missing_video_fails_after_the_page_is_written(report, plan):
    """The error names the rows, and skips the retries."""
    rows = [{"row_id": f"row {number}", "state": "new"} for number in range(12)]
    run, page = report(videos=[{"path": "/a.mp4", "row_id": "row 0"}], plan=plan(*rows))
    assert run.ended == "AirflowFailException"
    assert re.match(r"TS605 11 of 12 .*'row 1', .* and 1 more\. The report is at ", str(run.error))
    assert page.count('<li data-state="missing"') == 11
    assert "Videos of night.csv" in page
    assert run.xcoms["return_value"]["missing"] == 11


def test_a_rejected_video_without_a_plan_fails_too(tmp_path):
    """The task that made it has pushed the numbers."""
    operator = TwinSyncReportOperator(task_id="report", videos=[], destination=tmp_path / "r.html")
    operator.video_task_ids = ["make"]
    found = {"row_id": "a", "message": "It is silent.", "checks": {"longest_silent_s": 9.5}}
    run = run_task(operator, task_id="report", pulled={"make": {"rejected": [found, None]}})
    assert str(run.error).startswith("TS605 1 of 1 ")
    assert "9.5 s" in (tmp_path / "r.html").read_text("utf-8")


def test_posters_are_small_and_embedded(report, tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    _, page = report(videos=[{"path": "/a.mp4", "poster": str(tmp_path / "a.jpg")}])
    [data] = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (160, 160)


def test_a_poster_that_is_unreadable_is_a_warning(report, tmp_path, logged):
    (tmp_path / "text.jpg").write_text("no picture")
    posters = [str(tmp_path / "gone.jpg"), str(tmp_path / "text.jpg"), "nosuch://b/a.jpg"]
    run, page = report(videos=[{"path": f"/{n}.mp4", "poster": one} for n, one in enumerate(posters)])
    assert run.ended == "success"
    assert "<img" not in page
    assert "TS607 3 posters" in logged()


def test_without_the_extra_there_are_no_posters(report, tmp_path, logged, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "airflow_provider_twinsync._content.report.thumbnail", raising=False)
    (tmp_path / "a.jpg").write_bytes(jpeg())
    run, page = report(videos=[{"path": "/a.mp4", "poster": str(tmp_path / "a.jpg")}])
    assert run.ended == "success"
    assert "<img" not in page
    assert "TS140 " in logged()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"videos": ["/a.mp4"]}, "TS151"),
        ({"videos": [], "plan": "/nosuch/plan.json"}, "TS150"),
        ({"videos": [], "plan": [{"text": "Hello."}]}, "TS150"),
        ({"videos": [], "plan": "None"}, "TS103"),
        ({"videos": [], "destination": "/dev/null/report.html"}, "TS522"),
        ({"videos": [], "destination": ["a.html"]}, "TS120"),
    ],
    ids=["videos", "no plan", "the rows", "unrendered plan", "destination", "destinations"],
)
def test_a_wrong_argument_fails_without_a_retry(report, arguments, code):
    run, _ = report(**arguments)
    assert run.ended == "AirflowFailException"
    assert str(run.error).startswith(f"{code} ")


def test_a_file_that_is_no_plan(report, plan):
    run, _ = report(videos=[], plan=plan(version=2))
    assert str(run.error).startswith("TS150 ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"videos": BaseOperator(task_id="make")}, "TS117"),
        ({"videos": [], "plan": BaseOperator(task_id="plan")}, "TS117"),
        ({"videos": [], "destination": "/reports/"}, "TS125"),
    ],
)
def test_a_wrong_constant_is_an_error_of_the_dag_file(arguments, code):
    with pytest.raises(UsageError) as caught:
        TwinSyncReportOperator(**{"task_id": "report", "destination": "/r.html", **arguments})
    assert caught.value.code == code


def test_the_report_runs_after_a_failure_too():
    assert TwinSyncReportOperator(task_id="r", videos=[], destination="/r.html").trigger_rule == "all_done"


def test_the_tasks_of_the_videos_are_known():
    """Those that failed return nothing, and have pushed their numbers."""
    with DAG("nights", schedule=None):
        make, other = BaseOperator(task_id="make"), BaseOperator(task_id="other")
        for number, (videos, expected) in enumerate(
            [
                (make.output, ["make"]),
                ([make.output, other.output], ["make", "other"]),
                (make.output.map(str), ["make"]),
                ([{"path": "/a.mp4"}], []),
            ]
        ):
            operator = TwinSyncReportOperator(task_id=f"r{number}", videos=videos, destination="/r.html")
            assert operator.video_task_ids == expected


def test_a_plan_without_a_page_is_no_plan(report):
    """A plan of a list pushes an empty text."""
    run, _ = report(videos=[{"path": "/a.mp4"}], plan="")
    assert (run.ended, run.result["videos"]) == ("success", 1)
