r"""Hide the access key in text of the service, in any form.

Pure. A server or a proxy may repeat a request, and each escapes a character in its own way: JSON, .NET and Go
as ``\u0026``, PHP as ``\/``, a page as ``&amp;`` or ``&#38;``, an address as ``%26``. The pattern of a key
allows each of its characters in any of these forms, so a mixture is found too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.entities import html5

HIDDEN = "***"
#: A shorter key is hidden only as a word of its own, because it is a part of many words.
_LEAST_IN_A_WORD = 4
#: A shorter key may be in an address or an id by chance, so neither is refused for it.
_LEAST_SECRET = 8
#: This many characters of a key are in no text by chance, so its pattern has no more.
_MOST_READ = 40
#: The most characters that an escape below has for one character.
_LONGEST_ESCAPE = 80

_NAMES: dict[str, set[str]] = {}
for _name, _meaning in html5.items():
    if len(_meaning) == 1 and not (_meaning.isascii() and _meaning.isalnum()):
        _NAMES.setdefault(_meaning, set()).add(_name.rstrip(";").casefold())

#: The characters of UTF-8 that was read as Windows-1252, and of other bytes that were read as UTF-8.
_MANGLED = f"[?\N{REPLACEMENT CHARACTER}\x80-\xff{bytes(range(0x80, 0xA0)).decode('cp1252', 'ignore')}]"

_BACKSLASH = r"(?:\\|%(?:25){0,3}5c|&(?:amp;){0,3}#92;|&(?:amp;){0,3}#x5c;)"


def hide(text: str, secret: str, limit: int) -> str:
    """Return the start of a text with ``***`` instead of a secret.

    >>> hide("key=Sesame%267", "Sesame&7", 6_000)
    'key=***'

    :param text: a text of the service; it may have a megabyte.
    :param secret: the access key.
    :param limit: how many characters of the text to read. A key across that end is hidden too.
    """
    start = text[:limit]
    if not secret or _cannot_hold(text[: limit + len(secret)], secret):
        return start
    shown, at = "", 0
    for match in _pattern(secret).finditer(text, 0, limit + _LONGEST_ESCAPE * len(secret)):
        if match.start() >= limit:
            break
        shown += text[at : match.start()] + HIDDEN
        at = match.end()
    return shown + start[at:]


def holds(text: str, secret: str) -> bool:
    """Return True if a short text has a secret in it that cannot be there by chance.

    This is for an id or an address, which are of no use with a hidden part.
    """
    return len(secret) >= _LEAST_SECRET and bool(_pattern(secret).search(text))


def _cannot_hold(text: str, secret: str) -> bool:
    """Return True if a text has no escapes and not the secret, as most answers.

    White space in a secret may be other white space in a text, for example a line break.
    """
    plain = secret.isascii() and not any(mark in text for mark in "\\%&+") and not re.search(r"\s", secret)
    return plain and secret.casefold() not in text.casefold()


@lru_cache(maxsize=32)
def _pattern(secret: str) -> re.Pattern[str]:
    """Build the pattern of a secret."""
    # The first characters of a long token suffice; compiling a thousand characters would take a second.
    known, rest = secret[:_MOST_READ], secret[_MOST_READ:]
    if re.search(r"\s", rest):
        known, rest = secret, ""
    pattern = _steps(known) + (rf"\S{{0,{6 * len(rest)}}}" if rest else "")
    if len(secret) < _LEAST_IN_A_WORD:
        pattern = rf"(?<![^\W_]){pattern}(?![^\W_])"
    # Hexadecimal digits come in either case, and a server may change the case of all its text.
    return re.compile(pattern, re.IGNORECASE)


def _steps(secret: str) -> str:
    """Build the pattern of a secret, step by step.

    A run of backslashes, of white space or of characters outside ASCII is one step, and no two ways through
    the steps match the same text. So the time grows with the text, and not with a power of the key's length.
    """
    steps = []
    for run in re.findall(r"\\+|\s+|[^\x00-\x7f\s]+|[\x00-\x5b\x5d-\x7f]", secret):
        if run[0] == "\\":
            steps.append(rf"(?<!\\)(?:{_BACKSLASH}|{_escapes(run[0])}){{{len(run)},{8 * len(run)}}}")
        elif run.isspace():
            escapes = "|".join(_escapes(character) for character in sorted(set(run)))
            one = rf"\s|\+|{_BACKSLASH}{{1,8}}[nrtfv]|{escapes}"
            steps.append(f"(?:{one}){{{len(run)},{4 * len(run)}}}")
        elif run.isascii():
            steps.append(_written(run))
        else:
            each = "".join(map(_written, run))
            in_chinese = re.escape(run.encode("gb18030", "replace").decode("utf-8", "replace"))
            mangled = f"(?!{re.escape(run)}){_MANGLED}{{{len(run)},{4 * len(run)}}}"
            steps.append(f"(?:{each}|{in_chinese}|{mangled})")
    return "".join(steps)


def _written(character: str) -> str:
    """Build the pattern of a character, plain or escaped."""
    pattern = f"(?:{re.escape(character)}|{_escapes(character)})"
    # JSON writes a quote as \" and PHP a slash as \/; a letter behind a backslash is another character.
    return pattern if character.isalnum() else f"{_BACKSLASH}{{0,8}}{pattern}"


def _escapes(character: str) -> str:
    """Build the pattern of a character's escapes. Text that was escaped twice repeats each mark."""
    code = ord(character)
    in_utf_16 = character.encode("utf-16-be", "surrogatepass").hex()
    units = [in_utf_16[n : n + 4] for n in range(0, len(in_utf_16), 4)]
    in_bytes = rf"x\{{?0{{0,4}}{code:02x}\}}?|0?{code:03o}"
    escapes = [
        "".join(f"{_BACKSLASH}{{1,8}}u{unit}" for unit in units),
        rf"{_BACKSLASH}{{1,8}}(?:u\{{0{{0,4}}{code:x}\}}|U{code:08x}|{in_bytes})",
        "".join(f"%(?:25){{0,3}}u{unit}" for unit in units),
    ]
    for encoding in ("utf-8", "latin-1", "gb18030"):
        encoded = character.encode(encoding, "ignore")
        percents = ""
        for n, byte in enumerate(encoded):
            # The bytes of a Chinese character may be letters and digits, which need no escape.
            plain = f"|{byte:c}" if n and byte < 128 and chr(byte).isalnum() else ""
            percents += f"(?:%(?:25){{0,3}}{byte:02x}{plain})"
        if encoded and percents not in escapes:
            escapes.append(percents)
    names = "".join(f"|{re.escape(name)}" for name in sorted(_NAMES.get(character, ())))
    escapes.append(f"&(?:amp;){{0,3}}(?:#0{{0,6}}{code}|#x0{{0,6}}{code:x}{names});?")
    return "|".join(escapes)
