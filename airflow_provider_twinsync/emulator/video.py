"""Render the video of a job: the photo, the text as a caption that follows the voice, a voice of tones."""

from __future__ import annotations

import io
import math
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import av
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from airflow_provider_twinsync.emulator import defects, portrait, speech
from airflow_provider_twinsync.emulator.caption import Line, lay_out
from airflow_provider_twinsync.emulator.fonts import font, showable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_twinsync.emulator.speech import Syllable

_T = TypeVar("_T")

WIDTH, HEIGHT = 512, 672
FRAMES_PER_S = 12
MARKER = "TwinSync emulator"

_PHOTO_SIZE = WIDTH
_MARGIN = 20
_LINE_HEIGHT = 36
_LINES_PER_PAGE = 3
_CAPTION_TOP = _PHOTO_SIZE + 10
_FOOTER_Y = HEIGHT - 22
_MOUTHS = 4
_PANEL, _TO_COME, _SPOKEN, _NOW, _QUIET = "#12161c", "#77828f", "#ffffff", "#ffd166", "#9aa5b1"


class RenderingStopped(Exception):  # noqa: N818  # nobody's error: the emulator ends
    """The rendering was given up."""


def render(
    *,
    text: str,
    pronouncer: str,
    photo: bytes | None,
    should_stop: Callable[[], bool],
    defect: str | None = None,
) -> bytes:
    """Render a video: MP4, H.264 and AAC, as long as the text takes to speak. Equal inputs give equal bytes.

    :param text: the spoken text.
    :param pronouncer: the voice.
    :param photo: the photo as JPEG; ``None`` for the placeholder portrait.
    :param should_stop: asked before each syllable and each frame.
    :param defect: one of ``DEFECTS`` in ``faults.py``; ``None`` for a good video.
    :raises RenderingStopped: if ``should_stop`` returns True.
    """
    spoken = speech.syllables(text)
    frames = defects.frames(defect, math.ceil(speech.duration_s(spoken) * FRAMES_PER_S), FRAMES_PER_S)
    length_s = frames / FRAMES_PER_S
    pictures = _Pictures(text, pronouncer, photo, spoken)
    sound = speech.sound(_while_wanted(spoken, should_stop), text, pronouncer, length_s)
    audio = _audio_frames(defects.sound(defect, sound))
    # The muxer puts the index in front in a second pass over a file of its own.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
            picture_stream = container.add_stream("libx264", rate=FRAMES_PER_S)
            picture_stream.width, picture_stream.height = WIDTH, HEIGHT
            picture_stream.pix_fmt = "yuv420p"
            picture_stream.options = {
                "preset": "veryfast",
                "crf": "24",
                # With more threads, or with look-ahead, equal inputs now and then give other bytes.
                "threads": "1",
                "tune": "zerolatency",
            }
            sound_stream = container.add_stream("aac", rate=speech.SAMPLE_RATE, layout="mono")
            sound_stream.bit_rate = 48_000
            heard_s = 0.0
            for i in _while_wanted(range(frames), should_stop):
                while heard_s <= i / FRAMES_PER_S and (heard := next(audio, None)) is not None:
                    container.mux(sound_stream.encode(heard))
                    heard_s += heard.samples / speech.SAMPLE_RATE
                seen = av.VideoFrame(WIDTH, HEIGHT, "rgb24")
                at_s = defects.time_s(defect, i / FRAMES_PER_S)
                seen.planes[0].update(defects.picture(defect, pictures.at(at_s).tobytes()))
                seen.pts, seen.time_base = i, Fraction(1, FRAMES_PER_S)
                container.mux(picture_stream.encode(seen))
            for heard in audio:
                container.mux(sound_stream.encode(heard))
            container.mux(picture_stream.encode())
            container.mux(sound_stream.encode())
        return defects.file(defect, path.read_bytes())


def _while_wanted(items: Iterable[_T], should_stop: Callable[[], bool]) -> Iterator[_T]:
    for item in items:
        if should_stop():
            raise RenderingStopped
        yield item


