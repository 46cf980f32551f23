"""The thin HTTP shell over a world: it reads a request, applies the faults, and writes the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from airflow_provider_twinsync.emulator import answers
from airflow_provider_twinsync.emulator.control import Control
from airflow_provider_twinsync.emulator.fault import Fault
from airflow_provider_twinsync.emulator.fault_answers import (
    NoAnswer,
    afterwards,
    dumps,
    instead,
    reset,
    send_interim,
    send_truncated,
)
from airflow_provider_twinsync.emulator.faults import (
    AcceptThenHang,
    AcceptThenHttpError,
    AcceptThenReset,
    Hang,
    InterimResponse,
    ResetBefore,
    Slow,
    Truncated,
    WrongVideo,
)
from airflow_provider_twinsync.emulator.photos import NOT_OPENED, PhotoDesk
from airflow_provider_twinsync.emulator.ranges import RangeNotSatisfiableError, if_range_holds, parse_range
from airflow_provider_twinsync.emulator.studio import Studio
from airflow_provider_twinsync.emulator.world import JOURNAL_HEADERS, JournalEntry, Task, World

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator.guard import Guard

MAX_FORM_BYTES = 32 << 10  # ten times the size of 150 words, an address and a voice
# A test that ends must not wait for a client that holds its connection open.
_SHUTDOWN_TIMEOUT_S = 0.2

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Process = Callable[[Fault | None], Awaitable[web.StreamResponse]]


class Server:
    """TwinSync over HTTP.

    :param world: the state that it serves.
    :param guard: decides which requests are refused.
    """

    def __init__(self, world: World, guard: Guard) -> None:
        self.world = world
        self._guard = guard
        self._studio = Studio()
        self._photos = PhotoDesk(world)
        self._closing = asyncio.Event()
        middlewares = [self._refuse_web_pages, self._note_unknown]
        app = web.Application(client_max_size=MAX_FORM_BYTES, middlewares=middlewares)
        app.router.add_post("/phototalking", self._submit)
        app.router.add_get("/phototalking", self._status, allow_head=False)
        app.router.add_get("/example/{name}", self._result)
        Control(world, self._photos).add_routes(app)
        # A handler that hangs ends when its client leaves.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT_S
        )

    async def start(self, host: str, port: int) -> int:
        """Listen.

        :param port: 0 picks a free one.
        :return: the port it listens on.
        :raises OSError: if it cannot listen there.
        """
        self._guard.listen_on(host)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except BaseException:
            await self.close()
            raise
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening, and close all connections at once."""
        self._closing.set()
        await self._runner.cleanup()
        await self._photos.close()
        await self._studio.close()

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        try:
            form = await _form(request)
        except web.HTTPRequestEntityTooLarge as e:
            self._note("submit", request, e.status)
            raise
        entry = self._entry("submit", request, sent_key=form.get("key"))
        entry.key = entry.key or "missing"
        entry.form = {name: value for name, value in form.items() if name != "key"}

        async def process(fault: Fault | None) -> web.StreamResponse:
            answer, task = answers.submit(
                self.world,
                form,
                fault,
                photo_problem=lambda url: self._photos.problem(url, own_host=request.host),
            )
            if task is not None:
                entry.taskID = task.id
                if not self._photos.order(task, own_host=request.host):
                    answer["msg"] += f" {NOT_OPENED}"
            entry.result_code = answer["result_code"]
            return web.json_response(answer, dumps=dumps)

        return await self._answer(request, entry, process)

    async def _status(self, request: web.Request) -> web.StreamResponse:
        task_id = request.query.get("taskID")
        entry = self._entry("status", request, sent_key=request.query.get("key"))
        entry.taskID = task_id

        async def process(fault: Fault | None) -> web.StreamResponse:
            base_url = f"{request.scheme}://{request.host}"
            answer = answers.status(self.world, task_id, base_url, fault)
            entry.result_code = answer["result_code"]
            return web.json_response(answer, dumps=dumps)

        return await self._answer(request, entry, process)

    async def _result(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        task_id = name.removesuffix(".mp4")
        entry = self._entry("result", request, sent_key=request.query.get("key"))
        entry.taskID = task_id

        async def process(fault: Fault | None) -> web.StreamResponse:
            task = self.world.tasks.get(task_id)
            if task is None or not name.endswith(".mp4") or self.world.code_of(task) != 100:
                return web.Response(status=404, text="no such video")
            if isinstance(fault, WrongVideo):
                return web.Response(body=b"this is no MP4\n" * 64, content_type="video/mp4")
            return await self._video(request, task, fault)

        return await self._answer(request, entry, process)

    async def _video(self, request: web.Request, task: Task, fault: Fault | None) -> web.StreamResponse:
        video = await self._studio.video(task, await self._photos.jpeg(task))
        last_modified = formatdate(
            task.created_at_s + self.world.waiting_s + self.world.duration_s, usegmt=True
        )
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": "video/mp4",
            "ETag": video.etag,
            "Last-Modified": last_modified,
        }
        size = len(video.data)
        wanted = request.headers.get("Range")
        if not if_range_holds(request.headers.get("If-Range"), etag=video.etag, last_modified=last_modified):
            wanted = None
        try:
            part = parse_range(wanted, size)
        except RangeNotSatisfiableError:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        body = video.data
        if part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
            body = body[part.start : part.stop]
        status = 200 if part is None else 206
        if isinstance(fault, Truncated) and request.method == "GET":
            return await send_truncated(request, status, headers, body, fault.after_bytes)
        return web.Response(status=status, headers=headers, body=body)

    async def _answer(
        self, request: web.Request, entry: JournalEntry, process: Process
    ) -> web.StreamResponse:
        fault = self.world.faults.take(entry.call)
        entry.fault = None if fault is None else fault.name
        self.world.record(entry)  # before anything is done about it: a request that hangs is seen too
        response = await self._respond(request, entry, fault, process)
        if not isinstance(response, NoAnswer):
            entry.status = response.status
        return response

    async def _respond(
        self, request: web.Request, entry: JournalEntry, fault: Fault | None, process: Process
    ) -> web.StreamResponse:
        if isinstance(fault, ResetBefore):
            return reset(request)
        if isinstance(fault, Hang):
            return await self._hang(request)
        if (other := instead(fault)) is not None:
            return other
        if isinstance(fault, InterimResponse):
            send_interim(request, fault)
        response = await process(fault)
        if isinstance(fault, AcceptThenReset):
            return reset(request)
        if isinstance(fault, AcceptThenHang):
            return await self._hang(request)
        if isinstance(fault, AcceptThenHttpError):
            return afterwards(fault, entry.taskID)
        if isinstance(fault, Slow):
            await self._pause(fault.delay_s)
        return response

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except asyncio.TimeoutError:
            return

    async def _hang(self, request: web.Request) -> NoAnswer:
        await self._closing.wait()
        return reset(request)

    @web.middleware
    async def _refuse_web_pages(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (refusal := self._guard.refusal(request)) is None:
            return await handler(request)
        status, message = refusal
        self._note("unknown", request, status)
        answer: dict[str, object] = {"error": message}
        if (request.method, request.path) == ("POST", "/phototalking"):
            # A client then knows that no job was made, and shows why.
            answer |= {"result_code": 200, "msg": f"{answers.SUBMIT_ERRORS[200]}: {message}"}
        return web.json_response(answer, status=status)

    @web.middleware
    async def _note_unknown(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Leave a trace of a request that no route takes: a client's author looks for it in the journal."""
        error = request.match_info.http_exception
        if error is not None and not request.path.startswith("/_emulator/"):
            self._note("unknown", request, error.status)
        return await handler(request)

    def _note(self, call: str, request: web.Request, status: int) -> None:
        """Write a request into the journal that is answered with an error and else ignored."""
        entry = self._entry(call, request, sent_key=request.query.get("key"))
        entry.status = status
        self.world.record(entry)

    def _entry(self, call: str, request: web.Request, *, sent_key: str | None) -> JournalEntry:
        entry = JournalEntry(
            call=call,
            method=request.method,
            path=request.path,
            at_s=self.world.now_s(),
            headers={name: request.headers[name] for name in JOURNAL_HEADERS if name in request.headers},
        )
        if sent_key is not None:
            entry.key = "accepted" if sent_key == self.world.key else "rejected"
        return entry


async def _form(request: web.Request) -> dict[str, str]:
    """Return the form fields of a request; none if it has no form that can be read."""
    try:
        fields = await request.post()
    except (ValueError, LookupError, HttpProcessingError):  # no text, unknown charset, broken multipart
        return {}
    return {name: value for name, value in fields.items() if isinstance(value, str)}
