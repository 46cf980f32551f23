"""`make matrix`: its cells, and which of them have passed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its types are another package

from dev import matrix

CHECKOUT = Path(__file__).resolve().parents[2]
REPORT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}" time="90.5"/></testsuites>'


@pytest.mark.parametrize(
    ("result", "report", "line"),
    [
        ("success", (9, 0, 0, 2), "3.3.2    3.11          7       0        2   1.5 min  passed"),
        ("failed", (9, 2, 1, 2), "3.3.2    3.11          4       3        2   1.5 min  FAILED"),
        ("success", (9, 1, 0, 0), "3.3.2    3.11          8       1        0   1.5 min  FAILED"),
        ("skipped", None, "3.3.2    3.11                                        no interpreter"),
        # What lies there is of an earlier run.
        ("skipped", (9, 0, 0, 2), "3.3.2    3.11                                        no interpreter"),
        ("success", None, "3.3.2    3.11                                        FAILED"),
        ("success", (3, 0, 0, 3), "3.3.2    3.11          0       0        3   1.5 min  FAILED"),
        ("failed", None, "3.3.2    3.11                                        FAILED"),
        ("aborted", (9, 0, 0, 2), "3.3.2    3.11          7       0        2   1.5 min  FAILED"),
    ],
)
def test_a_cell_has_passed_only_if_its_tests_have(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    result: str,
    report: tuple[int, ...] | None,
    line: str,
) -> None:
    """Not if they were not run, nor if there were none."""
    monkeypatch.setattr(matrix, "WORK", tmp_path)
    if report:
        (tmp_path / "3.3.2-3.11.xml").write_text(REPORT.format(*report))
    assert str(matrix.read("3.3.2-3.11", result)) == line


def cell(name: str, result: str) -> matrix.Cell:
    return matrix.Cell(name, result, (9, 0, 0) if result == "success" else (8, 1, 0))


@pytest.mark.parametrize("airflow", ["3.4.0a1", "3.4.0b2", "3.4.0rc1"])
def test_a_cell_of_a_pre_release_may_fail(airflow: str) -> None:
    """The table reports it in other words than a failure that counts."""
    assert cell(f"{airflow}-3.12", "failed").outcome == "failed, pre-release"
    assert cell(f"{airflow}-3.12", "success").outcome == "passed"
    assert cell("lowest-3.10", "failed").outcome == "FAILED"


def test_the_last_line_counts_each_outcome() -> None:
    """It has only the ones that occur."""
    cells = [cell("3.3.2-3.11", "success"), cell("3.3.2-3.12", "failed"), cell("3.4.0b2-3.12", "failed")]
    assert matrix.summary(cells[:1]) == "1 of 1 cells passed"
    assert matrix.summary(cells) == "1 of 3 cells passed, 1 failed, 1 failed with a pre-release"
    assert matrix.summary([matrix.Cell("3.3.2-3.14", "skipped")]) == (
        "0 of 1 cells passed, 1 without an interpreter, not run"
    )


def test_each_release_of_the_matrix_has_its_pins() -> None:
    """One file in constraints/, and no file without a cell."""
    cells = pytest.importorskip("noxfile").CELLS
    pins = {path.stem.removeprefix("airflow-") for path in CHECKOUT.glob("constraints/*.txt")}
    assert pins - {"uv"} == set(cells)


@pytest.mark.skipif(not (CHECKOUT / ".github").is_dir(), reason="needs the workflows")
def test_the_cells_of_a_change_are_cells_of_the_matrix() -> None:
    """A name that is none would fail only on the code host."""
    cells = pytest.importorskip("noxfile").CELLS
    workflow = yaml.safe_load((CHECKOUT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    named = workflow["jobs"]["matrix"]["strategy"]["matrix"]["cell"]
    assert set(named) <= {f"{airflow}-{python}" for airflow, pythons in cells.items() for python in pythons}


def test_a_brief_cell_leaves_out_tests_that_are_there() -> None:
    """Under another name they would run in each cell of `.ci/run`, which then takes too long."""
    tree = ast.parse((CHECKOUT / "noxfile.py").read_text(encoding="utf-8"))
    [brief] = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BRIEF"
    ]
    left_out = ast.literal_eval(brief)
    assert len(left_out) > 3
    assert [path for path in left_out if not (CHECKOUT / path).exists()] == []
