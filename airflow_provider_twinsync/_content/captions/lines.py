"""Cut a timed text into captions of two lines. Pure.

Of all ways to cut a text, the cheapest one is chosen: few captions, cut where a sentence or a clause ends,
each shown for a readable time.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_twinsync._content.split import CHARACTER, CLAUSE, SENTENCE, SPACE, TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A line has room for 42 narrow characters, or for 16 wide ones.
_NARROW, _WIDE = 8, 21
_LINE = 42 * _NARROW
MIN_SHOWN_S, MAX_SHOWN_S = 1.0, 7.0
#: A caption stays until the next one if that begins so soon: otherwise the picture flickers.
_FLICKER_S = 0.5
#: Inside a word, for a word that is longer than a line.
INSIDE = TOKEN + 1
#: The price of a cut, in captions.
_CUTS = {SENTENCE: 0.0, CLAUSE: 0.3, SPACE: 1.5, CHARACTER: 2.0, TOKEN: 8.0, INSIDE: 30.0}
_LINE_CUTS = {SENTENCE: 0.0, CLAUSE: 0.2, SPACE: 0.8, CHARACTER: 1.0, TOKEN: 4.0, INSIDE: 15.0}
#: The price of two sentences in one caption, and of a caption that is shown too short or too long.
_TWO_SENTENCES, _UNREADABLE = 6.0, 20.0
#: Invisible characters need no room: a text of them is cut all the same.
_MOST_PLACES = 200


class Place(NamedTuple):
    """A place where a caption or a line may begin.

    :param offset: the characters of the text before it.
    :param level: the level of a cut here, as for the parts of a text, or :data:`INSIDE`.
    :param end_s: when the speech before it ends.
    :param start_s: when the speech after it begins.
    """

    offset: int
    level: int
    end_s: float
    start_s: float


class Lines(NamedTuple):
    """A caption: its time in seconds, and its one or two lines."""

    start_s: float
    end_s: float
    lines: list[str]


def width(text: str) -> int:
    """Return the width of a text in eighths of a narrow character; a wide one has 21, and a mark has none.

    >>> width("Hello"), width("你好")
    (40, 42)
    """
    return sum(map(_width, text))


def cut_to_captions(text: str, places: Sequence[Place]) -> list[Lines]:
    """Return the captions of a text, in their order.

    :param text: the text.
    :param places: the places in it, in their order, with its beginning and its end. The ``start_s`` of the
        last one is the time at which the last caption ends at the latest.
    """
    return _Cutter(text, places).captions()


@lru_cache(4096)
def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return _WIDE if unicodedata.east_asian_width(character) in "WF" else _NARROW


class _Cutter:
    def __init__(self, text: str, places: Sequence[Place]) -> None:
        self._text = text
        self._places = places
        widths = [
            (0 if at == 0 or text[at - 1].isspace() else _NARROW) if one.isspace() else _width(one)
            for at, one in enumerate(text)
        ]
        before = [0, *accumulate(widths)]
        #: The width up to each place, with and without the space before it.
        self._starts = [before[place.offset] for place in places]
        self._ends = [before[place.offset - len(_space_before(text, place.offset))] for place in places]
        #: The last place at which the first line of a caption may end.
        self._fold = [self._last_within(_LINE, first) for first in range(len(places))]
        self._sentences = [0, *accumulate(place.level == SENTENCE for place in places)]

    def captions(self) -> list[Lines]:
        """Return the captions, in their order."""
        found = []
        cuts = self._cuts()
        for first, last in pairwise(cuts):
            if lines := self._lines(first, last):
                start_s, next_s = self._places[first].start_s, self._places[last].start_s
                end_s = max(self._places[last].end_s, start_s + MIN_SHOWN_S)
                if next_s - end_s < _FLICKER_S:
                    end_s = next_s
                found.append(Lines(start_s, min(end_s, next_s, start_s + MAX_SHOWN_S), lines))
        return found

    def _last_within(self, room: int, first: int) -> int:
        return bisect_right(self._ends, self._starts[first] + room) - 1

    def _cuts(self) -> list[int]:
        """Return the numbers of the places of the cheapest captions."""
        prices, came_from = [0.0], [0]
        for last in range(1, len(self._places)):
            cheapest, best = float("inf"), last - 1
            for first in range(last - 1, max(-1, last - 1 - _MOST_PLACES), -1):
                if self._ends[last] - self._starts[first] > 2 * _LINE:
                    break
                if self._is_foldable(first, last):
                    price = prices[first] + self._price(first, last)
                    if price < cheapest:
                        cheapest, best = price, first
            if cheapest == float("inf"):
                cheapest = prices[best] + _UNREADABLE
            prices.append(cheapest)
            came_from.append(best)
        cuts = [len(self._places) - 1]
        while cuts[-1]:
            cuts.append(came_from[cuts[-1]])
        return cuts[::-1]

    def _is_foldable(self, first: int, last: int) -> bool:
        fold = self._fold[first]
        return fold >= last or (fold > first and self._ends[last] - self._starts[fold] <= _LINE)

    def _price(self, first: int, last: int) -> float:
        start, end = self._places[first], self._places[last]
        share = (self._ends[last] - self._starts[first]) / (2 * _LINE)
        price = 1 + share * share / 2 + (_CUTS[end.level] if last < len(self._places) - 1 else 0.0)
        price += _TWO_SENTENCES * (self._sentences[last] - self._sentences[first + 1])
        if end.start_s - start.start_s < MIN_SHOWN_S or end.end_s - start.start_s > MAX_SHOWN_S:
            price += _UNREADABLE
        return price

    def _lines(self, first: int, last: int) -> list[str]:
        """Return the lines of a caption; none for a caption of spaces."""
        if self._fold[first] >= last:
            fold = last
        else:
            folds = (
                fold
                for fold in range(first + 1, self._fold[first] + 1)
                if self._ends[last] - self._starts[fold] <= _LINE
            )
            fold = min(folds, key=lambda fold: self._fold_price(first, fold, last), default=last)
        offsets = [self._places[number].offset for number in (first, fold, last)]
        lines = [" ".join(self._text[start:end].split()) for start, end in pairwise(offsets)]
        return [line for line in lines if line]

    def _fold_price(self, first: int, fold: int, last: int) -> float:
        upper = self._ends[fold] - self._starts[first]
        lower = self._ends[last] - self._starts[fold]
        return _LINE_CUTS[self._places[fold].level] + 1.5 * abs(upper - lower) / _LINE


def _space_before(text: str, offset: int) -> str:
    before = text[max(0, offset - 1_000) : offset]
    return before[len(before.rstrip()) :]
