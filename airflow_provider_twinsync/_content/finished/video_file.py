"""Open a finished video for captions and posters."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import av
import av.error

from airflow_provider_twinsync.exceptions import DownloadInterruptedError, DownloadRefusedError, TwinSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer

#: A longer video is a mistake of the file, and the list of its pauses would take too much memory.
MAX_LENGTH_S = 12 * 3_600
#: 4096 x 4096, as for a part.
MAX_PIXELS = 16_777_216


@contextmanager
def reading_video(path: Path) -> Iterator[InputContainer]:
    """Open an MP4 video for the block. Errors of the library in the block become errors of this package.

    :raises DownloadRefusedError: the file is no video that can be decoded.
    :raises DownloadInterruptedError: the file cannot be read.
    """
    try:
        # In other formats than MP4, a file can name other files or addresses to read.
        options = {"protocol_whitelist": "file"}
        with av.open(str(path.absolute()), format="mp4", options=options) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or not stream.codec_context or not stream.width:
                raise not_decoded("it has no pictures")
            if stream.width * stream.height > MAX_PIXELS:
                raise not_decoded(f"its size is {stream.width}x{stream.height}")
            yield container
    except TwinSyncError:
        raise
    except OSError as error:
        raise DownloadInterruptedError(
            f"TS537 The video could not be read: {error.strerror}. Check the worker's temporary folder."
        ) from error
    except (av.error.FFmpegError, ArithmeticError, LookupError, ValueError) as error:
        raise not_decoded(getattr(error, "strerror", "") or type(error).__name__) from error


def length_s(container: InputContainer) -> float:
    """Return the length of a video, in seconds."""
    return min((container.duration or 0) / av.time_base, MAX_LENGTH_S)


def not_decoded(problem: str) -> DownloadRefusedError:
    """Return the error for a video that cannot be decoded."""
    return DownloadRefusedError(
        f"TS536 The video cannot be decoded: {problem}. Watch the video in your TwinSync account."
    )
