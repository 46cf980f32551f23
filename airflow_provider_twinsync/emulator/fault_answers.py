"""Build the answers of faults: in place of the service's answer, before it, or after a part of it."""

from __future__ import annotations

import gzip
import io
import json
import math
import socket
import struct
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airflow_provider_twinsync.emulator.faults import (
    AcceptThenHttpError,
    Body,
    GzipBomb,
    HttpError,
    InterimResponse,
    NotJson,
    Redirect,
)

if TYPE_CHECKING:
    from airflow_provider_twinsync.emulator.fault import Fault


class NoAnswer(web.Response):
    """Stands for the answer of a request whose connection is gone."""


def instead(fault: Fault | None) -> web.Response | None:
    """Return the answer of a fault whose request is not processed; ``None`` if it is to be processed."""
    if isinstance(fault, HttpError):
        return _http_error(fault.status, fault.retry_after_s, fault.body)
    if isinstance(fault, NotJson):
        return web.Response(text=fault.body, content_type="text/html")
    if isinstance(fault, Body):
        return web.json_response(fault.json, dumps=dumps)
    if isinstance(fault, Redirect):
        return web.Response(status=302, headers={"Location": fault.location})
    if isinstance(fault, GzipBomb):
        encodings = ", ".join(["gzip"] * fault.layers)
        return web.Response(
            body=_bomb(fault.mebibytes, fault.layers),
            headers={"Content-Encoding": encodings},
            content_type="application/json",
        )
    return None


def afterwards(fault: AcceptThenHttpError, task_id: str | None) -> web.Response:
    """Return the HTTP error of a request that was processed.

    :param task_id: the job that the request made or is about.
    """
    return _http_error(fault.status, fault.retry_after_s, fault.body.replace("{task_id}", task_id or ""))


def send_interim(request: web.Request, fault: InterimResponse) -> None:
    """Write interim responses to the connection of a request; its answer follows."""
    try:
        phrase = HTTPStatus(fault.status).phrase
    except ValueError:
        phrase = "Interim"
    head = f"HTTP/1.1 {fault.status} {phrase}\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"
    if request.transport is not None:
        request.transport.write(head.encode() * fault.count)


def reset(request: web.Request) -> NoAnswer:
    """Reset the connection: with SO_LINGER at 0 a close is a TCP RST, not an orderly end."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return NoAnswer()


async def send_truncated(
    request: web.Request, status: int, headers: dict[str, str], body: bytes, after_bytes: int
) -> web.StreamResponse:
    """Promise a body, send the beginning of it, and close the connection."""
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[:after_bytes])
    if request.transport is not None:
        request.transport.close()
    return response


def dumps(value: Any) -> str:
    """Write JSON as the service does: letters outside ASCII as they are."""
    return json.dumps(value, ensure_ascii=False)


def _http_error(status: int, retry_after_s: float | None, body: str) -> web.Response:
    headers = {} if retry_after_s is None else {"Retry-After": str(math.ceil(retry_after_s))}
    is_json = body.lstrip()[:1] in ("{", "[")
    content_type = "application/json" if is_json else "text/html"
    return web.Response(status=status, headers=headers, text=body, content_type=content_type)


@lru_cache(maxsize=4)
def _bomb(mebibytes: int, layers: int) -> bytes:
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as layer:
        for _ in range(mebibytes):
            layer.write(bytes(1 << 20))
    data = file.getvalue()
    for _ in range(layers - 1):
        data = gzip.compress(data, mtime=0)
    return data
