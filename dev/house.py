"""Draw the house: the folders of the package and which of them import which, as docs/images/house.svg.

The arrows are read from the sources. An arrow that follows from others is left out. Run it with
``python -m dev.house``; with ``--check`` it fails if the picture is out of date.
"""

from __future__ import annotations

import ast
import sys
from xml.sax.saxutils import escape

from dev import CHECKOUT

PACKAGE = CHECKOUT / "airflow_provider_twinsync"
PICTURE = CHECKOUT / "docs" / "images" / "house.svg"

#: Where each part is in the picture (column, row), and what it holds.
PARTS: dict[str, tuple[int, int, str]] = {
    "sensors": (0, 0, "wait for a video"),
    "decorators": (2, 0, "@task.twinsync"),
    "operators": (2, 1, "submit, download, whole video"),
    "_airflow": (1, 2, "templates, lineage, waits"),
    "triggers": (2, 3, "wait in the triggerer"),
    "hooks": (2, 4, "TwinSyncHook"),
    "_content": (0, 4, "photos; one video of parts"),
    "_records": (1, 5, "the records of submits"),
    "_download": (2, 5, "a video to its destination"),
    "_storage": (1, 6, "files and objects"),
    "_http": (2, 6, "clients, circuit breaker"),
    "links": (0, 7, "from a task to its video"),
    "_wait": (2, 7, "when to poll; outcomes (pure)"),
    "_api": (1, 8, "requests, answers, checks (pure)"),
    "text": (2, 9, "words, and long texts"),
    "exceptions": (0, 10, "the error tree"),
    "voices": (1, 9, "the table of voices"),
}
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 230, 46, 30, 30, 16


def imports() -> dict[str, set[str]]:
    """Return the imports of each part, without those that follow from others."""
    parts = set(PARTS)
    found: dict[str, set[str]] = {part: set() for part in parts}
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if part not in parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE.name}."):
                found[part].add(str(node.module).split(".")[1])
        found[part] &= parts - {part}
    # These use single modules of a folder whose other modules are above them: see docs/architecture.md.
    for part in ("links", "hooks", "triggers"):
        found[part].discard("_airflow")
    found["text"].discard("_content")

    def reached(part: str) -> set[str]:
        return found[part].union(*(reached(one) for one in found[part]))

    return {
        part: {one for one in below if not any(one in reached(other) for other in below)}
        for part, below in found.items()
    }


def draw() -> str:
    """Return the picture as SVG."""
    columns = max(column for column, _, _ in PARTS.values()) + 1
    rows = max(row for _, row, _ in PARTS.values()) + 1
    width = 2 * _MARGIN + columns * (_WIDTH + _GAP_X) - _GAP_X
    height = 2 * _MARGIN + rows * (_HEIGHT + _GAP_Y) - _GAP_Y
    places = {
        part: (_MARGIN + column * (_WIDTH + _GAP_X), _MARGIN + row * (_HEIGHT + _GAP_Y))
        for part, (column, row, _) in PARTS.items()
    }
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#8a94a0"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for part, below in sorted(imports().items()):
        for one in sorted(below):
            (x1, y1), (x2, y2) = places[part], places[one]
            lines.append(
                f'<line x1="{x1 + _WIDTH // 2}" y1="{y1 + _HEIGHT}" x2="{x2 + _WIDTH // 2}" y2="{y2}" '
                'stroke="#8a94a0" marker-end="url(#a)"/>'
            )
    for part, (_, _, holds) in PARTS.items():
        x, y = places[part]
        fill = "#eef2f6" if part.startswith("_") else "#dcefe0"
        lines += [
            f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{fill}" '
            'stroke="#5b6570"/>',
            f'<text x="{x + _WIDTH // 2}" y="{y + 19}" text-anchor="middle" font-size="14" '
            f'font-weight="bold">{escape(part)}</text>',
            f'<text x="{x + _WIDTH // 2}" y="{y + 36}" text-anchor="middle" font-size="12" '
            f'fill="#3c444c">{escape(holds)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def main(arguments: list[str]) -> int:
    """Write the picture, or check that it is up to date."""
    picture = draw()
    if "--check" in arguments:
        is_new = PICTURE.exists() and PICTURE.read_text(encoding="utf-8") == picture
        print("docs/images/house.svg is up to date" if is_new else "run `python -m dev.house`")
        return 0 if is_new else 1
    PICTURE.write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
