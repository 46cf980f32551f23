"""Fetch a video: whole and checked, or not at all.

Imported where a video is fetched and nowhere else, as the senders are.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urljoin, urlsplit

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_twinsync.arguments import checked_url, shown_text
from airflow_provider_twinsync.destination import find_place
from airflow_provider_twinsync.exceptions import (
    DownloadInterruptedError,
    DownloadRefusedError,
    StatusError,
)
from airflow_provider_twinsync.fragment import HEAD_BYTES
from airflow_provider_twinsync.peers import is_admitted, kind_of, literal_address
from airflow_provider_twinsync.senders import (
    REQUESTS_ERRORS,
    open_session,
    problem_of,
    request_options,
    retry_after_s,
)
from airflow_provider_twinsync.sockets import TimeLimit, addresses_of
from airflow_provider_twinsync.versions import is_other_version, validator_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_twinsync.connection import Settings
    from airflow_provider_twinsync.fragment import Fragment

_CHUNK_BYTES = 262_144
_MAX_TRIES = 6
_MAX_DELAY_S = 60.0
_MAX_REDIRECTS = 5
#: Where the name of the first box of an MP4 file stands, and that name (ISO/IEC 14496-12, section 4.3).
_SIGNATURE_AT, _SIGNATURE = slice(4, 8), b"ftyp"
#: A video that comes more slowly is taken for interrupted; the average is over request_timeout_s.
_MIN_BYTES_A_SECOND = 10_000
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
    twinsync_task_id: str | None,
    new_address: Callable[[], str | None],
    keep_part: bool,
    log: Any,
) -> Download:
    """Fetch a video; :meth:`~airflow_provider_twinsync.hooks.TwinSyncHook.download` describes it.

    :param new_address: asked once, when the address has expired.
    """
    url = checked_url("result_url", result_url, "the address that TwinSyncSensor returned")
    place = find_place(destination)
    with place.stage(twinsync_task_id or url) as fragment:
        try:
            fragment.take_up()
            _Transfer(settings, fragment).run(url, new_address, log)
            place.publish(fragment)
        except (DownloadInterruptedError, AirflowTaskTimeout):
            if keep_part:
                fragment.keep()
            raise
        return Download(
            path=place.address,
            bytes=fragment.received,
            sha256=fragment.sha256.hexdigest(),
            content_type=fragment.content_type,
        )


class _ExpiredError(Exception):
    """The address gives nothing any more."""


@dataclass
class _Transfer:
    """A video on its way into a fragment, over as many requests as it takes."""

    settings: Settings
    fragment: Fragment

    def run(self, url: str, new_address: Callable[[], str | None], log: Any) -> None:
        """Fetch the video, going on after a cut, and asking for another address once."""
        if self.fragment.received:
            log.info("Going on after the %d bytes that an earlier try left.", self.fragment.received)
        tries = 0
        asked_anew = False
        # An earlier try may have fetched all of it, and not been able to put it where it belongs.
        while not self.fragment.is_whole:
            tries += 1
            try:
                self._try(url)
                return
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
                log.warning("%s Going on in %.0f s, from byte %d.", error, delay_s, self.fragment.resumes_at)
                time.sleep(delay_s)

    def _try(self, url: str) -> None:
        """Ask for what is missing, following redirects to allowed hosts only."""
        headers = {"Accept-Encoding": "identity"}
        if self.fragment.resumes_at and self.fragment.validator:
            headers |= {"Range": f"bytes={self.fragment.resumes_at}-", "If-Range": self.fragment.validator}
        for _ in range(_MAX_REDIRECTS + 1):
            self._check_host(url)
            target = self._ask(url, headers)
            if target is None:
                return
            url = target
        raise DownloadRefusedError(f"The address redirects more than {_MAX_REDIRECTS} times, last to {url}.")

    def _ask(self, url: str, headers: dict[str, str]) -> str | None:
        """Send one request and take the video in, or give the address that the answer redirects to."""
        options = request_options(self.settings, url)
        proxies = options["proxies"]
        if proxies and (literal := literal_address(urlsplit(url).hostname or "")):
            self._check_address(url, literal)
        admit = None if proxies else partial(self._check_address, url)
        limit: TimeLimit | None = None
        try:
            with (
                open_session() as session,
                TimeLimit(self.settings.request_timeout_s, session, url, proxies, admit) as limit,
                session.get(url, headers=headers, **options) as response,
            ):
                if response.status_code in (301, 302, 303, 307, 308):
                    return _redirected(url, response.headers.get("Location", ""))
                self._receive(url, response, limit)
        except REQUESTS_ERRORS as error:
            problem = self._slowness() if limit is not None and limit.is_over else problem_of(error)
            raise self._interrupted(url, problem) from error
        return None

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

    def _check_address(self, url: str, address: str) -> None:
        """Refuse an address inside our own network, unless the service is there.

        Checked is what is connected to, and not what the name says in some other look-up. Behind a proxy that
        is the proxy, which looks the name up itself: there only an address in digits can be judged.
        """
        api_host = urlsplit(self.settings.url).hostname or ""
        if not is_admitted(address, api_host, addresses_of):
            raise DownloadRefusedError(
                f"The video's host {urlsplit(url).hostname!r} is {address}, {kind_of(address).value}, and "
                f"the service at {api_host!r} is not in such a place: nothing was asked there, for {url}. "
                "allowed_result_hosts does not change that; only a connection whose own host is in such a "
                f"place does ({self.settings.conn_id!r} here)."
            )

    def _receive(self, url: str, response: requests.Response, limit: TimeLimit) -> None:
        self._begin(url, response)
        fragment = self.fragment
        max_bytes = int(self.settings.max_video_mb * 1_000_000)
        too_large = DownloadRefusedError(
            f"The video at {url} is larger than {self.settings.max_video_mb:g} MB, the max_video_mb in the "
            f"extra of the connection {self.settings.conn_id!r}."
        )
        if fragment.expected is not None and fragment.expected > max_bytes:
            raise too_large
        due = _MIN_BYTES_A_SECOND * self.settings.request_timeout_s
        limit.renew()
        arrived = 0
        while chunk := response.raw.read1(_CHUNK_BYTES, False):
            fragment.add(chunk)
            if fragment.received > max_bytes:
                raise too_large
            if len(fragment.head) == HEAD_BYTES:
                _check_signature(url, fragment.head)
            arrived += len(chunk)
            if arrived >= due:
                limit.renew()
                arrived = 0
        # A connection that was cut looks like the end of an answer that did not say how long it is.
        if not fragment.is_whole and (limit.is_over or fragment.expected is not None):
            missing = f"{fragment.received} of {fragment.expected} bytes"
            raise self._interrupted(url, self._slowness() if limit.is_over else missing)
        _check_signature(url, fragment.head)

    @staticmethod
    def _interrupted(url: str, problem: str) -> DownloadInterruptedError:
        return DownloadInterruptedError(f"The video did not arrive whole from {url}: {problem}.")

    def _slowness(self) -> str:
        seconds = self.settings.request_timeout_s
        kilobytes = _MIN_BYTES_A_SECOND * seconds / 1000
        return f"it comes too slowly, with less than {kilobytes:g} kB in {seconds:g} s"

    def _begin(self, url: str, response: requests.Response) -> None:
        """Judge the head of an answer, and make the fragment ready for its body."""
        status = response.status_code
        if status in (401, 403, 404, 410):
            raise _ExpiredError(f"The address gives nothing (HTTP {status}): {url}")
        if status == 206:
            self._continue(url, response)
            return
        if status == 416:
            self.fragment.restart()
            raise DownloadInterruptedError(f"The server would not go on with the video at {url}.")
        if status in (408, 425, 429) or status >= 500:
            raise DownloadInterruptedError(
                f"The server answers HTTP {status}: {url}.", retry_after_s=retry_after_s(response.headers)
            )
        if status != 200:
            raise DownloadRefusedError(f"The server answers HTTP {status}, and not with a video: {url}.")
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not content_type.startswith("video/") and content_type not in _UNTYPED:
            raise DownloadRefusedError(f"The server gives {content_type}, and not a video: {url}.")
        self.fragment.restart()
        self.fragment.content_type = content_type
        self.fragment.validator = validator_of(response.headers)
        length = response.headers.get("Content-Length", "")
        self.fragment.expected = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None

    def _continue(self, url: str, response: requests.Response) -> None:
        said = response.headers.get("Content-Range", "")
        part = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", said.strip())
        total = None if part is None or part[2] == "*" else int(part[2])
        if (
            part is None
            or int(part[1]) != self.fragment.received
            or is_other_version(self.fragment.validator, response.headers)
            or (total is not None and self.fragment.expected not in (None, total))
        ):
            self.fragment.restart()
            raise DownloadInterruptedError(
                f"The server went on with another part of the video at {url}: {said!r}."
            )
        self.fragment.trim()
        if total is not None:
            self.fragment.expected = total


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
