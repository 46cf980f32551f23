"""Neither settings nor an error of a connection shows a key or a login, and an error is short."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from support.connections import KEY, LOGIN, error, read

from airflow_provider_twinsync._api.settings import EXTRA_FIELDS

MAX_MESSAGE_CHARACTERS = 1_000


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
