"""The hook over real sockets: its requests, their number, its messages and log lines."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import re
import traceback
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, quote_plus

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from support.environment import KEY
from support.servers import answer
from support.submits import code_of

from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._wait.schedule import submit_delay_s
from airflow_provider_twinsync.emulator import (
    AcceptThenHang,
    AcceptThenReset,
    Body,
    FailJob,
    Hang,
    HttpError,
    NotJson,
    Redirect,
    ResetBefore,
    ResultCode,
)
from airflow_provider_twinsync.emulator.front_ends import FRONT_ENDS
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    StatusError,
    TwinSyncError,
    UnavailableError,
    UncertainSubmitError,
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


NOW = datetime.now(timezone.utc)
#: Codes that are no state of a job, and values that are no code, for example the number 100.0 of JSON.
NO_STATUS: list[Any] = [0, 99, 105, 200, 201, 202, 203, -1, True, 100.0, None, "", "1OO", [100], {}]


def everything_shown(error: BaseException, logged: Callable[[], str], hook: TwinSyncHook) -> str:
    """Return the error with its complete chain as a task's log shows it, all log lines, and each repr."""
    chain = "".join(traceback.format_exception(error))
    return "\n".join([chain, repr(error), logged(), repr(hook.settings()), str(hook.settings())])


# ---------------------------------------------------------------------------------------------------- status


@pytest.fixture(params=["sync", "async"])
def get_job(request: pytest.FixtureRequest, hook: TwinSyncHook) -> GetTask:
    if request.param == "sync":
        return hook.get_job
    return lambda twinsync_task_id: asyncio.run(hook.aget_job(twinsync_task_id))


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (100, JobState.SUCCEEDED),
        ("100", JobState.SUCCEEDED),
        (101, JobState.WAITING),
        (102, JobState.RUNNING),
        ("102", JobState.RUNNING),
        (103, JobState.SUCCEEDED),
        (104, JobState.FAILED),
        *((code, None) for code in NO_STATUS),
    ],
)
def test_every_code_is_read_the_same_by_both(
    get_job: GetTask, hook: TwinSyncHook, emulator: Emulator, code: Any, state: JobState | None
) -> None:
    """A finished job, reported with each code: only the documented ones are a state."""
    twinsync_task_id = hook.submit(**JOB)
    emulator.world.faults.add("status", ResultCode(code=code))
    if state is None:
        with pytest.raises(StatusError, match="HTTP 200"):
            get_job(twinsync_task_id)
        return
    job = get_job(twinsync_task_id)
    url = f"{emulator.url}/example/{twinsync_task_id}.mp4"
    assert (job.id, job.state, job.code) == (twinsync_task_id, state, int(code))
    assert job.result_url == (url if state is JobState.SUCCEEDED else None)
    assert twinsync_task_id in job.message


def test_a_job_is_seen_through_its_life(get_job: GetTask, hook: TwinSyncHook, emulator: Emulator) -> None:
    """Waiting, running, and then one ending or the other."""
    emulator.world.waiting_s, emulator.world.duration_s = 10, 10
    good = hook.submit(**JOB)
    emulator.world.faults.add("submit", FailJob(reason="no face in the photo"))
    bad = hook.submit(**JOB)
    states = []
    for _ in range(3):
        states.append((get_job(good).state, get_job(bad).state))
        emulator.world.advance(10)
    assert states == [
        (JobState.WAITING, JobState.WAITING),
        (JobState.RUNNING, JobState.RUNNING),
        (JobState.SUCCEEDED, JobState.FAILED),
    ]
    assert "no face in the photo" in get_job(bad).message


def short_time_for(fault: Any) -> dict[str, float]:
    """Return a short time limit for a fault that hangs; elsewhere a busy machine needs the usual limit."""
    return {"request_timeout_s": 1.0} if isinstance(fault, (Hang, AcceptThenHang)) else {}


