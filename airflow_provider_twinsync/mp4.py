"""What an MP4 file looks like, as far as it tells a whole video from something else. Pure."""

from __future__ import annotations

from typing import IO

HEAD_BYTES = 8


def is_mp4(head: bytes) -> bool:
    """Whether a file that begins with these eight bytes is one (ISO/IEC 14496-12, section 4.3)."""
    return head[4:8] == b"ftyp"


def ends_with_a_box(file: IO[bytes], size: int) -> bool:
    """Whether the last of the boxes that an MP4 file is made of ends where the file does.

    By ISO/IEC 14496-12, section 4.2: a box begins with its length and its name.
    """
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(16)
        length, smallest = int.from_bytes(head[:4], "big"), 8
        if length == 1:  # it has 64 bits, behind the name
            length, smallest = int.from_bytes(head[8:], "big"), 16
        elif length == 0 and len(head) >= smallest:
            return True  # the box goes to the end, wherever that is
        if length < smallest:
            return False
        at += length
    return at == size
