"""What `make matrix` counts as passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev import matrix

if TYPE_CHECKING:
    from pathlib import Path

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
