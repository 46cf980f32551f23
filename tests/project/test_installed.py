"""Whoever starts Python here finds one package, the one that is tested, wherever the checkout lies."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_twinsync
from dev.airflow.processes import Processes

CHECKOUT = Path(__file__).resolve().parents[2]
TESTED = airflow_provider_twinsync.__file__
SHOW = "import airflow_provider_twinsync as package; print('package:', package.__file__, flush=True)"


def test_a_program_that_a_test_starts() -> None:
    """Tests run in a folder without packages."""
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    assert done.stdout == f"package: {TESTED}\n"


def test_a_command_in_the_checkout() -> None:
    """`python -m dev` finds `dev` in the working folder, but not the package that lies beside it."""
    command = [sys.executable, "-v", "-m", "dev", "chaos", "--help"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    loaded = [line for line in done.stderr.splitlines() if "airflow_provider_twinsync/__init__.py" in line]
    assert loaded
    assert all(TESTED in line for line in loaded)


@pytest.mark.skipif(not os.environ.get("TWINSYNC_TEST_INSTALLED"), reason="another environment than make's")
def test_what_is_installed_is_compiled() -> None:
    """Without bytecode every process would compile Airflow, where PYTHONDONTWRITEBYTECODE is set."""
    for package in (airflow_provider_twinsync, importlib.import_module("airflow.sdk")):
        modules = list(Path(package.__file__ or "").parent.rglob("*.py"))
        missing = [path for path in modules if not Path(importlib.util.cache_from_source(str(path))).exists()]
        assert modules
        assert missing == []


@pytest.mark.whole_airflow
def test_the_benchmarks_bring_nothing_into_the_environment_of_the_tests() -> None:
    """The providers that they compare with import OpenLineage, which a test rules out."""
    command = ["make", "--dry-run", "--always-make", "bench"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    installs = [line for line in done.stdout.replace("\\\n", " ").splitlines() if "--group bench" in line]
    assert installs
    assert [line for line in installs if "--python .venv-bench/bin/python" not in line] == []


@pytest.mark.whole_airflow
def test_what_the_demo_starts(tmp_path: Path) -> None:
    """Airflow, which is forked, and programs such as the emulator."""
    (tmp_path / "config").mkdir()
    # Airflow imports this when it begins.
    (tmp_path / "config" / "airflow_local_settings.py").write_text(SHOW, encoding="utf-8")
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    processes = Processes(Path(sys.executable), tmp_path / "logs", env)
    try:
        processes.start("program", [sys.executable, "-c", SHOW])
        processes.wait_for_end("program", timeout_s=60)
        processes.start_airflow("airflow", "version")
        processes.wait_for_end("airflow", timeout_s=120)
    finally:
        processes.close()
    for name in ("program", "keeper"):
        shown = [line for line in processes.log(name).read_text().splitlines() if line.startswith("package:")]
        assert shown == [f"package: {TESTED}"], name


@pytest.mark.slow
@pytest.mark.skipif(
    not (CHECKOUT / "airflow_provider_twinsync").is_dir(), reason="no sources beside the tests"
)
@pytest.mark.parametrize(("asked", "status"), [("1", pytest.ExitCode.USAGE_ERROR), ("", pytest.ExitCode.OK)])
def test_the_sources_are_not_tested_in_the_place_of_the_wheel(asked: str, status: int) -> None:
    """Unless somebody wants that: `python -m pytest` finds them first."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only"]
    done = subprocess.run(
        [*command, "tests/project/test_installed.py"],
        cwd=CHECKOUT,
        env={**os.environ, "TWINSYNC_TEST_INSTALLED": asked},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert f"airflow_provider_twinsync: {CHECKOUT / 'airflow_provider_twinsync'}" in done.stdout or asked
    assert ("run `make test`" in done.stdout + done.stderr) == bool(asked)
