"""Find when each place of a text is spoken, from the pauses in the sound. Pure.

The ends of sentences and clauses are matched with the pauses, in their order. A match is good if the speech
between two pauses is as long as the words between the two places take, if a sentence has a long pause, and if
few long pauses are left over. Dynamic programming finds the best matches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from math import log
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The most boundaries, and the most pauses, between two matches.
_MOST_SKIPPED = 12
#: The most pairs of a place and a pause: without it, 3,000 words with a comma each take minutes.
_MOST_PAIRS, _FEWEST_PAUSES = 12_000, 24
#: How far a voice is ahead of its average speed, or behind: in seconds, and as a share of the speech.
_LEAD_S, _LEAD_SHARE = 3.0, 0.15
#: The price of a sentence, and of a clause, without a pause.
_NO_PAUSE = {True: 4.0, False: 0.7}


class Pause(NamedTuple):
    """A time without speech, in seconds."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Return the length, in seconds."""
        return self.end_s - self.start_s


class Boundary(NamedTuple):
    """The end of a sentence or a clause.

    :param weight_s: how long the text before it takes without a pause, as an estimate.
    :param is_sentence: it ends a sentence.
    """

    weight_s: float
    is_sentence: bool


class Clock:
    """The time at which each place of a text is spoken.

    >>> clock = Clock([Boundary(1.0, True)], 3.0, [Pause(2.0, 2.5)], 0.0, 6.5)
    >>> clock.start_s(0.5), clock.end_s(1.0), clock.start_s(1.0), clock.start_s(2.0)
    (1.0, 2.0, 2.5, 4.5)

    :param boundaries: the ends of sentences and clauses inside the text, in their order.
    :param weight_s: how long the text takes, as the same estimate.
    :param pauses: the pauses in the sound.
    :param start_s: when the sound of the text begins, with the silence before it.
    :param end_s: when it ends.
    """

    def __init__(
        self,
        boundaries: Sequence[Boundary],
        weight_s: float,
        pauses: Sequence[Pause],
        start_s: float,
        end_s: float,
    ) -> None:
        inside = [
            Pause(max(pause.start_s, start_s), min(pause.end_s, end_s))
            for pause in pauses
            if pause.start_s < end_s and pause.end_s > start_s
        ]
        # Pauses before and after the text. A text that is all silence keeps its times.
        lead = inside.pop(0) if inside and inside[0].start_s <= start_s else Pause(start_s, start_s)
        tail = inside.pop() if inside and inside[-1].end_s >= end_s else Pause(end_s, end_s)
        self._from_s, self._to_s = (
            (lead.end_s, tail.start_s) if lead.end_s < tail.start_s else (start_s, end_s)
        )
        self._pauses = inside
        quiet_s = [0.0, *accumulate(pause.length_s for pause in inside)]
        #: How much speech comes before each pause.
        self._spoken_s = [
            pause.start_s - self._from_s - before for pause, before in zip(inside, quiet_s[:-1], strict=True)
        ]
        self._quiet_s = quiet_s
        all_s = self._to_s - self._from_s - quiet_s[-1]
        matches = _match(boundaries, weight_s, self._pauses, self._spoken_s, all_s)
        self._matched = dict(matches)
        self._weights_s = [0.0, *(weight for weight, _ in matches), max(weight_s, 1e-9)]
        self._speech_s = [0.0, *(self._spoken_s[number] for _, number in matches), all_s]

    def start_s(self, weight_s: float) -> float:
        """Return when the text after a place begins, in seconds.

        :param weight_s: how long the text before the place takes, as an estimate.
        """
        if (number := self._matched.get(weight_s)) is not None:
            return self._pauses[number].end_s
        spoken_s = self._spoken_before_s(weight_s)
        return self._from_s + spoken_s + self._quiet_s[bisect_right(self._spoken_s, spoken_s)]

    def end_s(self, weight_s: float) -> float:
        """Return when the text before a place ends, in seconds."""
        if (number := self._matched.get(weight_s)) is not None:
            return self._pauses[number].start_s
        spoken_s = self._spoken_before_s(weight_s)
        return self._from_s + spoken_s + self._quiet_s[bisect_left(self._spoken_s, spoken_s)]

    def _spoken_before_s(self, weight_s: float) -> float:
        """Return how much speech comes before a place: in proportion, between two matches."""
        after = min(bisect_right(self._weights_s, weight_s), len(self._weights_s) - 1)
        low, high = self._weights_s[after - 1 : after + 1]
        share = min(1.0, max(0.0, (weight_s - low) / (high - low))) if high > low else 0.0
        first, last = self._speech_s[after - 1 : after + 1]
        return first + (last - first) * share


