"""Count the words of a text, as the limit on a text counts them, and split a long text.

The service limits a text to "150 words" and does not define a word, so the rules are our reading. They
follow Unicode's word breaks (UAX #29), with two differences: a hyphen joins (``state-of-the-art`` is one
word), and each Chinese or Japanese character is a word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_twinsync._content.split import Word

DEFAULT_TEXT_LIMIT_WORDS = 150
#: A text with more characters per word of the limit is refused unread. The longest words of any language have
#: about 200 characters, and the words of a text 5 to 15 on average, with markup about 30.
MAX_CHARACTERS_PER_WORD = 200
#: More than any book has: a text with more is a mistake, and would take a minute to split.
_MAX_SPLIT_CHARACTERS = 5_000_000

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
    for word in _words(_letters(text)[0]):
        certain, guessed = (certain + 1, guessed) if word["certain"] else (certain, guessed + 1)
    return WordCount(certain, guessed)


def split_text(
    text: str, limit_words: int = DEFAULT_TEXT_LIMIT_WORDS, language: str | None = None
) -> list[str]:
    """Split a text into parts that one job each can speak.

    A text is cut at the ends of sentences. A sentence over the limit is cut at a pause such as a comma, else
    at a space, and else between characters, but never inside a word, a number or a character with its marks.
    The parts are as few as that allows, and none has less than a quarter of the words of the longest part.
    Together the parts are the text: a part ends with the spaces after it.

    A text within the limit is the only part. A longer text needs the extra ``content``.

    >>> split_text("All human beings are born free.")
    ['All human beings are born free.']

    :param text: the text, with up to 5 million characters.
    :param limit_words: the longest part, in words as :func:`count_words` counts them. A part also has at most
        200 characters for each word of the limit.
    :param language: the language of the text, or a locale or voice with it, such as ``de`` or ``de-AT``. It
        decides which points end an abbreviation. ``None`` and an unknown language mean English.
    :raises UsageError: an argument is wrong, the extra is not installed, or the text has too few places for
        a cut.
    """
    for argument, value, is_right, wanted in (
        (
            "text",
            text,
            isinstance(text, str) and len(text) <= _MAX_SPLIT_CHARACTERS,
            f"a text of at most {_MAX_SPLIT_CHARACTERS:,} characters",
        ),
        ("limit_words", limit_words, _is_limit(limit_words), "a positive whole number of words"),
        ("language", language, isinstance(language, str | None), "the code of a language, such as 'de'"),
    ):
        if not is_right:
            shown = repr(value[:80] if isinstance(value, str) else value)
            raise UsageError(f"TS144 {argument} is {shown:.80}: it should be {wanted}.")
    limit_characters = limit_words * MAX_CHARACTERS_PER_WORD
    if len(text) <= limit_characters and sum(word_count(text)) <= limit_words:
        return [text]
    from airflow_provider_twinsync._content.split import split

    return split(
        text,
        word_places(text),
        is_silent=is_silent,
        limit_words=limit_words,
        limit_characters=limit_characters,
        language=language,
    )


def word_places(text: str) -> list[Word]:
    """Return the place of each word of a text, as :func:`count_words` counts them.

    >>> [(word.start, word.end) for word in word_places("Hello, you")]
    [(0, 5), (7, 10)]

    :param text: any text.
    """
    from airflow_provider_twinsync._content.split import Word

    letters, offsets = _letters(text)
    offsets = [*offsets, len(text)]
    signs = re.compile(f"[{_CHARACTERS}{_GUESSED}]")
    return [
        Word(offsets[word.start()], offsets[word.end()], bool(signs.match(word[0])))
        for word in _words(letters)
    ]


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


def _is_limit(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _words(letters: str) -> Iterator[re.Match[str]]:
    """Return the words of the result of :func:`_letters`."""
    for word in re.finditer(_WORD, letters):
        if word["certain"] or word[0].isalnum():  # the guessed blocks have signs and punctuation of their own
            yield word


def _letters(text: str) -> tuple[str, Sequence[int]]:
    """Return a text without marks and invisible characters, and the offset of each character in the text."""
    if text.isascii():
        return text, range(len(text))
    letters, offsets = [], []
    for offset, character in enumerate(text):
        for letter in _letter(character):
            letters.append(letter)
            offsets.append(offset)
    return "".join(letters), offsets


@lru_cache(4096)
def _letter(character: str) -> str:
    """Return a character as a letter: without its marks, and empty for a mark."""
    return "".join(
        one
        for one in unicodedata.normalize("NFC", character)
        if one == _ZERO_WIDTH_SPACE
        or not (
            one in _NO_LETTERS or unicodedata.category(one)[0] == "M" or unicodedata.category(one) == "Cf"
        )
    )
