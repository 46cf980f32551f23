"""Check the times that a DAG author gives. Pure."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from airflow_provider_twinsync.exceptions import UsageError

#: Beyond it a deadline may have no date any more (Python's last year is 9999), and an alarm no number.
_MAX_S = 100 * 365 * 86_400.0


def checked_seconds(argument: str, value: Any) -> float:
    """Return a time in seconds; ``checked_seconds("timeout", timedelta(hours=1))`` is 3600.0.

    :param argument: the name to complain about.
    :param value: seconds, or a ``timedelta``.
    :raises UsageError: it is no finite time, negative, or more than 100 years. A NaN would pass every
        comparison of the wait that it ends up in, after the job is paid for.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds <= _MAX_S:  # a NaN is in no range
        raise UsageError(
            f"{argument} is {_shown(value)}: it should be a number of seconds, or a timedelta, from 0 to "
            "100 years."
        )
    return float(seconds)


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**20:
        return f"a number of {int(math.log10(abs(value))) + 1} digits"  # str() of a huge one is an error
    return repr(value)[:80]
