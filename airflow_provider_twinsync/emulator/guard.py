"""Refuse requests of web pages: a page in a browser on this machine can send some to the emulator.

There are two ways. A page on another site posts to http://127.0.0.1:17374; the browser then sends
``Sec-Fetch-Site`` or ``Origin``. Or the page's owner makes a name resolve to 127.0.0.1 (DNS rebinding), so
that the browser takes the emulator for the page's own site; then that name is in ``Host``.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

_NAME = re.compile(r"[^\s:/@\[\]]+")
_AUTHORITY = re.compile(rf"(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<name>{_NAME.pattern}))(?::[0-9]{{0,5}})?")
_MAX_SHOWN = 100


class Guard:
    """Decide which requests are refused.

    :param allowed_hosts: host names by which clients reach the emulator, beside ``localhost`` and the host
        that it listens on; without a port.
    :raises ValueError: if one is not a host name or IP address.
    """

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        if isinstance(allowed_hosts, str):
            raise ValueError(f"allowed_hosts must be a list of names, got the text {allowed_hosts!r}")
        self._names = {"localhost"}
        for name in allowed_hosts:
            host = _normal(name.strip("[]")) if isinstance(name, str) else ""
            if not (_is_ip(host) or _NAME.fullmatch(host)):
                raise ValueError(f"allowed_hosts must hold host names without a port, got {name!r}")
            self._names.add(host)
        self._any_ip = False

    def listen_on(self, host: str) -> None:
        """Allow the address that the emulator listens on.

        If it listens on all addresses (``0.0.0.0``, ``::``), any IP address is allowed: behind a published
        port of a container the address differs, and DNS rebinding needs a name.
        """
        self._names.add(_normal(host))
        self._any_ip = not host or (_is_ip(host) and ip_address(host).is_unspecified)

    def refusal(self, request: web.Request) -> tuple[int, str] | None:
        """Return the status and the message with which a request is refused, or ``None`` if it may pass."""
        authorities = request.headers.getall("Host", [])
        if "://" in request.raw_path.partition("?")[0] and not request.raw_path.startswith("/"):
            authorities.append(request.host)  # of `GET http://host/path` (RFC 9112, 3.2.2)
        for authority in authorities:
            if not self._knows(host_of(authority)):
                return 421, self._foreign_host(authority)
        # A link from another site, such as Airflow's web UI, to the video only reads.
        follows_link = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
        site = request.headers.get("Sec-Fetch-Site", "")
        origin = request.headers.get("Origin")
        if (site.strip().lower() == "cross-site" and not follows_link) or (
            # Sec-Fetch-Site is `same-site` for another port, and not sent to plain http beyond this machine.
            origin is not None and origin.partition("://")[2].lower() != request.host.lower()
        ):
            return 403, (
                "a web page of another origin sent this request (Sec-Fetch-Site or Origin); the emulator "
                "answers programs and its own pages"
            )
        return None

    def _knows(self, host: str | None) -> bool:
        if host is None or host in self._names:
            return host is not None
        return _is_ip(host) and (self._any_ip or ip_address(host).is_loopback)

    def _foreign_host(self, authority: str) -> str:
        shown = host_of(authority) or authority
        shown = shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "…"
        return (
            f"the emulator does not answer to the host {shown!r}: a web page could get at it by a name of "
            f"its own (DNS rebinding). If it is the emulator's name, start it with --allow-host {shown}, "
            f"or Emulator(allowed_hosts=[{shown!r}])"
        )


def host_of(authority: str) -> str | None:
    """Return the host of a Host header, in small letters; ``None`` if it is none."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    return _normal(match["ip6"] or match["name"])


def _normal(host: str) -> str:
    return str(ip_address(host)) if _is_ip(host) else host.lower().removesuffix(".")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
