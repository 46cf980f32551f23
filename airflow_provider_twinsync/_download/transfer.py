"""Download a video: complete and checked, or not at all.

A DAG file that is parsed does not import this module: it loads HTTP libraries.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from http.client import IncompleteRead
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from airflow_provider_twinsync._api.shown import shown_url
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._api.validation import checked_url
from airflow_provider_twinsync._download.address_policy import check_address, check_host, literal_address
from airflow_provider_twinsync._download.answer_head import (
    ExpiredError,
    begin,
    check_signature,
    read_redirect,
)
from airflow_provider_twinsync._download.destination import find_place
from airflow_provider_twinsync._download.mp4 import HEAD_BYTES, duration_s, is_complete
from airflow_provider_twinsync._download.partial_file import writing
from airflow_provider_twinsync._http.network import addresses_of
from airflow_provider_twinsync._http.observed_session import ObservedSession, UnobservedError
from airflow_provider_twinsync._http.sync_client import open_session, problem_of, request_options
from airflow_provider_twinsync.exceptions import (
    DownloadInterruptedError,
    DownloadRefusedError,
    StatusError,
    TwinSyncError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync._download.partial_file import PartialFile

#: Larger pieces cost less CPU, up to this size. A read returns the bytes that have arrived, without waiting
#: for more. Not a multiple of the page size: writes that begin at a page cost twice the CPU with large pages.
_CHUNK_BYTES = 1_000_000
_MAX_TRIES = 6
#: A try that adds so many bytes does not count as one of the six: a large video may be cut often.
_PROGRESS_BYTES = 1_000_000
_MAX_DELAY_S = 60.0
_MAX_REDIRECTS = 5
#: A slower video counts as interrupted; the average is over request_timeout_s.
_MIN_BYTES_A_SECOND = 10_000
#: These errors come before anything is sent: the address or the proxy is not usable. InvalidHeader is none of
#: them, as `requests` raises it for a header of the answer too.
_NOT_ASKED = (
    UnicodeError,
    urllib3.exceptions.LocationValueError,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)
_GONE = "The service has no video of this job: only another submit, which costs again, makes one."


class Download(TypedDict):
    """The result of a download.

    ``path`` is the absolute path or the address of the file, ``bytes`` its size, ``sha256`` its checksum in
    hexadecimal digits, ``content_type`` the type that the server stated, such as ``video/mp4``, and
    ``duration_s`` the duration in seconds, or None if the file does not state it.
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
    """Download a video; :meth:`~airflow_provider_twinsync.hooks.TwinSyncHook.download` has the details.

    :param get_job: returns the job, for a new address when the address has expired; None without a job.
    """
    url = checked_url("result_url", result_url, "the address that TwinSyncSensor returned")
    place = find_place(destination)
    job = f"TwinSync job {twinsync_task_id}" if twinsync_task_id else ""
    log.info(
        "Downloading the video%s from %s to %s.", f" of {job}" if job else "", shown_url(url), place.address
    )
    try:
        with place.stage() as partial_file:
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
        if job and job not in str(error):
            error.put_subject(job)
        raise


class _MoreToComeError(DownloadInterruptedError):
    """The server sent a complete range of the video, but a smaller one than requested."""


