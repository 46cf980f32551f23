"""Check the fields of an Airflow connection, and turn them into settings.

Pure: the worker and the triggerer get the same :class:`Settings` from the same fields.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit

from airflow_provider_twinsync._api.shown import one_line, shown_address, shown_text
from airflow_provider_twinsync._api.validation import DEFAULT_TEXT_LIMIT_WORDS, is_encodable, is_http_url
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_SCHEME = "http"
DEFAULT_HOST = "api2.sam-sara.cn"
DEFAULT_PORT = 17374
DEFAULT_PATH = "/phototalking"
#: In the example of the service's document the video is on this host, which is not the API's own.
DOCUMENTED_RESULT_HOST = "api.twinsync.xyz"
DEFAULT_REQUEST_TIMEOUT_S = 30.0
DEFAULT_TOLERANCE_S = 300.0
DEFAULT_MAX_VIDEO_MB = 2048.0
#: No number in the extra may be larger: a million seconds are eleven days, a million megabytes a terabyte.
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a connection.

    :param conn_id: the connection's id, for messages.
    :param url: the address of both calls.
    :param key: the access key; never shown.
    :param request_timeout_s: the longest time that one request may take, in seconds.
    :param verify: check certificates, or the path of a file with the certificates to trust.
    :param proxy: the address of an HTTP proxy; None for the proxy of the environment, if any.
    :param text_limit_words: the longest text, in words.
    :param allowed_result_hosts: the hosts from which a video may be fetched.
    :param max_video_mb: the largest video that is stored, in millions of bytes.
    :param tolerance_s: how long an outage of the status may last before a wait fails, in seconds.
    :param requests_per_second: the most status requests of one triggerer, for all its waits; None for no
        limit.
    """

    conn_id: str
    url: str
    key: str = field(repr=False)
    request_timeout_s: float
    verify: bool | str
    proxy: str | None = field(repr=False)
    text_limit_words: int
    allowed_result_hosts: frozenset[str]
    max_video_mb: float
    tolerance_s: float
    requests_per_second: float | None

    def status_url(self, twinsync_task_id: str) -> str:
        """Return the address of a job's status, such as ``https://…?taskID=7``, without the key."""
        return f"{self.url}?{urlencode({'taskID': twinsync_task_id})}"

    @property
    def sends_key_in_clear(self) -> bool:
        """Return True if a request sends the key unencrypted to another machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_connection(
    conn_id: str,
    *,
    host: str | None,
    port: int | None,
    schema: str | None,
    password: str | None,
    extra: str | None,
) -> Settings:
    """Return the settings of a connection.

    >>> fields = {"host": "example.com", "port": None, "schema": "https", "password": "key", "extra": None}
    >>> parse_connection("mine", **fields).url
    'https://example.com:17374/phototalking'

    :param extra: the JSON text of the extra.
    :raises UsageError: a field is missing, unknown or wrong; the message names the connection and the field.
    """
    extras, given = _read_extras(conn_id, extra)
    base_url, api_host, path = _address(conn_id, host, port, schema)
    if path and "path" in given:
        raise UsageError(
            f"TS210 Connection {conn_id!r}: the host has a path, and so has the extra: keep one."
        )
    key = (password or "").strip()
    if not key or not is_encodable(key):
        raise UsageError(
            f"TS203 Connection {conn_id!r} has no access key{' that can be sent' if key else ''}: put it "
            "into the password, which the web form calls 'Access key'."
        )
    return Settings(
        conn_id=conn_id,
        url=base_url + (path or extras["path"]),
        key=key,
        request_timeout_s=extras["request_timeout_s"],
        verify=extras["verify"],
        proxy=extras["proxy"],
        text_limit_words=extras["text_limit_words"],
        allowed_result_hosts=extras["allowed_result_hosts"] | {api_host, DOCUMENTED_RESULT_HOST},
        max_video_mb=extras["max_video_mb"],
        tolerance_s=extras["tolerance_s"],
        requests_per_second=extras["requests_per_second"],
    )


def _read_extras(conn_id: str, extra: str | None) -> tuple[dict[str, Any], set[str]]:
    """Return all fields of the extra, with defaults, and the names of the given fields."""
    try:
        fields = json.loads(extra or "{}")
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise UsageError(f"TS204 Connection {conn_id!r}: the extra is not a JSON object.")
    # The Test button of Airflow 2 sends each field under two names.
    twice = {f"extra__twinsync__{name}" for name in fields}
    fields = {name: value for name, value in fields.items() if name not in twice}
    unknown = sorted(set(fields) - set(_EXTRAS))
    if unknown:
        raise UsageError(
            f"TS205 Connection {conn_id!r}: the extra has unknown fields: {one_line(', '.join(unknown))}. "
            f"Known ones: {', '.join(_EXTRAS)}. The access key belongs into the password."
        )
    # The web form sends an empty field as null or as an empty text.
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    extras = {name: default for name, (default, _, _) in _EXTRAS.items()}
    for name, value in given.items():
        _, read, wanted = _EXTRAS[name]
        try:
            extras[name] = read(value)
        except (TypeError, ValueError, OverflowError):
            # The address of a proxy may have a password, and a query a key, so the message has neither.
            is_secret = name == "proxy" or re.search(r"[@?]", str(value))
            shown = "not usable" if is_secret else shown_text(value)
            raise UsageError(
                f"TS206 Connection {conn_id!r}: {name} in the extra is {shown}: it should be {wanted}."
            ) from None
    return extras, set(given)


def _address(conn_id: str, host: str | None, port: int | None, schema: str | None) -> tuple[str, str, str]:
    """Return the start of the address (scheme, host, port), the host alone, and its path or an empty text.

    A host that is a full address has its own scheme and port; without a port it has the scheme's port. Two
    different values of one part are an error: with the schema https the key must not travel by http.
    """
    host = (host or DEFAULT_HOST).strip()
    is_address = "://" in host
    try:
        parts = urlsplit(host if is_address else f"//{_bracketed(host)}")
        named_port = parts.port
    except ValueError:
        parts, named_port = urlsplit(""), None
    schema = (schema or "").strip().lower()
    scheme = parts.scheme or schema or DEFAULT_SCHEME
    if scheme not in ("http", "https"):
        raise UsageError(
            f"TS207 Connection {conn_id!r}: the schema is {shown_address(scheme)}: it should be 'http' or "
            "'https'."
        )
    if schema not in ("", scheme):
        raise UsageError(
            f"TS208 Connection {conn_id!r}: the schema is {shown_address(schema)}, and the host names "
            f"{scheme}."
        )
    path = parts.path.rstrip("/")
    hostname = parts.hostname or ""
    address = f"{scheme}://{_bracketed(hostname)}"
    spare = parts.query or parts.fragment or parts.username is not None
    if spare or re.search(r"\s", host) or not is_http_url(address + path):
        raise UsageError(
            f"TS209 Connection {conn_id!r}: the host is not usable: it should be a host name such as "
            f"{DEFAULT_HOST!r} or an address such as 'https://{DEFAULT_HOST}', with no login and no query."
        )
    if port is not None and named_port is not None and port != named_port:
        raise UsageError(
            f"TS211 Connection {conn_id!r}: the port is {port}, and the host names {named_port}."
        )
    port = named_port if port is None else port
    if port is None and not is_address:
        port = DEFAULT_PORT
    if port is not None and not 0 < port < 65_536:
        raise UsageError(f"TS212 Connection {conn_id!r}: the port is {port}: it should be from 1 to 65535.")
    return address + (f":{port}" if port else ""), hostname, path


def _path(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"/[^\s?#]*", value) or not value.isprintable():
        raise ValueError
    return value


def _positive(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not 0 < number <= _MOST:
        raise ValueError
    return number


def _positive_integer(value: Any) -> int:
    number = _positive(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _verify(value: Any) -> bool | str:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    if not isinstance(value, bool):
        raise ValueError
    return value


def is_proxy(value: Any) -> bool:
    """Return True if both HTTP clients can use the proxy at this address."""
    if not is_http_url(value):
        return False
    try:
        # Both decode a percent-encoded login and write it as Latin-1, as HTTP did before RFC 7617. Another
        # character ends them with an error of Python.
        unquote(urlsplit(value).netloc.rpartition("@")[0]).encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _proxy(value: Any) -> str:
    if not is_proxy(value) or urlsplit(value).scheme != "http":
        raise ValueError
    address: str = value
    return address


def _hosts(value: Any) -> frozenset[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError
    hosts = frozenset(name.strip().lower() for name in names if name.strip())
    for host in hosts:
        address = f"http://{_bracketed(host)}"
        if not is_http_url(address) or urlsplit(address).hostname != host:
            raise ValueError
    return hosts


def _bracketed(host: str) -> str:
    """Return a host in the form of an address: IPv6 in brackets."""
    try:
        return f"[{ipaddress.IPv6Address(host)}]"
    except ValueError:
        return host


#: The extra's fields: the default, the function that reads a value, and the right values for a message.
_EXTRAS: dict[str, tuple[Any, Callable[[Any], Any], str]] = {
    "path": (DEFAULT_PATH, _path, f"a path that starts with '/', such as '{DEFAULT_PATH}'"),
    "request_timeout_s": (DEFAULT_REQUEST_TIMEOUT_S, _positive, "a positive number of seconds"),
    "verify": (True, _verify, "true, false, or the path of a file with the certificates to trust"),
    "proxy": (None, _proxy, "the http:// address of a proxy, whose login has Latin letters only"),
    "text_limit_words": (DEFAULT_TEXT_LIMIT_WORDS, _positive_integer, "a positive whole number of words"),
    "allowed_result_hosts": (frozenset(), _hosts, "a list of host names, or one text with commas in between"),
    "max_video_mb": (DEFAULT_MAX_VIDEO_MB, _positive, "a positive number of megabytes"),
    "tolerance_s": (DEFAULT_TOLERANCE_S, _positive, "a positive number of seconds"),
    "requests_per_second": (None, _positive, "a positive number"),
}
