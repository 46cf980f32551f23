"""Make the captions of a video from its text. The first call loads the libraries of the extra."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._content.captions.lines import INSIDE, Place, cut_to_captions
from airflow_provider_twinsync._content.captions.timing import Boundary, Clock
from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync._content.length import plausible_s
from airflow_provider_twinsync._content.split import CLAUSE, SENTENCE, breaks, find_levels, sentence_ends
from airflow_provider_twinsync.exceptions import DownloadRefusedError
from airflow_provider_twinsync.text import count_words, is_silent, word_places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_twinsync._content.captions.timing import Pause

#: The time of a voice for a sign such as a Chinese character, for a letter and a digit, and to begin a word.
#: Only the proportions count.
_SIGN_S, _LETTER_S, _DIGIT_S, _WORD_S = 0.22, 0.055, 0.25, 0.1


@dataclass(frozen=True)
class Spoken:
    """A part of a text, and where in the video it is spoken.

    :param text: the part.
    :param start_s: when the part begins in the video, in seconds.
    :param end_s: when it ends.
    """

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Caption:
    r"""A caption.

    :param start_s: when it appears in the video, in seconds.
    :param end_s: when it disappears.
    :param text: one or two lines, with ``\n`` between them.
    """

    start_s: float
    end_s: float
    text: str


def captions(video: Path, parts: Sequence[Spoken], pronouncer: str) -> list[Caption]:
    """Return the captions of a video, in their order.

    A caption has up to two lines of 42 characters, or of 16 wide ones such as Chinese characters. It is shown
    for 1 to 7 s if the speech allows that. Together the captions have all words of the text.

    The ends of sentences and clauses are matched with the pauses in the sound. Without sound, each sentence
    gets a time in proportion to its length.

    :param video: an MP4 file.
    :param parts: the text in the parts in which it was spoken, in their order.
    :param pronouncer: the voice; its language decides where a sentence ends.
    :raises DownloadRefusedError: the text is not this video's, or the video cannot be decoded.
    :raises DownloadInterruptedError: the file cannot be read.
    :raises UsageError: the extra ``content`` is not installed.
    """
    try:
        from airflow_provider_twinsync._content.captions.pauses import find_pauses
        from airflow_provider_twinsync._content.finished.video_file import length_s, reading_video
    except ImportError as error:
        raise needs_content("Captions") from error
    with reading_video(video) as container:
        lasts_s = length_s(container)
        parts = [Spoken(_clean(one.text), one.start_s, min(one.end_s, lasts_s)) for one in parts]
        for number, part in enumerate(parts, 1):
            _check_length(part, f"part {number} of the text" if len(parts) > 1 else "the text", pronouncer)
        pauses = find_pauses(container, lasts_s) or []
    found = []
    ends_s = [*(part.start_s for part in parts[1:]), lasts_s]
    for part, end_s in zip(parts, ends_s, strict=True):
        for start_s, shown_to_s, lines in cut_to_captions(
            part.text, _places(part, end_s, pauses, pronouncer)
        ):
            found.append(Caption(round(start_s, 3), round(shown_to_s, 3), "\n".join(lines)))
    return found


def _clean(text: str) -> str:
    """Return a text without control characters: some end a caption, and others are no text in a file."""
    return "".join(
        "\ufffd" if "\ud800" <= one <= "\udfff" else one
        for one in text
        if one.isspace() or unicodedata.category(one) != "Cc"
    )


def _check_length(part: Spoken, name: str, pronouncer: str) -> None:
    words = count_words(part.text)
    shortest_s, longest_s = plausible_s(words, pronouncer, len(part.text))
    if not shortest_s <= part.end_s - part.start_s <= longest_s:
        raise DownloadRefusedError(
            f"TS535 The video is not of {name}, so it gets no captions: {words} words take {shortest_s:.0f} "
            f"to {longest_s:.0f} s, and the video has {max(0.0, part.end_s - part.start_s):.1f} s."
        )


def _places(part: Spoken, end_s: float, pauses: Sequence[Pause], pronouncer: str) -> list[Place]:
    """Return the places of a part at which a caption may begin, with their times.

    :param end_s: when the last caption ends at the latest.
    """
    text, words = part.text, word_places(part.text)
    levels = find_levels(text, words, sentence_ends(text, pronouncer))
    for word in words:
        levels |= dict.fromkeys(breaks(text, word.start + 1, word.end - 1), INSIDE)
    weights_s = _weights_s(text, words)
    levels = {at: level for at, level in sorted(levels.items()) if 0 < at < len(text)}
    boundaries = [
        Boundary(weights_s[at], level == SENTENCE)
        for at, level in levels.items()
        if level in (SENTENCE, CLAUSE)
    ]
    clock = Clock(boundaries, weights_s[-1], pauses, part.start_s, part.end_s)
    return [
        Place(0, SENTENCE, part.start_s, clock.start_s(0.0)),
        *(
            Place(at, one, clock.end_s(weights_s[at]), clock.start_s(weights_s[at]))
            for at, one in levels.items()
        ),
        Place(len(text), SENTENCE, clock.end_s(weights_s[-1]), end_s),
    ]


def _weights_s(text: str, words: Sequence[Any]) -> list[float]:
    """Return how long the text before each offset takes, as an estimate."""
    weights_s = [0.0] * (len(text) + 1)
    starts = {word.start: word for word in words}
    inside_to = 0
    for at, character in enumerate(text):
        weight_s = 0.0
        if word := starts.get(at):
            weight_s, inside_to = (_SIGN_S if word.is_sign else _WORD_S), word.end
        if at < inside_to:
            if character.isdigit():
                weight_s += _DIGIT_S
            elif character.isalpha() and not (word and word.is_sign):
                weight_s += 3 * _LETTER_S if unicodedata.east_asian_width(character) == "W" else _LETTER_S
        elif not character.isspace() and not is_silent(character):
            weight_s = _SIGN_S
        weights_s[at + 1] = weights_s[at] + weight_s
    return weights_s
