"""What a word is, for the limit on a text and for how long it takes to speak it."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# Scripts that put no spaces between words, and Korean, which the service's limit counts in the same way.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3105-\u318f\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


class Word(NamedTuple):
    """One spoken word: its place in the text, and whether it is a single character of an unspaced script."""

    start: int
    end: int
    is_character: bool


def is_unspaced(char: str) -> bool:
    """Whether a character is of a script in which each one counts as a word."""
    return _UNSPACED.match(char) is not None


def words(text: str) -> list[Word]:
    """The words of a text, in order.

    Each letter of Chinese, Japanese, Korean, Thai and their like is one word; in other scripts a word is a
    run between spaces. Punctuation and combining marks are none.
    """
    found: list[Word] = []
    start = 0
    for i, char in enumerate(text + " "):
        unspaced = is_unspaced(char)
        if not (unspaced or char.isspace()):
            continue
        if any(c.isalnum() for c in text[start:i]):
            found.append(Word(start, i, is_character=False))
        if unspaced and unicodedata.category(char)[0] in "LN":
            found.append(Word(i, i + 1, is_character=True))
        start = i + 1
    return found
