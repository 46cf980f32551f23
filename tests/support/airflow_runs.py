"""The database of the tests' Airflow, and code in an interpreter of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import airflow

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")


def rows(query: str) -> list[tuple]:
    """Ask the tests' Airflow's database."""
    with sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db") as database:
        return database.execute(query).fetchall()


def xcoms(dag_id: str) -> dict[tuple[str, str, int], str]:
    found = rows(f"select task_id, key, map_index, value from xcom where dag_id = '{dag_id}'")
    return {(task_id, key, index): json.loads(value) for task_id, key, index, value in found}


def python(code: str, **env: str) -> str:
    """Run some code in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])} | env,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shown_links(dag_id: str) -> dict[tuple[str, int], str]:
    """Return the link of each task as Airflow finds and shows it."""
    key = "twinsync_link" if IS_AIRFLOW_2 else "_link_TwinSyncVideoLink"
    return {(task_id, index): link for (task_id, found, index), link in xcoms(dag_id).items() if found == key}
