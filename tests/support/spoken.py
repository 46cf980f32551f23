"""Small videos with the emulator's voice, and when each of their sentences is spoken."""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from airflow_provider_twinsync.emulator import speech

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from airflow_provider_twinsync._content.captions.captions import Caption
    from airflow_provider_twinsync.emulator.speech import Syllable

_PICTURES_PER_S = 4
#: The voice, the words or signs, the mark of a clause, the ends of sentences, and the space between words.
LANGUAGES = {
    "en": (
        "en-US-JennyNeural",
        "a it the rain story mountain because remarkable of river today information slowly children and "
        "begins water understand yesterday one twenty international",
        *(", ", (". ", "? ", "! "), " "),
    ),
    "de": (
        "de-DE-KatjaNeural",
        "der ein Haus und Wissenschaft geht langsam Straßenbahn im Garten Verantwortung heute niemals "
        "Freundschaft zwei Nachrichtensendung er läuft über",
        *(", ", (". ", "? ", "! "), " "),
    ),
    "fr": (
        "fr-FR-DeniseNeural",
        "le une maison et aujourd'hui compréhension rivière marche lentement dans gouvernement petit "
        "enfants toujours l'eau extraordinaire sous",
        *(", ", (". ", "! "), " "),
    ),
    "ru": (
        "ru-RU-SvetlanaNeural",
        "и дом река медленно сегодня правительство дети он всегда понимание в саду гора история "
        "путешествие вода два",
        *(", ", (". ", "? "), " "),
    ),
    "hi": (
        "hi-IN-SwaraNeural",
        "यह नदी और पहाड़ धीरे आज सरकार बच्चे पानी कहानी समझ बगीचे में दो अंतरराष्ट्रीय",
        *(", ", ("। ", "? "), " "),
    ),
    "ko": (
        "ko-KR-SunHiNeural",
        "오늘 강은 천천히 산을 아이들이 물과 이야기를 정부가 정원에서 두 이해하고 국제적인",
        *(", ", (". ", "? "), " "),
    ),
    "zh": (
        "zh-CN-XiaohanNeural",
        "今天天气很好河水慢慢流过山下的花园孩子们讲一个故事我懂得新闻",
        *("，", ("。", "？", "！"), ""),
    ),
    "ja": (
        "ja-JP-NanamiNeural",
        "きょうはてんきがいい川の水山を子どもたち話新しいニュースです",
        *("、", ("。", "！"), ""),
    ),
}


@dataclass(frozen=True)
class Script:
    """A text with several sentences.

    :param sentences: each with the space after it.
    :param pronouncer: the voice.
    """

    sentences: list[str]
    pronouncer: str

    @property
    def text(self) -> str:
        return "".join(self.sentences)


def script(language: str, seed: int, words: int) -> Script:
    """Write a text of about so many words, of sentences of 2 to 24 words."""
    chance = random.Random(f"{language} {seed}")
    pronouncer, words_or_signs, comma, ends, space = LANGUAGES[language]
    known = words_or_signs.split() if space else words_or_signs
    sentences, count = [], 0
    while count < words:
        length = chance.randint(2, 24)
        count += length
        chosen = [chance.choice(known) for _ in range(length)]
        chosen[0] = chosen[0][:1].upper() + chosen[0][1:]
        marks = [comma if chance.random() < 0.12 else space for _ in chosen[:-1]] + [chance.choice(ends)]
        sentences.append("".join(word + mark for word, mark in zip(chosen, marks, strict=True)))
    return Script(sentences, pronouncer)


