"""The installed package in the type checker of a DAG author."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version

pytest.importorskip("mypy", reason="the tests of types need mypy")

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(airflow_version < "3.3", reason="the author's code is for Airflow 3.3")
def test_a_dag_author_sees_types(tmp_path: Path) -> None:
    """Every call in that file has the type it says, or the error it says; from outside the checkout."""
    shutil.copy(CHECKOUT / "tests/typing/dag_author.py", tmp_path)
    command = [sys.executable, "-m", "mypy", "--config-file=", "--strict", "dag_author.py"]
    command += ["--cache-dir", str(CHECKOUT / ".mypy_cache/dag_author")]
    checked = subprocess.run(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )
    assert checked.returncode == 0, checked.stdout
