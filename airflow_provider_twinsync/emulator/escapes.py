"""Escape an access key as web frameworks do when they write it into a message."""

from __future__ import annotations

import html
import re
from urllib.parse import quote, quote_plus


def key_in_escapes(key: str) -> dict[str, str]:
    r"""Return a key in the escapes of languages and frameworks, by their names.

    For a key of ASCII letters and digits, and no others, each of them is the key itself.

    >>> key_in_escapes("a<b")["go"]
    'a\\u003cb'
    """
    percent = quote(key, safe="")
    return {
        "plain": key,
        "go": _escaped(key, "<>&\u2028\u2029", "\\u{:04x}"),  # and Rails
        "dotnet": _escaped(key, "<>&'\"+`\x7f-\U0010ffff", "\\u{:04X}"),
        "php": _escaped(key.replace("/", "\\/"), "\x7f-\U0010ffff", "\\u{:04x}"),
        "html": html.escape(key),
        "html_decimal": _escaped(key, "^A-Za-z0-9", "&#{};"),
        "html_hex": _escaped(key, "^A-Za-z0-9", "&#x{:x};"),
        "percent": percent,
        "percent_lower": re.sub("%..", lambda found: found[0].lower(), percent),
        "form": quote_plus(key),
        "latin_1": key.encode().decode("latin-1"),  # UTF-8 that was read as Latin-1
    }


def _escaped(text: str, chars: str, form: str) -> str:
    """Return a text with each of ``chars`` (a class of a regular expression) in a form of its number."""

    def escaped(found: re.Match[str]) -> str:
        if "u" not in form:
            return form.format(ord(found[0]))
        units = found[0].encode("utf-16-be")  # \u has four digits: two of them for a character beyond
        return "".join(form.format(int.from_bytes(units[i : i + 2], "big")) for i in range(0, len(units), 2))

    return re.sub(f"[{chars}]", escaped, text)
