"""The limits of the check of a video. A DAG file imports this module, so it loads no library."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from airflow_provider_twinsync.exceptions import UsageError


@dataclass(frozen=True)
class VideoCheck:
    """The limits of the check of a video, in seconds.

    A number over its limit fails the check. The limit ``0`` allows nothing, and a large number such as
    ``1e9`` switches a limit off. For example, a drawing whose mouth does not move needs another limit than a
    photo::

        TwinSyncVideoOperator(..., check=VideoCheck(max_frozen_s=1e9))

    Each video must also have pictures and sound, must not be black or silent from its start to its end, and
    must be about as long as its text takes to speak.

    >>> VideoCheck(max_silent_s=3.5).max_black_s
    2.0

    :param max_black_s: the longest time in which nearly all of the picture is black (default 2).
    :param max_frozen_s: the longest time in which no part of the picture moves (default 2).
    :param max_silent_s: the longest time without a sound, also at the start and at the end (default 2).
    :param max_end_gap_s: the longest time between the end of the pictures and the end of the sound (default
        0.5).
    :param keep_rejected: keep a video that fails as ``NAME.rejected.mp4`` beside the destination (default
        False).
    :raises ValueError: a limit is not a finite number of 0 or more, or ``keep_rejected`` is not a ``bool``.
    """

    max_black_s: float = 2.0
    max_frozen_s: float = 2.0
    max_silent_s: float = 2.0
    max_end_gap_s: float = 0.5
    keep_rejected: bool = False

    def __post_init__(self) -> None:
        for limit in fields(self):
            value: Any = getattr(self, limit.name)
            if limit.name == "keep_rejected":
                is_right, wanted = isinstance(value, bool), "True or False"
            else:
                is_right, wanted = _is_limit(value), "a number of seconds, 0 or more"
            if not is_right:
                raise UsageError(f"TS190 {limit.name} is {value!r:.80}: it should be {wanted}.")


def _is_limit(value: Any) -> bool:
    # A bool is an int to Python, and no limit.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0
