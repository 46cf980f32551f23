"""The hook: an Airflow connection, and the verbs that go over it."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timezone
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseHook

from airflow_provider_twinsync import get_provider_info
from airflow_provider_twinsync._airflow.connection_lookup import aread_settings, read_settings
from airflow_provider_twinsync._api.exchange import Answer, NoAnswer, Request, Response
from airflow_provider_twinsync._api.shown import sentence
from airflow_provider_twinsync._api.status import Job, build_status, parse_job
from airflow_provider_twinsync._api.submit import (
    build_key_check,
    build_submit,
    parse_key_check,
    parse_submit,
    uncertain,
)
from airflow_provider_twinsync._api.validation import warnings_of
from airflow_provider_twinsync._download.address_policy import photo_warning
from airflow_provider_twinsync._wait.outcome import Again, End
from airflow_provider_twinsync._wait.schedule import submit_delay_s
from airflow_provider_twinsync.exceptions import StatusError, TwinSyncError, UnavailableError

if TYPE_CHECKING:
    import os

    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._download.transfer import Download
    from airflow_provider_twinsync._http.async_client import AsyncClient
    from airflow_provider_twinsync._wait.poller import Poller

log = logging.getLogger(__name__)

DEFAULT_CONN_ID = "twinsync_default"

_imported: list[Any] = []  # the pool module, once this process needs it


async def _pool_room() -> Any:
    """Import what a triggerer asks with: it takes half a second, which is not the event loop's."""
    if not _imported:  # in sys.modules is also what another thread is still importing
        _imported.append(
            await asyncio.to_thread(import_module, "airflow_provider_twinsync._http.async_client")
        )
    return _imported[0]


