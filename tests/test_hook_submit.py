"""The submit of the hook: its request, its attempts, its warnings."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from support.environment import KEY
from support.servers import answer

from airflow_provider_twinsync._wait.schedule import submit_delay_s
from airflow_provider_twinsync.emulator import (
    HttpError,
    ResultCode,
)
from airflow_provider_twinsync.emulator.front_ends import FRONT_ENDS
from airflow_provider_twinsync.exceptions import (
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
        ("image_url", "photos/anna.jpg", "image_url"),
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
