"""The fields of a connection's extra: their right values, and the errors of wrong ones."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.connections import LOGIN, error, read

from airflow_provider_twinsync._api.settings import EXTRA_FIELDS
from airflow_provider_twinsync.exceptions import UsageError


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
        ("ledger", " s3://aws@videos/ledger ", "s3://aws@videos/ledger"),
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
    "requests_per_second_store": [5, True, ["redis://cache"], {}, " "],
    "submits_per_minute": [0, -1, "0", "many", "nan", True, [5], {}],
    "max_jobs_per_day": [0, -1, 1.5, "many", True, [100], {}],
    "ledger": [5, True, ["/srv/ledger"], {}, " "],
    "voices": ["all", "Any", " any", 5, True, False, ["any"], {}],
    "max_photo_mb": [0, -1, "large", True, []],
    "photo_expires_s": [0, -1, 1.5, "a day", True, [], 604_801],
    "photo_staging": [5, True, [], " ", "/srv/photos", "file:///srv", "https://h/photos", "photos", "s3://"],
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
    "requests_per_second_store": [],
    "submits_per_minute": [10**400],
    "max_jobs_per_day": [10**400, float("inf")],
    "ledger": [],
    "voices": [],
    "max_photo_mb": [10**400],
    "photo_expires_s": [10**400, float("inf")],
    "photo_staging": [],
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
    shown = "not usable" if EXTRA_FIELDS[name].is_secret or "?" in str(value) else f"{value!r:.40}"
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
