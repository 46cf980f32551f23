"""Check a video: decode all of it, and measure it.

FFmpeg has filters for this (``blackdetect``, ``freezedetect``, ``silencedetect``), which write their results
into the metadata of frames. PyAV shows these from 18.1 on, and this package runs with 14.0. The rules here
are theirs, except for the one of a frozen picture: in a talking photo a thousandth of the picture moves, and
``freezedetect`` takes the mean of all pixels.
"""

from __future__ import annotations

from operator import mul, sub
from typing import TYPE_CHECKING, Any

import av
from av.video.reformatter import VideoReformatter

from airflow_provider_twinsync._content.joined.parts import UnreadableError, opened, unreadable
from airflow_provider_twinsync._content.length import plausible_s
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, VideoRejectedError

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.packet import Packet
    from av.video.frame import VideoFrame

    from airflow_provider_twinsync._content.finished.video_check import VideoCheck
    from airflow_provider_twinsync._content.joined.parts import Part

#: A day, and 120 pictures a second: no script is longer, and no screen is faster.
_MAX_S = 86_400
_MAX_PICTURES_PER_S = 120
_MAX_PIXELS = "16777216"
#: The width of the small grey picture. A cell has the mean of its pixels, so the noise of an encoder is small
#: in it; and a mouth of a thousandth of the picture still changes a cell by more than a tenth of the range.
_CELLS = 64
#: Pictures are compared eight times a second: that is a quarter of the cost at 25 pictures a second.
_COMPARED_EVERY_S = 0.125
#: `blackdetect` has 98 % of the pixels, of up to 10 % brightness. A portrait at night has such pixels too, so
#: the brightness here is 6 %. A black picture of any encoder has 0.
_DARK = bytes(range(16))
_BLACK_SHARE = 0.98
#: The change of a cell, of 255, that is a movement. x264 copies a picture that stands still, and refines it
#: by up to 3. A key frame is a new picture, and so are, in part, the pictures after it: at a low quality
#: (crf 35) they differ by up to 8. A dim mouth, of 6 of 255 in contrast, still changes a cell by 4.
_MOVED, _MOVED_AT_KEY_FRAME = 4, 12
_KEY_FRAME_S = 0.5
#: -50 dBFS as a mean of squares: the noise of a quiet room is below, and a whisper above.
_LOUD = 10 ** (-50 / 10)


def check_video(
    path: Path, limits: VideoCheck, *, words: int | None, pronouncer: str | None, characters: int = 0
) -> dict[str, Any]:
    """Decode a video, and return its numbers if none of them is over its limit.

    For example ``{"length_s": 33.7, "longest_black_s": 0.0, "longest_frozen_s": 0.3, "longest_silent_s":
    0.4, "end_gap_s": 0.021}``.

    :param path: an MP4 file.
    :param limits: the limits.
    :param words: the number of words of the text; None does not check the length.
    :param pronouncer: the voice; None does not check the length.
    :param characters: the number of characters of the text; 0 if it is unknown.
    :raises VideoRejectedError: the video cannot be decoded, or a number is over its limit.
    :raises DownloadInterruptedError: the file cannot be read.
    """
    try:
        with opened(1, path) as part:
            measured = _Measured(part)
            measured.read()
            is_mute = part.audio is None
    except UnreadableError as error:
        raise VideoRejectedError(
            f"TS531 The video cannot be decoded: {error.problem}. The job is paid; another job may have a "
            "video that can."
        ) from error
    except DownloadInterruptedError as error:
        problem = getattr(error.__cause__, "strerror", None) or error
        raise DownloadInterruptedError(
            f"TS532 The video could not be read for its check: {problem}. Check the worker's temporary "
            "folder."
        ) from error
    checks = measured.numbers()
    problems = ["it has no stream of sound"] if is_mute else []
    if words == 0:
        measured.has_sound = True  # a voice may pass over a text of symbols, such as "∑ ∫ √"
    problems += _over(checks, limits, measured)
    if words is not None and pronouncer is not None:
        shortest_s, longest_s = plausible_s(words, pronouncer, characters)
        if not shortest_s <= checks["length_s"] <= longest_s:
            problems.append(
                f"it lasts {checks['length_s']:g} s ({shortest_s:g} to {longest_s:g} s are plausible for "
                f"{words} {'word' if words == 1 else 'words'})"
            )
    if problems:
        raise VideoRejectedError(f"TS530 The video fails its check: {'; '.join(problems)}.", checks=checks)
    return checks


