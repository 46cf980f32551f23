"""Small videos whose pictures have numbers, with a flash and a click at one moment."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
from av.video.frame import PictureType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FRAMES_PER_S = 12
RATE = 16_000
SIZE = (128, 96)
#: When the picture is white, and when the click is heard, in seconds.
FLASH_S = 0.5
_BITS = 8


@dataclass(frozen=True)
class Film:
    """What a player shows and plays.

    :param seen: the time and the number of each picture, in their order.
    :param heard: the sound of the first channel.
    :param rate: its samples per second.
    :param heard_from_s: when it begins.
    """

    seen: list[tuple[float, int]]
    heard: array[float]
    rate: int
    heard_from_s: float

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.seen]

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.seen]

    @property
    def heard_s(self) -> float:
        return self.heard_from_s + len(self.heard) / self.rate

    @property
    def longest_picture_s(self) -> float:
        return max(after - before for before, after in pairwise(self.times))

    def flashes(self) -> list[float]:
        """Return when the picture turns white, all of its bits."""
        return [time for time, number in self.seen if number == 2**_BITS - 1]

    def clicks(self) -> list[float]:
        """Return when each click begins: the first loud sample after 0.3 quiet seconds."""
        found: list[float] = []
        last = -1.0
        for at, value in enumerate(self.heard):
            if abs(value) > 0.2:
                if at / self.rate - last > 0.3:
                    found.append(self.heard_from_s + at / self.rate)
                last = at / self.rate
        return found


def make(
    path: Path,
    *,
    first: int = 0,
    count: int = 12,
    size: tuple[int, int] = SIZE,
    codec: str = "libx264",
    frames_per_s: int = FRAMES_PER_S,
    times: Sequence[float] | None = None,
    rate: int | None = RATE,
    layout: str = "mono",
    audio_codec: str = "aac",
    sound_s: float | None = None,
    delay_s: float = 0.0,
    b_frames: int = 0,
    pix_fmt: str = "yuv420p",
) -> Path:
    """Write an MP4 video.

    :param first: the number of its first picture; the one at half a second is white instead.
    :param times: when each picture is shown, in seconds. Default: evenly.
    :param rate: the sample rate; None for no stream of sound.
    :param sound_s: how long the sound lasts. Default: as long as the pictures.
    :param delay_s: when the sound begins.
    """
    times = times or [i / frames_per_s for i in range(count)]
    white = min(range(len(times)), key=lambda i: abs(times[i] - FLASH_S))
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream(codec, rate=frames_per_s)
        video.width, video.height = size
        video.pix_fmt = pix_fmt
        video.codec_context.time_base = Fraction(1, frames_per_s * 1000)
        if codec == "libx264":
            video.options = {"bf": str(b_frames), "g": "6", "threads": "1"}
        audio = None if rate is None else container.add_stream(audio_codec, rate=rate, layout=layout)
        for i, at_s in enumerate(times):
            picture = numbered(2**_BITS - 1 if i == white else (first + i) % (2**_BITS - 1), size)
            picture = picture.reformat(format=pix_fmt)
            picture.pts, picture.time_base = (
                round(at_s * frames_per_s * 1000),
                Fraction(1, frames_per_s * 1000),
            )
            picture.pict_type = PictureType.NONE
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if audio is not None and rate is not None:
            sound_s = times[-1] + 1 / frames_per_s if sound_s is None else sound_s
            for frame in sounds(rate, layout, sound_s, delay_s):
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


def numbered(number: int, size: tuple[int, int]) -> av.VideoFrame:
    """Return a picture of vertical bars: the bits of the number, grey and white."""
    width, height = size
    bits = [235 if number >> bit & 1 else 60 for bit in range(_BITS)]
    row = bytes(bits[x * _BITS // width] for x in range(width))
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(
        frame.planes, (row, b"\x80" * (width // 2), b"\x80" * (width // 2)), strict=True
    ):
        plane.update(values.ljust(plane.line_size, b"\0") * plane.height)
    return frame


def sounds(rate: int, layout: str, sound_s: float, delay_s: float) -> Iterator[av.AudioFrame]:
    """Return a soft hum with a click of a tenth of a second at the flash."""
    total, at, later = round(sound_s * rate), round(FLASH_S * rate), round(delay_s * rate)
    for start in range(0, total - later, 1024):
        samples = min(1024, total - later - start)
        values = array("h")
        for i in range(start + later, start + later + samples):
            loud = 20_000 if at <= i < at + rate // 10 else 300
            values.extend([loud if i // 8 % 2 else -loud] * (1 if layout == "mono" else 2))
        frame = av.AudioFrame(format="s16", layout=layout, samples=samples)
        frame.planes[0].update(values.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = rate, start + later, Fraction(1, rate)
        yield frame


def watch(path: Path) -> Film:
    """Decode a video. Its sound must have no gap and no overlap."""
    seen: list[tuple[float, int]] = []
    heard: array[float] = array("f")
    begins: float | None = None
    rate = 1
    with av.open(str(path)) as container:
        for frame in container.decode(*container.streams.video, *container.streams.audio):
            if isinstance(frame, av.VideoFrame):
                seen.append((frame.time, _number(frame)))
                continue
            assert isinstance(frame, av.AudioFrame)
            rate = frame.sample_rate
            begins = frame.time if begins is None else begins
            assert abs(begins + len(heard) / rate - frame.time) < 1e-3, "a gap or an overlap"
            heard.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    return Film(seen, heard, rate, begins or 0.0)


def _number(frame: av.VideoFrame) -> int:
    """Read the bars, across the part of the picture that is not black."""
    plane = frame.reformat(format="gray").planes[0]
    start = plane.line_size * (frame.height // 2)
    row = bytes(plane)[start : start + frame.width]
    lit = [x for x, value in enumerate(row) if value > 35]
    left, width = lit[0], lit[-1] + 1 - lit[0]
    return sum(1 << bit for bit in range(_BITS) if row[left + (2 * bit + 1) * width // (2 * _BITS)] > 150)


def packets(path: Path, kind: str) -> list[bytes]:
    """Return the packets of one kind of stream, as they are in the file."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]
