"""Validators: they show whether two answers are about the same bytes of a video.

Pure, by RFC 9110: sections 8.8 (ETag and Last-Modified), 13.1.5 (If-Range) and 15.3.7 (partial content).
"""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_validator(headers: Mapping[str, str]) -> str | None:
    """Return the validator of an answer, or None if it has no strong one.

    For example the ETag ``"v1"``; ``W/"v1"`` is weak.

    :param headers: the headers of the answer, in a mapping that ignores case.
    """
    etag = headers.get("ETag", "")
    # A weak ETag, W/"...", stands for a meaning and not for the bytes.
    if re.fullmatch(r'"[\x21\x23-\x7e]*"', etag):
        return etag
    modified = headers.get("Last-Modified", "")
    try:
        age = parsedate_to_datetime(headers.get("Date", "")) - parsedate_to_datetime(modified)
    except (TypeError, ValueError, OverflowError):  # no date; one with a zone and one without; an absurd year
        return None
    # A file may change twice in one second (8.8.2.2).
    return modified if age >= timedelta(seconds=1) else None


def is_mismatch(validator: str | None, headers: Mapping[str, str]) -> bool:
    """Return whether partial content may belong to another video than the validator. In doubt, it does."""
    if validator is None:
        return True
    if validator.startswith('"'):
        return headers.get("ETag") != validator  # 206 repeats the ETag of the 200 (15.3.7)
    return headers.get("Last-Modified", validator) != validator
