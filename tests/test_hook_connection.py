"""The connection of a hook, and the test of a connection."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from support.environment import KEY
from support.servers import answer
from support.submits import code_of

from airflow_provider_twinsync.emulator import (
    Body,
    Hang,
    HttpError,
    NotJson,
    ResetBefore,
    ResultCode,
)
from airflow_provider_twinsync.exceptions import (
    UnavailableError,
    UsageError,
)
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import Server

    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync.emulator import Emulator

    GetTask: TypeAlias = "Callable[[str], Job]"

JOB = {
    "text": "你好，我是会说话的照片数字人",
    "image_url": "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
    "pronouncer": "zh-CN-XiaohanNeural",
}


@pytest.fixture(params=["settings", "asettings"])
def read_settings(request: pytest.FixtureRequest) -> Callable[[TwinSyncHook], Any]:
    if request.param == "settings":
        return lambda hook: hook.settings()
    return lambda hook: asyncio.run(hook.asettings())


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"password": None}, ["no access key", "password"]),
        ({"password": "  "}, ["no access key"]),
        ({"schema": "ftp"}, ["'ftp'", "'http' or 'https'"]),
        ({"host": "http://user:secret@example.invalid"}, ["host", "no login"]),
        ({"host": "https://example.invalid/api", "port": None, "path": "/other"}, ["path", "keep one"]),
        ({"host": "http://example.invalid:1", "port": 2}, ["port is 2", "1"]),
        ({"api_key": "x", "timeout": 3}, ["api_key, timeout", "Known ones: path, request_timeout_s"]),
        ({"path": "phototalking"}, ["path", "'phototalking'", "starts with '/'"]),
        ({"request_timeout_s": "soon"}, ["request_timeout_s", "'soon'", "positive number of seconds"]),
        ({"request_timeout_s": 0}, ["request_timeout_s", "0"]),
        ({"request_timeout_s": True}, ["request_timeout_s", "True"]),
        ({"request_timeout_s": [5]}, ["request_timeout_s", "[5]"]),
        ({"verify": 1}, ["verify", "true, false, or the path"]),
        ({"proxy": "socks5://127.0.0.1"}, ["proxy", "http:// address"]),
        ({"proxy": "socks5://ann:secret@127.0.0.1"}, ["proxy", "not usable"]),
        ({"text_limit_words": 1.5}, ["text_limit_words", "whole number"]),
        ({"text_limit_words": {}}, ["text_limit_words", "{}"]),
        ({"allowed_result_hosts": 7}, ["allowed_result_hosts", "list of host names"]),
        ({"allowed_result_hosts": ["http://a/"]}, ["allowed_result_hosts"]),
        ({"max_video_mb": -1}, ["max_video_mb", "-1"]),
        ({"tolerance_s": "NaN"}, ["tolerance_s", "NaN"]),
    ],
)
def test_a_connection_that_is_wrong_is_named_with_its_field(
    connect: Callable[..., None],
    emulator: Emulator,
    read_settings: Callable[[TwinSyncHook], Any],
    fields: dict[str, Any],
    parts: list[str],
) -> None:
    """By both ways to read one, and with no password in it."""
    connect(**fields)
    with pytest.raises(UsageError) as caught:
        read_settings(TwinSyncHook())
    for part in ["'twinsync_default'", *parts]:
        assert part in str(caught.value)
    chain = "".join(traceback.format_exception(caught.value))
    assert "secret" not in chain
    assert KEY not in chain
    assert emulator.world.journal == []


def test_a_connection_that_is_missing_is_named_with_how_to_make_it(
    migrated: None, read_settings: Callable[[TwinSyncHook], Any]
) -> None:
    """And may be retried: Airflow 3 reports 'not found' for a database that is away for a moment, too."""
    with pytest.raises(UnavailableError) as caught:
        read_settings(TwinSyncHook("no_such_connection"))
    assert caught.value.retryable
    for part in ("'no_such_connection'", "airflow connections add no_such_connection --conn-type twinsync"):
        assert part in str(caught.value)


def test_a_connection_that_cannot_be_looked_up_is_an_error_of_ours(
    hook: TwinSyncHook,
    emulator: Emulator,
    read_settings: Callable[[TwinSyncHook], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A retry may find the database back: it is not the user's fault, and nothing was sent."""

    class DatabaseAwayError(Exception):
        """Stands for an error of a database driver."""

    def away(*_: Any, **__: Any) -> None:
        raise DatabaseAwayError("server closed\nthe connection")

    with monkeypatch.context() as outage:
        for name in ("get_connection", "aget_connection"):
            if hasattr(BaseHook, name):
                outage.setattr(BaseHook, name, staticmethod(away))
        with pytest.raises(UnavailableError) as caught:
            read_settings(hook)
    assert caught.value.retryable
    assert "'twinsync_default' (DatabaseAwayError: server closed the connection)" in str(caught.value)
    assert "Nothing was sent" in str(caught.value)
    assert (
        "Traceback" not in "".join(traceback.format_exception(caught.value)).partition("UnavailableError")[2]
    )
    assert emulator.world.journal == []
    read_settings(hook)


