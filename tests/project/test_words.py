"""The check of words counts the prose of Python files and pages, and holds it against the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev import words

if TYPE_CHECKING:
    from pathlib import Path

MODULE = '''"""Say nothing: the docstring of a module is no definition's."""

x = "what a text of the program contains is not counted"  # Mended here.


def shut() -> None:
    """Give the door a push.

    It is shut anew, and what was
    had before lies  at rest.

    :param x: whatever is told.
    """
    what = "noqa"  # noqa: what
'''
PAGE = "# Doors\n\nWhat opens.\n\n```python\nwhat = whatever\n```\n\nWhoever opens it is told.\n"
PROJECT = """
[tool.twinsync.words]
package = {{ openers = {openers}, not = {banned} }}
"README.md" = {{ what = 125 }}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "door.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(openers=100, banned=999), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("figure", "found"),
    [
        ("openers", ["door.py:7: Give (Return)"]),
        ("what", ["door.py:9: what (the noun, for example `result` or `validator`)"]),
        ("say", ["door.py:1: Say (show, list, state, log)"]),
        ("who", []),
        (
            "not",
            [
                "door.py:9: anew (again)",
                "door.py:10: lies  at (is at, is in)",
                "door.py:3: Mended (fixed, repaired)",
            ],
        ),
    ],
)
def test_the_prose_of_a_module(folder: Path, figure: str, found: list[str]) -> None:
    """It is its docstrings without parameters and its comments, but not its code."""
    prose = words.read(folder / "package" / "door.py")
    assert words.report(figure, prose) == [f"{folder}/package/{line}" for line in found]


def test_the_prose_of_a_page(folder: Path) -> None:
    """Blocks of code are left out, and the lines after them keep their numbers."""
    prose = words.read(folder / "README.md")
    assert [line.partition(" (")[0] for line in words.report("what", prose)] == [
        f"{folder}/README.md:3: What"
    ]
    assert [line.partition(" (")[0] for line in words.report("who", prose)] == [
        f"{folder}/README.md:9: Whoever"
    ]


def test_a_figure_at_its_limit_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One docstring of one begins with Give; of 8 words on the page one is counted."""
    assert words.main([]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["README.md: what 125.0 (125)"]


@pytest.mark.parametrize("limits", [{"openers": 99, "banned": 999}, {"openers": 100, "banned": 1}])
def test_a_figure_above_its_limit_fails(
    folder: Path, capsys: pytest.CaptureFixture[str], limits: dict[str, int]
) -> None:
    """The output has the words to replace, of the named files only."""
    (folder / "pyproject.toml").write_text(PROJECT.format(**limits), encoding="utf-8")
    (folder / "package" / "window.py").write_text("# Mend the window.\n", encoding="utf-8")
    assert words.main(["package/door.py"]) == 1
    shown = capsys.readouterr().out
    assert "package/door.py:" in shown
    assert "window.py" not in shown
    assert words.main(["README.md"]) == 0
    assert words.main([]) == 1
