"""Small videos of scenes: in each the picture moves, stands still or is black, with sound or without."""

from __future__ import annotations

import math
import random
from array import array
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import av
from av.video.frame import PictureType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FRAMES_PER_S = 12
RATE = 16_000
SIZE = (96, 128)
#: The samples of a frame of sound.
_STEP = 256


@dataclass(frozen=True)
class Scene:
    """A scene.

    :param picture: ``moves``, ``still`` or ``black``.
    :param level: the loudness of its sound, in dBFS; None for silence.
    """

    lasts_s: float
    picture: str = "moves"
    level: float | None = -20.0


TALK = Scene(1.0)


def film(
    path: Path,
    scenes: Sequence[Scene],
    *,
    size: tuple[int, int] = SIZE,
    sound_s: float | None = None,
    audio_codec: str | None = "aac",
    layout: str = "mono",
    mouth: tuple[int, int] = (12, 8),
    contrast: int = 60,
    brightness: int = 110,
    options: dict[str, str] | None = None,
) -> Path:
    """Write an MP4 video.

    :param sound_s: how long the sound lasts. Default: as long as the pictures.
    :param audio_codec: None for no stream of sound.
    :param mouth: the size of the part of the picture that moves.
    :param contrast: how dark this part becomes.
    :param brightness: the mean brightness of the picture.
    """
    lasts_s = sum(scene.lasts_s for scene in scenes)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_S)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.options = {"preset": "veryfast", "threads": "1", "g": "12", **(options or {})}
        audio = audio_codec and container.add_stream(audio_codec, rate=RATE, layout=layout)
        background = _background(size, brightness)
        opened = 0
        for number in range(round(lasts_s * FRAMES_PER_S)):
            scene = _scene_at(scenes, number / FRAMES_PER_S)
            opened += scene.picture == "moves"
            luma = _with_mouth(background, size, mouth, contrast * (opened % 4) // 3)
            if scene.picture == "black":
                luma = b"\x10" * len(luma)
            container.mux(video.encode(_picture(luma, size, number)))
        container.mux(video.encode())
        if audio:
            for frame in _sound(scenes, lasts_s if sound_s is None else sound_s, layout):
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


def _scene_at(scenes: Sequence[Scene], at_s: float) -> Scene:
    for scene in scenes:
        at_s -= scene.lasts_s
        if at_s < -1e-6:
            return scene
    return scenes[-1]


@lru_cache
def _background(size: tuple[int, int], brightness: int) -> bytes:
    """Return a picture with a texture."""
    noise = random.Random(1)
    width, height = size
    return bytes(
        max(16, min(235, round(brightness * (0.6 + 0.8 * x / width) + noise.gauss(0, brightness / 12))))
        for _ in range(height)
        for x in range(width)
    )


def _with_mouth(background: bytes, size: tuple[int, int], mouth: tuple[int, int], darker: int) -> bytes:
    luma, (width, height) = bytearray(background), size
    left, top = (width - mouth[0]) // 2 + 1, (height - mouth[1]) // 2 + 1
    for y in range(top, top + mouth[1]):
        start = y * width + left
        row = luma[start : start + mouth[0]]
        luma[start : start + mouth[0]] = bytes(max(16, value - darker) for value in row)
    return bytes(luma)


def _picture(luma: bytes, size: tuple[int, int], number: int) -> av.VideoFrame:
    width, height = size
    frame = av.VideoFrame(width, height, "yuv420p")
    half = b"\x80" * (width // 2)
    rows = [luma[y * width : (y + 1) * width] for y in range(height)]
    for plane, lines in zip(
        frame.planes, (rows, [half] * (height // 2), [half] * (height // 2)), strict=True
    ):
        plane.update(b"".join(line.ljust(plane.line_size, b"\0") for line in lines))
    frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_S)
    frame.pict_type = PictureType.NONE
    return frame


def _sound(scenes: Sequence[Scene], lasts_s: float, layout: str) -> Iterator[av.AudioFrame]:
    """Return a tone of the level of each scene; of two channels the second one alone has it."""
    total = round(lasts_s * RATE)
    for start in range(0, total, _STEP):
        count = min(_STEP, total - start)
        frame = av.AudioFrame(format="s16", layout=layout, samples=count)
        samples = _tone(_scene_at(scenes, start / RATE).level, layout)[
            : 2 * count * len(frame.layout.channels)
        ]
        frame.planes[0].update(samples.ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        yield frame


@lru_cache
def _tone(level: float | None, layout: str) -> bytes:
    """Return a step of a tone, which is continued by the next one."""
    peak = 0.0 if level is None else 32767 * math.sqrt(2) * 10 ** (level / 20)
    values = array("h")
    for i in range(_STEP):
        tone = round(peak * math.sin(2 * math.pi * i * 4 / _STEP))
        values.extend([tone] if layout == "mono" else [0, tone])
    return values.tobytes()
