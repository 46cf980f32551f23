"""Write the table of the extra's fields in docs/connection.md from the code.

Run ``python -m dev.connection_table`` after a change of a field in ``_api/settings.py``.
"""

from __future__ import annotations

import re
import sys

from airflow_provider_twinsync._api.settings import EXTRA_FIELDS
from dev import CHECKOUT

PAGE = CHECKOUT / "docs" / "connection.md"
_BEGIN = "<!-- `python -m dev.connection_table` writes this table. -->\n"
_END = "<!-- Here the table ends. -->\n"


def table() -> str:
    """Return the table as Markdown, one row for each field."""
    rows = ["| field of the extra | value | meaning | default |", "|---|---|---|---|"]
    for name, extra in EXTRA_FIELDS.items():
        default = extra.default_in_words or f"`{extra.default_text}`"
        texts = " | ".join(re.sub(r"'(\S+)'", r"`\1`", text) for text in (extra.wanted, extra.meaning))
        rows.append(f"| `{name}` | {texts} | {default} |")
    return "\n".join([*rows, ""])


def written(page: str) -> str:
    """Return the text of the page with the table of today."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"{PAGE} has no marks {_BEGIN!r} and {_END!r}")
    return f"{before}{begin}\n{table()}\n{end}{after}"


def main() -> int:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
