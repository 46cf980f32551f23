"""Connections that are right, and the codes and data of the errors of wrong ones."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airflow_provider_twinsync._api.settings import EXTRA_FIELDS, Settings, parse_connection
from airflow_provider_twinsync.exceptions import UsageError

KEY = "Sesame-7b1f9c"
LOGIN = "hunter2"
DEFAULT_URL = "http://api2.sam-sara.cn:17374/phototalking"
DEFAULTS = {
    "url": DEFAULT_URL,
    "path": "/phototalking",
    "request_timeout_s": 30.0,
    "verify": True,
    "proxy": None,
    "text_limit_words": 150,
    "allowed_result_hosts": frozenset({"api2.sam-sara.cn", "api.twinsync.xyz"}),
    "max_video_mb": 2048.0,
    "tolerance_s": 300.0,
    "requests_per_second": None,
}
MAX_MESSAGE_CHARACTERS = 1_000


def read(extra: Any = None, **fields: Any) -> Settings:
    """Return the settings of a connection with a key; an extra may be a dict, such as ``{"path": "/a"}``."""
    text = extra if extra is None or isinstance(extra, str) else json.dumps(extra)
    given = {"host": None, "port": None, "schema": None, "password": KEY, **fields}
    return parse_connection("my_conn", extra=text, **given)


def error(extra: Any = None, **fields: Any) -> str:
    """Return the message of the error of a connection: it names the connection, and never the key."""
    with pytest.raises(UsageError) as caught:
        read(extra, **fields)
    message = str(caught.value)
    assert message.startswith(f"{caught.value.code} Connection 'my_conn'")
    assert KEY not in message
    assert LOGIN not in message
    return message


# ------------------------------------------------------------------------------------------------- defaults


@pytest.mark.parametrize("empty", [None, ""])
def test_a_connection_needs_a_key_and_nothing_else(empty: str | None) -> None:
    """The documented address and every default; a form sends an empty field as an empty text."""
    settings = parse_connection("c", host=empty, port=None, schema=empty, password=KEY, extra=empty)
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert (settings.conn_id, settings.key) == ("c", KEY)


@pytest.mark.parametrize("empty", [None, ""], ids=["null", "empty"])
@pytest.mark.parametrize("name", sorted(DEFAULTS.keys() - {"url"}))
def test_an_empty_extra_field_is_its_default(name: str, empty: str | None) -> None:
    """The web form sends every field."""
    assert read({name: empty}) == read()


def test_a_field_may_come_under_the_forms_own_name_too() -> None:
    """The Test button of Airflow 2 sends both; alone it is an error, as it would do nothing."""
    assert read({"tolerance_s": "60", "extra__twinsync__tolerance_s": "60"}) == read({"tolerance_s": 60})
    for name, extra in {
        "extra__twinsync__tolerance_s": {"extra__twinsync__tolerance_s": "60"},
        "nonsense": {"nonsense": "60", "extra__twinsync__nonsense": "60"},
    }.items():
        assert re.match(rf"TS205 .*{name}", error(extra))


@pytest.mark.parametrize("key", [None, "", "   ", "\n"])
def test_a_connection_without_a_key_is_an_error(key: str | None) -> None:
    """The message has the name of the key's field in the form."""
    message = error(password=key)
    assert message.startswith("TS203 ")
    assert "'Access key'" in message


def test_space_around_a_key_is_left_out() -> None:
    """A pasted key may have it; white space inside the key stays."""
    assert read(password=f" {KEY}\n").key == KEY
    assert read(password="a b").key == "a b"


# ------------------------------------------------------------------------------------------------ the address


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


# -------------------------------------------------------------------------------------------------- the extra


