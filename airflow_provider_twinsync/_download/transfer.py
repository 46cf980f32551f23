"""Fetch a video: whole and checked, or not at all.

Imported where a video is fetched and nowhere else, as the senders are.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import partial
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urljoin, urlsplit

from airflow_provider_twinsync._api.shown import shown_address, shown_text, shown_url
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._api.validation import checked_url
from airflow_provider_twinsync._download.address_policy import classify_address, is_allowed, literal_address
from airflow_provider_twinsync._download.destination import find_place
from airflow_provider_twinsync._download.mp4 import HEAD_BYTES, duration_s, is_complete, is_mp4
from airflow_provider_twinsync._download.partial_file import writing
from airflow_provider_twinsync._download.validators import is_mismatch, read_validator
from airflow_provider_twinsync._http.network import addresses_of
from airflow_provider_twinsync._http.observed_session import ObservedSession
from airflow_provider_twinsync._http.sync_client import (
    NOT_ASKED,
    open_session,
    problem_of,
    request_options,
    retry_after_s,
)
from airflow_provider_twinsync.exceptions import (
    DownloadInterruptedError,
    DownloadRefusedError,
    StatusError,
    TwinSyncError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync._download.partial_file import PartialFile

#: Larger pieces cost less CPU, up to this; what has arrived is taken, and no piece is waited for. Not a whole
#: number of pages: writes that begin at whole pages cost twice the CPU where Linux uses large pages.
_CHUNK_BYTES = 1_000_000
_MAX_TRIES = 6
#: A try that brings so much more than any before it is not one of those: a large video may be cut often.
_PROGRESS_BYTES = 1_000_000
_MAX_DELAY_S = 60.0
_MAX_REDIRECTS = 5
#: A video that comes more slowly is taken for interrupted; the average is over request_timeout_s.
_MIN_BYTES_A_SECOND = 10_000
_UNTYPED = ("", "application/octet-stream", "binary/octet-stream", "application/mp4")
_GONE = "There is no video to be had of this job: another one takes another submit, which is paid for again."


class Download(TypedDict):
    """What was fetched.

    ``path`` is where it lies, ``bytes`` its size, ``sha256`` its checksum in hexadecimal digits,
    ``content_type`` what the server called it, and ``duration_s`` how long it plays, in seconds, or None
    where the file does not say.
    """

    path: str
    bytes: int
    sha256: str
    content_type: str
    duration_s: float | None


def fetch(
    settings: Settings,
    result_url: Any,
    destination: Any,
    *,
    twinsync_task_id: str | None,
    get_job: Callable[[], Job] | None,
    log: Any,
) -> Download:
    """Fetch a video; :meth:`~airflow_provider_twinsync.hooks.TwinSyncHook.download` describes it.

    :param get_task: asked for a new address, once, when the address has expired; None where no job is given.
    """
    url = checked_url("result_url", result_url, "the address that TwinSyncSensor returned")
    place = find_place(destination)
    whose = f" of TwinSync job {twinsync_task_id}" if twinsync_task_id else ""
    log.info("Fetching the video%s from %s to %s.", whose, shown_url(url), place.address)
    try:
        with place.stage(twinsync_task_id or url) as partial_file:
            _Transfer(settings, partial_file).run(url, get_job, log)
            place.publish(partial_file)
            return Download(
                path=place.address,
                bytes=partial_file.received,
                sha256=partial_file.sha256.hexdigest(),
                content_type=partial_file.content_type,
                duration_s=duration_s(partial_file.file, partial_file.received),
            )
    except (DownloadInterruptedError, DownloadRefusedError) as error:
        job = f"TwinSync job {twinsync_task_id}"
        if twinsync_task_id and job not in str(error):
            error.args = (f"{job}: {error}",)
        raise


class _ExpiredError(Exception):
    """The address gives nothing any more."""


class _PartError(DownloadInterruptedError):
    """A part has come whole: the server gives the video in parts, and there is more of it."""


@dataclass
class _Transfer:
    """A video on its way into a fragment, over as many requests as it takes."""

    settings: Settings
    partial_file: PartialFile

    def run(self, url: str, get_job: Callable[[], Job] | None, log: Any) -> None:
        """Fetch the video, going on after a cut, and asking for another address once."""
        partial_file = self.partial_file
        tries = 0
        furthest = partial_file.received
        is_new = False
        while not partial_file.is_whole:
            try:
                self._try(url)
            except _ExpiredError as error:
                if is_new:
                    raise DownloadRefusedError(f"{error}, and it is the new address. {_GONE}") from None
                url = _new_address(error, get_job)
                is_new = True
                log.info("%s. The service was asked for the address again.", error)
                partial_file.restart()  # a validator is of one address
            except DownloadInterruptedError as error:
                if partial_file.received < furthest + _PROGRESS_BYTES:
                    tries += 1
                else:
                    furthest = partial_file.received
                if tries == _MAX_TRIES:
                    raise
                if isinstance(error, _PartError):
                    continue
                delay_s = min(max(2.0 ** (tries - 1), 1.0, error.retry_after_s or 0.0), _MAX_DELAY_S)
                log.warning("%s Going on in %.0f s, from byte %d.", error, delay_s, partial_file.resumes_at)
                time.sleep(delay_s)

    def _try(self, url: str) -> None:
        """Ask for what is missing, following redirects to allowed hosts only."""
        headers = {}
        if self.partial_file.resumes_at and self.partial_file.validator:
            headers = {
                "Range": f"bytes={self.partial_file.resumes_at}-",
                "If-Range": self.partial_file.validator,
            }
        for _ in range(_MAX_REDIRECTS + 1):
            self._check_host(url)
            target = self._ask(url, headers)
            if target is None:
                return
            url = target
        raise DownloadRefusedError(
            f"The address redirects more than {_MAX_REDIRECTS} times, last to {shown_url(url)}."
        )

    def _ask(self, url: str, headers: dict[str, str]) -> str | None:
        """Send one request and take the video in, or give the address that the answer redirects to."""
        limit_s = self.settings.request_timeout_s
        limit: ObservedSession | None = None
        try:
            options = request_options(self.settings, url)
            proxies = options["proxies"]
            if proxies and (literal := literal_address(urlsplit(url).hostname or "")):
                self._check_address(url, limit_s, literal)
            with open_session() as session, ObservedSession(limit_s, session, url, proxies) as limit:
                if not proxies:
                    limit.admit = lambda address: self._check_address(url, limit.left_s, address)
                with session.get(url, headers=headers, **options) as response:
                    if response.status_code in (301, 302, 303, 307, 308):
                        return _redirected(url, response.headers.get("Location", ""))
                    self._receive(url, response, limit)
        except (TwinSyncError, _ExpiredError):
            raise
        except NOT_ASKED as error:
            raise DownloadRefusedError(
                f"The video's address cannot be requested: {shown_url(url)} ({problem_of(error)})."
            ) from error
        except Exception as error:  # the boundary: whatever a library raises is an interruption
            raise self._interrupted(url, limit, error) from error
        return None

    def _check_host(self, url: str) -> None:
        checked_url("result_url", url, "an http or https address, also where it redirects to")
        host = urlsplit(url).hostname
        allowed = self.settings.allowed_result_hosts
        if host not in allowed:
            raise DownloadRefusedError(
                f"The video's address is on the host {host!r}, which is not allowed: {shown_url(url)}. "
                f"Allowed are {', '.join(sorted(allowed))}. If you trust it, add it to allowed_result_hosts "
                f"in the extra of the connection {self.settings.conn_id!r}."
            )

    def _check_address(self, url: str, limit_s: float, address: str) -> None:
        """Refuse an address inside our own network, unless the service is there.

        Checked is what is connected to, and not what the name says in some other look-up. Behind a proxy that
        is the proxy, which looks the name up itself: there only an address in digits can be judged.
        """
        api_host = urlsplit(self.settings.url).hostname or ""
        if not is_allowed(address, api_host, partial(addresses_of, limit_s=limit_s)):
            kind = classify_address(address).value
            raise DownloadRefusedError(
                f"The video's host {urlsplit(url).hostname!r} is {address}, {kind}, and "
                f"the service at {api_host!r} is not in such a place: nothing was asked there, for "
                f"{shown_url(url)}. allowed_result_hosts does not change that; only a connection whose own "
                f"host is in such a place does ({self.settings.conn_id!r} here)."
            )

    def _receive(self, url: str, response: requests.Response, limit: ObservedSession) -> None:
        part_end = self._begin(url, response)
        partial_file = self.partial_file
        max_bytes = int(self.settings.max_video_mb * 1_000_000)
        too_large = DownloadRefusedError(
            f"The video at {shown_url(url)} is larger than {self.settings.max_video_mb:g} MB, the "
            f"max_video_mb in the extra of the connection {self.settings.conn_id!r}."
        )
        if partial_file.expected is not None and partial_file.expected > max_bytes:
            raise too_large
        due = _MIN_BYTES_A_SECOND * self.settings.request_timeout_s
        limit.renew()
        arrived = 0
        while chunk := response.raw.read1(_CHUNK_BYTES, False):
            partial_file.add(chunk)
            if partial_file.received > max_bytes:
                raise too_large
            if len(partial_file.head) == HEAD_BYTES:
                _check_signature(url, partial_file, response)
            arrived += len(chunk)
            if arrived >= due:
                limit.renew()
                arrived = 0
        # A connection that was cut looks like the end of an answer that did not say how long it is.
        if partial_file.expected is None and not limit.is_over:
            with writing():
                is_whole = is_complete(partial_file.file, partial_file.received)
            partial_file.expected = partial_file.received if is_whole else None
        if partial_file.is_whole:
            _check_signature(url, partial_file, response)
        elif partial_file.received == part_end:
            raise _PartError(f"The server at {shown_url(url)} gives the video in small parts.")
        else:
            raise self._interrupted(url, limit)

    def _interrupted(
        self, url: str, limit: ObservedSession | None, error: Exception | None = None
    ) -> DownloadInterruptedError:
        if limit is not None and limit.is_over and limit.was_sent:
            seconds = self.settings.request_timeout_s
            kilobytes = _MIN_BYTES_A_SECOND * seconds / 1000
            problem = f"it comes too slowly, with less than {kilobytes:g} kB in {seconds:g} s"
        elif error is None or isinstance(error.__cause__, IncompleteRead):
            expected = self.partial_file.expected or "an unknown number of"
            problem = f"{self.partial_file.received} of {expected} bytes"
        else:
            problem = problem_of(error)
        return DownloadInterruptedError(f"The video did not arrive whole from {shown_url(url)}: {problem}.")

    def _begin(self, url: str, response: requests.Response) -> int | None:
        """Judge the head of an answer, and make the fragment ready for its body.

        :return: where the part ends that this is, if it is one.
        """
        status = response.status_code
        url = shown_url(url)
        if status in (401, 403, 404, 410):
            raise _ExpiredError(f"The address gives nothing (HTTP {status}): {url}")
        if status == 206:
            return self._continue(url, response)
        if status == 416:
            self.partial_file.restart()
            raise DownloadInterruptedError(f"The server would not go on with the video at {url}.")
        if status in (408, 425, 429) or status >= 500:
            raise DownloadInterruptedError(
                f"The server answers HTTP {status}: {url}.", retry_after_s=retry_after_s(response.headers)
            )
        if status != 200:
            raise DownloadRefusedError(f"The server answers HTTP {status}, and not with a video: {url}.")
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not content_type.startswith("video/") and content_type not in _UNTYPED:
            given = shown_text(content_type)
            raise DownloadRefusedError(f"The server gives {given}, and not a video: {url}.")
        self.partial_file.restart()
        self.partial_file.content_type = content_type
        self.partial_file.validator = read_validator(response.headers)
        length = response.headers.get("Content-Length", "")
        self.partial_file.expected = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        return None

    def _continue(self, url: str, response: requests.Response) -> int:
        said = response.headers.get("Content-Range", "")
        part = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", said.strip())
        if (
            part is None
            or int(part[1]) != self.partial_file.received
            or self.partial_file.expected not in (None, int(part[3]))
            or is_mismatch(self.partial_file.validator, response.headers)
        ):
            self.partial_file.restart()
            raise DownloadInterruptedError(
                f"The server went on with another part of the video at {url}: {shown_text(said)}."
            )
        self.partial_file.trim()
        self.partial_file.expected = int(part[3])
        return int(part[2]) + 1


def _new_address(expired: _ExpiredError, get_job: Callable[[], Job] | None) -> str:
    if get_job is None:
        raise DownloadRefusedError(
            f"{expired}. Results may expire: give twinsync_task_id, and a new address is asked for."
        ) from None
    try:
        task = get_job()
    except StatusError as error:
        raise DownloadInterruptedError(
            f"{expired}, and a new address could not be had. {error}", retry_after_s=error.retry_after_s
        ) from None
    if task.state is JobState.FAILED:
        raise DownloadRefusedError(f"{expired}, and TwinSync job {task.id} failed. {_GONE}") from None
    if task.result_url is None:
        raise DownloadInterruptedError(
            f"{expired}, and TwinSync job {task.id} is not finished ({task.state.value}): try again later."
        ) from None
    return task.result_url


def _redirected(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise DownloadRefusedError(
            f"{shown_url(url)} redirects to what is no address: {shown_address(location)}."
        ) from None


def _check_signature(url: str, partial_file: PartialFile, response: requests.Response) -> None:
    if not is_mp4(partial_file.head):
        # What is packed is not unpacked: that was not asked for.
        packing = response.headers.get("Content-Encoding")
        begins = f"it begins {partial_file.head!r}{f', packed as {shown_text(packing)}' if packing else ''}"
        raise DownloadRefusedError(f"What the server gives is not an MP4 video ({begins}): {shown_url(url)}.")
