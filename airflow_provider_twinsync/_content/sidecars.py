"""The files beside a video: captions, a poster, a rejected video."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from airflow_provider_twinsync._download.destination import find_place

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 1_000_000


def beside(address: str, suffix: str) -> str:
    """Return the address of a file beside a video.

    >>> beside("s3://aws@videos/a.mp4", ".srt"), beside("/videos/v1.2/talk", ".jpg")
    ('s3://aws@videos/a.srt', '/videos/v1.2/talk.jpg')

    :param address: the address of the video, or its path.
    :param suffix: such as ``.srt``.
    """
    folder, slash, name = address.rpartition("/")
    return f"{folder}{slash}{PurePosixPath(name).stem or name}{suffix}"


def write_beside(address: str, suffix: str, content: bytes | Path) -> str:
    """Write a file beside a video, and return its address; it appears when it is complete.

    :param address: the address of the video, or its path.
    :param content: the bytes, or the file to copy.
    :raises UsageError: the place cannot be written.
    :raises DownloadInterruptedError: the place cannot be written now.
    """
    place = find_place(beside(address, suffix))
    with place.stage() as file:
        if isinstance(content, bytes):
            file.add(content)
        else:
            with content.open("rb") as source:
                while chunk := source.read(_CHUNK_BYTES):
                    file.add(chunk)
        place.publish(file)
    return place.address