@dataclass
class _Transfer:
    """The requests that fill a partial file."""

    settings: Settings
    partial_file: PartialFile

    def run(self, url: str, get_job: Callable[[], Job] | None, log: Any) -> None:
        """Download the video; resume after an interruption, and replace an expired address once."""
        partial_file = self.partial_file
        tries = furthest = 0
        is_new = False
        while not partial_file.is_complete:
            try:
                self._try(url)
            except ExpiredError as error:
                if is_new:
                    raise DownloadRefusedError(f"TS504 {error}, and it is the new address. {_GONE}") from None
                url = _new_address(error, get_job)
                is_new = True
                log.info("%s. The service was asked for a new address.", error)
                partial_file.restart()  # a validator belongs to one address
            except DownloadInterruptedError as error:
                if partial_file.received < furthest + _PROGRESS_BYTES:
                    tries += 1
                else:
                    furthest = partial_file.received
                if tries == _MAX_TRIES:
                    raise
                if isinstance(error, _MoreToComeError):
                    continue
                delay_s = min(max(2.0 ** (tries - 1), 1.0, error.retry_after_s or 0.0), _MAX_DELAY_S)
                log.warning("%s Resuming in %.0f s, from byte %d.", error, delay_s, partial_file.resumes_at)
                time.sleep(delay_s)

    def _try(self, url: str) -> None:
        """Request the missing bytes; follow redirects to allowed hosts only."""
        headers = {}
        if self.partial_file.resumes_at and self.partial_file.validator:
            headers = {
                "Range": f"bytes={self.partial_file.resumes_at}-",
                "If-Range": self.partial_file.validator,
            }
        for _ in range(_MAX_REDIRECTS + 1):
            checked_url("result_url", url, "an http or https address, also where it redirects to")
            check_host(self.settings, url)
            target = self._request(url, headers)
            if target is None:
                return
            url = target
        raise DownloadRefusedError(
            f"TS508 The address redirects more than {_MAX_REDIRECTS} times, last to {shown_url(url)}."
        )

    def _request(self, url: str, headers: dict[str, str]) -> str | None:
        """Send one request; receive the video, or return the address to which the answer redirects."""
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
                    limit.check_observed()
                    if target := read_redirect(url, response):
                        return target
                    self._receive(url, response, limit)
        except (TwinSyncError, ExpiredError):
            raise
        except UnobservedError:
            raise DownloadRefusedError(
                f"TS525 The server of the video at {shown_url(url)} cannot be checked: urllib3 "
                f"{version('urllib3')} does not report its connections. Install an older one."
            ) from None
        except _NOT_ASKED as error:
            raise DownloadRefusedError(
                f"TS516 The video's address cannot be requested: {shown_url(url)} ({problem_of(error)})."
            ) from error
        except Exception as error:  # the boundary: any error of a library is an interruption
            raise self._interrupted(url, limit, error) from error
        return None

    def _check_address(self, url: str, limit_s: float, address: str) -> None:
        check_address(self.settings, url, address, partial(addresses_of, limit_s=limit_s))

    def _receive(self, url: str, response: requests.Response, limit: ObservedSession) -> None:
        """Append the body of an answer to the partial file."""
        partial_file = self.partial_file
        range_end = begin(partial_file, url, response)
        max_bytes = int(self.settings.max_video_mb * 1_000_000)
        too_large = DownloadRefusedError(
            f"TS514 The video at {shown_url(url)} is larger than {self.settings.max_video_mb:g} MB, the "
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
                check_signature(partial_file, url, response)
            arrived += len(chunk)
            if arrived >= due:
                limit.renew()
                arrived = 0
        # Without a promised length, a cut connection looks like the end of the answer.
        if partial_file.expected is None and not limit.is_over:
            with writing():
                proven = is_complete(partial_file.file, partial_file.received)
            partial_file.expected = partial_file.received if proven else None
        if partial_file.is_complete:
            check_signature(partial_file, url, response)
        elif partial_file.received == range_end:
            raise _MoreToComeError(f"TS519 The server sends the video in small ranges from {shown_url(url)}.")
        else:
            raise self._interrupted(url, limit)

    def _interrupted(
        self, url: str, limit: ObservedSession | None, error: Exception | None = None
    ) -> DownloadInterruptedError:
        if limit is not None and limit.is_over and limit.progress.was_sent is not False:
            seconds = self.settings.request_timeout_s
            kilobytes = _MIN_BYTES_A_SECOND * seconds / 1000
            problem = f"too slow, less than {kilobytes:g} kB in {seconds:g} s"
        elif error is None or isinstance(error.__cause__, IncompleteRead):
            expected = self.partial_file.expected or "an unknown number of"
            problem = f"{self.partial_file.received} of {expected} bytes"
        else:
            problem = problem_of(error)
        return DownloadInterruptedError(
            f"TS515 The video did not arrive completely from {shown_url(url)}: {problem}."
        )


def _new_address(expired: ExpiredError, get_job: Callable[[], Job] | None) -> str:
    if get_job is None:
        raise DownloadRefusedError(
            f"TS503 {expired}. Addresses may expire: give twinsync_task_id, and the task requests a new one."
        ) from None
    try:
        job = get_job()
    except StatusError as error:
        raise DownloadInterruptedError(
            f"TS507 {expired}, and a new address is unavailable. {error}", retry_after_s=error.retry_after_s
        ) from None
    if job.state is JobState.FAILED:
        raise DownloadRefusedError(f"TS505 {expired}, and TwinSync job {job.id} failed. {_GONE}") from None
    if job.result_url is None:
        raise DownloadInterruptedError(
            f"TS506 {expired}, and TwinSync job {job.id} is not finished ({job.state.value}): retry later."
        ) from None
    return job.result_url