class TwinSyncHook(BaseHook):
    """Talk to TwinSync over an Airflow connection of the type ``twinsync``.

    Every method but those that begin with an ``a`` is for a worker and blocks; those are for a triggerer. No
    error of a library comes out of them, only :class:`~airflow_provider_twinsync.exceptions.TwinSyncError`.

    :param twinsync_conn_id: the connection: the access key is its password; host, port, schema and the fields
        of its extra have defaults. It is looked up at the first call.
    """

    conn_name_attr = "twinsync_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "twinsync"
    hook_name = "TwinSync"

    def __init__(self, twinsync_conn_id: str = DEFAULT_CONN_ID) -> None:
        super().__init__()
        self.twinsync_conn_id = twinsync_conn_id
        self._settings: Settings | None = None
        # For a wait in a triggerer, from its first look to `aclose`.
        self._client: AsyncClient | None = None
        self._wait: Poller | None = None
        self._address: Any = None

    # The form of the connection, for Airflow below 3.2: 3.2 and later read the provider info and not these.

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Give the form's fields for the extra."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import IntegerField, StringField
        from wtforms.validators import Optional

        text = BS3TextFieldWidget()

        def number(field: Any, **attributes: Any) -> Any:
            return text(field, type="number", min=0, step="any", **attributes)

        # Airflow takes no other classes of fields, not even derived ones: a fraction is a text to it.
        kinds = {
            "string": (StringField, text),
            "number": (StringField, number),
            "integer": (IntegerField, number),
        }
        widgets = {}
        for name, field in get_provider_info()["connection-types"][0]["conn-fields"].items():
            kind, widget = kinds[field["schema"]["type"][0]]
            widgets[name] = kind(
                field["label"], [Optional()], description=field["description"], widget=widget
            )
        return widgets

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Give what the form hides, renames and suggests."""
        behaviour = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    # The connection.

    def settings(self) -> Settings:
        """Read the connection, once.

        :return: what it says, with defaults for what it does not say.
        :raises UsageError: it is wrong.
        :raises UnavailableError: Airflow did not find it, or could not look it up.
        """
        if self._settings is None:
            self._settings = read_settings(self.twinsync_conn_id)
        return self._settings

    async def asettings(self) -> Settings:
        """Read the connection, once, without blocking the event loop; as :meth:`settings`."""
        if self._settings is None:
            self._settings = await aread_settings(self.twinsync_conn_id)
        return self._settings

    def test_connection(self) -> tuple[bool, str]:
        """Say whether the service is reached, how, and whether it takes the key; makes no job.

        :return: whether all is well, and a sentence for a person; nothing is raised.
        """
        try:
            from airflow_provider_twinsync._http.sync_client import send

            settings = self.settings()
            request = build_key_check(settings.key)
            answer = send(settings, request)
        except TwinSyncError as error:
            # The web form tests a connection under a name that it has made up.
            return False, str(error).replace(f"Connection {self.twinsync_conn_id!r}", "This connection", 1)
        except ImportError as error:  # of what the installation lacks
            return False, str(error)
        works, message = parse_key_check(request, answer)
        return works, f"{settings.url}: {message.rstrip('.')}. {_way(settings, answer)}"

    # The verbs.

    def submit(self, *, text: str, image_url: str, pronouncer: str) -> str:
        """Submit a job. What costs money is sent again only where nothing can have been accepted.

        In a task of your own, wrap the call in :func:`~airflow_provider_twinsync.exceptions.airflow_errors`:
        Airflow's retries would send again what this has the sense not to.

        :param text: what the person in the photo says.
        :param image_url: the http(s) address of the photo.
        :param pronouncer: a Microsoft text-to-speech voice, for example ``zh-CN-XiaohanNeural``.
        :return: the TwinSync task id.
        :raises UsageError: an argument or the connection is wrong; nothing was sent.
        :raises RejectedError: the service refused the job.
        :raises UnavailableError: the service accepted nothing, even after some tries.
        :raises UncertainSubmitError: a job may exist.
        :raises KeyboardInterrupt: Ctrl-C; if a job may exist, it has the message of the error above.
        """
        from airflow_provider_twinsync._http.sync_client import send

        sent_at: datetime | None = None  # set while a submit may be with the service, its answer not read yet
        attempts = 0

        def handing_over() -> None:
            nonlocal sent_at
            # An alarm or Ctrl-C reports again: the time to look for is that of the submit.
            sent_at = sent_at or datetime.now(timezone.utc)

        try:
            settings = self.settings()
            request = build_submit(
                text=text,
                image_url=image_url,
                pronouncer=pronouncer,
                key=settings.key,
                text_limit_words=settings.text_limit_words,
            )
            for warning in _warnings_of(request, settings):
                self.log.warning("%s", warning)
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
                        raise _given_up(error, attempts) from None
                    self.log.warning("%s It is sent again in %.0f s.", sentence(str(error)), delay_s)
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
                problem = (
                    "the task's execution_timeout passed" if is_alarm else f"{type(error).__name__} came"
                )
                raise uncertain(request, sent_at, f"{problem} before the answer was read") from None
            if is_alarm:
                raise UnavailableError(
                    "The task's execution_timeout passed before TwinSync took the submit. No job was made."
                ) from None
            raise

    def get_job(self, twinsync_task_id: str) -> Job:
        """Ask for a job's status, once.

        :param twinsync_task_id: the job, as :meth:`submit` gave it.
        :return: its state and, where it has succeeded, the address of the video.
        :raises UsageError: the id or the connection is wrong; nothing was sent.
        :raises StatusError: the answer says nothing certain.
        """
        from airflow_provider_twinsync._http.sync_client import send

        request = build_status(twinsync_task_id)
        settings = self.settings()
        return parse_job(request.params["taskID"], send(settings, request), key=settings.key)

    async def aget_job(self, twinsync_task_id: str) -> Job:
        """Ask for a job's status, once, without blocking the event loop; as :meth:`get_job`.

        :param twinsync_task_id: the job, as :meth:`submit` gave it.
        """
        request = build_status(twinsync_task_id)
        kept = self._client
        pool = kept or await self._join()
        try:
            # Who asks once wants to know now, and not what others were told.
            answer = await pool.ask(pool.address(request), in_any_case=True)
        finally:
            if not kept:
                await pool.leave()
        return parse_job(request.params["taskID"], answer, key=pool.settings.key)

    async def _join(self) -> AsyncClient:
        settings = await self.asettings()
        pool: AsyncClient = await (await _pool_room()).join(settings)
        self._settings = pool.settings  # ten thousand equal ones are one
        return pool

    async def aclose(self) -> None:
        """Leave what :meth:`apoll` has joined."""
        pool, self._client = self._client, None
        if pool:
            await pool.leave()

    def poll(self, wait: Poller, elapsed_s: float) -> Again | End:
        """Take one step of a wait: ask for the status, and log what changed.

        :param wait: the wait, which decides what the answer means for it.
        :param elapsed_s: seconds since the start of the wait.
        :raises UsageError: the id or the connection is wrong.
        """
        from airflow_provider_twinsync._http.sync_client import send

        began = time.monotonic()
        settings = self.settings()
        seen = wait.read(send(settings, wait.request), key=settings.key)
        return self._noted(wait.next(seen, elapsed_s, time.monotonic() - began))

    async def apoll(self, wait: Poller, elapsed_s: float) -> Again | End:
        """Take one step of a wait without blocking the event loop; as :meth:`poll`.

        The looks of a hook, one after the other, share a session with those of others, until :meth:`aclose`.

        A worker has read the connection before. If it cannot be looked up now, that is trouble like any
        other: Airflow 3 says of a database that is away, too, that there is no such connection.
        """
        began = time.monotonic()
        try:
            if self._client is None:
                self._client = await self._join()
                wait.tolerate(self._client.settings.tolerance_s)
            if self._wait is not wait:
                self._wait, self._address = wait, self._client.address(wait.request)
            patience_s, decides = wait.patience(elapsed_s)
            answer = await self._client.ask(self._address, patience_s=patience_s, in_any_case=decides)
            seen = wait.read(answer, key=self._client.settings.key)
        except UnavailableError as error:
            seen = StatusError(str(error), problem=str(error).rstrip("."))
        return self._noted(wait.next(seen, elapsed_s, time.monotonic() - began))

    def download(
        self,
        result_url: str,
        destination: str | os.PathLike[str] | ObjectStoragePath,
        *,
        twinsync_task_id: str | None = None,
    ) -> Download:
        """Download a video; the file appears at the destination when it is complete, or not at all.

        An interrupted download resumes, if the server supports ranges, and leaves nothing when it fails.

        :param result_url: the address of the video.
        :param destination: a local path, or an address that ``ObjectStoragePath`` understands.
        :param twinsync_task_id: the job, to ask for a new address if this one has expired.
        :return: where it lies, its size in bytes, its SHA-256, its content type, and how long it plays, in
            seconds.
        :raises UsageError: an argument or the connection is wrong, or the destination cannot be written.
        :raises DownloadRefusedError: the address is not allowed, leads into an inner network where the
            service is not, or gives something that is not wanted.
        :raises DownloadInterruptedError: the video did not arrive whole, even after some tries, a new address
            could not be had, or there is trouble with the disk that may pass.
        """
        from airflow_provider_twinsync._download.transfer import fetch

        return fetch(
            self.settings(),
            result_url,
            destination,
            twinsync_task_id=twinsync_task_id,
            get_job=partial(self.get_job, twinsync_task_id) if twinsync_task_id else None,
            log=self.log,
        )

    def _noted(self, step: Again | End) -> Again | End:
        if isinstance(step, End):
            self.log.info("%s", step.message)
        elif step.note:
            self.log.log(step.level, "%s", step.note)
        return step


def _warnings_of(request: Request, settings: Settings) -> list[str]:
    """Return what may be wrong with a submit, without being certain."""
    form = request.form or {}
    hosts = (urlsplit(url).hostname or "" for url in (form["image_url"], settings.url))
    of_photo = photo_warning(*hosts)
    of_others = warnings_of(form["text"], form["pronouncer"], settings.text_limit_words)
    return [*of_others, *([of_photo] if of_photo else [])]


@cache
def _warn_of_clear_key(host: str) -> None:
    """Warn once a process: the documented address is plain http."""
    log.warning(
        "The access key travels unencrypted to %s, over http. If the service can be reached by https, say so "
        "in the schema of the connection.",
        host,
    )


def _way(settings: Settings, answer: Answer) -> str:
    """Say how the key travels."""
    travels = "travels" if isinstance(answer, Response) else "would travel"
    if settings.sends_key_in_clear:
        return f"By http: the key {travels} unencrypted."
    if settings.url.startswith("http:"):
        return "By http, within this machine."
    unchecked = ", but to whoever answers: verify is false" if settings.verify is False else ""
    # A server of http alone fails at the first word of TLS, before there is any certificate.
    is_other = isinstance(answer, NoAnswer) and "SSL" in answer.problem and "CERT" not in answer.problem
    hint = " If the service has no https there, set the schema to http." if is_other else ""
    return f"By https: the key {travels} encrypted{unchecked}.{hint}"


def _given_up(error: UnavailableError, attempts: int) -> UnavailableError:
    asked_s = error.retry_after_s
    said = (
        f", and TwinSync asks to stay away for {asked_s:.0f} s: set the task's retry_delay to that"
        if asked_s
        else ""
    )
    return UnavailableError(
        f"{sentence(str(error))} It was sent {_times(attempts)}{said}.", retry_after_s=asked_s
    )


def _times(attempts: int) -> str:
    return "once" if attempts == 1 else f"{attempts} times"