@pytest.mark.parametrize(
    ("fault", "shown", "retry_after_s"),
    [
        (None, '"result_code": 200', None),
        (HttpError(status=503, retry_after_s=9), "HTTP 503", 9.0),
        (HttpError(status=401), "HTTP 401", None),
        (NotJson(), "nginx", None),
        (Body(json={"result_code": 100}), '{"result_code": 100}', None),
        (Body(json={"result_code": 103, "result_url": "ftp://a/b.mp4"}), "ftp://a/b.mp4", None),
        (Redirect(location="http://127.0.0.1:1/"), "HTTP 302", None),
        (ResetBefore(times=None), "", None),
        (Hang(), "", None),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_an_answer_without_a_status_is_a_status_error_to_both(
    get_job: GetTask,
    connect: Callable[..., None],
    emulator: Emulator,
    fault: Any,
    shown: str,
    retry_after_s: float | None,
) -> None:
    """It shows the answer, and has its `Retry-After`."""
    connect(**short_time_for(fault))
    if fault is not None:
        emulator.world.faults.add("status", fault)
    with pytest.raises(StatusError) as caught:
        get_job("20230423_11_23_05_10279")
    assert shown in str(caught.value)
    assert caught.value.retry_after_s == retry_after_s


@pytest.mark.parametrize("twinsync_task_id", ["", "  ", "None", None, 7])
def test_an_id_that_is_none_is_not_asked_for(
    get_job: GetTask, emulator: Emulator, twinsync_task_id: Any
) -> None:
    """An empty template renders to the word None."""
    with pytest.raises(UsageError, match="twinsync_task_id"):
        get_job(twinsync_task_id)
    assert emulator.world.journal == []


# ---------------------------------------------------------------------------------------------------- submit


def test_a_submit_sends_the_four_fields_once(hook: TwinSyncHook, emulator: Emulator) -> None:
    """Those of the document and nothing else, the text as it was given."""
    twinsync_task_id = hook.submit(**JOB)
    [entry] = emulator.world.journal
    assert (entry.call, entry.method, entry.path) == ("submit", "POST", "/phototalking")
    assert entry.form == JOB
    assert entry.key == "accepted"
    assert entry.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert entry.taskID == twinsync_task_id
    assert list(emulator.world.tasks) == [twinsync_task_id]


NOT_ACCEPTED = [
    ResultCode(code=203),
    ResultCode(code="203"),
    HttpError(status=429),
    HttpError(status=503, body='{"result_code": 203, "msg": "busy"}'),
    HttpError(status=429, body='{"result_code": 5, "msg": "in no table"}'),
]


@pytest.mark.parametrize("fault", NOT_ACCEPTED, ids=lambda fault: fault.name)
def test_a_submit_that_was_not_accepted_is_sent_again(
    hook: TwinSyncHook,
    emulator: Emulator,
    sleeps: list[float],
    fault: Any,
    logged: Callable[[], str],
) -> None:
    """After longer and longer delays, and a log line for each."""
    emulator.world.faults.add("submit", fault)
    emulator.world.faults.add("submit", fault)
    assert hook.submit(**JOB) in emulator.world.tasks
    assert len(emulator.world.tasks) == 1
    assert [entry.form for entry in emulator.world.journal] == [JOB] * 3
    assert sleeps == [submit_delay_s(1, None), submit_delay_s(2, None)]
    assert sleeps[0] < sleeps[1]
    lines = logged()
    assert lines.count("TS304 ") >= 2
    for delay_s in sleeps:
        assert f" {delay_s:.0f} s." in lines


@pytest.mark.parametrize(
    "answered",
    [
        answer(503, b"<title>503 Backend fetch failed</title> Guru Meditation"),
        answer(503, b"Service Unavailable", Retry_After=1),
        answer(503, b"upstream connect error or disconnect/reset before headers: connection failure"),
        answer(503, b'{"result_code": 203, "task_id": "7"}', Retry_After=1),
        answer(429, b'{"task_id": "7"}', Retry_After=1),
        answer(200, b'{"result_code": 203, "msg": "taskID:7 is in the queue"}'),
        answer(429, b'{"result_code": 203, "result_code": 100, "task_id": "7"}'),
        answer(429, b"x" * 1_000_000),
        answer(302, b"", Location="/phototalking?taskID=7"),
        answer(200, json.dumps({"result_code": 100, "task_id": "1" * 251}).encode()),
    ],
    ids=lambda answered: answered[9:12].decode(),
)
def test_an_answer_that_may_hide_a_job_is_followed_by_no_other_submit(
    serve: Callable[..., Server], connect: Callable[..., None], sleeps: list[float], answered: bytes
) -> None:
    """The server has made the job: each request would be another paid one."""
    server = serve(lambda _: [answered])
    connect(port=server.port)
    with pytest.raises(UncertainSubmitError):
        TwinSyncHook().submit(**JOB)
    assert len(server.requests) == 1
    assert sleeps == []


@pytest.mark.parametrize("fault", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_the_page_of_a_front_end_hides_one_job_and_not_four(
    hook: TwinSyncHook, emulator: Emulator, sleeps: list[float], fault: Any
) -> None:
    """It passed the submit on, and the service made the job, with and without a `Retry-After`."""
    emulator.world.faults.add("submit", replace(fault, times=None))
    with pytest.raises(UncertainSubmitError) as caught:
        hook.submit(**JOB)
    assert caught.value.code == "TS309"
    assert len(emulator.world.tasks) == 1
    assert sleeps == []


def test_a_submit_waits_as_long_as_it_is_asked_to(
    hook: TwinSyncHook, emulator: Emulator, sleeps: list[float]
) -> None:
    """`Retry-After` lengthens a delay and never shortens it."""
    emulator.world.faults.add("submit", HttpError(status=429, retry_after_s=17))
    emulator.world.faults.add("submit", HttpError(status=429, retry_after_s=0))
    hook.submit(**JOB)
    assert sleeps == [17, submit_delay_s(2, None)]


@pytest.mark.parametrize(
    ("fault", "requests"),
    [*((fault, 4) for fault in NOT_ACCEPTED), (HttpError(status=429, retry_after_s=3600), 1)],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_submit_is_given_up_after_some_tries(
    hook: TwinSyncHook, emulator: Emulator, sleeps: list[float], fault: Any, requests: int
) -> None:
    """Or at once, if the service asks for a longer delay than a worker should be held."""
    for _ in range(9):
        emulator.world.faults.add("submit", fault)
    with pytest.raises(UnavailableError) as caught:
        hook.submit(**JOB)
    assert caught.value.code == "TS304"
    assert caught.value.retryable
    assert caught.value.retry_after_s == getattr(fault, "retry_after_s", None)
    assert len(emulator.world.journal) == requests
    assert len(sleeps) == requests - 1
    assert emulator.world.tasks == {}


def test_a_service_that_starts_late_gets_the_submit(
    connect: Callable[..., None], sleeps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection is tried again, and then the service is there."""
    from airflow_provider_twinsync.emulator import Emulator

    with Emulator(key=KEY) as gone:
        port = gone.port
    connect(port=port)
    with Emulator(key=KEY, port=port) as late:
        late.__exit__(None, None, None)
        pauses = 0

        def sleep(_: float) -> None:
            nonlocal pauses
            pauses += 1
            if pauses == 2:
                late.__enter__()

        monkeypatch.setattr("time.sleep", sleep)
        assert TwinSyncHook().submit(**JOB) in late.world.tasks
        assert len(late.world.journal) == 1
    assert pauses == 2


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


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("text", "", "text is ''"),
        ("text", " \n\t", "text is"),
        ("text", "?!，。", "text is"),
        ("text", None, "text is None"),
        ("text", 7, "text is 7"),
        ("text", b"Hello", "text is b'Hello'"),
        ("text", "word " * 151, "151 words, and the limit is 150"),
        ("text", "好" * 151, "151 words"),
        ("image_url", "", "image_url is ''"),
        ("image_url", None, "image_url is None"),
        ("image_url", "photo.jpg", "image_url is 'photo.jpg'"),
        ("image_url", "s3://bucket/photo.jpg", "image_url"),
        ("image_url", "https://", "image_url"),
        ("image_url", "https://host/a b.jpg", "image_url"),
        ("image_url", "https://host:port/a.jpg", "image_url"),
        ("pronouncer", "", "pronouncer is ''"),
        ("pronouncer", None, "pronouncer is None"),
        ("pronouncer", "Xiaohan", "pronouncer is 'Xiaohan'"),
        ("pronouncer", "zh-CN-XiaohanNeural; rm", "pronouncer"),
    ],
)
def test_an_argument_that_is_wrong_sends_nothing(
    hook: TwinSyncHook, emulator: Emulator, argument: str, value: Any, said: str
) -> None:
    """It is named, with what it is."""
    with pytest.raises(UsageError, match=re.escape(said)):
        hook.submit(**{**JOB, argument: value})
    assert emulator.world.journal == []


def test_the_limit_of_words_is_the_accounts(connect: Callable[..., None], emulator: Emulator) -> None:
    """A connection may raise it."""
    emulator.world.word_limit = 300
    connect(text_limit_words=200)
    TwinSyncHook().submit(**{**JOB, "text": "word " * 200})
    with pytest.raises(UsageError, match="201 words, and the limit is 200"):
        TwinSyncHook().submit(**{**JOB, "text": "word " * 201})
    assert len(emulator.world.journal) == 1


def test_inputs_that_may_be_wrong_are_submitted_with_a_warning(
    connect: Callable[..., None],
    serve: Callable[..., Server],
    sleeps: list[float],
    logged: Callable[[], str],
) -> None:
    """A photo inside a network, a new shape of voice, a long Thai text: without a secret."""
    accepted = json.dumps({"task_id": "20230423_11_23_05_10279", "result_code": 100}).encode()
    answers = [answer(200, accepted), answer(429, b"busy"), answer(200, accepted)]
    proxy = serve(lambda _: [answers.pop(0)])
    connect(host="far-away.example", proxy=proxy.url)
    doubtful = {
        "text": "ก" * 151,
        "image_url": "http://user:s3cret@photos.internal/a.jpg?sig=s3cret",
        "pronouncer": "en-US-Newer",
    }
    TwinSyncHook().submit(**JOB)
    warned_of = "151 characters", "'en-US-Newer'", "'photos.internal'"
    assert [part for part in warned_of if part in logged()] == []
    TwinSyncHook().submit(**doubtful)
    log = logged()
    assert len(proxy.requests) == 3
    assert [part for part in warned_of if part not in log] == []
    assert "s3cret" not in log


def test_a_photo_beside_the_emulator_is_not_warned_of(
    hook: TwinSyncHook, emulator: Emulator, logged: Callable[[], str]
) -> None:
    """A service on this machine can open a photo on this machine."""
    hook.submit(**{**JOB, "image_url": f"{emulator.url}/a.jpg"})
    assert len(emulator.world.tasks) == 1
    assert not re.search(r"TS\d{3} ", logged())


# ------------------------------------------------------------------------------------------------ connection


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


# -------------------------------------------------------------------------------------------- test_connection


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


# ---------------------------------------------------------------------------------------------------- errors


def test_no_error_of_a_library_comes_out(hook: TwinSyncHook, emulator: Emulator, get_job: GetTask) -> None:
    """For any fault of a connection, and not as a cause that a task's log would show."""
    for fault in (ResetBefore(times=2), NotJson(), Body(json=None), HttpError(status=500)):
        emulator.world.faults.add("status", fault)
        with pytest.raises(TwinSyncError) as caught:
            get_job("20230423_11_23_05_10279")
        emulator.world.faults.clear()
        chain = "".join(traceback.format_exception(caught.value))
        assert not re.search(r"\b(urllib3|requests|aiohttp)\.", chain)


@pytest.mark.parametrize("length", ["Content-Length: 65\r\nContent-Length: 66", "Content-Length: 65, 99"])
def test_a_success_with_a_broken_header_is_not_sent_again(length, serve, connect):
    """`requests` raises InvalidHeader for it, as for a header that cannot be sent: four jobs once."""
    accepted = b'{"result_code":100,"task_id":"20230423_11_23_05_10279","msg":"x"}'
    head = f"HTTP/1.1 200 OK\r\n{length}\r\nConnection: close\r\n\r\n".encode()
    asked = []

    def respond(received):
        asked.append(received)
        return [head + accepted]

    server = serve(respond)
    connect(port=server.port)
    with pytest.raises(UncertainSubmitError):
        TwinSyncHook().submit(**JOB)
    assert len(asked) == 1
