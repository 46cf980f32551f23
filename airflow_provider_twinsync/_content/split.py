"""Cut a text into parts: where a voice pauses anyway, and as few as the limits allow. Pure.

Each place between two words has a level, from the end of a sentence to the inside of an address. The lowest
level that can keep all parts within the limits is used, with as few places of a higher level, and then as few
parts, as possible. Of those solutions, the most even one is returned.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SENTENCE, CLAUSE, SPACE, CHARACTER, TOKEN = range(5)
#: The price of a cut at each level, in parts: a clause is cut only if that saves more than three parts.
_PRICES = (1, 4, 11, 31, 101)

# Without the spaces that forbid a break; the zero-width space marks words in Thai and Khmer.
_BLANK = r"(?:[^\S\u00a0\u2007\u202f]|\u200b)"
_CLOSERS = r"[\"'”’»›)\]}）」』】》〉］｝]*"
_PAUSES = re.compile(
    rf"(?P<clause>[,;:!?–—…،؛؟۔।॥፣፤፥።։՝᠂᠃·]{_CLOSERS}{_BLANK}+"
    rf"|[—…،؛؟۔।॥፣፤፥።၊။៖។、，；。！？]+[”’»›)）」』】》〉］｝]*{_BLANK}*"
    rf"|{_BLANK}*\n{_BLANK}*)"
    rf"|(?P<digits>(?<=\d){_BLANK}(?=\d))"
    rf"|{_BLANK}+"
)
_TAG = re.compile(r"<[/?!]?[A-Za-z][^<>]{0,300}>")
_KATAKANA = re.compile("[\u30a0-\u30ff\uff66-\uff9f]")
#: Thai and Lao vowels that are written before, or after, the consonant that they belong to.
_LEADING_VOWELS = frozenset("เแโใไເແໂໃໄ")
_FOLLOWING_VOWELS = frozenset("ะาำๅๆະາຳໆﾞﾟ")


class Word(NamedTuple):
    """A word in a text.

    :param start: the offset of its first character.
    :param end: the offset after its last character, with its marks.
    :param is_sign: it is one character that counts as a word, such as a Chinese one.
    """

    start: int
    end: int
    is_sign: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a text where a part may begin.

    :param offset: the characters before it.
    :param words: the words before it.
    :param spoken: the words, and the runs of other symbols that a voice speaks, before it.
    :param price: the price of a cut here.
    """

    offset: int
    words: int
    spoken: int
    price: int


