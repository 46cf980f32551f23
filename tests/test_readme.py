"""The README is true: what it shows is run, and what it lists is compared."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_twinsync.connection import _EXTRAS
from airflow_provider_twinsync.hooks import TwinSyncHook
from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    """The first column of the first table after a heading, and the rest of each row."""
    table = README.partition(heading)[2].partition("|---")[2].partition("\n\n")[0]
    lines = [line.strip("| ").split("|") for line in table.splitlines()[1:]]
    return {name: "|".join(rest) for first, *rest in lines for name in re.findall(r"`(\w+)`", first)}


def test_its_dag_makes_three_tasks_that_follow_each_other(monkeypatch):
    """The DAG to copy is a DAG, whose tasks are chained by what they give each other."""
    (code,) = re.findall(r"```python\n(from airflow.sdk import DAG.*?)```", README, flags=re.S)
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["wait"].upstream_task_ids == {"submit"}
    assert names["fetch"].upstream_task_ids == {"wait"}


@pytest.mark.parametrize("operator", [TwinSyncSubmitOperator, TwinSyncSensor, TwinSyncDownloadOperator])
def test_it_lists_every_argument_of_each_operator(operator):
    """Neither one that is not there, nor one too few; and which ones are template fields."""
    listed = rows(f"**`{operator.__name__}`** gives")
    arguments = {
        name
        for name, parameter in inspect.signature(operator.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert set(listed) == arguments
    table = README.partition(f"**`{operator.__name__}`** gives")[2].partition("\n\n**")[0]
    assert set(re.findall(r"`(\w+)` \*t\*", table)) == set(operator.template_fields)


def test_it_lists_every_field_of_the_extra_with_its_default():
    """The table of the connection is that of the code."""
    table = README.partition("| field of the extra |")[2].partition("|---|---|---|\n")[2].partition("\n\n")[0]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()]
    listed = {name: default for name, _, default in cells}
    assert list(listed) == list(_EXTRAS)
    for name, default in listed.items():
        if isinstance(_EXTRAS[name][0], (str, int, float)):
            assert json.dumps(_EXTRAS[name][0]).strip('"').removesuffix(".0") == default


@pytest.mark.parametrize("definition", re.findall(r"AIRFLOW_CONN_TWINSYNC_DEFAULT='([^']*)'", README))
def test_the_connections_it_shows_are_connections(monkeypatch, definition):
    """As JSON and as a URI, with a number in the extra."""
    monkeypatch.setenv("AIRFLOW_CONN_TWINSYNC_DEFAULT", definition)
    settings = TwinSyncHook().settings()
    assert settings.key == "YOUR-ACCESS-KEY"
    assert settings.url == "http://api2.sam-sara.cn:17374/phototalking"
    assert settings.tolerance_s == 900
    assert settings.verify is True


def test_the_task_of_ones_own_is_a_task():
    """It runs, against the connection it has: none, which is said as an operator says it."""
    from airflow.providers.common.compat.sdk import AirflowException

    (code,) = re.findall(r"```python\n(from airflow.sdk import task.*?)```", README, flags=re.S)
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    with pytest.raises(AirflowException, match="twinsync_default"):
        names["submit_one"].function("Hello")


def test_nothing_is_left_to_be_filled_in():
    """A word in capitals alone in a cell or a line is a place that was forgotten."""
    assert re.findall(r"(?m)^\|.*\| [A-Z-]{4,} \|$|^[A-Z-]{6,}$", README) == []


def test_it_shows_both_ways_to_define_a_connection():
    """The test above has something to test."""
    assert len(re.findall(r"AIRFLOW_CONN_TWINSYNC_DEFAULT='([^']*)'", README)) == 2
    assert json.loads(re.findall(r"AIRFLOW_CONN_TWINSYNC_DEFAULT='(\{[^']*)'", README)[0])


def test_the_test_it_shows_passes(tmp_path):
    """With the plugin it names, in a folder of its own."""
    (code,) = re.findall(r"```python\n(import pytest.*?)```", README, flags=re.S)
    (tmp_path / "conftest.py").write_text(
        'pytest_plugins = ["airflow_provider_twinsync.emulator.pytest_plugin"]\n'
    )
    (tmp_path / "test_it.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "1 passed" in ran.stdout, ran.stdout
