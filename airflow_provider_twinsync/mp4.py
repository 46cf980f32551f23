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


#: The boxes on the way to one that says how long the film plays (ISO/IEC 14496-12, section 8).
_CONTAINERS = {b"moov", b"mvex", b"trak", b"mdia"}
#: So many boxes are walked over at most.
_MAX_BOXES = 1000


def duration_s(file: IO[bytes], size: int) -> float | None:
    """Return how long an MP4 file plays, in seconds, as its header says; None where that does not say.

    A fragmented file says it in its movie extends header, or nowhere.

    :param file: the file, open for reading; where it is read from then on is another place.
    :param size: its size in bytes.
    """
    found: dict[bytes, tuple[int, int]] = {}
    try:
        _look_for_times(file, 0, size, found, [_MAX_BOXES], depth=0)
    except OSError:  # the video is there, and this is one number about it
        return None
    timescale, duration = found.get(b"mvhd", (0, 0))
    duration = duration or found.get(b"mehd", (0, 0))[1]
    if not (timescale and duration):
        timescale, duration = found.get(b"mdhd", (0, 0))
    return round(duration / timescale, 3) if timescale and duration else None


def _look_for_times(
    file: IO[bytes], at: int, end: int, found: dict[bytes, tuple[int, int]], left: list[int], *, depth: int
) -> None:
    """Note the timescale and the duration of each kind of header in a part of a file; the longest counts."""
    while at + 8 <= end and left[0]:
        left[0] -= 1
        file.seek(at)
        head = file.read(16)
        length, name, start = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), 16
        elif length == 0:
            length = end - at
        if length < start or at + length > end:
            return
        if name in _CONTAINERS and depth < len(_CONTAINERS):
            _look_for_times(file, at + start, at + length, found, left, depth=depth + 1)
        elif name in (b"mvhd", b"mdhd", b"mehd"):
            file.seek(at + start)
            times = _read_times(name, file.read(min(length - start, 32)))
            found[name] = max(times, found.get(name, times), key=lambda one: one[1] / (one[0] or 1))
        at += length


def _read_times(name: bytes, body: bytes) -> tuple[int, int]:
    """Read the timescale and the duration of a header box (sections 8.2.2, 8.4.2, 8.8.2); 0 is unknown."""
    is_long = body[:1] == b"\1"
    width = 8 if is_long else 4
    at = 4 if name == b"mehd" else 4 + 2 * width  # behind the version and, elsewhere, two dates
    timescale = 0
    if name != b"mehd":
        timescale = int.from_bytes(body[at : at + 4], "big")
        at += 4
    duration = body[at : at + width]
    if len(duration) < width or duration == b"\xff" * width:
        return 0, 0
    return timescale, int.from_bytes(duration, "big")