def split(
    text: str,
    words: Sequence[Word],
    *,
    is_silent: Callable[[str], bool],
    limit_words: int,
    limit_characters: int,
    language: str | None,
) -> list[str]:
    """Return the parts of a text that is over a limit.

    :param words: the words of the text, in their order.
    :param is_silent: returns True for a text that no voice speaks.
    :raises UsageError: there are no such parts, or sentencex is not installed.
    """
    levels = find_levels(text, words, sentence_ends(text, language))
    for by_words, highest, share in (
        *((True, level, 4) for level in range(TOKEN + 1) if len(words) > limit_words),
        *((False, level, 4) for level in range(TOKEN + 1)),
        (False, TOKEN, limit_characters),
    ):
        places = _places(text, words, is_silent, {at: one for at, one in levels.items() if one <= highest})
        sizes = [place.words if by_words else place.offset for place in places]
        limit = limit_words if by_words else limit_characters
        chooser = _Chooser(places, sizes, limit_words, limit_characters)
        if cuts := chooser.even(limit, -(-limit // share)):
            return [text[start:end] for start, end in pairwise(cuts)]
    raise UsageError(
        f"TS145 The text cannot be split into parts of at most {limit_words} words and {limit_characters} "
        f"characters: it has {len(text)} characters, and too few places between words with something to "
        "speak. Is it a text?"
    )


def sentence_ends(text: str, language: str | None) -> Iterator[int]:
    """Return the offset after each sentence.

    :raises UsageError: sentencex is not installed.
    """
    try:
        from sentencex import segment
    except ImportError:
        raise needs_content("Splitting a text into sentences") from None
    # An unknown language gets the rules of English; half of a surrogate pair cannot be handed over.
    code = re.split("[-_]", language or "en")[0].lower()
    return accumulate(len(sentence) for sentence in segment(code, re.sub("[\ud800-\udfff]", "\ufffd", text)))


def find_levels(text: str, words: Sequence[Word], ends: Iterator[int]) -> dict[int, int]:
    """Return the level of each place at which the text may be cut, in their order."""
    levels: dict[int, int] = {}
    end, is_sign = 0, False
    for word in words:
        for at in breaks(text, end, word.start):
            is_edge = (is_sign and at == end) or (word.is_sign and at == word.start)
            levels[at] = CHARACTER if is_edge and _is_loose(text[at - 1], text[at]) else TOKEN
        end, is_sign = word.end, word.is_sign
    levels |= dict.fromkeys(breaks(text, end, len(text) - 1), TOKEN)
    for pause in _PAUSES.finditer(text):
        if pause.end() in levels and not pause["digits"]:
            levels[pause.end()] = CLAUSE if pause["clause"] else SPACE
    blanks = re.compile(f"{_BLANK}*")
    at = 0
    for end in ends:
        if end >= at:  # each of many empty lines is a sentence, and all end at the same place
            at = blanks.match(text, end).end()  # type: ignore[union-attr]  # it matches nothing, too
        if at in levels:
            levels[at] = SENTENCE
    for tag in _TAG.finditer(text):
        levels |= {at: TOKEN for at in range(tag.start() + 1, tag.end()) if at in levels}
    return levels


def breaks(text: str, first: int, last: int) -> Iterator[int]:
    """Return the places from first to last that are not inside a character as a reader sees it (UAX #29)."""
    flags = 0
    for at in range(max(first, 1), last + 1):
        before, after = text[at - 1], text[at]
        flags = flags + 1 if "\U0001f1e6" <= before <= "\U0001f1ff" else 0
        if before.isascii() and after.isascii():
            if before + after != "\r\n":
                yield at
        elif not (
            _joins_before(after, before)
            or (unicodedata.category(before) == "Cf" and before != "\u200b")
            or before in _LEADING_VOWELS
            or (flags % 2 and "\U0001f1e6" <= after <= "\U0001f1ff")
            or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
        ):
            yield at


def _joins_before(after: str, before: str) -> bool:
    """Return True for a character that belongs to the one before it."""
    category = unicodedata.category(after)
    return (
        category[0] == "M"
        or after in _FOLLOWING_VOWELS
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # the colour of a skin
        or (category == "Cf" and after != "\u200b" and (after in "\u200c\u200d" or not before.isspace()))
        or "\U000e0020" <= after <= "\U000e007f"  # tags, in the flags of regions
    )


def _is_loose(before: str, after: str) -> bool:
    """Return True between two characters that neither punctuation nor a number holds together."""
    return not (
        unicodedata.category(before) in ("Ps", "Pi")
        or unicodedata.category(after) in ("Pe", "Pf", "Po")
        or before.isdigit()
        or after.isdigit()
        or (_KATAKANA.match(before) and _KATAKANA.match(after))
    )


def _places(
    text: str, words: Sequence[Word], is_silent: Callable[[str], bool], levels: dict[int, int]
) -> list[_Place]:
    """Return the places of some levels, with the beginning and the end of the text."""
    starts = [word.start for word in words]
    found = [_Place(0, 0, 0, 0)]
    symbols = last = 0
    for at in [*levels, len(text)]:
        count = bisect_left(starts, at)
        if count == found[-1].words and not is_silent(text[last:at]):
            symbols += 1
        found.append(_Place(at, count, count + symbols, _PRICES[levels.get(at, SENTENCE)]))
        last = at
    return found


class _Chooser:
    """Choose places, so that each part is within the limits."""

    def __init__(
        self, places: list[_Place], sizes: list[int], limit_words: int, limit_characters: int
    ) -> None:
        self._places = places
        self._sizes = sizes
        self._limit_words = limit_words
        self._limit_characters = limit_characters

    def even(self, most: int, least: int) -> list[int] | None:
        """Return the offsets of the cheapest parts with sizes from least to most, as even as possible."""
        price, cuts = self._cheapest(most, least)
        if cuts is None:
            return None
        average = self._sizes[-1] / (len(cuts) - 1)
        low, high = max(least, int(average)) - 1, most  # the longest part is at most `high`
        while high - low > 1:
            middle = (low + high) // 2
            tried, found = self._cheapest(middle, least)
            low, high, cuts = (low, middle, found) if found and tried == price else (middle, high, cuts)
        longest, low, high = high, least, int(average) + 1  # the shortest part is at least `low`
        while high - low > 1:
            middle = (low + high) // 2
            tried, found = self._cheapest(longest, middle)
            low, high, cuts = (middle, high, found) if found and tried == price else (low, middle, cuts)
        return cuts

    def _cheapest(self, most: int, least: int) -> tuple[int, list[int] | None]:
        """Return the cheapest parts with sizes from least to most, in linear time."""
        sizes, places = self._sizes, self._places
        prices = [0] * len(places)
        came_from = [-1] * len(places)
        starts: deque[int] = deque()  # of a part that may end here; the cheapest comes first
        next_start = 0
        for end, place in enumerate(places):
            while sizes[end] - sizes[next_start] >= least and place.spoken > places[next_start].spoken:
                if next_start == 0 or came_from[next_start] >= 0:
                    while starts and prices[starts[-1]] >= prices[next_start]:
                        starts.pop()
                    starts.append(next_start)
                next_start += 1
            while starts and (
                sizes[end] - sizes[starts[0]] > most
                or place.words - places[starts[0]].words > self._limit_words
                or place.offset - places[starts[0]].offset > self._limit_characters
            ):
                starts.popleft()
            if starts:
                prices[end] = prices[starts[0]] + place.price
                came_from[end] = starts[0]
        if came_from[-1] < 0:
            return 0, None
        cuts, at = [len(places) - 1], len(places) - 1
        while at:
            at = came_from[at]
            cuts.append(at)
        return prices[-1], [places[one].offset for one in reversed(cuts)]
