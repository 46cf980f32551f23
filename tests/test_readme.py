"""The README is true: what it shows is run, and what it lists is compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import airflow

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def test_its_dag_makes_three_tasks_that_follow_each_other():
    """The DAG to copy is a DAG, whose tasks are chained by what they give each other."""
    (code,) = re.findall(r"```python\n(from airflow.sdk import DAG.*?)```", README, flags=re.S)
    if airflow.__version__.startswith("2."):  # as the README says
        code = code.replace("from airflow.sdk import DAG", "from airflow import DAG")
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["wait"].upstream_task_ids == {"submit"}
    assert names["fetch"].upstream_task_ids == {"wait", "submit"}


def test_nothing_is_left_to_be_filled_in():
    """A word in capitals alone in a cell or a line is a place that was forgotten."""
    assert re.findall(r"(?m)^\|.*\| [A-Z-]{4,} \|$|^[A-Z-]{6,}$", README) == []
