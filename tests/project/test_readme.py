"""The README is true: its examples are run, and its lists are compared with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow

from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_its_dag_makes_three_tasks_that_follow_each_other():
    """The DAG to copy is a DAG, whose tasks are chained by what they give each other."""
    (code,) = re.findall(r"```python\n(from airflow.sdk import DAG.*?)```", README, flags=re.S)
    if airflow.__version__.startswith("2."):  # as the README says
        code = re.sub(r"from airflow\.sdk import DAG  # Airflow 2: (.*)", r"\1", code)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["wait"].upstream_task_ids == {"submit"}
    assert names["fetch"].upstream_task_ids == {"wait", "submit"}


def test_its_connection_of_the_emulator_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is all that is needed, for an emulator that is started as shown."""
    [definition] = re.findall(r"AIRFLOW_CONN_TWINSYNC_DEFAULT='([^']*)'", README)
    monkeypatch.setenv("AIRFLOW_CONN_TWINSYNC_DEFAULT", definition)
    settings = TwinSyncHook().settings()
    shown = re.findall(r"TwinSync emulator at (\S+) with key (\S+)", README)
    assert shown == [(settings.url.removesuffix("/phototalking"), settings.key)]


def test_one_file_has_the_dag() -> None:
    """Its name is that of the DAG, in the folder that Airflow reads."""
    [name] = re.findall(r'with DAG\("(\w+)"', README)
    assert f"`$AIRFLOW_HOME/dags/{name}.py`" in README


def test_nothing_is_left_to_be_filled_in():
    """A word in capitals alone in a cell or a line is a place that was forgotten."""
    assert re.findall(r"(?m)^\|.*\| [A-Z-]{4,} \|$|^[A-Z-]{6,}$", README) == []
