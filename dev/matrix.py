"""`make matrix`: the tests with each release of Airflow and each Python, from the built wheel, as a table.

The cells are in `noxfile.py`. Interpreters are looked for on the PATH, and among those of pyenv.
A cell of a pre-release of Airflow, for example `3.4.0b2-3.12`, may fail: the table reports that, and the
command passes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from dev import CHECKOUT

WORK = CHECKOUT / ".nox"


@dataclass(frozen=True)
class Cell:
    """The result of one release of Airflow with one Python.

    :param name: such as `3.3.2-3.11`.
    :param result: nox's: `success`, `failed`, `skipped` (no such interpreter) or `aborted`.
    :param counts: of tests that passed, failed and were skipped; None if they did not run to their end.
    :param duration_s: of the tests.
    """

    name: str
    result: str
    counts: tuple[int, int, int] | None = None
    duration_s: float = 0.0

    @property
    def outcome(self) -> str:
        """Return one word for the table; a cell has passed only if its tests have."""
        if self.result == "skipped":
            return "no interpreter"
        passed, failed, _ = self.counts or (0, 0, 0)
        if self.result == "success" and passed and not failed:
            return "passed"
        return "failed, pre-release" if re.search(r"\d(a|b|rc)\d", self.name) else "FAILED"

    def __str__(self) -> str:
        airflow, _, python = self.name.rpartition("-")
        passed, failed, skipped = self.counts or ("", "", "")
        time = f"{self.duration_s / 60:.1f} min" if self.counts else ""
        return f"{airflow:8} {python:7} {passed:>7} {failed:>7} {skipped:>8} {time:>9}  {self.outcome}"


def read(name: str, result: str) -> Cell:
    """Read the report of a cell's tests."""
    report = WORK / f"{name}.xml"
    if result == "skipped" or not report.exists():
        return Cell(name, result)
    suite = ET.parse(report).getroot()[0]  # pytest wrote it
    tests, failures, errors, skipped = (
        int(suite.attrib[count]) for count in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return Cell(name, result, (tests - failed - skipped, failed, skipped), float(suite.attrib["time"]))


def summary(cells: list[Cell]) -> str:
    """Return the last line of the table, for example `17 of 18 cells passed, 1 failed`."""
    outcomes = [cell.outcome for cell in cells]
    others = {
        "failed": outcomes.count("FAILED"),
        "failed with a pre-release": outcomes.count("failed, pre-release"),
        "without an interpreter, not run": outcomes.count("no interpreter"),
    }
    passed = f"{outcomes.count('passed')} of {len(cells)} cells passed"
    return ", ".join([passed, *(f"{count} {outcome}" for outcome, count in others.items() if count)])


def main(arguments: list[str]) -> int:
    """Run the cells, all unless some are named; return 1 if one that must pass has failed."""
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument("cells", nargs="*", help="such as 2.11.2-3.10 3.3.2-3.13")
    parser.add_argument("--jobs", default="2", help="how many at a time")
    asked = parser.parse_args(arguments)

    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [str(folder) for folder in sorted(pyenv.glob("versions/*/bin"))]
    # This environment's uv is the one to use.
    env = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], *folders]),
    }
    nox = [sys.executable, "-m", "nox"]
    if not asked.cells:
        listed = subprocess.run(
            [*nox, "--list", "--json"], cwd=CHECKOUT, env=env, capture_output=True, check=True
        )
        asked.cells = [each["session"] for each in json.loads(listed.stdout) if each["session"] != "build"]
    WORK.mkdir(exist_ok=True)
    report = WORK / "report.json"
    report.unlink(missing_ok=True)
    command = [*nox, "--report", report, "--parallel", asked.jobs, "--sessions", *asked.cells]
    ended = subprocess.run(command, cwd=CHECKOUT, env=env)
    if not report.exists():
        return ended.returncode or 1  # nox has printed the reason

    results = {each["signatures"][0]: each["result"] for each in json.loads(report.read_text())["sessions"]}
    cells = [read(name, results.get(name, "failed")) for name in asked.cells]
    for cell in cells:
        log = WORK / f"{cell.name}.log"
        if cell.outcome in ("FAILED", "failed, pre-release") and log.exists():
            lines = log.read_text(errors="replace").splitlines()
            print(f"\n{cell.name}, from {log.relative_to(CHECKOUT)}:")
            print(*[line for line in lines if line.startswith(("FAILED", "ERROR"))] or lines[-25:], sep="\n")
    print(f"\n{'Airflow':8} {'Python':7} {'passed':>7} {'failed':>7} {'skipped':>8} {'time':>9}")
    print(*cells, sep="\n")
    print(summary(cells))
    for cell in cells:
        if cell.outcome == "failed, pre-release" and "GITHUB_ACTIONS" in os.environ:
            # The job is green; this line puts the failure on the page of the run.
            print(f"::warning::the tests fail with a pre-release: {cell.name}")
    return int(any(cell.outcome == "FAILED" for cell in cells))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
