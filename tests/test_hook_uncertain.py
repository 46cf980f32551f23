"""A submit of the hook that may have made a job, and one that was refused."""

from __future__ import annotations

import html
import json
import re
import traceback
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, quote_plus

import pytest
from support.environment import KEY
from support.submits import short_time_for

from airflow_provider_twinsync.emulator import (
    AcceptThenHang,
    AcceptThenReset,
    Body,
    Hang,
    HttpError,
    NotJson,
    ResetBefore,
    ResultCode,
)
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    TwinSyncError,
    UncertainSubmitError,
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
NOW = datetime.now(timezone.utc)


def everything_shown(error: BaseException, logged: Callable[[], str], hook: TwinSyncHook) -> str:
    """Return the error with its complete chain as a task's log shows it, all log lines, and each repr."""
    chain = "".join(traceback.format_exception(error))
    return "\n".join([chain, repr(error), logged(), repr(hook.settings()), str(hook.settings())])


UNCERTAIN = [
    ResetBefore(),
    AcceptThenReset(),
    Hang(),
    AcceptThenHang(),
    HttpError(status=500),
    HttpError(status=502),
    HttpError(status=504),
    HttpError(status=408),
    NotJson(),
    Body(json=[]),
    Body(json={"result_code": 100}),
    Body(json={"result_code": 100, "task_id": " "}),
    ResultCode(code=101),
    ResultCode(code=103),
    ResultCode(code=999),
    ResultCode(code=True),
    ResultCode(code=None),
]


@pytest.mark.parametrize("fault", UNCERTAIN, ids=lambda fault: fault.name)
def test_a_submit_that_may_have_been_accepted_is_never_sent_again(
    connect: Callable[..., None],
    emulator: Emulator,
    sleeps: list[float],
    fault: Any,
    logged: Callable[[], str],
) -> None:
    """The error has the inputs of the job, and not the key."""
    connect(**short_time_for(fault))
    hook = TwinSyncHook()
    emulator.world.faults.add("submit", fault)
    with pytest.raises(UncertainSubmitError) as caught:
        hook.submit(**JOB)
    assert len(emulator.world.journal) == 1
    assert sleeps == []
    assert not caught.value.retryable
    assert caught.value.code in ("TS309", "TS310", "TS311")
    for part in (f" {NOW:%Y-}", JOB["text"], JOB["image_url"]):
        assert part in str(caught.value)
    assert KEY not in everything_shown(caught.value, logged, hook)


@pytest.mark.parametrize(
    ("fault", "shown", "code", "result_code"),
    [
        (ResultCode(code=200), "HTTP 200", "TS301", 200),
        (ResultCode(code=201), "HTTP 200", "TS302", 201),
        (ResultCode(code=202), "HTTP 200", "TS303", 202),
        (HttpError(status=404), "HTTP 404", "TS307", None),
        (HttpError(status=401), "HTTP 401", "TS307", None),
        (HttpError(status=400, body=f"bad request: key={KEY}"), "key=***", "TS307", None),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_submit_that_is_refused_is_not_sent_again(
    hook: TwinSyncHook,
    emulator: Emulator,
    sleeps: list[float],
    fault: Any,
    shown: str,
    code: str,
    result_code: int | None,
    logged: Callable[[], str],
) -> None:
    """The same request would get the same answer, and an answer that repeats the key is not shown with it."""
    emulator.world.faults.add("submit", fault)
    with pytest.raises(RejectedError, match=re.escape(shown)) as caught:
        hook.submit(**JOB)
    assert (caught.value.code, caught.value.result_code) == (code, result_code)
    assert len(emulator.world.journal) == 1
    assert sleeps == []
    assert KEY not in everything_shown(caught.value, logged, hook)


def test_a_key_that_is_wrong_is_not_shown(
    connect: Callable[..., None], emulator: Emulator, logged: Callable[[], str]
) -> None:
    """It may be a typing error away from the right one."""
    connect(password=f"{KEY}-wrong")
    hook = TwinSyncHook()
    with pytest.raises(RejectedError) as caught:
        hook.submit(**JOB)
    assert caught.value.code == "TS302"
    assert [entry.key for entry in emulator.world.journal] == ["rejected"]
    assert KEY not in everything_shown(caught.value, logged, hook)


@pytest.mark.parametrize(
    "written",
    [
        quote,
        quote_plus,
        lambda key: json.dumps(key)[1:-1],
        html.escape,
    ],
)
def test_a_key_is_hidden_however_an_answer_writes_it(
    connect: Callable[..., None], emulator: Emulator, written: Callable[[str], str]
) -> None:
    """An error page may show the form as it was sent, or in a notation of its own."""
    key = 'k+5d41/=&"'
    connect(password=key)
    emulator.world.faults.add("submit", HttpError(status=400, body=f"bad form: key={written(key)}"))
    with pytest.raises(RejectedError, match="bad form") as caught:
        TwinSyncHook().submit(**JOB)
    assert "5d41" not in str(caught.value)


def test_a_submit_is_sent_once_to_a_proxy_that_goes_away(
    connect: Callable[..., None], serve: Callable[..., Server], sleeps: list[float]
) -> None:
    """The proxy may have passed the submit on before."""
    proxy = serve(lambda _: [])
    connect(host="twinsync.invalid", proxy=proxy.url)
    with pytest.raises(TwinSyncError) as caught:
        TwinSyncHook().submit(**JOB)
    assert len(proxy.requests) == 1
    assert isinstance(caught.value, UncertainSubmitError)
