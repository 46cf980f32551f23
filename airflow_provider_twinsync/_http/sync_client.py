"""The client of a worker, and the rules for proxies and certificates of both clients.

A client turns a request into an answer and decides nothing. This client takes its session from the http
provider's ``HttpHook``; the client of a triggerer is in
:mod:`~airflow_provider_twinsync._http.async_client`. Import it only where a request is made: ``requests`` is
slow to import.
"""

from __future__ import annotations

import os
import re
import ssl
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import requests.utils
from airflow.providers.common.compat.sdk import Connection
from airflow.providers.http.hooks.http import HttpHook

from airflow_provider_twinsync._api.answers import MAX_ANSWER_BYTES
from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._api.extra_field import is_proxy
from airflow_provider_twinsync._api.status import read_retry_after
from airflow_provider_twinsync._http.ceiling import NO_TURN, wait_for_turn
from airflow_provider_twinsync._http.observed_session import ObservedSession
from airflow_provider_twinsync._http.progress import Progress
from airflow_provider_twinsync.exceptions import UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_twinsync._api.settings import Settings

_CHUNK_BYTES = 65_536
_MAX_PROBLEM_CHARACTERS = 2_000


class _SessionHook(HttpHook):
    """The http provider's hook, for its session.

    Its connection lacks our extra fields, because it would send those as headers.
    """

    def get_connection(self, conn_id: str) -> Connection:  # type: ignore[override]  # a classmethod there
        return Connection(conn_id=conn_id, conn_type="http")


def open_session() -> requests.Session:
    """Open a session as the http provider sets it up (keep-alive probes on the socket)."""
    session = _SessionHook().get_conn()
    # The environment is read below, once for both clients.
    session.trust_env = False
    # A compressed answer of kilobytes may expand to gigabytes: this asks for none, and expands none.
    session.headers["Accept-Encoding"] = "identity"
    # `requests` parses the target of a redirect even if it does not follow, and fails for some addresses.
    session.get_redirect_target = lambda _: None  # type: ignore[method-assign,assignment]
    return session


def request_options(settings: Settings, url: str) -> dict[str, Any]:
    """Return the options of every request, as ``requests`` takes them."""
    proxy = proxy_of(settings, url)
    return {
        "timeout": settings.request_timeout_s,
        "verify": _certificates(settings, url),
        "proxies": {"http": proxy, "https": proxy} if proxy else None,
        "stream": True,
        "allow_redirects": False,
    }


def send(
    settings: Settings,
    request: Request,
    progress: Progress | None = None,
    *,
    turn_timeout_s: float | None = None,
) -> Outcome:
    """Send a request from a worker, and return its outcome; no error of a library comes out of it.

    A GET waits for its turn, and a submit had its turn before. For example, ``send(settings,
    build_status("7"))`` is ``Answered(200, b'{"result_code": 101}')``.

    :param progress: tells whether the request was sent, also after an alarm or Ctrl-C.
    :param turn_timeout_s: the longest time to wait for the turn, in seconds; None for no bound.
    :raises UsageError: the certificates cannot be read, the proxy of the environment is not usable, or as
        ``wait_for_turn``.
    """
    if request.method == "GET":
        try:
            if not wait_for_turn(settings, "requests", limit_s=turn_timeout_s):
                return NotSent(NO_TURN)
        except UnavailableError as error:
            return NotSent(str(error))
    progress = progress or Progress()
    limit_s = settings.request_timeout_s
    options = request_options(settings, settings.url)
    limit: ObservedSession | None = None
    try:
        with (
            open_session() as session,
            ObservedSession(limit_s, session, settings.url, options["proxies"], None, progress) as limit,
        ):
            prepared = session.prepare_request(
                requests.Request(
                    request.method,
                    settings.url,
                    params=request.params,
                    data=request.form,
                    headers=request.headers,
                )
            )
            progress.start()
            with session.send(prepared, **options) as response:
                body = bytearray()
                while len(body) < MAX_ANSWER_BYTES and (chunk := response.raw.read1(_CHUNK_BYTES, False)):
                    body += chunk
        if not limit.is_over:
            # A submit's answer may name its job in the head, as in Location; no poll needs that.
            head = str(response.headers) if request.method == "POST" else ""
            return answer_of(response.status_code, bytes(body), response.headers, head)
        problem = ""
    except Exception as error:  # the boundary: any error of a library is no answer
        problem = problem_of(error)
    if limit is not None and limit.is_over:
        problem = f"Timeout: no complete answer within {limit_s:g} s"
    return NotSent(problem) if progress.was_sent is False else Sent(problem)