@pytest.mark.parametrize(
    ("name", "value", "read_as"),
    [
        ("path", "/", "/"),
        ("path", "/a/b-c_d.e~f", "/a/b-c_d.e~f"),
        ("request_timeout_s", 5, 5.0),
        ("request_timeout_s", 0.5, 0.5),
        ("request_timeout_s", "5", 5.0),
        ("request_timeout_s", " 2.5 ", 2.5),
        ("verify", True, True),
        ("verify", False, False),
        ("verify", "true", True),
        ("verify", "True", True),
        ("verify", "false", False),
        ("verify", " FALSE ", False),
        ("verify", "/etc/ssl/own.pem", "/etc/ssl/own.pem"),
        ("proxy", "http://proxy.example:3128", "http://proxy.example:3128"),
        ("proxy", f"http://user:{LOGIN}@proxy.example:3128", f"http://user:{LOGIN}@proxy.example:3128"),
        ("text_limit_words", 1, 1),
        ("text_limit_words", 300.0, 300),
        ("text_limit_words", "300", 300),
        ("max_video_mb", 0.001, 0.001),
        ("max_video_mb", "10", 10.0),
        ("tolerance_s", 1, 1.0),
        ("tolerance_s", "3600", 3600.0),
        ("requests_per_second", 100, 100.0),
        ("requests_per_second", 0.5, 0.5),
        ("requests_per_second", " 2.5 ", 2.5),
        ("requests_per_second", 1_000_000, 1e6),
    ],
)
def test_an_extra_field_is_read(name: str, value: Any, read_as: Any) -> None:
    """As JSON, and as a text: all values of a URI are texts."""
    settings = read({name: value})
    assert settings == replace(read(), **{name: read_as})
    assert type(getattr(settings, name)) is type(read_as)


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("cdn.example", {"cdn.example"}),
        (" CDN.example , b.example,", {"cdn.example", "b.example"}),
        (["cdn.example", " B.example "], {"cdn.example", "b.example"}),
        ([], set()),
        (",", set()),
        ("::1", {"::1"}),
    ],
)
@pytest.mark.parametrize("host", ["h.example", "https://H.example:444/api"])
def test_videos_may_come_from_the_api_the_documented_host_and_those_named(
    value: Any, hosts: set[str], host: str
) -> None:
    """The document's own example answers with another host than the API's."""
    settings = read({"allowed_result_hosts": value}, host=host)
    assert settings.allowed_result_hosts == {"h.example", "api.twinsync.xyz"} | hosts


@pytest.mark.parametrize("host", ["::1", "[::1]:81", "http://[::1]"])
def test_an_allowed_ipv6_host_is_written_as_addresses_are_compared(host: str) -> None:
    """Without its brackets."""
    assert "::1" in read(host=host).allowed_result_hosts


BAD_FIELDS: dict[str, list[Any]] = {
    "path": ["phototalking", "http://h/a", "/a b", "/a\n", 5, True, ["/a"], {}],
    "request_timeout_s": [0, -1, "0", "soon", "nan", "inf", True, False, [5], {}, "5 s"],
    "verify": [0, 1, 1.0, ["true"], {}],
    "proxy": [
        "proxy.example:3128",
        "https://proxy.example",
        "socks5://proxy.example",
        "socks5h://proxy.example",
        "ftp://proxy.example",
        "HTTPS://proxy.example",
        "http://",
        5,
        True,
        [],
    ],
    "text_limit_words": [0, -1, 1.5, "1.5", "many", True, [150], {}],
    "allowed_result_hosts": ["https://cdn.example", "a.example b.example", 5, True, [5], [None], {"a": 1}],
    "max_video_mb": [0, -1, "large", True, []],
    "tolerance_s": [0, -1, "long", "nan", True, []],
    "requests_per_second": [0, -1, "0", "many", "nan", "inf", 1_000_001, "1e9", True, False, [5], {}, "5/s"],
}
#: Once these were accepted, or raised another error.
BAD_FIELDS_DEFECTS: dict[str, list[Any]] = {
    "path": ["/a?b=c", "/a#b"],
    "request_timeout_s": [10**400, 10**10],
    "proxy": ["http://proxy.example:port", "http://proxy example"],
    "text_limit_words": [float("inf")],
    "allowed_result_hosts": ["cdn.example:443"],
    "max_video_mb": [10**400, 1e303],
    "tolerance_s": [10**400],
    "requests_per_second": [10**400, float("nan"), float("inf"), 1e303],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}-{value!r}")
        for name, values in BAD_FIELDS.items()
        for value in values
    ]
    + [
        pytest.param(name, value, id=f"{name}-{value!r:.20}")
        for name, values in BAD_FIELDS_DEFECTS.items()
        for value in values
    ],
)
def test_an_extra_field_with_a_wrong_value_is_an_error(name: str, value: Any) -> None:
    """The message names the field, its value (but no proxy and no query) and the right values."""
    message = error({name: value})
    shown = "not usable" if name == "proxy" or "?" in str(value) else f"{value!r:.40}"
    assert message.startswith(f"TS206 Connection 'my_conn': {name} in the extra is {shown}")
    assert EXTRA_FIELDS[name].wanted in message


