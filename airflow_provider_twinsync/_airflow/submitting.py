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

from airflow_provider_twinsync._airflow.admission import Admission
from airflow_provider_twinsync._airflow.stats import count_submit, load_stats
from airflow_provider_twinsync._api.shown import sentence
from airflow_provider_twinsync._api.submit import build_submit, given_up, parse_submit, uncertain
from airflow_provider_twinsync._api.validation import warnings_of
from airflow_provider_twinsync._content.photos import open_photo
from airflow_provider_twinsync._download.address_policy import photo_warning
from airflow_provider_twinsync._http.progress import Progress
from airflow_provider_twinsync._wait.schedule import submit_delay_s
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    TwinSyncError,
    UnavailableError,
    UncertainSubmitError,
)

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.exchange import Request
    from airflow_provider_twinsync._api.settings import Settings

log = logging.getLogger(__name__)

#: The longest wait for the turn of another attempt, in seconds.
_MAX_TURN_DELAY_S = 60.0


class Submission:
    """A submit under way, and how far it came.

    An alarm, Ctrl-C or a lack of memory may end a submit at any line. The handler of that error reads here
    whether a job may exist. For example::

        submission = Submission()
        try:
            submit_job(settings, request, log, submission)
        except BaseException:
            print(submission.may_have_job)
            raise

    :ivar twinsync_task_id: the job, as soon as its id is known.
    :ivar is_recorded: a record has the job, so a retry reconnects to it.
    :ivar warns: log a warning for each input that may be wrong.
    :ivar admission: the place among the jobs of the day and the turn, once the submit waits for them.
    """

    def __init__(self) -> None:
        self.twinsync_task_id: str | None = None
        self.is_recorded = False
        self.warns = True
        self.admission: Admission | None = None
        self._request: Request | None = None
        self._progress: Progress = Progress()

    @property
    def has_begun(self) -> bool:
        """Return whether a request was handed over to be sent."""
        return self._request is not None

    @property
    def may_have_job(self) -> bool:
        """Return whether this submit made a job, or may have."""
        return self._progress.was_sent is not False

    @property
    def _sent_at(self) -> datetime:
        return self._progress.sent_at or datetime.now(timezone.utc)

    def send(self, settings: Settings, request: Request) -> None:
        """Send the submit once, and read the answer.

        :raises TwinSyncError: as :func:`parse_submit`.
        """
        # Here, as `requests` is slow to import.
        from airflow_provider_twinsync._http.sync_client import send

        self._request = request
        progress = self._progress = Progress()
        outcome = send(settings, request, progress)
        try:
            self.twinsync_task_id = parse_submit(request, outcome, sent_at=self._sent_at)
        except UncertainSubmitError:
            raise
        except TwinSyncError:
            self._progress = Progress()  # the service accepted nothing
            raise

    def ended_by(self, error: BaseException) -> BaseException:
        """Return the error of a submit that was interrupted, or the same error if nothing was sent.

        An error about an uncertain submit is returned as it is.
        """
        if isinstance(error, UncertainSubmitError):
            return error
        is_alarm = isinstance(error, AirflowTaskTimeout)
        if self._request is None or not self.may_have_job:
            if not is_alarm:
                return error
            return UnavailableError(
                "TS308 The task's execution_timeout passed before TwinSync took the submit. No job was made."
            )
        name = "Ctrl-C" if isinstance(error, KeyboardInterrupt) else type(error).__name__
        came = "the task's execution_timeout passed" if is_alarm else f"{name} came"
        if job := self.twinsync_task_id:
            ending = UncertainSubmitError(
                f"TS324 {came} after TwinSync made job {job}, and another submit would pay again.",
                "Wait for that id with a TwinSyncSensor.",
            )
            ending.names_job = True
        else:
            ending = uncertain(self._request, self._sent_at, f"{came} before the answer was read")
        # Still a KeyboardInterrupt, which ends a program; its message is the traceback's last line.
        return KeyboardInterrupt(str(ending)) if isinstance(error, KeyboardInterrupt) else ending


def prepare_submit(settings: Settings, *, text: Any, image_url: Any, pronouncer: Any) -> Request:
    """Build the request of a submit over a connection.

    :param image_url: the argument of the user, or the photo of :func:`open_photo`.
    :raises UsageError: an argument is wrong, or the photo is unusable.
    :raises UnavailableError: the photo cannot be read now.
    """
    return build_submit(
        text=text,
        image_url=open_photo(settings, image_url),
        pronouncer=pronouncer,
        key=settings.key,
        text_limit_words=settings.text_limit_words,
        any_voice=settings.voices == "any",
    )


def submit_job(settings: Settings, request: Request, task_log: Any, submission: Submission) -> str:
    """Submit a job, and return its TwinSync task id.

    :param request: the result of :func:`prepare_submit`.
    :param task_log: the logger of the task.
    :param submission: shows how far the submit came, also after an interruption.
    :raises TwinSyncError: as ``TwinSyncHook.submit``.
    :raises KeyboardInterrupt: Ctrl-C; its message states that a job may exist, if one may.
    """
    try:
        for warning in _warnings_of(request, settings) if submission.warns else ():
            task_log.warning("%s", warning)
        if settings.sends_key_in_clear:
            _warn_of_clear_key(urlsplit(settings.url).hostname or "")
        load_stats()
        if submission.admission is None:  # no record, and so no task's ledger
            submission.admission = Admission(settings, None, task_log)
        submission.admission.wait()
        attempts = 0
        while submission.twinsync_task_id is None:
            attempts += 1
            submission.admission.use()
            try:
                submission.send(settings, request)
            except UnavailableError as error:
                delay_s = submit_delay_s(attempts, error.retry_after_s)
                if delay_s is None:
                    raise given_up(error, attempts) from None
                task_log.warning("%s It is submitted again in %.0f s.", sentence(str(error)), delay_s)
                time.sleep(delay_s)
                # The intent is recorded by now: a longer wait begins with another try.
                if not submission.admission.wait(limit_s=_MAX_TURN_DELAY_S):
                    raise given_up(error, attempts) from None
        # Here, so that an alarm at these lines is an error that names the job. A record follows.
        count_submit("accepted", text=(request.form or {})["text"])
        return submission.twinsync_task_id
    except TwinSyncError as error:
        _count_failure(submission, error)
        raise
    except BaseException as error:  # an alarm or a signal may end it at any line, and memory may run out
        ending = submission.ended_by(error)
        _count_failure(submission, error)
        raise ending from None


def _count_failure(submission: Submission, error: BaseException) -> None:
    if submission.twinsync_task_id:
        return  # it was accepted, and an alarm came after
    if submission.may_have_job:
        count_submit("uncertain")
        return
    if submission.admission:
        submission.admission.give_back()
    if submission.has_begun:
        count_submit("rejected" if isinstance(error, RejectedError) else "unavailable")


def submits_again(error: BaseException, *, may_pay_twice: bool) -> bool:
    """Return whether a retry submits again after an uncertain submit; never if the answer named a job."""
    return may_pay_twice and not getattr(error, "names_job", False)


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
