"""Read the values of the fields of a connection's extra, and hold the texts about a field.

Each ``read_...`` raises a ``TypeError``, ``ValueError`` or ``OverflowError`` for a wrong value.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_provider_twinsync._api.validation import is_http_url

if TYPE_CHECKING:
    from collections.abc import Callable

#: No number in the extra may be larger: a million seconds are eleven days, a million megabytes a terabyte.
_MOST = 1_000_000
UP_TO = f"up to {_MOST:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraField:
    """A field of the extra, for the form, the parser, the docs and the errors.

    >>> ExtraField(default=30.0, read=read_positive, wanted="a number", label="L", meaning="M.").default_text
    '30'

    :param default: the value of an empty field.
    :param read: the function that checks a value and converts it.
    :param wanted: the right values, for the error and the docs.
    :param label: the name in the form.
    :param meaning: the meaning, for the form and the docs: one sentence or more.
    :param kind: the type of the input in the form: ``string``, ``number`` or ``integer``.
    :param default_in_words: the default, if it is no value that a person could type.
    :param is_secret: no error and no traceback shows a value.
    """

    default: Any
    read: Callable[[Any], Any]
    wanted: str
    label: str
    meaning: str
    kind: str = "string"
    default_in_words: str = ""
    is_secret: bool = False

    def as_field(self) -> Any:
        """Return a field of a dataclass that holds this one as ``metadata["extra"]``."""
        return field(default=self.default, repr=not self.is_secret, metadata={"extra": self})

    @property
    def default_text(self) -> str:
        """Return the default as a person types it, or in words."""
        return self.default_in_words or json.dumps(self.default).strip('"').removesuffix(".0")


def read_path(value: Any) -> str:
    """Return the path of an address, without a query."""
    if not isinstance(value, str) or not re.fullmatch(r"/[^\s?#]*", value) or not value.isprintable():
        raise ValueError
    return value


def read_text(value: Any) -> str:
    """Return a text without surrounding white space, which is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def read_any(value: Any) -> str:
    """Return the text ``any``."""
    if value != "any":
        raise ValueError
    return "any"


def read_positive(value: Any) -> float:
    """Return a positive number, also of a text such as ``"2.5"``."""
    number = float(value)
    if isinstance(value, bool) or not 0 < number <= _MOST:
        raise ValueError
    return number


def read_positive_integer(value: Any) -> int:
    """Return a positive whole number, also of a text such as ``"300"``."""
    number = read_positive(value)
    if number != int(number):
        raise ValueError
    return int(number)


def read_lifetime(value: Any) -> int:
    """Return a positive whole number of seconds; S3 and Google sign for seven days at most."""
    seconds = read_positive_integer(value)
    if seconds > 604_800:
        raise ValueError
    return seconds


def read_store_folder(value: Any) -> str:
    """Return the address of a folder in an object store, without a login and a slash at its end."""
    address = read_text(value).rstrip("/")
    scheme, _, rest = address.partition("://")
    is_store = bool(rest) and scheme not in ("http", "https", "file", "local")
    if not is_store or ":" in rest.partition("/")[0].rpartition("@")[0]:
        raise ValueError
    return address


def read_verify(value: Any) -> bool | str:
    """Return a truth value, also of a text such as ``"False"``, or the path of a file."""
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


def read_proxy(value: Any) -> str:
    """Return the ``http://`` address of a proxy."""
    if not is_proxy(value) or urlsplit(value).scheme != "http":
        raise ValueError
    address: str = value
    return address


def read_hosts(value: Any) -> frozenset[str]:
    """Return host names, of a list or of a text such as ``"a.example, b.example"``."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError
    hosts = frozenset(name.strip().lower() for name in names if name.strip())
    for host in hosts:
        address = f"http://{bracketed(host)}"
        if not is_http_url(address) or urlsplit(address).hostname != host:
            raise ValueError
    return hosts


def bracketed(host: str) -> str:
    """Return a host in the form of an address: IPv6 in brackets."""
    try:
        return f"[{ipaddress.IPv6Address(host)}]"
    except ValueError:
        return host
