"""Each undocumented name of urllib3 and `http.client` that is used, and what happens without it."""

from __future__ import annotations

import inspect
import socket
import textwrap
from datetime import datetime, timezone
from http import client
from typing import Any

import pytest
import urllib3
from support.environment import KEY
from support.senders import settings_for
from support.servers import answer
from urllib3.connection import HTTPConnection

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Request
from airflow_provider_twinsync._api.submit import parse_submit
from airflow_provider_twinsync._http.sync_client import send
from airflow_provider_twinsync.exceptions import DownloadRefusedError, UncertainSubmitError
from airflow_provider_twinsync.hooks import TwinSyncHook

SUBMIT = Request("POST", form={"text": "Hello", "image_url": "https://example.com/a.jpg", "key": KEY})


@pytest.mark.parametrize("names", [("_new_conn",), ("_new_conn", "request")], ids=str)
def test_a_download_from_a_server_that_cannot_be_checked_is_refused(serve, connect, hide, tmp_path, names):
    """Nothing is stored; without `_new_conn` alone, nothing is sent."""
    video = b"\0\0\0\x18ftypisom" + bytes(1000)
    server = serve(lambda _: [answer(200, video, Content_Type="video/mp4", Content_Length=len(video))])
    connect(port=server.port)
    hide(names)
    with pytest.raises(DownloadRefusedError) as caught:
        TwinSyncHook().download(f"{server.url}/a.mp4", tmp_path / "a.mp4")
    assert caught.value.code == "TS525"
    assert list(tmp_path.iterdir()) == []
    assert len(server.requests) == ("request" in names)


def test_without_the_classes_of_pools_nothing_is_sent(serve, monkeypatch) -> None:
    """`pool_classes_by_scheme`: the error names it."""
    make = urllib3.PoolManager.__init__

    def make_without(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        del self.pool_classes_by_scheme

    monkeypatch.setattr(urllib3.PoolManager, "__init__", make_without)
    server = serve(lambda _: [answer()])
    outcome = send(settings_for(server.url, request_timeout_s=5), SUBMIT)
    assert isinstance(outcome, NotSent)
    assert "pool_classes_by_scheme" in outcome.problem
    assert not server.requests


def test_without_the_class_of_connections_nothing_is_sent(serve, monkeypatch) -> None:
    """`ConnectionCls`: the error names it."""
    monkeypatch.delattr(urllib3.HTTPConnectionPool, "ConnectionCls")
    server = serve(lambda _: [answer()])
    outcome = send(settings_for(server.url, request_timeout_s=5), SUBMIT)
    assert isinstance(outcome, NotSent)
    assert "ConnectionCls" in outcome.problem
    assert not server.requests


def test_without_the_name_for_the_resolver_the_host_is_resolved(serve, monkeypatch) -> None:
    """`_dns_host`: urllib3's `host`, which lacks a last dot."""
    hosts: list[str] = []
    resolve = socket.getaddrinfo

    def resolved(host: str, *rest: Any, **more: Any) -> Any:
        hosts.append(host)
        return resolve(host, *rest, **more)

    def read(self: Any) -> str:
        return str(self.__dict__["plain"]).rstrip(".")

    def connected(self: Any) -> Any:
        return urllib3.util.connection.create_connection((self.host, self.port), self.timeout)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(
        HTTPConnection, "host", property(read, lambda self, to: self.__dict__.update(plain=to))
    )
    monkeypatch.setattr(HTTPConnection, "_new_conn", connected)
    server = serve(lambda _: [answer(200, b"{}")])
    settings = settings_for(f"http://localhost.:{server.port}", request_timeout_s=5)
    assert isinstance(send(settings, SUBMIT), Answered)
    assert [host for host in hosts if "localhost" in host] == ["localhost"]


def test_without_the_reader_of_the_status_line_an_interim_answer_is_final(serve, monkeypatch) -> None:
    """`_read_status`: a submit is then uncertain."""
    begin = textwrap.dedent(inspect.getsource(client.HTTPResponse.begin)).replace(
        "_read_status", "_read_line"
    )
    scope = dict(vars(client))
    exec(begin, scope)  # the library's own code, with another name
    monkeypatch.setattr(client.HTTPResponse, "_read_line", client.HTTPResponse._read_status, raising=False)
    monkeypatch.setattr(client.HTTPResponse, "begin", scope["begin"])
    monkeypatch.delattr(client.HTTPResponse, "_read_status")
    accepted = answer(200, b'{"result_code": 100, "task_id": "7"}')
    server = serve(lambda _: [b"HTTP/1.1 103 Early Hints\r\n\r\n", accepted])
    outcome = send(settings_for(server.url, request_timeout_s=5), SUBMIT)
    with pytest.raises(UncertainSubmitError):
        parse_submit(SUBMIT, outcome, sent_at=datetime.now(timezone.utc))
    assert len(server.requests) == 1
