"""Fetch a video: whole and checked, or not at all.

Imported where a video is fetched and nowhere else, as the senders are.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, TypedDict
from urllib.parse import urljoin, urlsplit

from airflow_provider_twinsync.arguments import checked_url, shown_text
from airflow_provider_twinsync.destination import open_destination, writing
from airflow_provider_twinsync.exceptions import (
    DownloadInterruptedError,
    DownloadRefusedError,
    StatusError,
)
from airflow_provider_twinsync.senders import (
    REQUESTS_ERRORS,
    open_session,
    problem_of,
    request_options,
    retry_after_s,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_twinsync.connection import Settings

_CHUNK_BYTES = 262_144
_MAX_TRIES = 6
_MAX_DELAY_S = 60.0
_MAX_REDIRECTS = 5
#: Where the name of the first box of an MP4 file stands, and that name (ISO/IEC 14496-12, section 4.3).
_SIGNATURE_AT, _SIGNATURE = slice(4, 8), b"ftyp"
_UNTYPED = ("", "application/octet-stream", "binary/octet-stream", "application/mp4")


class Download(TypedDict):
    """What was fetched.

    ``path`` is where it lies, ``bytes`` its size, ``sha256`` its checksum in hexadecimal digits, and
    ``content_type`` what the server called it.
    """

    path: str
    bytes: int
    sha256: str
    content_type: str


def fetch(
    settings: Settings,
    result_url: Any,
    destination: Any,
    *,
    new_address: Callable[[], str | None],
    log: Any,
) -> Download:
    """Fetch a video; :meth:`~airflow_provider_twinsync.hooks.TwinSyncHook.download` describes it.

    :param new_address: asked once, when the address has expired.
    """
    url = checked_url("result_url", result_url, "the address that TwinSyncSensor returned")
    with open_destination(destination) as (file, publish):
        transfer = _Transfer(settings, file)
        transfer.run(url, new_address, log)
        path = publish()
    return Download(
        path=path,
        bytes=transfer.received,
        sha256=transfer.sha256.hexdigest(),
        content_type=transfer.content_type,
    )


class _ExpiredError(Exception):
    """The address gives nothing any more."""


@dataclass
class _Transfer:
    """A video on its way into a file, over as many requests as it takes.

    :param received: bytes that are in the file.
    :param sha256: their checksum so far.
    :param validator: what names this version of the video to the server, so as not to go on with another.
    """

    settings: Settings
    file: IO[bytes]
    received: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)
    content_type: str = ""
    validator: str | None = None

    def run(self, url: str, new_address: Callable[[], str | None], log: Any) -> None:
        """Fetch the video, going on after a cut, and asking for another address once."""
        tries = 0
        asked_anew = False
        while True:
            tries += 1
            try:
                return self._try(url)
            except _ExpiredError as error:
                fresh = None if asked_anew else _asked(new_address, error)
                if fresh is None:
                    raise DownloadRefusedError(
                        f"{error}. Results may expire: give the operator twinsync_task_id, and it asks for a "
                        "new address; if it did, the video is gone."
                    ) from None
                asked_anew = True
                log.info("%s. The service was asked for the address again.", error)
                url = fresh
            except DownloadInterruptedError as error:
                if tries >= _MAX_TRIES:
                    raise
                delay_s = min(max(2.0 ** (tries - 1), error.retry_after_s or 0.0), _MAX_DELAY_S)
                log.warning("%s Going on in %.0f s, from byte %d.", error, delay_s, self.received)
                time.sleep(delay_s)

    def _try(self, url: str) -> None:
        try:
            with open_session() as session, self._open(session, url) as response:
                self._receive(url, response)
        except REQUESTS_ERRORS as error:
            raise DownloadInterruptedError(
                f"The video did not arrive whole from {url}: {problem_of(error)}."
            ) from error

    def _open(self, session: requests.Session, url: str) -> requests.Response:
        """Ask for what is missing, following redirects to allowed hosts only."""
        headers = {"Accept-Encoding": "identity"}
        if self.received and self.validator:
            headers |= {"Range": f"bytes={self.received}-", "If-Range": self.validator}
        for _ in range(_MAX_REDIRECTS + 1):
            self._check_host(url)
            response = session.get(url, headers=headers, **request_options(self.settings, url))
            if response.status_code not in (301, 302, 303, 307, 308):
                return response
            response.close()
            url = _redirected(url, response.headers.get("Location", ""))
        raise DownloadRefusedError(f"The address redirects more than {_MAX_REDIRECTS} times, last to {url}.")

    def _check_host(self, url: str) -> None:
        checked_url("result_url", url, "an http or https address, also where it redirects to")
        host = urlsplit(url).hostname
        allowed = self.settings.allowed_result_hosts
        if host not in allowed:
            raise DownloadRefusedError(
                f"The video's address is on the host {host!r}, which is not allowed: {url}. Allowed are "
                f"{', '.join(sorted(allowed))}. If you trust it, add it to allowed_result_hosts in the extra "
                f"of the connection {self.settings.conn_id!r}."
            )

    def _receive(self, url: str, response: requests.Response) -> None:
        expected = self._begin(url, response)
        max_bytes = int(self.settings.max_video_mb * 1_000_000)
        too_large = DownloadRefusedError(
            f"The video at {url} is larger than {self.settings.max_video_mb:g} MB, the max_video_mb in the "
            f"extra of the connection {self.settings.conn_id!r}."
        )
        if expected is not None and expected > max_bytes:
            raise too_large
        head = b"" if self.received == 0 else None
        while chunk := response.raw.read1(_CHUNK_BYTES, False):
            with writing():
                self.file.write(chunk)
            self.sha256.update(chunk)
            self.received += len(chunk)
            if self.received > max_bytes:
                raise too_large
            if head is not None:
                head += chunk[:8]
                if len(head) >= _SIGNATURE_AT.stop:
                    _check_signature(url, head)
                    head = None
        if expected is not None and self.received != expected:
            raise DownloadInterruptedError(
                f"The video did not arrive whole from {url}: {self.received} of {expected} bytes."
            )
        if head is not None:
            _check_signature(url, head)

    def _begin(self, url: str, response: requests.Response) -> int | None:
        """Judge the head of an answer, and give how many bytes the whole video should have, if it is said."""
        status = response.status_code
        if status in (401, 403, 404, 410):
            raise _ExpiredError(f"The address gives nothing (HTTP {status}): {url}")
        if status == 206:
            return self._continue(url, response)
        if status == 416:
            self._restart()
            raise DownloadInterruptedError(f"The server would not go on with the video at {url}.")
        if status in (408, 425, 429) or status >= 500:
            raise DownloadInterruptedError(
                f"The server answers HTTP {status}: {url}.", retry_after_s=retry_after_s(response.headers)
            )
        if status != 200:
            raise DownloadRefusedError(f"The server answers HTTP {status}, and not with a video: {url}.")
        self._restart()
        self.content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not self.content_type.startswith("video/") and self.content_type not in _UNTYPED:
            raise DownloadRefusedError(f"The server gives {self.content_type}, and not a video: {url}.")
        etag = response.headers.get("ETag")
        # A weak ETag names a meaning and not the bytes: nothing may be appended to it (RFC 9110, 13.1.5).
        self.validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
        length = response.headers.get("Content-Length", "")
        return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None

    def _continue(self, url: str, response: requests.Response) -> int | None:
        said = response.headers.get("Content-Range", "")
        part = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", said.strip())
        etag = response.headers.get("ETag")
        other = etag and self.validator and self.validator.startswith('"') and etag != self.validator
        if part is None or int(part[1]) != self.received or other:
            self._restart()
            raise DownloadInterruptedError(
                f"The server went on with another part of the video at {url}: {said!r}."
            )
        self._cut_to(self.received)
        return None if part[2] == "*" else int(part[2])

    def _restart(self) -> None:
        self._cut_to(0)
        self.received = 0
        self.sha256 = hashlib.sha256()
        self.validator = None

    def _cut_to(self, size: int) -> None:
        """Drop what lies behind; a write that failed may have written something."""
        with writing():
            self.file.seek(size)
            self.file.truncate()


def _asked(new_address: Callable[[], str | None], expired: _ExpiredError) -> str | None:
    try:
        return new_address()
    except StatusError as error:
        raise DownloadInterruptedError(
            f"{expired}, and a new address could not be had. {error}", retry_after_s=error.retry_after_s
        ) from None


def _redirected(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise DownloadRefusedError(
            f"{url} redirects to what is no address: {shown_text(location)}."
        ) from None


def _check_signature(url: str, head: bytes) -> None:
    if head[_SIGNATURE_AT] != _SIGNATURE:
        raise DownloadRefusedError(
            f"What the server gives is not an MP4 video (it begins {head[:8]!r}): {url}."
        )
