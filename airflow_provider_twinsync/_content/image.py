"""Check that bytes are a photo: JPEG, PNG or WebP, complete, and of a usable size."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync.exceptions import UsageError

#: The fewest pixels on each side.
MIN_SIDE = 128
#: Decoded, such a photo has some hundred megabytes; the photos of phones have up to 50 million pixels.
MAX_PIXELS = 64_000_000
#: The first bytes of a photo, the ending of its name, and its decoder in FFmpeg.
_KINDS = (
    (rb"\xff\xd8\xff", "jpg", "mjpeg"),
    (rb"\x89PNG\r\n\x1a\n", "png", "png"),
    (rb"RIFF.{4}WEBP", "webp", "webp"),
)


def check_image(data: bytes, subject: str) -> str:
    """Return the ending of a photo's name: ``jpg``, ``png`` or ``webp``.

    :param subject: the photo, as the subject of a sentence.
    :raises UsageError: the bytes are no photo, or the extra ``content`` is missing.
    """
    for start, ending, decoder in _KINDS:
        if re.match(start, data, re.DOTALL):
            _check_size(*_decoded_size(data, decoder, subject), subject)
            return ending
    seen = "a PDF" if data.startswith(b"%PDF") else "no photo"
    raise UsageError(
        f"TS154 {subject} is {'empty' if not data else seen}: it should be a JPEG, a PNG or a WebP."
    )


def _decoded_size(data: bytes, decoder: str, subject: str) -> tuple[int, int]:
    try:
        import av
    except ImportError:
        raise needs_content("A photo from a store or a file") from None
    try:
        # Of one decoder and not of `av.open`, which would take a playlist or another file for a picture.
        context: Any = av.CodecContext.create(decoder, "r")
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = 1  # each thread would have a picture of its own in memory
        frame = (context.decode(av.Packet(data)) + context.decode(None))[0]
        width, height = frame.width, frame.height
    except (av.FFmpegError, IndexError, MemoryError):
        width = 0
    # The decoder takes the first half of a JPEG for a photo with a grey end.
    if not width or (decoder == "mjpeg" and not _has_end(data)):
        raise UsageError(
            f"TS154 {subject} cannot be decoded: it is cut, damaged or animated, or has more than "
            f"{MAX_PIXELS:,} pixels."
        )
    return width, height


def _check_size(width: int, height: int, subject: str) -> None:
    if min(width, height) < MIN_SIDE:
        raise UsageError(
            f"TS154 {subject} has {width:,} x {height:,} pixels: it should have at least {MIN_SIDE} on each "
            "side."
        )


def _has_end(data: bytes) -> bool:
    """Return whether a JPEG has the marker of its end, which may be in the middle: phones add a film to it.

    A thumbnail has a marker of its own, so this goes from segment to segment (ITU T.81, annex B).
    """
    marker = re.compile(rb"\xff+([\xc0-\xcf\xd9-\xfe])")
    at = 2
    while found := marker.search(data, at):
        if found[1] == b"\xd9":
            return True
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return False
