"""A small copy of a poster, for a report."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av

#: The most pixels of each side.
_WIDTH, _HEIGHT = 160, 200
#: 500 of them in Base64 are 4.3 MB of a page.
MAX_BYTES = 6_500
#: A poster is a frame of a video.
_MAX_PIXELS = 64_000_000
#: FFmpeg's scales of JPEG, from a good picture to a bad one.
_SCALES = (3, 5, 8, 12, 18, 31)


def thumbnail(poster: bytes) -> bytes:
    """Return a poster as a JPEG of at most 160 x 200 pixels and 6,500 bytes.

    :param poster: a JPEG.
    :raises ValueError: it cannot be decoded.
    """
    try:
        # Of one decoder and not of `av.open`, which would take a playlist or another file for a picture.
        decoder: Any = av.CodecContext.create("mjpeg", "r")
        decoder.options = {"max_pixels": str(_MAX_PIXELS)}
        decoder.thread_count = 1
        frame: Any = (decoder.decode(av.Packet(poster)) + decoder.decode(None))[0]
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"it is no JPEG ({type(error).__name__})") from None
    scale = min(_WIDTH / frame.width, _HEIGHT / frame.height, 1)
    small = frame.reformat(
        width=max(1, round(frame.width * scale)),
        height=max(1, round(frame.height * scale)),
        format="yuvj420p",
        interpolation="AREA",
    )
    for scale in _SCALES:
        if len(encoded := _jpeg(small, scale)) <= MAX_BYTES:
            break
    return encoded


def _jpeg(frame: Any, scale: int) -> bytes:
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    encoder.thread_count = 1
    encoder.qmin = encoder.qmax = scale
    frame.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
