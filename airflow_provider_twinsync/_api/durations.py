"""Check the arguments that are times. Pure."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from airflow_provider_twinsync.exceptions import UsageError

#: A deadline after a longer time may have no date (Python's last year is 9999), and its alarm no number.
_MAX_S = 100 * 365 * 86_400.0


def checked_seconds(argument: str, value: Any) -> float:
    """Return a time in seconds.

    >>> checked_seconds("timeout", timedelta(hours=1))
    3600.0

    :param argument: the name of the argument, for the message.
    :param value: seconds, or a ``timedelta``.
    :raises UsageError: the value is not a finite time, or not from 0 to 100 years. A NaN would pass every
        comparison of a wait, after the job is paid for.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds <= _MAX_S:  # a NaN is in no range
        raise UsageError(
            f"TS115 {argument} is {_shown(value)}: it should be a number of seconds, or a timedelta, from 0 "
            "to 100 years."
        )
    return float(seconds)


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**20:
        return f"a number of {int(math.log10(abs(value))) + 1} digits"  # str() of a huge one is an error
    return repr(value)[:80]
