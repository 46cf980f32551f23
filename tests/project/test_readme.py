"""The README is true: its examples are run, and its lists are compared with the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow
import pytest
from support.dags import module

from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator import Emulator

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def dags() -> list[str]:
    """Return the code of each DAG, on Airflow 2 with the import that the README names."""
    codes = re.findall(r"```python\n(from airflow.sdk import DAG.*?)```", README, flags=re.S)
    if airflow.__version__.startswith("2."):
        return [re.sub(r"from airflow\.sdk import DAG  # Airflow 2: (.*)", r"\1", code) for code in codes]
    return codes


def test_the_first_dag_fits_into_ten_lines() -> None:
    """With its imports; `test_quickstart.py` runs it."""
    first, _ = dags()
    assert len([line for line in first.splitlines() if line]) <= 10
    names: dict[str, Any] = {}
    exec(compile(first, "README.md", "exec"), names)


@pytest.mark.slow
@pytest.mark.usefixtures("short_jobs")
def test_the_second_dag_makes_the_same_in_three_steps(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chained by what they give each other, to a video."""
    first, second = dags()
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "steps.py").write_text(second.replace("/tmp/videos", f"{tmp_path}/videos"), encoding="utf-8")
    bundle = {
        "name": "readme",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    steps = module("steps", folder)
    assert steps.wait.upstream_task_ids == {"submit"}
    assert steps.fetch.upstream_task_ids == {"wait", "submit"}
    assert steps.submit.dag.test().state == "success"
    [job] = emulator.world.tasks.values()
    assert f'text="{job.text}"' in first
    assert [video.suffix for video in (tmp_path / "videos").iterdir()] == [".mp4"]


def test_its_connection_of_the_emulator_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is all that is needed, for an emulator that is started as shown."""
    [definition] = re.findall(r"AIRFLOW_CONN_TWINSYNC_DEFAULT='([^']*)'", README)
    monkeypatch.setenv("AIRFLOW_CONN_TWINSYNC_DEFAULT", definition)
    settings = TwinSyncHook().settings()
    shown = re.findall(r"TwinSync emulator at (\S+) with key (\S+)", README)
    assert shown == [(settings.url.removesuffix("/phototalking"), settings.key)]


def test_one_file_has_the_dag() -> None:
    """Its name is that of the DAG, in the folder that Airflow reads."""
    name, *_ = re.findall(r'with DAG\("(\w+)"', README)
    assert f"`$AIRFLOW_HOME/dags/{name}.py`" in README


def test_nothing_is_left_to_be_filled_in():
    """A word in capitals alone in a cell or a line is a place that was forgotten."""
    assert re.findall(r"(?m)^\|.*\| [A-Z-]{4,} \|$|^[A-Z-]{6,}$", README) == []