def spoken_by_a_person(text: str, seed: str) -> list[Syllable]:
    """Return the syllables with the speed and the pauses of a person, instead of those of the emulator.

    The speed differs by 15 % between sentences, by 20 % between words, and with the letters of a word. Some
    sentences have a short pause, or none; some clauses have a long one; some words have one before them.
    """
    chance = random.Random(seed)
    said: list[Syllable] = []
    now_s, before_s, pace = chance.uniform(0.05, 0.4), 0.0, 1.0
    word = None
    for one in speech.syllables(text):
        if one.word != word:
            pause_s = one.start_s - before_s if word else 0.0
            if pause_s > 0.4:
                pace = chance.uniform(0.85, 1.15)
                pause_s = chance.uniform(0.3, 0.9)
            elif pause_s > 0.1:
                pause_s = chance.choice([0.0, 0.15, 0.2, 0.3, 0.45])
            elif chance.random() < 0.02:
                pause_s = chance.uniform(0.15, 0.3)
            now_s += pause_s
            word = one.word
            letters = 1 if word.is_character else (word.end - word.start + 3) / 8
            stretch = pace * letters * chance.uniform(0.8, 1.2)
        length_s = (one.end_s - one.start_s) * stretch
        said.append(speech.Syllable(word, now_s, now_s + length_s))
        now_s, before_s = now_s + length_s, one.end_s
    return said


def starts_s(sentences: Sequence[str], spoken: Sequence[Syllable]) -> list[float]:
    """Return when each sentence of a text begins, in seconds."""
    found, offset = [], 0
    for sentence in sentences:
        found.append(next(one.start_s for one in spoken if one.word.start >= offset))
        offset += len(sentence)
    return found


def beeps(spoken: Sequence[Syllable], length_s: float) -> bytes:
    """Return a tone for each syllable, as loud as the emulator's voice, and made faster."""
    rate = speech.SAMPLE_RATE
    tone = array("h", [4000 if at // 40 % 2 else -4000 for at in range(4 * rate)])
    sound = array("h", bytes(2 * round(length_s * rate)))
    for one in spoken:
        start, end = round(one.start_s * rate), min(round(one.end_s * rate) - rate // 50, len(sound))
        sound[start:end] = tone[: max(0, end - start)]
    return sound.tobytes()


def film(path: Path, spoken: Sequence[Syllable], sound: Callable[[float], bytes] | None = None) -> float:
    """Write a small video of the spoken text, and return its length in seconds.

    :param sound: returns the sound of a length. Default: :func:`beeps`.
    """
    pictures = max(4, int(speech.duration_s(list(spoken)) * _PICTURES_PER_S) + 1)
    length_s = pictures / _PICTURES_PER_S
    heard = sound(length_s) if sound else beeps(spoken, length_s)
    frames = [heard[at : at + 2048] for at in range(0, len(heard), 2048)]
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=_PICTURES_PER_S)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        video.options = {"preset": "ultrafast", "threads": "1"}
        audio = container.add_stream("aac", rate=speech.SAMPLE_RATE, layout="mono")
        for number in range(pictures):
            picture = av.VideoFrame(64, 64, "yuv420p")
            for plane in picture.planes:
                plane.update(b"\x80" * plane.buffer_size)
            picture.pts, picture.time_base = number, Fraction(1, _PICTURES_PER_S)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        for number, piece in enumerate(frames):
            frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece) // 2)
            frame.planes[0].update(piece.ljust(frame.planes[0].buffer_size, b"\0"))
            frame.sample_rate = speech.SAMPLE_RATE
            frame.pts, frame.time_base = number * 1024, Fraction(1, speech.SAMPLE_RATE)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return length_s


def heard_starts(sentences: Sequence[str], true_s: Sequence[float], found: Sequence[Caption]) -> list[float]:
    """Return how late each sentence's caption is; a sentence inside a caption has none of its own."""
    begins: dict[int, float] = {}
    at = 0
    for caption in found:
        begins[at] = caption.start_s
        at += len("".join(caption.text.split()))
    late_s, at = [], 0
    for sentence, start_s in zip(sentences, true_s, strict=True):
        if at in begins:
            late_s.append(begins[at] - start_s)
        at += len("".join(sentence.split()))
    return late_s
