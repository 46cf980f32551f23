"""Read a part of a video, within bounds: a part comes from a server, and may be any file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import av.error

from airflow_provider_twinsync._download.mp4 import is_complete
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, DownloadRefusedError, TwinSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

#: A part of 150 words is a minute long.
MAX_PART_S = 3_600
TOO_LONG = f"it is longer than {MAX_PART_S} s"
#: 4096 x 4096; a picture of these takes 25 MB of memory, and an encoder has dozens of them.
_MAX_PIXELS = 16_777_216


class DiffersError(Exception):
    """A part cannot be copied behind those before it."""


@dataclass(frozen=True)
class Part:
    """A part, open for reading.

    :param number: its number, from 1 on.
    :param container: the open file.
    :param video: the stream of its pictures.
    :param audio: the stream of its sound, if it has one.
    """

    number: int
    container: InputContainer
    video: VideoStream
    audio: AudioStream | None

    @property
    def start_s(self) -> Fraction:
        """Return where the earlier of the two streams begins, on the part's own clock."""
        starts = [
            stream.start_time * stream.time_base
            for stream in (self.video, self.audio)
            if stream is not None and stream.start_time is not None and stream.time_base is not None
        ]
        return min(starts, default=Fraction(0))

    def packets(self, *, with_last: bool = False) -> Iterator[Packet[Any]]:
        """Return the packets of both streams, as they are in the file.

        :param with_last: one more packet of each stream, empty: with it a decoder returns its last frames.
        """
        streams = [self.video] if self.audio is None else [self.video, self.audio]
        rate, unit = self.video.average_rate, self.video.time_base
        picture = round(1 / (rate * unit)) if rate and unit else 0
        for packet in self.container.demux(*streams):
            if packet.is_corrupt:
                raise unreadable(self.number, "it is damaged or cut")
            if packet.size:
                if packet.stream is self.video and not packet.duration:
                    packet.duration = picture  # FFmpeg 7 has none where pictures refer to later ones
                yield packet
            elif with_last and packet.dts is None:
                yield packet

    def check_time(self, seconds: Fraction | float) -> None:
        """Check a time after the start of the part: a wrong one would make a video of years.

        :raises DownloadRefusedError: the time is beyond any part.
        """
        if not -MAX_PART_S < seconds < MAX_PART_S:
            raise unreadable(self.number, TOO_LONG)


class UnreadableError(DownloadRefusedError):
    """A part is no video that can be read.

    :param number: its number.
    :param problem: the problem, for the message and for callers that have a message of their own.
    """

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(
            f"TS526 Part {number} is no video that can be joined: {problem}. Check the video of that part in "
            "your TwinSync account."
        )
        self.problem = problem


def unreadable(number: int, problem: str) -> UnreadableError:
    """Return the error for a part that is no video."""
    return UnreadableError(number, problem)


@contextmanager
def opened(number: int, path: Path) -> Iterator[Part]:
    """Open a part for the block. Errors of the library in the block become errors of this package.

    :raises DownloadRefusedError: it is no complete MP4 video with pictures.
    :raises DownloadInterruptedError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if not is_complete(file, path.stat().st_size):
                raise unreadable(number, "it is no complete MP4 file")
        # With another format than this one, a file can name other files or addresses to read.
        options = {"protocol_whitelist": "file"}
        with av.open(str(path.absolute()), format="mp4", options=options) as container:
            yield Part(number, container, _pictures(number, container), _sound(number, container))
    except (TwinSyncError, DiffersError):
        raise
    except av.error.PermissionError as error:  # -1 of a decoder: the file itself was opened above
        raise unreadable(number, "it is damaged") from error
    except OSError as error:
        raise DownloadInterruptedError(
            f"TS527 Part {number} could not be read: {error.strerror}. Check the worker's temporary folder."
        ) from error
    except (av.error.FFmpegError, ArithmeticError, LookupError, ValueError) as error:
        raise unreadable(number, getattr(error, "strerror", "") or type(error).__name__) from error


def _pictures(number: int, container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        # Without a codec that the library knows, a stream has no size.
        if stream.codec_context and stream.width and stream.height and stream.time_base:
            if stream.width * stream.height > _MAX_PIXELS:
                raise unreadable(number, f"its size is {stream.width}x{stream.height}")
            return stream
    raise unreadable(number, "it has no pictures")


def _sound(number: int, container: InputContainer) -> AudioStream | None:
    for stream in container.streams.audio:
        if not stream.codec_context or not stream.sample_rate or not stream.channels:
            raise unreadable(number, "its sound is of an unknown kind")
        return stream
    return None
