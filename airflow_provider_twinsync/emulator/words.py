"""Find the words of a text, for the limit on a text and for how long it takes to speak."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# Thai, Lao, Burmese, Khmer: only a dictionary knows where a word ends.
_GUESSED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
# Scripts that put no spaces between words: those, Chinese and Japanese. Korean has spaces.
_UNSPACED = re.compile(
    rf"[{_GUESSED}\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_JOINERS = frozenset("'’-‐.·_")  # one between two letters, as in "don't" and "well-known"
_ZERO_WIDTH_SPACE = "\u200b"


class Word(NamedTuple):
    """One spoken word: its place in the text, and whether it is a single character of an unspaced script."""

    start: int
    end: int
    is_character: bool


def is_unspaced(char: str) -> bool:
    """Check whether a character is of a script in which each one counts as a word."""
    return _UNSPACED.match(char) is not None


def words(text: str) -> list[Word]:
    """Return the words of a text, in order.

    Each letter of Chinese, Japanese, Thai and their like is one word. In other scripts a word is a run of
    letters and digits; punctuation ends it, but for one apostrophe, hyphen or point inside it.
    """
    found: list[Word] = []
    start = end = 0  # the word that has begun: text[start:end]
    for i, char in enumerate(text):
        if not char.isalnum():
            continue
        unspaced = is_unspaced(char)
        if end > start and (unspaced or not _is_inside(text, end, i)):
            found.append(Word(start, end, is_character=False))
            start = end = i
        if unspaced:
            found.append(Word(i, i + 1, is_character=True))
            start = end = i + 1
        else:
            start, end = (start if end > start else i), i + 1
    if end > start:
        found.append(Word(start, end, is_character=False))
    return found


def limited_words(text: str) -> int:
    """Count the words for the limit. Thai, Lao, Burmese and Khmer do not count: their words are a guess."""
    return len(words(re.sub(f"[{_GUESSED}]", " ", text)))


def _is_inside(text: str, end: int, start: int) -> bool:
    """Check whether the characters between two letters belong to their word."""
    between = "".join(
        char
        for char in text[end:start]
        if char == _ZERO_WIDTH_SPACE or unicodedata.category(char) not in ("Mn", "Mc", "Me", "Cf")
    )
    in_number = between == "," and text[end - 1].isdigit() and text[start].isdigit()
    return not between or between in _JOINERS or in_number