def answer_of(status: int, body: bytes, headers: Mapping[str, str], head: str = "") -> Outcome:
    """Build the answer. A compressed answer is none, as the request forbids compression.

    A body that begins as a JSON object is not compressed, even with a header of it: ``Content-Encoding:
    utf-8`` is a common mistake.
    """
    packing = {one.strip().lower() for one in headers.get("Content-Encoding", "").split(",")}
    if packing - {"", "identity"} and not body.lstrip().startswith(b"{"):
        return Sent(f"Packed: HTTP {status} with Content-Encoding, which was not asked for")
    return Answered(status, body, retry_after_s(headers), head)


def proxy_of(settings: Settings, url: str) -> str | None:
    """Return the proxy of the connection or, by the rule of ``requests``, of the environment.

    :raises UsageError: the proxy of the environment is not usable by both clients.
    """
    if settings.proxy:
        return settings.proxy
    proxy: str | None = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not is_proxy(proxy):
        # It may hold a password, so it is not repeated.
        raise UsageError(
            f"TS214 Connection {settings.conn_id!r}: the proxy in the environment (HTTP_PROXY, HTTPS_PROXY "
            "or ALL_PROXY) is not usable: it should be the http:// address of a proxy, with a login of Latin "
            "letters only. SOCKS is not supported."
        )
    return proxy


def _certificates(settings: Settings, url: str) -> str | bool:
    """Return the path of the trusted certificates, or False: the rule of ``requests``, for both clients.

    :raises UsageError: they cannot be read.
    """
    if settings.verify is False or not url.startswith("https:"):
        return settings.verify is not False
    environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = environment or requests.utils.DEFAULT_CA_BUNDLE_PATH
    if isinstance(settings.verify, str):
        path = settings.verify
    try:
        _tls_context(path)
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError; a null character, a ValueError
        raise UsageError(
            f"TS213 Connection {settings.conn_id!r}: the certificates at {path!r} cannot be read on this "
            f"machine ({problem_of(error)}). The path is that of verify in the extra, or REQUESTS_CA_BUNDLE."
        ) from None
    return path


def tls_of(settings: Settings) -> ssl.SSLContext | bool:
    """Return the trusted certificates as ``aiohttp`` takes them."""
    certificates = _certificates(settings, settings.url)
    return _tls_context(certificates) if isinstance(certificates, str) else certificates


@lru_cache(maxsize=8)
def _tls_context(path: str) -> ssl.SSLContext:
    """Read certificates, once a process: it takes some ten milliseconds."""
    if Path(path).is_dir():
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the ``Retry-After`` of an answer in seconds from now."""
    header = headers.get("Retry-After")
    return None if header is None else read_retry_after(header, datetime.now(timezone.utc))


def problem_of(error: BaseException) -> str:
    """Return an error in one line, without object addresses, logins and queries."""
    inner = error
    while causes := [
        one for one in (getattr(inner, "reason", None), *inner.args) if isinstance(one, Exception)
    ]:
        if type(causes[0]).__name__.islower():
            break  # `gaierror` and the like have less information than the error around them
        inner = causes[0]
    words = [one for one in inner.args if isinstance(one, str)]
    text = " ".join((words[-1] if words else str(inner)).split())
    text = re.sub(r"<\S{1,200} object at 0x[0-9a-f]+>:? ?", "", text[:_MAX_PROBLEM_CHARACTERS])
    text = re.sub(r"//[^\s/?#]*@", "//", text)
    text = re.sub(r"\?[^\s'\"]+", "?...", text)
    return f"{type(inner).__name__}: {text}" if text else type(inner).__name__
