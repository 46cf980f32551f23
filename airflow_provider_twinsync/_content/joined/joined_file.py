"""Write the joined video."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError

from airflow_provider_twinsync._download.partial_file import writing
from airflow_provider_twinsync.exceptions import DownloadInterruptedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import OutputContainer


@contextmanager
def writing_video(path: Path) -> Iterator[OutputContainer]:
    """Open an MP4 file for the block, and put its index in front at the end (a player can start at once).

    :raises DownloadInterruptedError: the file cannot be written.
    """
    try:
        with writing():
            out = av.open(str(path.absolute()), "w", format="mp4", options={"movflags": "+faststart"})
        try:
            yield out
        except BaseException:  # an alarm of an execution_timeout too
            with suppress(Exception):  # the first error is the one to report
                out.close()
            raise
        with writing():
            out.close()
    except FFmpegError as error:
        raise DownloadInterruptedError(f"TS520 The video could not be written: {error.strerror}.") from error


def silent_frame(rate: int, layout: str, samples: int) -> av.AudioFrame:
    """Return samples of silence, without a time."""
    frame = av.AudioFrame(format="fltp", layout=layout, samples=samples)
    frame.sample_rate = rate
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return frame
