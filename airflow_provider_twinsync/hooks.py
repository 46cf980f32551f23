"""The hook: the calls of TwinSync over an Airflow connection."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_twinsync._airflow.connection_lookup import aread_settings, read_settings
from airflow_provider_twinsync._airflow.stats import count_download
from airflow_provider_twinsync._airflow.submitting import Submission, prepare_submit, submit_job
from airflow_provider_twinsync._api.key_check import build_key_check, describe_transport, parse_key_check
from airflow_provider_twinsync._api.shown import sentence
from airflow_provider_twinsync._api.status import Job, build_status, parse_job
from airflow_provider_twinsync._http.import_client import import_client
from airflow_provider_twinsync._wait.outcome import Again, End
from airflow_provider_twinsync.exceptions import StatusError, TwinSyncError, UnavailableError

if TYPE_CHECKING:
    import os

    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._download.transfer import Download
    from airflow_provider_twinsync._http.async_client import AsyncClient
    from airflow_provider_twinsync._wait.poller import Poller

DEFAULT_CONN_ID = "twinsync_default"


class TwinSyncHook(BaseHook):
    """Call TwinSync over an Airflow connection of the type ``twinsync``.

    The methods that begin with an ``a`` are for a triggerer. All others are for a worker, and block. Every
    error is a :class:`~airflow_provider_twinsync.exceptions.TwinSyncError`. For example, in a task of your
    own::

        with airflow_errors():
            job = TwinSyncHook().get_job("20230423_11_23_05_10279")

    :param twinsync_conn_id: the id of the connection (``str``), read at the first call. Its password is the
        access key; host, port, schema and the fields of its extra have defaults.
    """

    conn_name_attr = "twinsync_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "twinsync"
    hook_name = "TwinSync"

    def __init__(self, twinsync_conn_id: str = DEFAULT_CONN_ID) -> None:
        super().__init__()
        self.twinsync_conn_id = twinsync_conn_id
        self._settings: Settings | None = None
        # For a wait in a triggerer, from its first poll to `aclose`.
        self._client: AsyncClient | None = None
        self._wait: Poller | None = None
        self._address: Any = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's fields for the extra; only Airflow below 3.2 calls this."""
        from airflow_provider_twinsync._airflow.connection_form import form_widgets

        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's hidden fields, labels and placeholders; only Airflow below 3.2 calls this."""
        from airflow_provider_twinsync._airflow.connection_form import field_behaviour

        return field_behaviour()

    def settings(self) -> Settings:
        """Read the connection, once.

        For example, ``TwinSyncHook().settings().tolerance_s`` is ``300.0`` by default.

        :return: the fields of the connection, and a default for each field that is empty.
        :raises UsageError: a field is wrong.
        :raises UnavailableError: Airflow did not find the connection, or could not look it up.
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
        """Check that the service answers and accepts the access key; this makes no job and raises nothing.

        For example, ``TwinSyncHook().test_connection()[0]`` is False if the key is wrong.

        :return: whether both is so (``bool``), and a message for a person (``str``).
        """
        try:
            from airflow_provider_twinsync._http.ceiling import check_store
            from airflow_provider_twinsync._http.sync_client import send

            check_store(settings := self.settings())
            answer = send(settings, request := build_key_check(settings.key))
        except TwinSyncError as error:
            # The web form tests a connection under an id that Airflow generates.
            return False, str(error).replace(f"Connection {self.twinsync_conn_id!r}", "This connection", 1)
        except ImportError as error:  # of a package that the installation lacks
            return False, str(error)
        works, message = parse_key_check(request, answer)
        return works, f"{sentence(message)} Address: {settings.url}. {describe_transport(settings, answer)}"

    def submit(
        self, *, text: str, image_url: str | os.PathLike[str] | ObjectStoragePath, pronouncer: str
    ) -> str:
        """Submit a job.

        A submit costs money. It is repeated up to three times, but only if the service cannot have accepted
        it. ``airflow_errors`` skips Airflow's retries where they would pay again. For example, in a task of
        your own::

            with airflow_errors():
                twinsync_task_id = TwinSyncHook().submit(
                    text="Good morning.",
                    image_url="https://example.com/anna.jpg",
                    pronouncer="en-US-JennyNeural",
                )

        :param text: the text that the person in the photo speaks (``str``); at most 150 words by default.
        :param image_url: the photo: an http(s) address, an object in a store, such as
            ``s3://aws_default@photos/anna.jpg``, or a local file, if the connection has ``photo_staging``.
        :param pronouncer: a Microsoft text-to-speech voice (``str``), for example ``zh-CN-XiaohanNeural``.
        :return: the TwinSync task id (``str``).
        :raises UsageError: an argument or the connection is wrong; nothing was sent.
        :raises RejectedError: the service refused the job.
        :raises UnavailableError: the photo cannot be read now, or the service accepted nothing.
        :raises UncertainSubmitError: a job may exist.
        :raises KeyboardInterrupt: Ctrl-C; if a job may exist, its message is that of the error above.
        """
        request = prepare_submit(self.settings(), text=text, image_url=image_url, pronouncer=pronouncer)
        return submit_job(self.settings(), request, self.log, Submission())

    def submit_once(
        self,
        *,
        text: str,
        image_url: str | os.PathLike[str] | ObjectStoragePath,
        pronouncer: str,
        ledger: str | os.PathLike[str] | ObjectStoragePath | None = None,
        reuse: Literal["tries", "runs"] = "tries",
    ) -> str:
        """Submit a job, or return the job that an earlier call submitted of the same inputs.

        A job that failed is submitted again. Without a ledger the records are in the state store of the task
        (Airflow 3.3 and later), or nowhere, and then each call submits. For example::

            inputs = {"text": "Hello.", "image_url": photo, "pronouncer": "en-US-JennyNeural"}
            with airflow_errors():
                job = TwinSyncHook().submit_once(**inputs, ledger="s3://aws_default@videos/ledger")

        :param text: the text (``str``), as in :meth:`submit`, as are ``image_url`` and ``pronouncer``.
        :param ledger: the folder of the records; by default that of the connection, if it has one.
        :param reuse: ``"tries"`` (the default) returns jobs of this task instance alone, ``"runs"`` of all.
        :return: the TwinSync task id (``str``).
        :raises TwinSyncError: as :meth:`submit`, and ``UnavailableError`` while another task submits.
        """
        from airflow_provider_twinsync._airflow.records import submit_once

        job = {"text": text, "image_url": image_url, "pronouncer": pronouncer}
        options: dict[str, Any] = {"ledger": ledger, "reuse": reuse}
        return submit_once(self.settings(), job, get_job=self.get_job, log=self.log, **options)

    def get_job(self, twinsync_task_id: str) -> Job:
        """Request the status of a job, once.

        For example, ``TwinSyncHook().get_job("20230423_11_23_05_10279").state`` is ``JobState.RUNNING``.

        :param twinsync_task_id: the id that :meth:`submit` returned (``str``).
        :return: its state and, if it has succeeded, the address of the video.
        :raises UsageError: the id or the connection is wrong; nothing was sent.
        :raises StatusError: the status is unavailable.
        """
        from airflow_provider_twinsync._http.sync_client import send

        request = build_status(twinsync_task_id)
        settings = self.settings()
        return parse_job(request.params["taskID"], send(settings, request), key=settings.key)

    async def aget_job(self, twinsync_task_id: str) -> Job:
        """Request the status of a job, once, without blocking the event loop; as :meth:`get_job`.

        :param twinsync_task_id: the id that :meth:`submit` returned (``str``).
        """
        request = build_status(twinsync_task_id)
        client = (kept := self._client) or await self._join()
        try:
            # A single request needs a fresh answer, not the state of the circuit breaker.
            answer = await client.ask(client.address(request), despite_outage=True)
        finally:
            if not kept:
                await client.leave()
        return parse_job(request.params["taskID"], answer, key=client.settings.key)

    async def _join(self) -> AsyncClient:
        client: AsyncClient = await (await import_client()).join(await self.asettings())
        self._settings = client.settings  # ten thousand equal settings share one object
        return client

    async def aclose(self) -> None:
        """Leave the shared client that :meth:`apoll` joined."""
        client, self._client = self._client, None
        if client:
            await client.leave()

    def poll(self, wait: Poller, elapsed_s: float) -> Again | End:
        """Take one step of a wait: request the status, and log a change.

        :param wait: the wait, which decides the next step.
        :param elapsed_s: seconds since the start of the wait.
        :raises UsageError: the id or the connection is wrong.
        """
        from airflow_provider_twinsync._http.sync_client import send

        began = time.monotonic()
        wait.tolerate(self.settings().tolerance_s)
        answer = send(self.settings(), wait.request, turn_timeout_s=wait.turn_limit(elapsed_s)[0])
        seen = wait.read(answer, key=self.settings().key)
        return self._logged(wait.next(seen, elapsed_s, time.monotonic() - began))

    async def apoll(self, wait: Poller, elapsed_s: float) -> Again | End:
        """Take one step of a wait without blocking the event loop; as :meth:`poll`.

        All hooks of one connection share a session, each from its first poll to :meth:`aclose`. A missing
        connection is an outage, as Airflow 3 reports one also if its database is down.
        """
        began = time.monotonic()
        try:
            if self._client is None:
                self._client = await self._join()
                wait.tolerate(self._client.settings.tolerance_s)
            if self._wait is not wait:
                self._wait, self._address = wait, self._client.address(wait.request)
            turn_timeout_s, decides = wait.turn_limit(elapsed_s)
            answer = await self._client.ask(
                self._address, turn_timeout_s=turn_timeout_s, despite_outage=decides
            )
            seen = wait.read(answer, key=self._client.settings.key)
        except UnavailableError as error:
            seen = StatusError(str(error), problem=str(error).rstrip("."))
        return self._logged(wait.next(seen, elapsed_s, time.monotonic() - began))

    def download(
        self,
        result_url: str,
        destination: str | os.PathLike[str] | ObjectStoragePath,
        *,
        twinsync_task_id: str | None = None,
    ) -> Download:
        """Download a video; the file appears at the destination only when it is complete.

        An interrupted download resumes, if the server supports ranges. A download that fails leaves no file.
        For example::

            with airflow_errors():
                hook = TwinSyncHook()
                job = hook.get_job("20230423_11_23_05_10279")
                hook.download(job.result_url, "/videos/anna.mp4", twinsync_task_id=job.id)

        :param result_url: the address of the video (``str``).
        :param destination: a local path, or an address that ``ObjectStoragePath`` understands.
        :param twinsync_task_id: the job (``str``), to request a new address if this one has expired.
        :return: the path, the size in bytes, the SHA-256, the content type, and the duration in seconds.
        :raises UsageError: an argument or the connection is wrong, or the destination cannot be written.
        :raises DownloadRefusedError: the address is not allowed, leads into an inner network where the
            service is not, or its content is not a video.
        :raises DownloadInterruptedError: the video is not complete after some attempts, a new address is
            unavailable, or the disk failed in a way that may pass.
        """
        from airflow_provider_twinsync._download.transfer import fetch

        fetched = fetch(
            self.settings(),
            result_url,
            destination,
            twinsync_task_id=twinsync_task_id,
            get_job=partial(self.get_job, twinsync_task_id) if twinsync_task_id else None,
            log=self.log,
        )
        count_download(fetched["bytes"])
        return fetched

    def _logged(self, step: Again | End) -> Again | End:
        if isinstance(step, End):
            self.log.info("%s", step.message)
        elif step.note:
            self.log.log(step.level, "%s", step.note)
        return step
