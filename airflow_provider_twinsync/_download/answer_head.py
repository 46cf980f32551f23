"""The head of an answer to a request for a video: how its status and headers affect the download."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from airflow_provider_twinsync._api.shown import shown_address, shown_text, shown_url
from airflow_provider_twinsync._download.mp4 import is_mp4
from airflow_provider_twinsync._download.validators import is_mismatch, read_validator
from airflow_provider_twinsync._http.sync_client import retry_after_s
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, DownloadRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from airflow_provider_twinsync._download.partial_file import PartialFile

_REDIRECTS = (301, 302, 303, 307, 308)
_EXPIRED = (401, 403, 404, 410)
_UNTYPED = ("", "application/octet-stream", "binary/octet-stream", "application/mp4")


class ExpiredError(Exception):
    """The address of the video has expired, or is wrong; a message of another error quotes this one."""


def read_redirect(url: str, response: requests.Response) -> str | None:
    """Return the address to which an answer redirects, or None if it does not redirect.

    :raises DownloadRefusedError: it redirects to no address.
    """
    if response.status_code not in _REDIRECTS:
        return None
    location = response.headers.get("Location", "")
    try:
        return urljoin(url, location)
    except ValueError:
        raise DownloadRefusedError(
            f"TS509 {shown_url(url)} redirects to no usable address: {shown_address(location)}."
        ) from None


def begin(partial_file: PartialFile, url: str, response: requests.Response) -> int | None:
    """Prepare the partial file for the body of an answer.

    For example a 206 that continues the video keeps the bytes of the partial file, and a 200 removes them.

    :return: the position after the last byte of partial content (HTTP 206), or None for the complete video.
    :raises ExpiredError: the address gives nothing any more.
    :raises DownloadInterruptedError: the body does not continue the partial file, or the server is busy.
    :raises DownloadRefusedError: the answer has no video.
    """
    status = response.status_code
    shown = shown_url(url)
    if status in _EXPIRED:
        raise ExpiredError(f"The address of the video gives nothing (HTTP {status}): {shown}")
    if status == 206:
        return _continue(partial_file, shown, response.headers)
    if status == 416:
        partial_file.restart()
        raise DownloadInterruptedError(f"TS517 The server does not resume the video at {shown}.")
    if status in (408, 425, 429) or status >= 500:
        raise DownloadInterruptedError(
            f"TS513 The server answers HTTP {status}: {shown}.", retry_after_s=retry_after_s(response.headers)
        )
    if status != 200:
        raise DownloadRefusedError(f"TS510 The server answers HTTP {status}, without a video: {shown}.")
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not content_type.startswith("video/") and content_type not in _UNTYPED:
        raise DownloadRefusedError(
            f"TS511 The server sends {shown_text(content_type)}, not a video: {shown}."
        )
    partial_file.restart()
    partial_file.content_type = content_type
    partial_file.validator = read_validator(response.headers)
    length = response.headers.get("Content-Length", "")
    partial_file.expected = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
    return None


def _continue(partial_file: PartialFile, shown: str, headers: Mapping[str, str]) -> int:
    content_range = headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", content_range.strip())
    if (
        found is None
        or int(found[1]) != partial_file.received
        or partial_file.expected not in (None, int(found[3]))
        or is_mismatch(partial_file.validator, headers)
    ):
        partial_file.restart()
        raise DownloadInterruptedError(
            f"TS518 The server sends another range, or another video, than requested from {shown}: "
            f"{shown_text(content_range)}."
        )
    partial_file.trim()
    partial_file.expected = int(found[3])
    return int(found[2]) + 1


def check_signature(partial_file: PartialFile, url: str, response: requests.Response) -> None:
    """Check that the first bytes of the partial file are those of an MP4 file.

    :raises DownloadRefusedError: they are not, for example because the server compresses the video, although
        the request forbids it.
    """
    if not is_mp4(partial_file.head):
        coding = response.headers.get("Content-Encoding")
        start = f"it begins {partial_file.head!r}{f', packed as {shown_text(coding)}' if coding else ''}"
        raise DownloadRefusedError(f"TS512 The file is not an MP4 video ({start}): {shown_url(url)}.")
