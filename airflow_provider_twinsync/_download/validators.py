"""Whether two answers are about the same bytes of a video: what may be appended to what.

Pure, by RFC 9110: sections 8.8 (ETag and Last-Modified), 13.1.5 (If-Range) and 15.3.7 (a part).
"""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_validator(headers: Mapping[str, str]) -> str | None:
    """Give what names the bytes of an answer to the server, or None if nothing does so for certain.

    :param headers: the answer's, found in whatever case.
    """
    etag = headers.get("ETag", "")
    # A weak one, W/"...", names a meaning and not the bytes.
    if re.fullmatch(r'"[\x21\x23-\x7e]*"', etag):
        return etag
    modified = headers.get("Last-Modified", "")
    try:
        age = parsedate_to_datetime(headers.get("Date", "")) - parsedate_to_datetime(modified)
    except (TypeError, ValueError, OverflowError):  # no date; with and without a zone; an absurd year
        return None
    # A file may change twice in one second (8.8.2.2).
    return modified if age >= timedelta(seconds=1) else None


def is_mismatch(validator: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a part belongs, or may belong, to something else than what that validator names."""
    if validator is None:
        return True
    if validator.startswith('"'):
        return headers.get("ETag") != validator  # a part has to say it, if the whole has (15.3.7)
    return headers.get("Last-Modified", validator) != validator
