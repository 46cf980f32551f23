"""A connection's key, its defaults, and the values that follow from its address."""

from __future__ import annotations

import re

import pytest
from support.connections import DEFAULT_URL, KEY, error, read

from airflow_provider_twinsync._api.settings import parse_connection

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
    "requests_per_second_store": None,
    "submits_per_minute": None,
    "max_jobs_per_day": None,
}


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