def test_every_wrong_value_of_every_field_is_tried() -> None:
    """A new field has to come with its wrong values."""
    known = error({"unknown": 1}).partition("Known ones: ")[2].partition(".")[0].split(", ")
    assert known == list(BAD_FIELDS)


@pytest.mark.parametrize(
    "extra",
    [
        "{",
        "key",
        "5",
        "null",
        "[]",
        '"text"',
        "{'path': '/a'}",
        "\x00",
        f'{{"password": "{LOGIN}"',
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_an_extra_that_is_no_json_object_is_an_error(extra: str) -> None:
    """It is not shown, because it may have secrets."""
    assert error(extra).startswith("TS204 ")


def test_unknown_extra_fields_are_an_error_that_names_them() -> None:
    """And the known ones; their values are not shown, because one may be a key."""
    message = error({"key": LOGIN, "Path": LOGIN, "path": "/a", "timeout": 5})
    assert message.startswith("TS205 ")
    assert "Path, key, timeout." in message
    for name in BAD_FIELDS:
        assert name in message


# ------------------------------------------------------------------------------------------------ no secrets


@pytest.mark.parametrize(
    "proxy", [f"http://user:{LOGIN}@proxy.example:3128", f"http://{LOGIN}@proxy.example"]
)
def test_settings_do_not_show_the_key_or_the_login_of_a_proxy(proxy: str) -> None:
    """A traceback may show them, with every other local variable."""
    settings = read({"proxy": proxy})
    for text in (repr(settings), str(settings), f"{[settings]}"):
        assert KEY not in text
        assert LOGIN not in text
        assert settings.origin in text
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    "proxy",
    [
        f"https://user:{LOGIN}@proxy.example",
        f"user:{LOGIN}@proxy.example:3128",
        f"socks5://user:{LOGIN}@proxy.example",
        f"http://user:{LOGIN}@",
        [f"http://user:{LOGIN}@proxy.example"],
        pytest.param(f"user:{LOGIN}"),
        pytest.param(f"https://user:{LOGIN}%40proxy.example"),
        f"ftp://user:{LOGIN}@proxy.example",
        f"http://user:{LOGIN}@proxy.example:port",
        f"http://user:{LOGIN}@[::1",
        f"http://user:{LOGIN}@proxy example",
        f"http://user:{LOGIN}@proxy..example",
        f"http://user:{LOGIN}\\@proxy.example",
        f"http://用户:{LOGIN}@proxy.example",
        f"http://user:{LOGIN}密@proxy.example",
        f"http://%E7%94%A8:{LOGIN}@proxy.example",
        f"http://us%E9r:{LOGIN}@proxy.example",
        pytest.param(f"http://user:{LOGIN}\ud800@proxy.example"),
    ],
)
def test_a_wrong_proxy_is_not_shown_with_its_login(proxy: Any) -> None:
    """The message still has the right values."""
    assert EXTRA_FIELDS["proxy"].wanted in error({"proxy": proxy})


@pytest.mark.parametrize("login", ["usér", "us%C3%A9r", "a%40b:c%2Fd", "", "%zz"])
def test_a_login_of_latin_letters_is_a_login(login: str) -> None:
    """Both HTTP clients decode its percents as UTF-8, and write it as Latin-1."""
    proxy = f"http://{login}:pw@proxy.example:3128"
    assert read({"proxy": proxy}).proxy == proxy


@pytest.mark.parametrize(
    ("extra", "fields"),
    [
        ({"path": f"/api?key={LOGIN}"}, {}),
        ({"verify": [f"https://user:{LOGIN}@h.example"]}, {}),
        ({"allowed_result_hosts": f"https://h.example/?sig={LOGIN}"}, {}),
        ({"allowed_result_hosts": [f"https://{LOGIN}@h.example"]}, {}),
        ({"tolerance_s": {"url": f"https://h.example?{LOGIN}"}}, {}),
        (None, {"schema": f"http://user:{LOGIN}@h.example"}),
        (None, {"schema": f"https://h.example?{LOGIN}"}),
        (None, {"schema": f"user:{LOGIN}@h.example", "host": "http://h.example"}),
    ],
    ids=str,
)
def test_an_error_shows_no_login_and_no_query(extra: Any, fields: dict[str, Any]) -> None:
    """In any field with an address."""
    assert error(extra, **fields)  # which looks for the login


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"tolerance_s": "x" * 100_000}),
        pytest.param({"allowed_result_hosts": [5] * 100_000}),
        pytest.param({"x" * 100_000: 1}),
    ],
    ids=["a long text", "a long list", "a long name"],
)
def test_an_error_is_of_bounded_length(extra: dict[str, Any]) -> None:
    """For any extra."""
    assert len(error(extra)) <= MAX_MESSAGE_CHARACTERS