def _match(
    boundaries: Sequence[Boundary],
    weight_s: float,
    pauses: Sequence[Pause],
    spoken_s: Sequence[float],
    all_s: float,
) -> list[tuple[float, int]]:
    """Return the weight and the number of the pause of each boundary that has one."""
    if not weight_s or all_s <= 0:
        return []
    pace = all_s / weight_s
    missed = [0.0, *accumulate(_NO_PAUSE[boundary.is_sentence] for boundary in boundaries), 0.0]
    unused = [0.0, *accumulate(min(8.0, 10 * pause.length_s) for pause in pauses), 0.0]
    lead_s = _LEAD_S + _LEAD_SHARE * all_s
    # The best price of a match, and the match before it. The first match is the beginning of the text.
    best: list[dict[int, tuple[float, int, int]]] = [{-1: (0.0, -1, -1)}]
    places_s = [0.0, *(boundary.weight_s for boundary in boundaries), weight_s]
    near = max(_MOST_PAIRS // len(places_s), _FEWEST_PAUSES) // 2
    for place in range(1, len(places_s)):
        is_end = place == len(places_s) - 1
        expected_s = places_s[place] * pace
        first, last = (
            (len(pauses), len(pauses) + 1)
            if is_end
            else (bisect_left(spoken_s, expected_s - lead_s), bisect_right(spoken_s, expected_s + lead_s))
        )
        if not is_end:
            at = bisect_left(spoken_s, expected_s)
            first, last = max(first, at - near), min(last, at + near)
        found: dict[int, tuple[float, int, int]] = {}
        for number in range(first, last):
            at_s = all_s if is_end else spoken_s[number]
            own = 0.0 if is_end else _fit(boundaries[place - 1].is_sentence, pauses[number].length_s)
            prices = (
                (
                    best[before][earlier][0]
                    + own
                    + missed[place - 1]
                    - missed[before]
                    + unused[number]
                    - unused[earlier + 1]
                    + _stretch(
                        at_s - (0.0 if earlier < 0 else spoken_s[earlier]),
                        (places_s[place] - places_s[before]) * pace,
                    ),
                    before,
                    earlier,
                )
                for before in range(max(0, place - 1 - _MOST_SKIPPED), place)
                for earlier in range(number - 1 - _MOST_SKIPPED, number)
                if earlier in best[before]
            )
            if (cheapest := min(prices, default=None)) is not None:
                found[number] = cheapest
        best.append(found)
    matches = []
    place, number = len(places_s) - 1, len(pauses)
    while number in best[place]:
        _, place, number = best[place][number]
        if place <= 0:
            break
        matches.append((places_s[place], number))
    return matches[::-1]


def _fit(is_sentence: bool, pause_s: float) -> float:
    """Return the price of a pause at the end of a sentence, or of a clause."""
    return max(0.0, 0.45 - pause_s) * 6 if is_sentence else max(0.0, pause_s - 0.4) * 4


def _stretch(actual_s: float, expected_s: float) -> float:
    """Return the price of speech of another length than expected. Short speech varies more."""
    ratio = log((actual_s + 0.1) / (expected_s + 0.1))
    return ratio * ratio / (2 * (0.02 + 0.12 / (expected_s + 0.5)))
