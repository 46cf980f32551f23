"""Proxies of the connection and of the environment, for both clients alike."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

import pytest
from support.environment import KEY
from support.senders import (
    LOST,
    NOT_SENT,
    STATUS,
    SUBMIT,
    WHAT_EACH_SENDS,
    Sender,
    settings_for,
    without_words,
)
from support.servers import NO_LEAKS, answer, closed_port

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Request, Sent
from airflow_provider_twinsync._http.sync_client import send

if TYPE_CHECKING:
    from support.servers import Serve

pytestmark = NO_LEAKS


@pytest.mark.parametrize(
    ("named", "environment", "asked"),
    [
        (True, {}, "named"),
        (True, {"HTTP_PROXY": "other"}, "named"),
        (True, {"ALL_PROXY": "other"}, "named"),
        (True, {"HTTP_PROXY": "other", "NO_PROXY": "*"}, "named"),
        (True, {"NO_PROXY": "twinsync.invalid"}, "named"),
        (False, {"HTTP_PROXY": "other"}, "other"),
        (False, {"http_proxy": "other"}, "other"),
        (False, {"ALL_PROXY": "other"}, "other"),
        (False, {"HTTP_PROXY": "other", "NO_PROXY": "twinsync.invalid"}, None),
    ],
)
def test_the_proxy_is_the_connections_else_the_environments(
    sender: Sender,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    named: bool,
    environment: dict[str, str],
    asked: str | None,
) -> None:
    """The name of the service resolves nowhere: only a proxy can have the request."""
    proxies = {"named": serve(lambda _: [answer(200, b"n")]), "other": serve(lambda _: [answer(200, b"o")])}
    for name, value in environment.items():
        monkeypatch.setenv(name, proxies[value].url if value in proxies else value)
    extra = {"proxy": proxies["named"].url} if named else {}
    got = sender(settings_for("http://twinsync.invalid:17374", **extra), STATUS)
    assert without_words(got) == (Answered(200, asked[0].encode()) if asked else sender.expects(NOT_SENT))
    targets = {name: [request.target for request in proxy.requests] for name, proxy in proxies.items()}
    wanted = "http://twinsync.invalid:17374/phototalking?taskID=20230423_11_23_05_10279"
    assert targets == {"named": [], "other": []} | ({asked: [wanted]} if asked else {})


def test_a_proxys_password_is_used_and_not_shown(sender: Sender, serve: Serve) -> None:
    """It stands in the address of the proxy."""
    proxy = serve(lambda _: [answer(200, b"{}")])
    address = proxy.url.replace("http://", "http://ann:pass%20word@")
    assert sender(settings_for("http://twinsync.invalid", proxy=address), STATUS) == Answered(200, b"{}")
    [request] = proxy.requests
    assert request.headers["proxy-authorization"] == "Basic YW5uOnBhc3Mgd29yZA=="
    closed = address.replace(str(proxy.port), str(closed_port()))
    refused = sender(settings_for("http://twinsync.invalid", proxy=closed), STATUS)
    assert isinstance(refused, (NotSent, Sent))
    assert "pass" not in refused.problem


@WHAT_EACH_SENDS
def test_a_proxy_that_cannot_be_reached_has_sent_nothing_on(sender: Sender, request_: Request) -> None:
    """For any request."""
    proxy = f"http://127.0.0.1:{closed_port()}"
    for url in ("http://twinsync.invalid", "https://twinsync.invalid"):
        got = sender(settings_for(url, proxy=proxy), request_)
        assert without_words(got) == sender.expects(NOT_SENT)


@pytest.mark.parametrize("status", [407, 502])
def test_a_tunnel_that_is_refused_has_sent_nothing(serve: Serve, status: int) -> None:
    """The proxy was asked for a tunnel and for nothing else."""
    proxy = serve(lambda _: [answer(status)])
    got = send(settings_for("https://twinsync.invalid", proxy=proxy.url), SUBMIT)
    assert without_words(got) == NOT_SENT
    assert [request.method for request in proxy.requests] == ["CONNECT"]
    with warnings.catch_warnings():  # Python 3.10 does not close the answer of such a proxy
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_proxy_that_goes_away_may_have_sent_a_submit_on(serve: Serve) -> None:
    """It had the whole of it."""
    proxy = serve(lambda _: [])
    got = send(settings_for("http://twinsync.invalid", proxy=proxy.url), SUBMIT)
    assert [request.body for request in proxy.requests] == [f"text=Hello&key={KEY}".encode()]
    assert without_words(got) == LOST
