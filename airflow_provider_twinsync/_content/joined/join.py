"""Join the videos of the parts of a text to one video. The first call loads the library of the extra."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync._download.mp4 import duration_s, is_complete
from airflow_provider_twinsync._download.partial_file import writing
from airflow_provider_twinsync.exceptions import DownloadInterruptedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Joined:
    """A joined video.

    :param duration_s: its duration in seconds, as the file states it.
    :param starts_s: when each part begins, in seconds.
    :param reencoded: why the parts were encoded again, such as ``part 2 has 24 kHz, not 16``; empty if their
        pictures and their sound were copied.
    """

    duration_s: float
    starts_s: tuple[float, ...]
    reencoded: str = ""


def join(parts: Sequence[Path], joined: Path) -> Joined:
    """Join MP4 videos to one MP4 video, in their order.

    Parts of one encoding are copied, packet by packet. Otherwise all are encoded again, to the size and the
    sample rate of the first one; each picture keeps its time.

    A part begins where the longer stream of the part before ends, for pictures and sound alike. Copied sound
    comes in packets, of 1024 samples, and the first packet of an encoder is a silent lead-in. So copied parts
    begin up to two packets later, and the last picture before stays for that long.

    :param parts: the videos, at least one.
    :param joined: the file to write; a file of that name is replaced. After an error there is none.
    :raises UsageError: the extra ``content`` is not installed.
    :raises DownloadRefusedError: a part is no readable video; the message has its number, from 1 on.
    :raises DownloadInterruptedError: a file cannot be read or written.
    """
    try:
        from airflow_provider_twinsync._content.joined.copying import copy
        from airflow_provider_twinsync._content.joined.encoding import encode
        from airflow_provider_twinsync._content.joined.parts import DiffersError
    except ImportError as error:
        raise needs_content("Joining videos") from error
    try:
        reencoded = ""
        try:
            starts_s = copy(parts, joined)
        except DiffersError as difference:
            reencoded = str(difference)
            starts_s = encode(parts, joined)
        with writing(), joined.open("rb") as file:
            size = joined.stat().st_size
            length_s = duration_s(file, size)
            if length_s is None or not is_complete(file, size):
                raise DownloadInterruptedError(
                    "TS520 The video could not be written: the file is incomplete."
                )
        return Joined(length_s, tuple(starts_s), reencoded)
    except BaseException:  # an alarm of an execution_timeout too
        with suppress(OSError):
            joined.unlink()
        raise
