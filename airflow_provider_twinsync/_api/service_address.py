"""The address of the service, from the host, port and schema of a connection. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from airflow_provider_twinsync._api.extra_field import bracketed
from airflow_provider_twinsync._api.shown import shown_address
from airflow_provider_twinsync._api.validation import is_http_url
from airflow_provider_twinsync.exceptions import UsageError

DEFAULT_SCHEME = "http"
DEFAULT_HOST = "api2.sam-sara.cn"
DEFAULT_PORT = 17374


def read_address(
    conn_id: str, host: str | None, port: int | None, schema: str | None
) -> tuple[str, str, str]:
    """Return the start of the address (scheme, host, port), the host alone, and its path or an empty text.

    A host that is a full address has its own scheme and port; without a port it has the scheme's port. Two
    different values of one part are an error: with the schema https the key must not travel by http.
    """
    host = (host or DEFAULT_HOST).strip()
    is_address = "://" in host
    try:
        parts = urlsplit(host if is_address else f"//{bracketed(host)}")
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
    address = f"{scheme}://{bracketed(hostname)}"
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
