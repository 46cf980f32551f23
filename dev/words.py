"""Count the words that plain English does without, and fail if a text has more of them than its limit.

`dev/words.toml` lists the words. `[tool.twinsync.words]` in `pyproject.toml` has the limits for each part of
the repository. They are a ratchet: a change that rewrites a text lowers them, and no change raises them.

For example, `python -m dev.words docs/index.md` counts all of `docs`. If a figure is above its limit, it
prints the lines of `docs/index.md` with such words. Without a name it checks every part.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The name of a figure, the words that it counts, and for each word another.
WORDS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
PATTERNS = {
    figure: re.compile(r"\b(" + "|".join(words).replace(" ", r"\s+") + r")\b", re.IGNORECASE)
    for figure, words in WORDS.items()
}
# A comment for a tool and the list of a docstring's parameters are no prose.
FOR_TOOLS = re.compile(r"#\s*(noqa|type:|!|pragma|Licensed|SPDX)")
PARAMETERS = re.compile(r"\n\s*:(param|cvar|ivar|raises|return)")


@dataclass(frozen=True)
class Prose:
    """One docstring, one comment or one page.

    :param is_definition: it is the docstring of a class or a function, and so begins with a verb.
    """

    path: Path
    line: int
    text: str
    is_definition: bool = False

    def find(self, figure: str) -> list[re.Match[str]]:
        """Return the words of a figure. `openers` are found only at the beginning of a docstring."""
        pattern = PATTERNS[figure]
        if figure != "openers":
            return list(pattern.finditer(self.text))
        first = re.search(r"\w", self.text) if self.is_definition else None
        found = pattern.match(self.text, first.start()) if first else None
        return [found] if found else []


def read(path: Path) -> list[Prose]:
    """Read the prose of a Markdown page without its blocks of code, or that of a Python file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        page = re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), source, flags=re.DOTALL)
        return [Prose(path, 1, page)]
    prose = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if docstring := ast.get_docstring(node, clean=False):
            text = PARAMETERS.split(docstring)[0]
            prose.append(Prose(path, node.body[0].lineno, text, not isinstance(node, ast.Module)))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not FOR_TOOLS.match(token.string):
            prose.append(Prose(path, token.start[0], token.string.lstrip("#: ")))
    return prose


def measure(figure: str, prose: list[Prose]) -> float:
    """Return how often the words of a figure occur: openers in percent, all others per 1,000 words."""
    count = sum(len(each.find(figure)) for each in prose)
    if figure == "openers":
        return 100 * count / max(1, sum(each.is_definition for each in prose))
    return 1000 * count / max(1, sum(len(re.findall(r"[A-Za-z']+", each.text)) for each in prose))


def report(figure: str, prose: list[Prose]) -> list[str]:
    """Return one line for each word of a figure, such as `docs/index.md:3: WORD (REPLACEMENT)`."""
    found = [(each, match) for each in prose for match in each.find(figure)]
    return [
        f"{each.path}:{each.line + each.text.count(chr(10), 0, match.start())}: "
        f"{match[0]} ({WORDS[figure][' '.join(match[0].lower().split())]})"
        for each, match in found
    ]


def main(names: list[str]) -> int:
    """Check the parts that hold the named files, or every part; return 1 if a figure is above its limit."""
    settings: dict[str, Any] = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    named = {Path(name) for name in names}
    status = 0
    for part, limits in settings["tool"]["twinsync"]["words"].items():
        files = sorted(path for path in (Path(part), *Path(part).rglob("*")) if path.suffix in (".md", ".py"))
        if named and named.isdisjoint(files):
            continue
        prose = [each for path in files for each in read(path)]
        figures = {figure: measure(figure, prose) for figure in limits}
        print(f"{part}: " + ", ".join(f"{name} {figures[name]:.1f} ({limits[name]})" for name in limits))
        for name in limits:
            if figures[name] > limits[name]:
                status = 1
                print(f"  `{name}` is above its limit. Words to replace:")
                print(*report(name, [each for each in prose if not named or each.path in named]), sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
