"""The hook over real sockets: the status of a job, and no error of a library."""

from __future__ import annotations

import asyncio
import re
import traceback
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from support.submits import short_time_for

from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync.emulator import (
    Body,
    FailJob,
    Hang,
    HttpError,
    NotJson,
    Redirect,
    ResetBefore,
    ResultCode,
)
from airflow_provider_twinsync.exceptions import (
    StatusError,
    TwinSyncError,
    UncertainSubmitError,
    UsageError,
)
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync.emulator import Emulator

    GetTask: TypeAlias = "Callable[[str], Job]"

JOB = {
    "text": "你好，我是会说话的照片数字人",
    "image_url": "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
    "pronouncer": "zh-CN-XiaohanNeural",
}
#: Codes that are no state of a job, and values that are no code, for example the number 100.0 of JSON.
NO_STATUS: list[Any] = [0, 99, 105, 200, 201, 202, 203, -1, True, 100.0, None, "", "1OO", [100], {}]


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
