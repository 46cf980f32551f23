"""The address of a connection: its host, port, schema and path."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.connections import LOGIN, error, read


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "h.example"}, "http://h.example:17374/phototalking"),
        ({"host": " H.Example\n"}, "http://h.example:17374/phototalking"),
        ({"host": "h.example/"}, "http://h.example:17374/phototalking"),
        ({"host": "h.example:81"}, "http://h.example:81/phototalking"),
        ({"host": "h.example", "port": 81}, "http://h.example:81/phototalking"),
        ({"host": "h.example:81", "port": 81}, "http://h.example:81/phototalking"),
        ({"host": "h.example", "schema": "https"}, "https://h.example:17374/phototalking"),
        ({"schema": " HTTPS "}, "https://api2.sam-sara.cn:17374/phototalking"),
        ({"schema": " "}, "http://api2.sam-sara.cn:17374/phototalking"),
        ({"port": 81}, "http://api2.sam-sara.cn:81/phototalking"),
        ({"host": "h.example/api/v2"}, "http://h.example:17374/api/v2"),
        ({"host": "http://h.example"}, "http://h.example/phototalking"),
        ({"host": "https://h.example"}, "https://h.example/phototalking"),
        ({"host": "HTTPS://H.Example/"}, "https://h.example/phototalking"),
        ({"host": "https://h.example:444"}, "https://h.example:444/phototalking"),
        ({"host": "https://h.example", "port": 444}, "https://h.example:444/phototalking"),
        ({"host": "https://h.example:444", "port": 444}, "https://h.example:444/phototalking"),
        ({"host": "https://h.example/API/v2/"}, "https://h.example/API/v2"),
        ({"host": "http://h.example:81/api"}, "http://h.example:81/api"),
        ({"host": "127.0.0.1", "port": 8000}, "http://127.0.0.1:8000/phototalking"),
        ({"host": "::1"}, "http://[::1]:17374/phototalking"),
        ({"host": "[::1]"}, "http://[::1]:17374/phototalking"),
        ({"host": "[::1]:81"}, "http://[::1]:81/phototalking"),
        ({"host": "2001:db8::1", "port": 81}, "http://[2001:db8::1]:81/phototalking"),
        ({"host": "http://[2001:db8::1]:81/api"}, "http://[2001:db8::1]:81/api"),
        ({"host": "https://[2001:db8::1]"}, "https://[2001:db8::1]/phototalking"),
        ({"extra": {"path": "/api"}}, "http://api2.sam-sara.cn:17374/api"),
        ({"host": "https://h.example", "extra": {"path": "/api"}}, "https://h.example/api"),
        ({"host": "https://h.example/", "extra": {"path": "/api"}}, "https://h.example/api"),
        ({"host": "https://h.example/api", "extra": {"path": ""}}, "https://h.example/api"),
    ],
    ids=str,
)
def test_a_host_is_a_name_with_or_without_a_port_or_a_full_address(fields: dict[str, Any], url: str) -> None:
    """A full address brings its own scheme, and without a port it means the scheme's own."""
    assert read(**fields).url == url


@pytest.mark.parametrize(
    "host",
    [
        " ",
        "/",
        "http://:81",
        "http:///path",
        f"user:{LOGIN}@h.example",
        f"http://user:{LOGIN}@h.example",
        f"http://{LOGIN}@h.example:81/api",
        f"http://user:{LOGIN}@h.example:no",
        f"http://user:{LOGIN}/@h.example",
        f"user:{LOGIN}:x@h.example",
        f"h.example:{LOGIN}",
        "h.example?a=b",
        "http://h.example/api?a=b",
        "http://h.example/#top",
        "h.example:81:82",
        "h.example:-1",
        "h.example:99999",
        "http://h.example:port",
        "http://[::1",
        "[::1",
        pytest.param("h example"),
        pytest.param("h\nexample"),
        pytest.param("http://h.example/a b"),
        pytest.param("http://"),
        pytest.param("h\ud800"),
    ],
)
def test_a_host_that_is_none_is_an_error(host: str) -> None:
    """The message has an example, and does not quote a login."""
    message = error(host=host)
    assert message.startswith("TS209 ")
    assert "'api2.sam-sara.cn'" in message


@pytest.mark.parametrize("host", ["h.example:81", "http://h.example:81", "[::1]:81"])
def test_two_different_ports_are_an_error(host: str) -> None:
    """Neither is guessed to be the right one."""
    assert re.match(r"TS211 .*\b82\b.*\b81\b", error(host=host, port=82))


@pytest.mark.parametrize(("schema", "host"), [("https", "http://h.example"), ("http", "https://h.example")])
def test_two_different_schemas_are_an_error(schema: str, host: str) -> None:
    """The key must not travel by http if one of them is https."""
    scheme = host.partition(":")[0]
    assert re.match(rf"TS208 .*{schema!r}.* {scheme}\.", error(host=host, schema=schema))
    assert read(host=host, schema=f" {scheme.upper()}").url.startswith(host)


def test_two_paths_are_an_error() -> None:
    """Even if they are the same."""
    assert error({"path": "/a"}, host="https://h.example/a").startswith("TS210 ")


@pytest.mark.parametrize("schema", ["ftp", "httpss", "http://", "tls", "default"])
def test_a_schema_that_is_none_is_an_error(schema: str) -> None:
    """Other connection types put a database's name there."""
    assert re.match(rf"TS207 .*{schema!r}.*'http' or 'https'", error(schema=schema))
    assert re.match(r"TS207 .*'ftp'", error(host="ftp://h.example"))


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_a_port_that_is_none_is_an_error(port: int) -> None:
    """No request could be sent to it."""
    assert re.match(rf"TS212 .*{port}", error(port=port))
