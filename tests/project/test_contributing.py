"""CONTRIBUTING.md leads to files and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "airflow_provider_twinsync"

pytestmark = pytest.mark.skipif(not PACKAGE.is_dir(), reason="needs the sources")


@pytest.fixture
def guide() -> str:
    return (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_where_to_change_what_exists(guide: str) -> None:
    """A file in the tables is one of the package, of the tests, or of the repository."""
    section = guide.partition("## Where to change what\n")[2].partition("\n## ")[0]
    names = [
        name for row in re.findall(r"(?m)^\|.*", section) for name in re.findall(r"`(\w+[./][\w./]*)`", row)
    ]
    folders = (PACKAGE, CHECKOUT / "tests", CHECKOUT)
    assert len(names) > 30
    assert [name for name in names if not any((folder / name).exists() for folder in folders)] == []


def test_each_make_command_exists(guide: str) -> None:
    """Those of the tables and of the text."""
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile))
    named = set(re.findall(r"(?m)(?:`|^)make ([a-z]+)", guide))
    assert {"test", "lint", "matrix"} <= named <= targets
