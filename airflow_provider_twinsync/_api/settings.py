"""Check the fields of an Airflow connection, and turn them into settings.

Pure: the worker and the triggerer get the same :class:`Settings` from the same fields.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlencode, urlsplit

from airflow_provider_twinsync._api.extra_field import (
    UP_TO,
    ExtraField,
    read_any,
    read_hosts,
    read_lifetime,
    read_path,
    read_positive,
    read_positive_integer,
    read_proxy,
    read_store_folder,
    read_text,
    read_verify,
)
from airflow_provider_twinsync._api.service_address import read_address
from airflow_provider_twinsync._api.shown import one_line, shown_text
from airflow_provider_twinsync._api.validation import is_encodable
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.text import DEFAULT_TEXT_LIMIT_WORDS

DEFAULT_PATH = "/phototalking"
#: In the example of the service's document the video is on this host, which is not the API's own.
DOCUMENTED_RESULT_HOST = "api.twinsync.xyz"
DEFAULT_REQUEST_TIMEOUT_S = 30.0
DEFAULT_TOLERANCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a connection.

    The other parameters are the fields of the connection's extra, as ``docs/connection.md`` lists them.

    :param conn_id: the connection's id, for messages.
    :param origin: the scheme, host and port of the service, such as ``https://example.com:17374``.
    :param key: the access key; never shown.
    """

    conn_id: str
    origin: str
    key: str = field(repr=False)
    # A field of the extra is defined here, and nowhere else: the form, the parser and the errors come from
    # here, and so does the table in the docs, which `python -m dev.connection_table` writes.
    path: str = ExtraField(
        default=DEFAULT_PATH,
        read=read_path,
        wanted=f"a path that starts with '/', such as '{DEFAULT_PATH}'",
        label="Path",
        meaning="The path of the API at that host.",
    ).as_field()
    request_timeout_s: float = ExtraField(
        default=DEFAULT_REQUEST_TIMEOUT_S,
        read=read_positive,
        wanted=f"a positive number of seconds, {UP_TO}",
        label="Request timeout (s)",
        meaning="The longest duration of one request, in seconds: DNS, all addresses of the name, TLS and "
        "the answer. A download continues while it receives 10 kB a second on average.",
        kind="number",
    ).as_field()
    verify: bool | str = ExtraField(
        default=True,
        read=read_verify,
        wanted="true, false, or the path of a file with the certificates to trust",
        label="Verify TLS",
        meaning="'true' checks TLS certificates, 'false' does not, and a path checks them against those in a "
        "file. With 'true', the file of REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE counts, if set.",
    ).as_field()
    proxy: str | None = ExtraField(
        default=None,
        default_in_words="the proxy of the environment, if any",
        read=read_proxy,
        wanted="the http:// address of a proxy, whose login has Latin-1 characters only",
        label="Proxy",
        meaning="The http:// address of a proxy; SOCKS is not supported.",
        is_secret=True,
    ).as_field()
    text_limit_words: int = ExtraField(
        default=DEFAULT_TEXT_LIMIT_WORDS,
        read=read_positive_integer,
        wanted=f"a positive whole number of words, {UP_TO}",
        label="Text limit (words)",
        meaning="The longest text, in words; each Chinese or Japanese character counts as a word.",
        kind="integer",
    ).as_field()
    allowed_result_hosts: frozenset[str] = ExtraField(
        default=frozenset(),
        default_in_words="none",
        read=read_hosts,
        wanted="a list of host names, or one text with commas in between",
        label="Allowed result hosts",
        meaning="More hosts from which videos may be fetched, with commas in between. Always allowed: the "
        f"host of this connection and {DOCUMENTED_RESULT_HOST}. Addresses of an inner network stay "
        "refused, unless this host is in such a network.",
    ).as_field()
    max_video_mb: float = ExtraField(
        default=2048.0,
        read=read_positive,
        wanted=f"a positive number of megabytes, {UP_TO}",
        label="Largest video (MB)",
        meaning="The largest video that is stored, in millions of bytes.",
        kind="number",
    ).as_field()
    tolerance_s: float = ExtraField(
        default=DEFAULT_TOLERANCE_S,
        read=read_positive,
        wanted=f"a positive number of seconds, {UP_TO}",
        label="Tolerance (s)",
        meaning="How long a job's status may be unavailable before the wait fails, in seconds.",
        kind="number",
    ).as_field()
    requests_per_second: float | None = ExtraField(
        default=None,
        default_in_words="no limit",
        read=read_positive,
        wanted=f"a positive number, {UP_TO}",
        label="Requests per second",
        meaning="The most requests a second of one triggerer or task, or with a store, of all together.",
        kind="number",
    ).as_field()
    requests_per_second_store: str | None = ExtraField(
        default=None,
        default_in_words="each process counts alone",
        read=read_text,
        wanted="the address of a Redis, such as 'redis://:password@host:6379/0'",
        label="Store of the limits",
        meaning="The Redis in which all processes count requests, submits and jobs together.",
        is_secret=True,
    ).as_field()
    submits_per_minute: float | None = ExtraField(
        default=None,
        default_in_words="no limit",
        read=read_positive,
        wanted=f"a positive number, {UP_TO}",
        label="Submits per minute",
        meaning="The most submits a minute of one task; with a store, of all together. Others wait.",
        kind="number",
    ).as_field()
    max_jobs_per_day: int | None = ExtraField(
        default=None,
        default_in_words="no limit",
        read=read_positive_integer,
        wanted=f"a positive whole number, {UP_TO}",
        label="Most jobs per day",
        meaning="The most jobs in a day of UTC; another submit fails. It needs a store or a ledger.",
        kind="integer",
    ).as_field()
    ledger: str | None = ExtraField(
        default=None,
        default_in_words="none",
        read=read_text,
        wanted="a text: an absolute path, or an address such as 's3://aws_default@videos/ledger'",
        label="Ledger",
        meaning="The folder with the submit records of all tasks, so that no retry pays again: a path that "
        "all workers share, or an address that ObjectStoragePath understands. A task may name another.",
    ).as_field()
    voices: str | None = ExtraField(
        default=None,
        default_in_words="likely misspellings are refused",
        read=read_any,
        wanted="'any'",
        label="Voices",
        meaning="'any' submits a voice, with a warning, that is one letter away from a known one.",
    ).as_field()
    max_photo_mb: float = ExtraField(
        default=10.0,
        read=read_positive,
        wanted=f"a positive number of megabytes, {UP_TO}",
        label="Largest photo (MB)",
        meaning="The largest photo of a store or a file, in millions of bytes. It is read into memory.",
        kind="number",
    ).as_field()
    photo_expires_s: int = ExtraField(
        default=86_400,
        read=read_lifetime,
        wanted="a positive whole number of seconds, up to 604,800",
        label="Signature of a photo (s)",
        meaning="How long the signed address of a photo from a store or a file works, in seconds.",
        kind="integer",
    ).as_field()
    photo_staging: str | None = ExtraField(
        default=None,
        default_in_words="none",
        read=read_store_folder,
        wanted="a folder of an object store, such as 's3://aws_default@photos/staging'",
        label="Folder for local photos",
        meaning="The folder of an object store to which photos that are local files are copied, so that the "
        "service can open them. Without it local files are refused.",
    ).as_field()

    @property
    def url(self) -> str:
        """Return the address of both calls, such as ``https://example.com:17374/phototalking``."""
        return self.origin + self.path

    def status_url(self, twinsync_task_id: str) -> str:
        """Return the address of a job's status, such as ``https://…?taskID=7``, without the key."""
        return f"{self.url}?{urlencode({'taskID': twinsync_task_id})}"

    @property
    def sends_key_in_clear(self) -> bool:
        """Return True if a request sends the key unencrypted to another machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


#: The fields of the extra, by name.
EXTRA_FIELDS: dict[str, ExtraField] = {
    one.name: one.metadata["extra"] for one in fields(Settings) if "extra" in one.metadata
}


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
    given = _read_extra(conn_id, extra)
    origin, api_host, path = read_address(conn_id, host, port, schema)
    if path and "path" in given:
        raise UsageError(
            f"TS210 Connection {conn_id!r}: the host has a path, and so has the extra: keep one."
        )
    if path:
        given["path"] = path
    hosts = given.pop("allowed_result_hosts", frozenset()) | {api_host, DOCUMENTED_RESULT_HOST}
    key = (password or "").strip()
    if not key or not is_encodable(key):
        raise UsageError(
            f"TS203 Connection {conn_id!r} has no access key{' that can be sent' if key else ''}: put it "
            "into the password, which the web form calls 'Access key'."
        )
    return Settings(conn_id=conn_id, origin=origin, key=key, allowed_result_hosts=hosts, **given)


def _read_extra(conn_id: str, extra: str | None) -> dict[str, Any]:
    """Return the fields that the extra has, without the empty ones."""
    try:
        given = json.loads(extra or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise UsageError(f"TS204 Connection {conn_id!r}: the extra is not a JSON object.")
    # The Test button of Airflow 2 sends each field under two names.
    twice = {f"extra__twinsync__{name}" for name in given}
    given = {name: value for name, value in given.items() if name not in twice}
    unknown = sorted(set(given) - set(EXTRA_FIELDS))
    if unknown:
        raise UsageError(
            f"TS205 Connection {conn_id!r}: the extra has unknown fields: {one_line(', '.join(unknown))}. "
            f"Known ones: {', '.join(EXTRA_FIELDS)}. The access key belongs in the password."
        )
    # The web form sends an empty field as null or as an empty text.
    return {name: _read_value(conn_id, name, one) for name, one in given.items() if one not in (None, "")}


def _read_value(conn_id: str, name: str, value: Any) -> Any:
    known = EXTRA_FIELDS[name]
    try:
        return known.read(value)
    except (TypeError, ValueError, OverflowError):
        # A query may be a key.
        is_secret = known.is_secret or re.search(r"[@?]", str(value))
        shown = "not usable" if is_secret else shown_text(value)
        raise UsageError(
            f"TS206 Connection {conn_id!r}: {name} in the extra is {shown}: it should be {known.wanted}."
        ) from None