# --------------------------------------------------------------------------------------------- derived values


@pytest.mark.parametrize(
    ("host", "clear"),
    [
        (None, True),
        ("api2.sam-sara.cn", True),
        ("http://h.example", True),
        ("192.168.0.1", True),
        ("10.0.0.1", True),
        ("0.0.0.0", True),
        ("2001:db8::1", True),
        ("localhost.example", True),
        ("127.0.0.1.example", True),
        ("https://h.example", False),
        ("https://h.example:17374/api", False),
        ("localhost", False),
        ("LOCALHOST:81", False),
        ("127.0.0.1", False),
        ("127.1.2.3:81", False),
        ("::1", False),
        ("http://[::1]:81", False),
        ("http://localhost/api", False),
    ],
)
def test_the_key_travels_in_clear_over_http_to_another_machine(host: str | None, clear: bool) -> None:
    """And neither over https, nor to this one."""
    assert read(host=host).sends_key_in_clear is clear


def test_https_by_the_schema_is_not_in_clear() -> None:
    """For example the documented host, if it ever supports https."""
    assert read(schema="https").sends_key_in_clear is False


@pytest.mark.parametrize(
    ("task_id", "query"),
    [
        ("20230423_11_23_05_10279", "20230423_11_23_05_10279"),
        ("a b&key=x#y/ä", "a+b%26key%3Dx%23y%2F%C3%A4"),
    ],
)
def test_the_address_of_a_status_holds_the_id_and_no_key(task_id: str, query: str) -> None:
    """It is a link in the web UI: an id cannot add parameters to it."""
    assert read().status_url(task_id) == f"{DEFAULT_URL}?taskID={query}"


# ------------------------------------------------------------------------------------------------- properties

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FINITE = JSON.filter(lambda value: "Infinity" not in json.dumps(value))


# A busy machine is slow, and that is no failure.
@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(BAD_FIELDS)), FINITE), st.none() | st.text(max_size=30))
def test_any_connection_is_settings_or_an_error_of_usage(extra: dict[str, Any], host: str | None) -> None:
    """For any fields; the settings have an address for requests."""
    try:
        settings = read(extra, host=host)
    except UsageError:
        assert error(extra, host=host)
        return
    assert settings.url.startswith(("http://", "https://"))
    assert 0 < settings.request_timeout_s < float("inf")
    assert settings.text_limit_words >= 1
    assert settings.requests_per_second is None or 0 < settings.requests_per_second < float("inf")
