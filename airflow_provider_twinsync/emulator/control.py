"""The emulator's own endpoints under ``/_emulator/``: a test in another process changes the world by them."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airflow_provider_twinsync.emulator.faults import FAULTS, parse_fault
from airflow_provider_twinsync.emulator.photos import PHOTOS_PATH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_twinsync.emulator.photos import PhotoDesk
    from airflow_provider_twinsync.emulator.world import World

_HELP = """\
This is the TwinSync emulator: no real service, nothing here costs anything.

The service:
  POST /phototalking               text, image_url, pronouncer, key: submit a job
  GET  /phototalking?taskID=ID     its status; with result_code 100 also its result_url
  GET  /example/ID.mp4             its video

The emulator's own:
  GET  /_emulator/health           {"status": "ok"}
  GET  /_emulator/journal          the requests so far, without the key
  GET  /_emulator/faults           the faults that still wait
  POST /_emulator/faults           {"call": "submit", "fault": "http_error", "status": 503, "times": 2}
  POST /_emulator/clock            {"advance_s": 60}
  POST /_emulator/photos           an image file as the body; answers {"image_url": ...} for a job
  POST /_emulator/reset            forget everything

The faults, with their fields beside call and times (null: until a reset):
"""


class Control:
    """The control endpoints of one world."""

    def __init__(self, world: World, photos: PhotoDesk) -> None:
        self._world = world
        self._photos = photos

    def add_routes(self, app: web.Application) -> None:
        """Add the endpoints to an application."""
        app.router.add_get("/", self._strict(self._help))
        app.router.add_get("/_emulator/health", self._strict(self._health))
        app.router.add_get("/_emulator/journal", self._strict(self._journal))
        app.router.add_get("/_emulator/faults", self._strict(self._pending_faults))
        app.router.add_post("/_emulator/faults", self._strict(self._add_fault))
        app.router.add_post("/_emulator/clock", self._strict(self._clock))
        app.router.add_post("/_emulator/reset", self._strict(self._reset))
        app.router.add_post("/_emulator/photos", self._strict(self._upload_photo))
        app.router.add_get(PHOTOS_PATH + "{name}", self._strict(self._photo))

    def _strict(
        self, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Answer 400 to a wrong request, and to a query, which no endpoint here has."""

        async def handle(request: web.Request) -> web.Response:
            if request.query:
                return _bad_request(f"unknown query parameter {next(iter(request.query))!r}; known: none")
            try:
                return await handler(request)
            except ValueError as e:
                return _bad_request(str(e))

        return handle

    async def _help(self, request: web.Request) -> web.Response:
        faults = (
            f"  {name:32} {', '.join(f.name for f in fields(cls) if f.name != 'times')}".rstrip()
            for name, cls in sorted(FAULTS.items())
        )
        return web.Response(text=_HELP + "\n".join(faults) + "\n")

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _journal(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.journal_as_json())

    async def _pending_faults(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.faults.pending())

    async def _add_fault(self, request: web.Request) -> web.Response:
        self._world.faults.add(*parse_fault(await _json(request)))
        return web.json_response(self._world.faults.pending())

    async def _clock(self, request: web.Request) -> web.Response:
        data = await _json(request)
        if not isinstance(data, dict) or set(data) != {"advance_s"}:
            raise ValueError('the clock takes {"advance_s": SECONDS} and nothing else')
        self._world.advance(data["advance_s"])
        return web.json_response({"now_s": self._world.now_s()})

    async def _reset(self, request: web.Request) -> web.Response:
        self._world.reset()
        return web.json_response({"status": "ok"})

    async def _upload_photo(self, request: web.Request) -> web.Response:
        name = await self._photos.upload(request.content)
        return web.json_response({"image_url": f"{request.scheme}://{request.host}{PHOTOS_PATH}{name}"})

    async def _photo(self, request: web.Request) -> web.Response:
        jpeg = self._world.photo(request.match_info["name"])
        if jpeg is None:
            return web.Response(status=404, text="no such photo")
        return web.Response(body=jpeg, content_type="image/jpeg")


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError as e:
        raise ValueError(f"the body must be JSON: {e}") from e


def _bad_request(message: str) -> web.Response:
    return web.json_response({"error": message}, status=400)