def _over(checks: dict[str, Any], limits: VideoCheck, measured: _Measured) -> list[str]:
    """Return a part of a sentence for each number over its limit."""
    found = []
    for state, number, limit, is_all in (
        # A short video is silent from its start to its end, and not for more than 2 s.
        ("black", checks["longest_black_s"], limits.max_black_s, not measured.has_light),
        ("frozen", checks["longest_frozen_s"], limits.max_frozen_s, False),
        ("silent", checks["longest_silent_s"], limits.max_silent_s, not measured.has_sound),
    ):
        if number > limit or is_all:
            span = "from start to end" if is_all else f"for {number:g} s"
            found.append(f"{state} {span} (limit {limit:g} s)")
    if checks["end_gap_s"] > limits.max_end_gap_s:
        found.append(
            f"pictures and sound end {checks['end_gap_s']:g} s apart (limit {limits.max_end_gap_s:g} s)"
        )
    return found


class _Measured:
    """The numbers of a video.

    :param part: the video, open.
    :ivar has_light: not each picture is black.
    :ivar has_sound: some of the sound is audible.
    """

    def __init__(self, part: Part) -> None:
        self.has_light = self.has_sound = False
        self._part = part
        self._start_s = part.start_s
        self._shrinking = VideoReformatter()
        self._ends_s: dict[str, float] = {}
        self._black, self._still, self._silent = _Run(), _Run(), _Run()
        self._pictures = 0
        self._waiting: tuple[VideoFrame, float] | None = None  # until the time of the next picture is known
        self._compared_s = float("-inf")
        self._key_frame_s = 0.0
        self._cells = b""
        self._resampler: AudioResampler | None = None
        self._sound_of: tuple[str, str, int] | None = None

    def read(self) -> None:
        """Decode all pictures and all sound.

        :raises DownloadRefusedError: a part of it cannot be decoded.
        """
        part = self._part
        for stream in (part.video, part.audio):
            if stream is not None:
                # Each thread of a decoder would have pictures of its own in memory, and costs more CPU.
                stream.codec_context.thread_count = 1
                stream.codec_context.options = {"max_pixels": _MAX_PIXELS}
        self._silent.begin(0.0)
        for packet in part.packets(with_last=True):
            if packet.size:
                self._note_end(packet)
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    self._see(frame)
                elif isinstance(frame, av.AudioFrame):
                    self._hear(frame)
        if self._waiting is None:
            raise unreadable(part.number, "it has no pictures")
        self._compare(*self._waiting, self._ends_s["video"])
        self._silent.last_until(self._ends_s.get("audio", self._ends_s["video"]))

    def numbers(self) -> dict[str, Any]:
        """Return the numbers, in seconds."""
        ends_s = self._ends_s.values()
        return {
            "length_s": round(max(ends_s), 3),
            "longest_black_s": round(self._black.longest_s, 3),
            "longest_frozen_s": round(self._still.longest_s, 3),
            "longest_silent_s": round(self._silent.longest_s, 3),
            "end_gap_s": round(max(ends_s) - min(ends_s), 3),
        }

    def _note_end(self, packet: Packet[Any]) -> None:
        kind = packet.stream.type
        end_s = self._time(packet) + float((packet.duration or 0) * (packet.time_base or 0))
        self._ends_s[kind] = max(self._ends_s.get(kind, 0.0), end_s)

    def _time(self, found: Packet[Any] | VideoFrame | AudioFrame) -> float:
        """Return the time of a packet or a frame, from the start of the video."""
        if found.pts is None or found.time_base is None:
            raise unreadable(self._part.number, "it has pictures or sound without a time")
        at_s: Fraction | float = found.pts * found.time_base - self._start_s
        if not -_MAX_S < at_s < _MAX_S:
            raise unreadable(self._part.number, f"it is longer than {_MAX_S} s")
        return float(at_s)

    def _see(self, frame: VideoFrame) -> None:
        if frame.is_corrupt:
            raise unreadable(self._part.number, "a picture is damaged")
        at_s = self._time(frame)
        self._pictures += 1
        if self._pictures > _MAX_PICTURES_PER_S * (max(at_s, 0) + 10):
            raise unreadable(self._part.number, f"it has more than {_MAX_PICTURES_PER_S} pictures a second")
        if self._waiting is not None:
            waiting, since_s = self._waiting
            # Long enough after the last comparison, or shown for long.
            if at_s - self._compared_s >= _COMPARED_EVERY_S:
                self._compare(waiting, since_s, at_s)
        if frame.key_frame:
            self._key_frame_s = at_s
        self._waiting = frame, at_s

    def _compare(self, frame: VideoFrame, since_s: float, until_s: float) -> None:
        """Compare a picture with the last one that moved.

        :param until_s: the time of the next picture.
        """
        cells = self._cells_of(frame)
        is_new = since_s - self._key_frame_s < _KEY_FRAME_S
        changed = max(map(abs, map(sub, cells, self._cells)), default=255)
        if len(cells) != len(self._cells) or changed >= (_MOVED_AT_KEY_FRAME if is_new else _MOVED):
            self._still.begin(since_s)
            self._cells = cells
        elif is_new:
            self._cells = cells
        self._still.last_until(until_s)
        if len(cells.translate(None, _DARK)) <= len(cells) * (1 - _BLACK_SHARE):
            self._black.go_on(since_s)
            self._black.last_until(until_s)
        else:
            self._black.end()
            self.has_light = True
        self._compared_s = since_s

    def _cells_of(self, frame: VideoFrame) -> bytes:
        """Return a small grey copy of a picture."""
        width = min(_CELLS, frame.width)
        height = max(1, min(2 * _CELLS, frame.height * width // frame.width))
        small = self._shrinking.reformat(frame, width, height, "gray", interpolation="AREA")
        plane = small.planes[0]
        rows, line = bytes(plane), plane.line_size
        return b"".join(rows[line * y : line * y + width] for y in range(height))

    def _hear(self, frame: AudioFrame) -> None:
        at_s = self._time(frame)
        for floats in self._as_floats(frame):
            if any(_is_loud(plane, floats.samples) for plane in floats.planes):
                self._silent.last_until(at_s)
                self._silent.begin(at_s + floats.samples / floats.sample_rate)
                self.has_sound = True

    def _as_floats(self, frame: AudioFrame) -> list[AudioFrame]:
        """Return the sound as floats, each channel in a plane of its own."""
        if frame.format.name == "fltp":
            return [frame]
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if self._resampler is None or kind != self._sound_of:
            self._resampler = av.AudioResampler("fltp", frame.layout, frame.sample_rate)
            self._sound_of = kind
        return self._resampler.resample(frame)


class _Run:
    """The longest time of a state in a row."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._since_s: float | None = None

    def begin(self, at_s: float) -> None:
        """Begin a run, at the end of the one before."""
        self._since_s = at_s

    def go_on(self, at_s: float) -> None:
        """Begin a run, if there is none."""
        self._since_s = at_s if self._since_s is None else self._since_s

    def last_until(self, at_s: float) -> None:
        """Note that the run, if there is one, has lasted until a time."""
        if self._since_s is not None:
            self.longest_s = max(self.longest_s, at_s - self._since_s)

    def end(self) -> None:
        """End a run."""
        self._since_s = None


def _is_loud(plane: Any, samples: int) -> bool:
    values = memoryview(plane).cast("f")[:samples]
    # An eighth of the samples decides nearly always, as speech is far louder.
    return _power(values[::8]) >= _LOUD or _power(values) >= _LOUD


def _power(values: Any) -> float:
    """Return the mean of the squares of some samples."""
    return float(sum(map(mul, values, values))) / max(1, len(values))
