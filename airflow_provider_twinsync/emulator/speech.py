"""The voice of a video: soft syllable tones in the rhythm of the text, instead of speech."""

from __future__ import annotations

import math
import re
import zlib
from array import array
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_twinsync.emulator.words import Word, words

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLE_RATE = 16_000
MIN_DURATION_S = 1.0
CHARACTERS_PER_S = 4.5
WORDS_PER_S = 2.5

#: How long a voice pauses: at the end of a sentence or paragraph, shortest and longest, and at a comma.
SENTENCE_PAUSE_S = (0.5, 0.8)
CLAUSE_PAUSE_S = 0.2

_ENDS = re.compile(r"[.!?…؟۔।॥።][\"'”’»)\]]*\s|[。！？｡]|\n\s*\n")
_CLAUSES = re.compile(r"[,;:،؛፣][\"'”’»)\]]*\s|[，、；：、—…]|\s[-–(]|\)\s")
_TABLE_SIZE = 512
_VOWELS = re.compile(r"[aeiouy]+", re.IGNORECASE)
# How loud each harmonic is: a rough a, e, i, o, u.
_TIMBRES = (
    (1.0, 0.7, 0.6, 0.35, 0.2, 0.1),
    (1.0, 0.8, 0.3, 0.2, 0.25, 0.1),
    (1.0, 0.35, 0.1, 0.05, 0.15, 0.15),
    (1.0, 0.8, 0.45, 0.1, 0.05, 0.0),
    (1.0, 0.5, 0.12, 0.05, 0.0, 0.0),
)


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable and when it is spoken.

    :param word: the word it belongs to.
    """

    word: Word
    start_s: float
    end_s: float

    def openness(self, at_s: float) -> float:
        """Return how far the mouth is open at a time, from 0 to 1."""
        part = (at_s - self.start_s) / (self.end_s - self.start_s)
        return math.sin(math.pi * part) if 0 <= part <= 1 else 0.0


def syllables(text: str) -> list[Syllable]:
    """Return the times of each syllable of a text: 4.5 characters or 2.5 words a second, and pauses."""
    spoken: list[Syllable] = []
    now_s = 0.0
    for word in words(text):
        if spoken:
            now_s += _pause_s(text, spoken[-1].word, word)
        if word.is_character:
            count, length_s = 1, 1 / CHARACTERS_PER_S
        else:
            count = min(4, max(1, len(_VOWELS.findall(text[word.start : word.end]))))
            length_s = 1 / WORDS_PER_S
        for i in range(count):
            spoken.append(Syllable(word, now_s + length_s * i / count, now_s + length_s * (i + 1) / count))
        now_s += length_s
    return spoken


def _pause_s(text: str, before: Word, after: Word) -> float:
    """Return how long the voice pauses between two words: equal texts have equal pauses."""
    between = text[before.end : after.start]
    if _ENDS.search(between):
        shortest_s, longest_s = SENTENCE_PAUSE_S
        share = zlib.crc32(text[before.start : after.end].encode(errors="replace")) % 31 / 30
        return shortest_s + (longest_s - shortest_s) * share
    return CLAUSE_PAUSE_S if _CLAUSES.search(between) else 0.0


def duration_s(spoken: list[Syllable]) -> float:
    """Return the time that the syllables take, in seconds, at least one."""
    return max(MIN_DURATION_S, spoken[-1].end_s if spoken else 0.0)


def sound(spoken: Iterable[Syllable], text: str, pronouncer: str, length_s: float) -> bytes:
    """Return the sound of a text: mono, 16 bit, :data:`SAMPLE_RATE`.

    :param pronouncer: the voice, which decides the pitch.
    :param length_s: how long it is, in seconds; silence follows the last syllable.
    """
    samples = array("h", bytes(2 * round(length_s * SAMPLE_RATE)))
    base_hz = 120 + zlib.crc32(pronouncer.encode()) % 110
    for syllable in spoken:
        chosen = zlib.crc32(text[syllable.word.start : syllable.word.end].encode() + bytes([len(text) % 7]))
        step = 2 ** ((chosen % 7 - 3) / 12)
        sinking = 1.08 - 0.16 * syllable.end_s / length_s
        glide = 1 + (chosen // 7 % 5 - 2) * 0.04
        _add_tone(samples, syllable, _wave(chosen // 35 % len(_TIMBRES)), base_hz * step * sinking, glide)
    return samples.tobytes()


def _add_tone(samples: array[int], syllable: Syllable, wave: list[float], hz: float, glide: float) -> None:
    """Write one syllable: a tone that glides to ``glide`` times its pitch, and swells and fades."""
    start = round(syllable.start_s * SAMPLE_RATE)
    count = min(round(syllable.end_s * SAMPLE_RATE), len(samples)) - start
    phase, step = 0.0, hz * _TABLE_SIZE / SAMPLE_RATE
    bend = step * (glide - 1) / max(1, count)
    attack, release = count * 0.18, count * 0.45
    for i in range(count):
        loudness = min(1.0, i / attack, (count - i) / release)
        samples[start + i] = int(wave[int(phase) % _TABLE_SIZE] * loudness * loudness * (3 - 2 * loudness))
        phase += step
        step += bend


@lru_cache
def _wave(timbre: int) -> list[float]:
    """Return one period of a tone, at a comfortable loudness."""
    harmonics = _TIMBRES[timbre]
    peak = 7000 / sum(harmonics)
    return [
        peak * sum(h * math.sin(2 * math.pi * (n + 1) * i / _TABLE_SIZE) for n, h in enumerate(harmonics))
        for i in range(_TABLE_SIZE)
    ]
