"""Submit a job from a worker.

A submit is repeated only if the service accepted nothing, for example after HTTP 429. Any other end without a
job is an error that states whether a job may exist.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_twinsync._api.shown import sentence
from airflow_provider_twinsync._api.submit import build_submit, given_up, parse_submit, uncertain
from airflow_provider_twinsync._api.validation import warnings_of
from airflow_provider_twinsync._download.address_policy import photo_warning
from airflow_provider_twinsync._wait.schedule import submit_delay_s
from airflow_provider_twinsync.exceptions import TwinSyncError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_twinsync._api.exchange import Answer, Request
    from airflow_provider_twinsync._api.settings import Settings

log = logging.getLogger(__name__)


def submit_job(
    read_settings: Callable[[], Settings],
    send: Callable[[Settings, Request, Callable[[], None]], Answer],
    task_log: Any,
    **inputs: str,
) -> str:
    """Submit a job, and return its TwinSync task id.

    :param read_settings: a function that returns the settings of the connection.
    :param send: the HTTP client; it calls its last argument just before the request leaves.
    :param task_log: the logger of the task.
    :param inputs: ``text``, ``image_url`` and ``pronouncer``.
    :raises TwinSyncError: as ``TwinSyncHook.submit``.
    :raises KeyboardInterrupt: Ctrl-C; its message states that a job may exist, if one may.
    """
    sent_at: datetime | None = None  # from a submit until its answer is read
    attempts = 0

    def handing_over() -> None:
        nonlocal sent_at
        # An alarm or Ctrl-C calls this again: the time of the submit counts.
        sent_at = sent_at or datetime.now(timezone.utc)

    try:
        settings = read_settings()
        request = build_submit(**inputs, key=settings.key, text_limit_words=settings.text_limit_words)
        for warning in _warnings_of(request, settings):
            task_log.warning("%s", warning)
        if settings.sends_key_in_clear:
            _warn_of_clear_key(urlsplit(settings.url).hostname or "")
        while True:
            attempts += 1
            try:
                answer = send(settings, request, handing_over)
                return parse_submit(request, answer, sent_at=sent_at or datetime.now(timezone.utc))
            except UnavailableError as error:
                sent_at = None
                delay_s = submit_delay_s(attempts, error.retry_after_s)
                if delay_s is None:
                    raise given_up(error, attempts) from None
                task_log.warning("%s It is submitted again in %.0f s.", sentence(str(error)), delay_s)
                time.sleep(delay_s)
    except TwinSyncError:
        raise
    except KeyboardInterrupt:
        if sent_at is None:
            raise
        # Still a KeyboardInterrupt, which ends a program; its message is the traceback's last line.
        problem = "Ctrl-C came before the answer was read"
        raise KeyboardInterrupt(str(uncertain(request, sent_at, problem))) from None
    except BaseException as error:  # an alarm or a signal may end it at any line, and memory may run out
        is_alarm = isinstance(error, AirflowTaskTimeout)
        if sent_at is not None:
            problem = "the task's execution_timeout passed" if is_alarm else f"{type(error).__name__} came"
            raise uncertain(request, sent_at, f"{problem} before the answer was read") from None
        if is_alarm:
            raise UnavailableError(
                "TS308 The task's execution_timeout passed before TwinSync took the submit. No job was made."
            ) from None
        raise


def _warnings_of(request: Request, settings: Settings) -> list[str]:
    """Return a message for each input that may be wrong."""
    form = request.form or {}
    hosts = (urlsplit(url).hostname or "" for url in (form["image_url"], settings.url))
    of_photo = photo_warning(*hosts)
    of_others = warnings_of(form["text"], form["pronouncer"], settings.text_limit_words)
    return [*of_others, *([of_photo] if of_photo else [])]


@cache
def _warn_of_clear_key(host: str) -> None:
    """Warn once a process: the documented address is plain http."""
    log.warning(
        "TS316 The access key travels unencrypted to %s, over http. If the service can be reached by https, "
        "set the schema of the connection to https.",
        host,
    )