def test_fields_that_a_web_form_left_empty_are_defaults(
    connect: Callable[..., None], read_settings: Callable[[TwinSyncHook], Any]
) -> None:
    """A form sends null or an empty text for them."""
    connect()
    plain = read_settings(TwinSyncHook())
    connect(path="", request_timeout_s=None, proxy="", verify=None, allowed_result_hosts="", tolerance_s="")
    assert read_settings(TwinSyncHook()) == plain


def test_the_connection_is_read_once(
    hook: TwinSyncHook, connect: Callable[..., None], read_settings: Callable[[TwinSyncHook], Any]
) -> None:
    """A connection that changes in the middle of a wait changes nothing for it."""
    first = read_settings(hook)
    connect(request_timeout_s=1)
    assert read_settings(hook) is first
    assert read_settings(TwinSyncHook()) != first


def test_a_key_over_clear_text_is_warned_of_once(
    connect: Callable[..., None],
    serve: Callable[..., Server],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once a process and host, and not on loopback. All hosts are reached through a proxy here."""
    accepted = json.dumps({"task_id": "20230423_11_23_05_10279", "result_code": 100}).encode()
    proxy = serve(lambda _: [answer(200, accepted)])
    for host in ("127.7.7.7", "localhost", "::1"):
        connect(host=host, proxy=proxy.url)
        TwinSyncHook().submit(**JOB)
    assert len(proxy.requests) == 3
    assert "TS316 " not in caplog.text
    for _ in range(2):
        connect(host="clear-text.invalid", proxy=proxy.url)
        TwinSyncHook().submit(**JOB)
    connect(host="other-clear-text.invalid", proxy=proxy.url)
    TwinSyncHook().submit(**JOB)
    assert len(proxy.requests) == 6
    warned = [record for record in caplog.records if code_of(record.getMessage()) == "TS316"]
    assert [record.levelno for record in warned] == [logging.WARNING] * 2
    hosts = ["clear-text.invalid", "other-clear-text.invalid"]
    assert all(f" {host}," in record.getMessage() for host, record in zip(hosts, warned, strict=True))
    assert KEY not in caplog.text


def test_the_test_of_a_connection_makes_no_job(hook: TwinSyncHook, emulator: Emulator) -> None:
    """The request has the key, and no text that could become a video."""
    works, message = hook.test_connection()
    assert works, message
    assert code_of(message) == ""
    assert message.endswith(f" {emulator.url}/phototalking. By http, within this machine.")
    assert emulator.world.tasks == {}
    [entry] = emulator.world.journal
    assert (entry.call, entry.form, entry.key) == ("submit", {}, "accepted")


@pytest.mark.parametrize(
    ("fields", "fault", "code", "shown"),
    [
        ({"password": "wrong"}, None, "TS302", "/phototalking. By http, within this machine."),
        ({"password": None}, None, None, "access key"),
        ({"port": 1}, None, "TS305", ":1/phototalking"),
        ({"path": "/elsewhere"}, None, "TS307", "HTTP 404"),
        ({"nonsense": 1}, None, None, "nonsense"),
        ({"schema": "https"}, None, "TS305", "SSL"),
        ({"schema": "https"}, None, "TS305", "set the schema to http"),
        ({"host": "unknown.invalid"}, None, "TS305", "By http: the key would travel unencrypted."),
        ({}, HttpError(status=503), "TS325", "HTTP 503"),
        ({}, NotJson(), "TS325", "nginx"),
        ({}, Hang(), "TS325", ""),
        ({}, ResultCode(code=203), "TS304", "HTTP 200"),
        ({}, Body(json={"result_code": 100, "task_id": "7"}), "TS326", ""),
    ],
)
def test_the_test_of_a_connection_reports_an_error(
    connect: Callable[..., None],
    emulator: Emulator,
    fields: dict[str, Any],
    fault: Any,
    code: str | None,
    shown: str,
) -> None:
    """It returns False and a message, raises nothing, and shows no key."""
    connect(**{"request_timeout_s": 0.5, **fields})
    if fault is not None:
        emulator.world.faults.add("submit", fault)
    works, message = TwinSyncHook().test_connection()
    assert not works
    assert code is None or code_of(message) == code
    assert shown in message
    assert KEY not in message
    assert "twinsync_default" not in message, "the web form tests under an id that Airflow generates"
    assert emulator.world.tasks == {}


@pytest.mark.parametrize(
    "fault", [NotJson(), HttpError(status=500), ResetBefore()], ids=lambda fault: fault.name
)
def test_the_test_of_a_connection_alarms_nobody(hook: TwinSyncHook, emulator: Emulator, fault: Any) -> None:
    """Its request can make no job: nothing may have been paid, and there is no task to clear."""
    emulator.world.faults.add("submit", fault)
    _, message = hook.test_connection()
    assert code_of(message) == "TS325"
    assert "paid" not in message
    assert "clear" not in message


def test_the_test_of_a_connection_needs_one(migrated: None) -> None:
    """The button of the web form tests fields that are not stored yet, under an id that may not exist."""
    works, message = TwinSyncHook("no_such_connection").test_connection()
    assert not works
    assert "no_such_connection" in message
