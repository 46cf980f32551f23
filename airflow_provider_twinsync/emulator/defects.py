"""The defects of a video, which the faults of a submit ask for. Each function changes one part of a video.

A defect's name is that of its fault, for example ``silent_video``. ``None`` changes nothing.
"""

from __future__ import annotations

import random

#: A frozen video has this length at least: a person does not move for two seconds either.
_MIN_FROZEN_S = 4.0
_SHORT_SHARE = 20


def frames(defect: str | None, count: int, per_s: int) -> int:
    """Return the number of pictures.

    >>> frames("short_video", 240, 12), frames("frozen_video", 12, 12), frames(None, 240, 12)
    (12, 48, 240)

    :param count: the number in a good video.
    :param per_s: the pictures of a second.
    """
    if defect == "short_video":
        return max(1, count // _SHORT_SHARE)
    if defect == "frozen_video":
        return max(count, round(_MIN_FROZEN_S * per_s))
    return count


def sound(defect: str | None, samples: bytes) -> bytes:
    """Return the sound: a frozen video that is longer than its text repeats it."""
    if defect == "silent_video":
        return bytes(len(samples))
    if defect == "frozen_video":
        spoken = samples.rstrip(b"\0")
        spoken += bytes(len(spoken) % 2)
        return (spoken * (len(samples) // max(1, len(spoken)) + 1))[: len(samples)] or samples
    return samples


def time_s(defect: str | None, at_s: float) -> float:
    """Return the time of the picture that is shown at a time."""
    return 0.0 if defect == "frozen_video" else at_s


def picture(defect: str | None, pixels: bytes) -> bytes:
    """Return the pixels of a picture."""
    return bytes(len(pixels)) if defect == "black_video" else pixels


def file(defect: str | None, data: bytes) -> bytes:
    """Return the MP4 file. A garbled one has its structure, and noise in place of its pictures and sound."""
    if defect != "garbled_video":
        return data
    start = data.index(b"mdat") + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    noise = random.Random(length).randbytes(length)  # noqa: S311  # equal videos have equal bytes
    return data[:start] + noise + data[start + length :]
