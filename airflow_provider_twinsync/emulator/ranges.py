"""Read the range of bytes that a request asks for (RFC 9110, sections 13.1.5 and 14); no I/O."""

from __future__ import annotations

import re

# No file needs more digits, and Python reads no number of more than 4300.
_SINGLE_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,18})[ \t]*-[ \t]*([0-9]{0,18})", re.IGNORECASE)


class RangeNotSatisfiableError(Exception):
    """The range begins behind the end: HTTP 416."""


def parse_range(header: str | None, size: int) -> range | None:
    """Read a ``Range`` header.

    :param size: the length of the video, in bytes.
    :return: the bytes asked for; ``None`` for all of them, also where the header is malformed or names
        several ranges, which a server may ignore.
    :raises RangeNotSatisfiableError: if the range has no byte of the video.
    """
    match = _SINGLE_RANGE.fullmatch((header or "").strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:  # a suffix: the last so many bytes
        if int(last) == 0:
            raise RangeNotSatisfiableError
        return range(max(0, size - int(last)), size)
    start, stop = int(first), min(int(last) + 1 if last else size, size)
    if last and int(last) < int(first):
        return None
    if start >= size:
        raise RangeNotSatisfiableError
    return range(start, stop)


def if_range_holds(header: str | None, *, etag: str, last_modified: str) -> bool:
    """Return whether the client's copy is of this content, so that the server may send a range.

    :param header: the ``If-Range`` header: a strong ETag or a date, compared exactly; ``None`` holds.
    """
    return header is None or header.strip() in (etag, last_modified)
