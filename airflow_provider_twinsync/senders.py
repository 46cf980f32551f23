"""The sender of a worker, which turns a request into an answer and decides nothing; and rules for both.

Imported where a request is made and nowhere else, because ``requests`` is slow to import. This sender takes
its session from the http provider's ``HttpHook``; that of a triggerer is in
:mod:`~airflow_provider_twinsync.pool`. Both read the same
:class:`~airflow_provider_twinsync.connection.Settings`, by the rules for proxies and certificates here.
"""

from __future__ import annotations

import os
import re
import ssl
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync.requirements import unmet

if _said := unmet():  # before what comes next is imported, which may be what is missing or too old
    raise ImportError(_said)

import requests
import requests.utils
import urllib3.exceptions
from airflow.providers.common.compat.sdk import Connection
from airflow.providers.http.hooks.http import HttpHook

from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.protocol import (
    MAX_ANSWER_BYTES,
    Answer,
    NoAnswer,
    Request,
    Response,
    read_retry_after,
)
from airflow_provider_twinsync.sockets import Connections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_twinsync.connection import Settings

_CHUNK_BYTES = 65_536

#: What reading a body can raise: `requests` wraps some of what lies below it, and not all.
REQUESTS_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class _SessionHook(HttpHook):
    """The http provider's hook, for its session.

    It is given a connection without our extra fields, because it would send those as headers.
    """

    def get_connection(self, conn_id: str) -> Connection:  # type: ignore[override]  # a classmethod there
        return Connection(conn_id=conn_id, conn_type="http")


def open_session() -> requests.Session:
    """Open a session as the http provider sets it up (keep-alive probes on the socket)."""
    session = _SessionHook().get_conn()
    # What the environment says is read below, once for both senders.
    session.trust_env = False
    # `requests` reads where a redirect leads to even if it is not to follow, and trips over some addresses.
    session.get_redirect_target = lambda _: None  # type: ignore[method-assign,assignment]
    return session


def request_options(settings: Settings, url: str) -> dict[str, Any]:
    """Give what the connection says about every request, in the words of ``requests``."""
    proxy = proxy_of(settings, url)
    return {
        "timeout": settings.request_timeout_s,
        "verify": _certificates(settings, url),
        "proxies": {"http": proxy, "https": proxy} if proxy else None,
        "stream": True,
        "allow_redirects": False,
    }


def send(settings: Settings, request: Request, handing_over: Callable[[], None] | None = None) -> Answer:
    """Send a request from a worker.

    :param handing_over: is called when the first byte is about to be handed to the system: before that,
        nothing was sent, whatever ends it.
    """
    options = request_options(settings, settings.url)
    limit_s = settings.request_timeout_s
    with (
        open_session() as session,
        Connections(limit_s, session, settings.url, options["proxies"], handing_over=handing_over) as limit,
    ):
        try:
            with session.request(
                request.method, settings.url, params=request.params, data=request.form, **options
            ) as response:
                body = bytearray()
                while len(body) < MAX_ANSWER_BYTES and (chunk := response.raw.read1(_CHUNK_BYTES, True)):
                    body += chunk
            if not limit.is_over:
                return Response(response.status_code, bytes(body), retry_after_s(response.headers))
        except (*REQUESTS_ERRORS, ValueError) as error:
            if not limit.is_over:
                return NoAnswer(sent=limit.was_sent, problem=problem_of(error))
        return NoAnswer(sent=limit.was_sent, problem=f"Timeout: no whole answer within {limit_s:g} s")


def proxy_of(settings: Settings, url: str) -> str | None:
    """Give the proxy to ask: the connection's, or the environment's, by the rule of ``requests``."""
    if settings.proxy:
        return settings.proxy
    proxy: str | None = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _certificates(settings: Settings, url: str) -> str | bool:
    """Give the path of the certificates to trust, or False: the rule of ``requests``, for both senders.

    :raises UsageError: there are none to be read.
    """
    if settings.verify is False or not url.startswith("https:"):
        return settings.verify is not False
    environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = environment or requests.utils.DEFAULT_CA_BUNDLE_PATH
    if isinstance(settings.verify, str):
        path = settings.verify
    try:
        _tls_context(path)
    except OSError as error:  # and so is an ssl.SSLError
        raise UsageError(
            f"Connection {settings.conn_id!r}: there are no certificates to be read at {path!r} on this "
            f"machine ({problem_of(error)}). The path is that of verify in the extra, or REQUESTS_CA_BUNDLE."
        ) from None
    return path


def tls_of(settings: Settings) -> ssl.SSLContext | bool:
    """Give the same rule in the words of ``aiohttp``."""
    certificates = _certificates(settings, settings.url)
    return _tls_context(certificates) if isinstance(certificates, str) else certificates


@lru_cache(maxsize=8)
def _tls_context(path: str) -> ssl.SSLContext:
    """Read certificates, once a process: it takes some ten milliseconds."""
    if Path(path).is_dir():
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Give what an answer's ``Retry-After`` means now, in seconds."""
    header = headers.get("Retry-After")
    return None if header is None else read_retry_after(header, datetime.now(timezone.utc))


def problem_of(error: BaseException) -> str:
    """Say in one line what went wrong, without the object addresses in the libraries' messages."""
    inner = error
    while causes := [
        one for one in (getattr(inner, "reason", None), *inner.args) if isinstance(one, Exception)
    ]:
        if type(causes[0]).__name__.islower():
            break  # `gaierror` and the like say less than what they are wrapped in
        inner = causes[0]
    words = [one for one in inner.args if isinstance(one, str)]
    text = " ".join((words[-1] if words else str(inner)).split())
    text = re.sub(r"<\S{1,200} object at 0x[0-9a-f]+>:? ?", "", text)
    return f"{type(inner).__name__}: {text}" if text else type(inner).__name__
