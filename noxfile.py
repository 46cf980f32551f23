"""The cells of `make matrix`: the tests with each release of Airflow, from the built wheel.

`nox -s 2.11.2-3.10` runs one. `dev/matrix.py` runs many, and prints the table.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

#: Airflow's releases, each with the Pythons that it is tested with; the pins of each are in constraints/.
CELLS = {
    "2.11.2": ["3.10", "3.12"],
    "3.0.6": ["3.11", "3.12"],
    "3.1.8": ["3.11", "3.12", "3.13"],
    "3.2.2": ["3.11", "3.12", "3.13", "3.14"],
    "3.3.2": ["3.10", "3.11", "3.12", "3.13", "3.14"],
    "3.4.0b2": ["3.12"],  # the newest pre-release: `make matrix` reports a failure of it, and passes
    "lowest": ["3.10"],  # what pyproject.toml allows at least
}
#: Tests that take long and depend on libraries more than on Airflow. `BRIEF=1 make matrix`, as in `.ci/run`,
#: leaves them out: there the newest Airflow runs them.
BRIEF = (
    "tests/_api",
    "tests/_content",
    "tests/_download",
    "tests/_http",
    "tests/_records/test_crash_points.py",
    "tests/_records/test_racers.py",
    "tests/_wait",
    "tests/emulator",
    "tests/operators/test_every_line.py",
    "tests/project/test_docs.py",
    "tests/project/test_example_videos.py",
    "tests/project/test_simulation.py",
    "tests/test_text.py",
    "tests/test_text_split.py",
)
PACKAGE = "airflow_provider_twinsync"
CHECKOUT = Path(__file__).resolve().parent
WORK = CHECKOUT / ".nox"
BUILT = WORK / "built"
WHERE = f"import sys, {PACKAGE} as it; assert it.__file__.startswith(sys.prefix), it.__file__"

nox.needs_version = ">=2026.4.10"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # dev/matrix.py reports them


@nox.session(python=False)
def build(session: nox.Session) -> None:
    """Build the wheel, and put beside it all that the tests read but the package."""
    shutil.rmtree(BUILT, ignore_errors=True)
    session.run("uv", "build", "--quiet", "--out-dir", str(BUILT), external=True)
    not_tests = shutil.ignore_patterns(
        PACKAGE, "[.]*", "__pycache__", "_build", "demo-output", "dist", "build"
    )
    shutil.copytree(CHECKOUT, BUILT / "tests", ignore=not_tests)


def cell(session: nox.Session) -> None:
    """Run the tests that start no Airflow of their own, where there is no other package than the wheel's."""
    release = session.name.rpartition("-")[0]
    folder, report = WORK / "tests" / session.name, WORK / f"{session.name}.xml"
    report.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(BUILT / "tests", folder)
    [wheel] = BUILT.glob("*.whl")
    [pins] = CHECKOUT.glob(f"constraints/*{release}.txt")
    session.install(
        *("--compile-bytecode", "--quiet", "--constraint", str(pins)),
        *(f"{wheel}[content,emulator]", "--group", "test"),
    )
    session.run("uv", "pip", "check", "--quiet", silent=True)
    session.chdir(folder)
    session.run("python", "-c", WHERE, silent=True)
    # Two at a time: a test often waits, for a server of its own or a process that it started.
    parallel = ["--numprocesses=2", "--dist=loadgroup", "--no-loadscope-reorder"]
    command = ["python", "-m", "pytest", "-m", "not whole_airflow", *parallel, f"--junit-xml={report}"]
    command += [f"--ignore={path}" for path in BRIEF if os.environ.get("BRIEF")] + session.posargs
    with report.with_suffix(".log").open("w") as log:
        session.run(*command, stdout=log, stderr=subprocess.STDOUT)


for _airflow, _pythons in CELLS.items():
    nox.session(cell, python=_pythons, name=_airflow, requires=["build"], allow_parallel=True)
