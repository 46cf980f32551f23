"""Format arguments, addresses and foreign text for a message: bounded, on one line, without secrets."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import category

#: Web servers take a request line of 8,000 characters and not many more (RFC 9110, section 4.1).
MAX_URL_CHARACTERS = 8_192


def bare_address(target: str) -> str:
    """Return an address without its secrets, and the path of a file unchanged.

    >>> bare_address("s3://aws@videos/a.mp4?sig=x"), bare_address("/videos/why?.mp4")
    ('s3://aws@videos/a.mp4', '/videos/why?.mp4')
    """
    return bare_url(target) if "://" in target else target


def shown_destination(target: str) -> str:
    """Return a destination for a message: an address without its secrets, the path of a file unchanged."""
    return shown_address(target) if "://" in target else shown_text(target)


#: The login of an address in the path of another address, as image proxies have it.
_NESTED_LOGIN = re.compile(r"//[^/\s]*@")


#: A host, perhaps with a port; an IPv6 address in brackets.
_HOST = re.compile(r"([^\s:@\[\]]*|\[[^@\[\]]*\])(:\d*)?")


def bare_url(url: str) -> str:
    """Return an address without its possible secrets: the login, and the query, which may be a signature.

    Malformed addresses hold secrets too, so this reads the text itself: ``urlsplit`` refuses some of them.
    If the end of the login is unclear, only the scheme remains.

    >>> bare_url("https://user:pw@example.com/a.jpg?sig=x")
    'https://example.com/a.jpg'
    """
    start = re.match(r"([A-Za-z][A-Za-z0-9+.-]*:)?/+", url)
    if not start:  # a word, the name of a file, or an address with text before it
        return "***" if re.search(r":.*@", url, re.DOTALL) else url.partition("?")[0].partition("#")[0]
    scheme, rest = start[1] or "", url[start.end() :]
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    login, at, host = authority.rpartition("@")
    # An @ behind a ? or # may be the end of a login that has these characters.
    is_malformed = not _HOST.fullmatch(host) or re.match(r"[?#\\][^/]*@", tail)
    if (is_malformed and re.search("@|%40", url)) or (":" in login and "@" in tail):
        return f"{start[0]}***"
    path = re.split(r"[?#]", tail, maxsplit=1)[0]
    # In the address of a store this is the id of an Airflow connection, which is not secret.
    is_conn_id = scheme.lower() not in ("http:", "https:", "") and ":" not in login
    shown = f"{login}{at}{host}" if is_conn_id else host
    return f"{start[0]}{shown}{_NESTED_LOGIN.sub('//', path)}"


def shown_url(url: str) -> str:
    """Return an address for a message: without its secrets, on one line and bounded."""
    return one_line(bare_url(url[:MAX_URL_CHARACTERS]))


def shown_address(value: Any) -> str:
    """Return an argument that should be an address, for a message: quoted, shortened, without secrets.

    Of another object only the type is shown: a dict or bytes may hold a signed address too.
    """
    if isinstance(value, str):
        return shown_text(bare_url(value[:MAX_URL_CHARACTERS]))
    if value is None or isinstance(value, (int, float)):
        return shown_text(value)
    return f"a {type(value).__name__}"


def shown_text(value: Any, limit: int = 80) -> str:
    """Return an argument for a message: quoted, on one line, bounded, and with the type of another object.

    >>> shown_text("a" * 1000, 5), shown_text(7)
    ("'aaaaa…'", '7 (int)')
    """
    if not isinstance(value, str):
        return f"{one_line(repr(value), limit)} ({type(value).__name__})"
    quoted = repr(_tamed(value[:limit]))
    inside, quote = quoted[1:-1], quoted[-1]
    # The cut is never inside an escape.
    shown = re.match(r"(?:[^\\]|\\(?:U.{8}|u.{4}|x.{2}|[^Uux]))*", inside[:limit])
    assert shown is not None  # noqa: S101  # for the type checker: it matches the empty text too
    is_complete = len(value) <= limit and shown[0] == inside
    return quoted if is_complete else f"{quote}{shown[0]}…{quote}"


def one_line(text: str, limit: int = 300) -> str:
    """Return a text for a message: on one line, printable, and no longer than a limit of characters.

    A character that is not printable, is invisible, or changes the direction of the text becomes U+FFFD.
    """
    # The start of a text is enough, and the text may have a megabyte.
    text = " ".join(text[: 20 * limit].split())
    if not text.isascii():  # rare, and this is called at every poll
        text = _tamed(text)
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
        )
    return text if len(text) <= limit else text[:limit] + "…"


def sentence(text: str) -> str:
    """Return a text with a full stop, so that another sentence may follow.

    >>> sentence("HTTP 500")
    'HTTP 500.'
    """
    text = text.rstrip()
    return text if text.endswith((".", "!", "?", "。", "…")) else f"{text}."


#: Characters that are printable by Unicode's categories and still invisible: fillers of Hangul, an empty
#: pattern of Braille, vowels of Khmer that are not written, and variation selectors.
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]")


#: No script puts more marks on a letter; a flood of marks covers the lines above and below.
_MAX_MARKS = 4


def _tamed(text: str) -> str:
    """Return a text without invisible characters, and with a few marks on each letter."""
    return few_marks(UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text))


def few_marks(text: str) -> str:
    """Return a text with a few marks on each letter."""
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if category(character) in ("Mn", "Me") else 0
        if marks <= _MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def shown_duration(seconds: float) -> str:
    """Return a duration in the unit that a person would use.

    >>> [shown_duration(seconds) for seconds in (0.5, 90, 3600, 86_400)]
    ['0.5 s', '90 s', '60 min', '24.0 h']
    """
    if seconds < 120:
        return f"{seconds:.1f} s" if 0.05 <= seconds < 1 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
