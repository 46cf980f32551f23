"""Read an MP4 file: its signature, its structure, which shows if it is complete, and its duration. Pure.

By ISO/IEC 14496-12: a file is made of boxes, each of which begins with its length and its name (4.2).
``moov`` lists where in the file the samples of each track are, in chunks (8.7). A fragmented file has more
samples in ``moof`` boxes behind it (8.8). It may end with ``mfra``, which has its own length at its end.
"""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from itertools import islice
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD_BYTES = 8
#: The most boxes of one level, and the most bytes of ``moov``: those of a video of many hours.
_MAX_BOXES = 10_000
_MAX_MOOV_BYTES = 16_777_216


def is_mp4(head: bytes) -> bool:
    """Return whether a file that begins with these eight bytes is an MP4 file (section 4.3)."""
    return head[4:8] == b"ftyp"


def is_complete(file: IO[bytes], size: int) -> bool:
    """Return whether the structure of an MP4 file proves that every byte of the video is there.

    The boxes must end where the file ends, but a file that is cut between two boxes fulfils that as well. So
    the file must also have every sample that ``moov`` lists, or, if fragments may follow, ``mfra`` as its
    last box. For example ``ftyp`` and ``moov`` alone are not complete. A file without proof may be complete.

    :param size: the bytes of the file.
    """
    try:
        found = list(boxes(file, 0, size))
        movies = [_read(file, start, end) for name, start, end in found if name == b"moov"]
        if any(_has(movie, b"mvex") for movie in movies):
            return _ends_with_mfra(file, found)
        ends = [_end_of_samples(table) for movie in movies for table in _sample_tables(movie)]
    except (ValueError, LookupError, struct.error):
        return False
    return 0 < max(ends, default=0) <= size


def boxes(file: IO[bytes], at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Read the heads of the boxes from one position of a file to another.

    :return: for each box its name, and the positions where its content starts and ends.
    :raises ValueError: the last box ends elsewhere, or there are too many boxes.
    """
    for _ in range(_MAX_BOXES):
        if at == end:
            return
        file.seek(at)
        head = file.read(min(16, end - at))
        length, start = int.from_bytes(head[:4], "big"), 8
        if length == 1:  # a length of 64 bits follows the name
            length, start = int.from_bytes(head[8:], "big"), 16
        elif length == 0 and head[4:8] not in (b"moov", b"moof"):  # to the end of the file
            length = end - at
        if len(head) < start or not start <= length <= end - at:
            raise ValueError("a box does not end in the file")
        yield head[4:8], at + start, at + length
        at += length
    raise ValueError("too many boxes")


def _read(file: IO[bytes], start: int, end: int) -> bytes:
    if end - start > _MAX_MOOV_BYTES:
        raise ValueError("too large")
    file.seek(start)
    return file.read(end - start)


def _inside(content: bytes, *path: bytes) -> Iterator[bytes]:
    """Return the contents of the boxes at a path of names, such as ``trak``, ``mdia``."""
    for name, start, end in boxes(io.BytesIO(content), 0, len(content)):
        if name == path[0]:
            inner = content[start:end]
            yield from _inside(inner, *path[1:]) if path[1:] else [inner]


def _has(content: bytes, name: bytes) -> bool:
    return any(True for _ in _inside(content, name))


def _sample_tables(movie: bytes) -> Iterator[bytes]:
    return _inside(movie, b"trak", b"mdia", b"minf", b"stbl")


def _ends_with_mfra(file: IO[bytes], found: list[tuple[bytes, int, int]]) -> bool:
    """Return whether the last box is ``mfra``, and its last box states its length (8.8.9, 8.8.11)."""
    name, start, end = found[-1]
    if name != b"mfra" or end - start > _MAX_MOOV_BYTES:
        return False
    [*_, (name, inner, inner_end)] = boxes(file, start, end)
    file.seek(inner)
    return name == b"mfro" and file.read(inner_end - inner)[4:8] == (end - start + 8).to_bytes(4, "big")


def _end_of_samples(table: bytes) -> int:
    """Return the position in the file where the last sample of a track ends; 0 for a track without samples.

    :param table: the content of ``stbl``: sizes of the samples (``stsz``), samples of a chunk (``stsc``), and
        positions of the chunks (``stco``, ``co64``).
    """
    inner = {name: table[start:end] for name, start, end in boxes(io.BytesIO(table), 0, len(table))}
    each, count = struct.unpack_from(">II", inner[b"stsz"], 4)
    sizes = None if each else _numbers(inner[b"stsz"], 12, count, "I")
    kind, offsets = ("Q", inner[b"co64"]) if b"co64" in inner else ("I", inner[b"stco"])
    chunks = _numbers(offsets, 8, int.from_bytes(offsets[4:8], "big"), kind)
    entries = int.from_bytes(inner[b"stsc"][4:8], "big")
    runs = iter(list(struct.iter_unpack(">III", inner[b"stsc"][8 : 8 + 12 * entries])))
    following = next(runs, None)
    furthest, left, in_chunk = 0, count, 0
    for number, offset in enumerate(chunks, 1):
        if following is not None and number == following[0]:
            in_chunk, following = following[1], next(runs, None)
        if not (taken := min(in_chunk, left)):
            continue
        length = taken * each if sizes is None else sum(islice(sizes, taken))
        furthest = max(furthest, offset + length)
        left -= taken
    if left:
        raise ValueError("samples that are in no chunk")
    return furthest


def _numbers(content: bytes, start: int, count: int, kind: str) -> Iterator[int]:
    """Return the numbers of a table."""
    size = struct.calcsize(kind)
    if len(content) < start + count * size:
        raise ValueError("a table that is cut")
    return (number for (number,) in struct.iter_unpack(f">{kind}", content[start : start + count * size]))


#: The boxes that contain a box with a duration (ISO/IEC 14496-12, section 8).
_CONTAINERS = {b"moov", b"mvex", b"trak", b"mdia"}


def duration_s(file: IO[bytes], size: int) -> float | None:
    """Return the duration of an MP4 file in seconds, from its headers; None if they have none.

    A fragmented file has its duration in the movie extends header, or nowhere.

    :param file: the file, open for reading; its position changes.
    :param size: its size in bytes.
    """
    found: dict[bytes, tuple[int, int]] = {}
    with suppress(OSError):  # the video itself is there without this number
        for name, *times in _find_times(file, 0, size, 0):
            a_second, length = times
            known = found.get(name, (a_second, length))  # with a length of 0 the timescale counts
            found[name] = max(known, (a_second, length), key=lambda one: one[1] / (one[0] or 1))
    timescale, duration = found.get(b"mvhd", (0, 0))
    duration = duration or found.get(b"mehd", (0, 0))[1]
    if not (timescale and duration):
        timescale, duration = found.get(b"mdhd", (0, 0))
    return round(duration / timescale, 3) if timescale and duration else None


def _find_times(file: IO[bytes], start: int, end: int, depth: int) -> Iterator[tuple[bytes, int, int]]:
    """Return the name, timescale and duration of each header between two positions of a file."""
    with suppress(ValueError):  # cut or damaged: the headers before count
        for name, inner, inner_end in boxes(file, start, end):
            if name in _CONTAINERS and depth < len(_CONTAINERS):
                yield from _find_times(file, inner, inner_end, depth + 1)
            elif name in (b"mvhd", b"mdhd", b"mehd"):
                file.seek(inner)
                yield name, *_read_times(name, file.read(min(inner_end - inner, 32)))


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
