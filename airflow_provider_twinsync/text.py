"""Count the words of a text, as the limit on a text counts them.

The service limits a text to "150 words" and does not define a word, so the rules are our reading. They
follow Unicode's word breaks (UAX #29), with two differences: a hyphen joins (``state-of-the-art`` is one
word), and each Chinese or Japanese character is a word.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

#: Chinese and Japanese: each character counts as one word.
_CHARACTERS = (
    r"\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c"  # iteration marks, zero, old numerals
    r"\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d\U0001aff0-\U0001b16f"  # Hiragana, Katakana
    r"\u3100-\u312f\u31a0-\u31bf"  # Bopomofo
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
#: Scripts of South-East Asia without spaces between words (Line_Break=SA in Unicode). Only a dictionary can
#: find the end of a word, so each character counts as a word, and the sum is a guess.
_GUESSED = (
    r"\u0e00-\u0eff"  # Thai, Lao
    r"\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\U000116d0-\U000116ff"  # Burmese, Shan and related ones
    r"\u1780-\u17ff"  # Khmer
    r"\u1950-\u19df\u1a20-\u1aaf\uaa80-\uaadf\U00011700-\U0001174f"  # Tai scripts, Ahom
)
_LETTER = rf"(?![{_CHARACTERS}{_GUESSED}])[^\W_]"
#: Marks that join two letters to one word: apostrophes, hyphens, points, and Armenian and Hebrew marks.
_JOINS = (
    r"'\u2018\u2019\uff07\-\u2010\u2011.\u2024\uff0e\u00b7\u2027"
    r"\u055a-\u055c\u055e\u055f\u058a\u05be\u05f3\u05f4"
)
#: Marks that join two digits only: ``1,299.99`` is one word, ``seven,eight`` are two.
_JOINS_DIGITS = r",\u066b\u066c\uff0c"
#: Not compiled here: that takes 5 ms, and a DAG file, which counts no words, imports this module.
_WORD = (
    rf"(?P<certain>[{_CHARACTERS}]"
    rf"|{_LETTER}(?:(?:[{_JOINS}]|_+|(?<=\d)[{_JOINS_DIGITS}](?=\d))?{_LETTER})*)"
    rf"|[{_GUESSED}]"
)
#: Characters that only Unicode's categories call letters: Hangul fillers are invisible, and halfwidth sound
#: marks belong to the character before them.
_NO_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\uff9e\uff9f")
_ZERO_WIDTH_SPACE = "\u200b"


class WordCount(NamedTuple):
    """The number of words of a text.

    >>> WordCount(certain=2, guessed=3).certain
    2

    :param certain: words in scripts that mark the end of a word.
    :param guessed: characters of Thai, Lao, Khmer, Burmese and related scripts, each counted as a word.
    """

    certain: int
    guessed: int


def count_words(text: str) -> int:
    """Return the number of words of a text, as the limit on a text counts them (our reading).

    A word is a run of letters and digits. Spaces, commas, slashes and dashes end a word; apostrophes, hyphens
    and points inside it do not. Punctuation, symbols and emoji do not count. Each Chinese or Japanese
    character counts as one word, and so does each Thai, Lao, Khmer or Burmese one, which is a guess.

    >>> count_words("It's state-of-the-art, isn't it?"), count_words("你好，世界")
    (4, 4)

    :param text: any text; its composed and its decomposed form have the same words.
    :return: 0 or more words.
    """
    return sum(word_count(text))


def word_count(text: str) -> WordCount:
    """Return the number of words of a text, with certain and guessed words apart.

    >>> word_count("Hello กข")
    WordCount(certain=1, guessed=2)

    :param text: any text.
    """
    certain = guessed = 0
    for word in re.finditer(_WORD, _without_marks(text)):
        if word["certain"]:
            certain += 1
        elif word[0].isalnum():  # the blocks have signs and punctuation of their own
            guessed += 1
    return WordCount(certain, guessed)


def is_silent(text: str) -> bool:
    """Return True for a text of nothing but punctuation, spaces and marks.

    A voice may speak a symbol or an emoji (``€``). A character that is unknown to Unicode may be an emoji.

    >>> is_silent("?!"), is_silent("€")
    (True, False)

    :param text: any text; an empty one is silent.
    """
    return all(
        character in _NO_LETTERS
        or unicodedata.category(character)[0] in "PZM"
        or unicodedata.category(character) in ("Cc", "Cf")
        for character in text
    )


def _without_marks(text: str) -> str:
    """Compose a text, and remove the marks and invisible characters that are part of a word."""
    composed = unicodedata.normalize("NFC", text)
    if composed.isascii():
        return composed
    return "".join(
        character
        for character in composed
        if character == _ZERO_WIDTH_SPACE
        or not (
            character in _NO_LETTERS
            or unicodedata.category(character)[0] == "M"
            or unicodedata.category(character) == "Cf"
        )
    )