def _audio_frames(sound: bytes) -> Iterator[av.AudioFrame]:
    for start in range(0, len(sound), 2048):
        piece = sound[start : start + 2048]
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece) // 2)
        frame.planes[0].update(piece.ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate = speech.SAMPLE_RATE
        frame.pts, frame.time_base = start // 2, Fraction(1, speech.SAMPLE_RATE)
        yield frame


class _Pictures:
    """The pictures of one video; each draws only the changes since the last one."""

    def __init__(self, text: str, pronouncer: str, photo: bytes | None, spoken: list[Syllable]) -> None:
        self._text = text
        self._spoken = spoken
        self._photo = photo
        self._font = font(26, pronouncer=pronouncer)
        lines = lay_out(text, lambda piece: self._font.getlength(showable(piece)), WIDTH - 2 * _MARGIN)
        page_count = math.ceil(len(lines) / _LINES_PER_PAGE)
        per_page = math.ceil(len(lines) / max(1, page_count))  # no page with one line left over
        self._pages = [lines[i : i + per_page] for i in range(0, len(lines), per_page)] if lines else []
        self._canvas = Image.new("RGB", (WIDTH, HEIGHT), _PANEL)
        self._next = 0
        self._drawn_word: object = None
        self._draw_footer(pronouncer)
        if photo is not None:
            self._canvas.paste(_fitted(photo), (0, 0))

    def at(self, at_s: float) -> Image.Image:
        """Return the picture at a time; times must not go back."""
        while self._next < len(self._spoken) - 1 and self._spoken[self._next].end_s <= at_s:
            self._next += 1
        syllable = self._spoken[self._next] if self._spoken else None
        openness = 0.0 if syllable is None else syllable.openness(at_s)
        if self._photo is None:
            mouth = round(openness * _MOUTHS) / _MOUTHS
            self._canvas.paste(portrait.draw(size=_PHOTO_SIZE, mouth=mouth), (0, 0))
        word = None if syllable is None else syllable.word
        if word != self._drawn_word or at_s == 0:
            self._draw_caption(*((word.start, word.end) if word else (0, 0)))
            self._drawn_word = word
        self._draw_bars(openness)
        return self._canvas

    def _draw_caption(self, now_start: int, now_end: int) -> None:
        """Draw the page with the word that is spoken now, in three colours: spoken, now, to come."""
        pen = ImageDraw.Draw(self._canvas)
        pen.rectangle((0, _PHOTO_SIZE, WIDTH, _FOOTER_Y - 12), fill=_PANEL)
        page: list[Line] = next((p for p in self._pages if now_start < p[-1].end), [])
        for number, line in enumerate(page):
            x, y = float(_MARGIN), _CAPTION_TOP + number * _LINE_HEIGHT
            for start, end, colour in (
                (0, now_start, _SPOKEN),
                (now_start, now_end, _NOW),
                (now_end, len(self._text), _TO_COME),
            ):
                piece = showable(self._text[max(start, line.start) : min(end, line.end)])
                if piece:
                    pen.text((x, y), piece, fill=colour, font=self._font)
                    x += self._font.getlength(piece)

    def _draw_footer(self, pronouncer: str) -> None:
        pen = ImageDraw.Draw(self._canvas)
        small = font(14, weight=400)
        pen.text((_MARGIN + 34, _FOOTER_Y), showable(pronouncer[:32]), fill=_QUIET, anchor="lm", font=small)
        pen.text((WIDTH - _MARGIN, _FOOTER_Y), MARKER, fill=_QUIET, anchor="rm", font=small)

    def _draw_bars(self, openness: float) -> None:
        """Draw five bars that rise and fall with the voice."""
        pen = ImageDraw.Draw(self._canvas)
        pen.rectangle((_MARGIN, _FOOTER_Y - 10, _MARGIN + 26, _FOOTER_Y + 10), fill=_PANEL)
        for i, share in enumerate((0.45, 0.8, 1.0, 0.7, 0.4)):
            half = 2 + 7 * openness * share
            x = _MARGIN + i * 5
            pen.rectangle((x, _FOOTER_Y - half, x + 2, _FOOTER_Y + half), fill=_NOW)


def _fitted(photo: bytes) -> Image.Image:
    """Return the complete photo in a square, on a blurred copy of itself that fills the square."""
    with Image.open(io.BytesIO(photo)) as image:
        whole = image.convert("RGB")
    square = (_PHOTO_SIZE, _PHOTO_SIZE)
    backdrop = ImageOps.fit(whole, square).filter(ImageFilter.GaussianBlur(24))
    inside = ImageOps.contain(whole, square)
    backdrop.paste(inside, ((_PHOTO_SIZE - inside.width) // 2, (_PHOTO_SIZE - inside.height) // 2))
    return backdrop
