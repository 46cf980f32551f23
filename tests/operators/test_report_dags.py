"""`TwinSyncReportOperator` in real runs of DAGs, after mapped tasks that fail."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.airflow_runs import rows
from support.dags import module

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow
DAGS = Path(__file__).with_name("report_dags")


@pytest.fixture
def run(migrated, connection, monkeypatch, tmp_path) -> Callable[..., str]:
    """Run one of the DAGs of these tests, and return its state."""
    bundle = {
        "name": "reports",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))

    def run(name: str, *texts: str, unchanged: int = 0) -> str:
        made = [{"row_id": f"row-{n}", "text": text} for n, text in enumerate(texts)]
        planned: list[dict[str, Any]] = [
            {**row, "state": "new", "map_index": n} for n, row in enumerate(made)
        ]
        planned += [
            {"row_id": f"old-{n}", "state": "unchanged", "stored": {"path": f"{tmp_path}/old-{n}.mp4"}}
            for n in range(unchanged)
        ]
        plan = {"version": 1, "source": "/data/night.csv", "rows": planned}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        dag = getattr(module("reports", DAGS), name)
        return str(dag.test(run_conf={"folder": str(tmp_path), "rows": made}).state)

    return run


def states(page: Path) -> dict[str, str]:
    """Return the state of each row on the page."""
    found = re.findall(r'<li data-state="(\w+)".*?<bdi>(.*?)</bdi>', page.read_text(), re.S)
    return {name: state for state, name in found}


def test_a_night_with_failures(run, tmp_path):
    """The page has each row of the plan, links to the tasks that failed, and the run is red."""
    assert run("night", "Good morning.", "silent", "lost", "Good night.", unchanged=1) == "failed"
    page = tmp_path / "report.html"
    assert states(page) == {
        "row-1": "rejected",
        "row-2": "missing",
        "row-0": "made",
        "row-3": "made",
        "old-0": "unchanged",
    }
    assert "It is silent." in page.read_text()
    links = re.findall(r'href="(http[^"]*make[^"]*)"', page.read_text())
    assert len(links) == 4
    assert {re.search(r"(?:/mapped/|map_index=)(\d)", link)[1] for link in links} == set("0123")
    [(state,)] = rows("select state from task_instance where dag_id = 'reports_night' and task_id = 'report'")
    assert state == "failed"  # and not up for a retry
    pushed = rows("select key, value from xcom where dag_id = 'reports_night' and task_id = 'report'")
    assert {key: json.loads(value) for key, value in pushed} == {
        "path": str(page),
        "return_value": {"path": str(page), "videos": 3, "missing": 2, "unchanged": 1},
    }


def test_a_night_without_changes(run, tmp_path, logged):
    """No task is mapped, and the report is there all the same."""
    assert run("night", unchanged=2) == "success"
    assert set(states(tmp_path / "report.html").values()) == {"unchanged"}
    assert "Nothing new: 2 rows unchanged, nothing was paid." in (tmp_path / "report.html").read_text()
    assert "Nothing new: 2 rows unchanged, nothing was paid." in logged()


def test_one_video(emulator, run, tmp_path):
    """Without a plan the page has the video alone."""
    assert run("one") == "success"
    assert states(tmp_path / "report.html") == {"a.mp4": "made"}
