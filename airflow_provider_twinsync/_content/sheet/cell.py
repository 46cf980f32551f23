"""Return the text of a cell of a sheet, of any type. Pure."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from typing import Any

from airflow_provider_twinsync._api.validation import is_encodable

#: Four times the most of Excel; the csv module has the same limit.
MAX_CELL_CHARACTERS = 131_072


def cell_text(value: Any) -> str:
    """Return the text of a cell, stripped. A number has at most 15 digits, as in Excel.

    >>> [cell_text(value) for value in (7.0, 0.1 + 0.2, True, None, datetime(2026, 11, 28), " a ")]
    ['7', '0.3', 'true', '', '2026-11-28', 'a']

    :raises ValueError: the value cannot be a cell; the message is the reason.
    """
    text = ""
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float) and math.isnan(value):
        text = ""  # pandas has it for an empty cell
    elif isinstance(value, float) and math.isinf(value):
        raise ValueError("it is no finite number")
    elif isinstance(value, float):
        text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(value, ".15g")
    elif isinstance(value, datetime):
        text = value.isoformat(sep=" ") if value.time() != time() else value.date().isoformat()
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        text = ",".join(value)  # `captions`, in JSON
    elif isinstance(value, (list, tuple, dict, set, bytes)):
        raise ValueError(f"it is a {type(value).__name__}, and should be a text")
    elif value is not None:
        text = value.isoformat() if isinstance(value, (date, time)) else str(value)
    if len(text) > MAX_CELL_CHARACTERS:
        raise ValueError(f"it has more than {MAX_CELL_CHARACTERS:,} characters")
    if not is_encodable(text):
        raise ValueError("it has a broken character")
    return text
