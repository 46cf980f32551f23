"""A DAG author's code, for a type checker alone: test_typing.py has mypy check it with the installed package.

What is wrong here bears the error that it has to be; were it none any more, the comment would be one.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, XComArg, task
from typing_extensions import assert_type

from airflow_provider_twinsync import __version__, get_provider_info
from airflow_provider_twinsync._api.status import Job, JobState
from airflow_provider_twinsync._download.transfer import Download
from airflow_provider_twinsync.emulator import AcceptThenReset, Emulator, HttpError
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    StatusError,
    TwinSyncError,
    UnavailableError,
    airflow_errors,
)
from airflow_provider_twinsync.hooks import TwinSyncHook
from airflow_provider_twinsync.operators import (
    TwinSyncDownloadOperator,
    TwinSyncSubmitOperator,
    TwinSyncVideoOperator,
)
from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.triggers import TwinSyncTrigger, WaitConfig

version: str = __version__
assert_type(get_provider_info(), dict[str, Any])

HOUR = timedelta(hours=1)

# ----------------------------------------------------------------------------------------------------- a DAG

with DAG("good_morning", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
    submit = TwinSyncSubmitOperator(
        task_id="submit",
        text="Good morning, {{ params.name }}!",
        image_url="https://example.com/portrait.jpg",
        pronouncer="en-US-JennyNeural",
        retries=2,
    )
    assert_type(submit.output, XComArg)
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, timeout=3600, soft_fail=True)
    assert_type(wait.output, XComArg)
    fetch = TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=submit.output,
        destination="s3://aws_default@videos/{{ ds }}.mp4",
    )
    submit >> wait >> fetch

    # All arguments, each in the types that it takes.
    one_task = TwinSyncSubmitOperator(
        task_id="one_task",
        text=submit.output,
        image_url=wait.output,
        pronouncer=wait.output,
        twinsync_conn_id="{{ params.connection }}",
        wait_for_completion=True,
        deferrable=False,
        durable=False,
        on_uncertain_submit="retry",
        poke_interval=timedelta(seconds=5),
        timeout=HOUR,
        exponential_backoff=True,
        max_wait=60,
    )
    one_task.output["result_url"]  # type: ignore[index]  # it works, but Airflow's type of it does not say so
    TwinSyncDownloadOperator(
        task_id="of_one_task",
        result_url=XComArg(one_task, key="result_url"),
        destination="/videos/{{ ds }}.mp4",
    )
    TwinSyncSensor(
        task_id="everything",
        twinsync_task_id="{{ ti.xcom_pull(task_ids='submit') }}",
        twinsync_conn_id="twinsync_default",
        deferrable=True,
        poke_interval=0.5,
        max_wait=HOUR,
        start_from_trigger=True,
        end_from_trigger=True,
        execution_timeout=HOUR,
    )
    for destination in (Path("/videos/a.mp4"), ObjectStoragePath("file:///videos/a.mp4"), "/videos/a.mp4"):
        TwinSyncDownloadOperator(
            task_id="to", result_url="https://example.com/a.mp4", destination=destination
        )
    TwinSyncDownloadOperator(
        task_id="named",
        result_url=wait.output,
        destination=submit.output,
        twinsync_task_id=None,
    )

    # The whole of it.
    news = TwinSyncVideoOperator(
        task_id="news",
        text="{{ params.script }}",
        image_url=submit.output,
        pronouncer="en-US-JennyNeural",
        destination=ObjectStoragePath("s3://aws_default@videos/a.mp4"),
        ledger="s3://aws_default@videos/ledger",
        reuse="runs",
        timeout=HOUR,
    )
    assert_type(news.output, XComArg)
    TwinSyncVideoOperator(task_id="no_destination", text="a", image_url="b", pronouncer="c")  # type: ignore[call-arg]

    @task.twinsync(image_url="https://example.com/a.jpg", destination="/videos/{{ ds }}.mp4")
    def bulletin() -> dict[str, str]:
        return {"text": "Hello.", "pronouncer": "en-US-JennyNeural"}

    bulletin()

    # Mapped.
    submits = TwinSyncSubmitOperator.partial(
        task_id="submits", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural"
    ).expand(text=["one", "two"])
    in_triggerer = TwinSyncSensor.in_triggerer(
        "{{ ti.xcom_pull(task_ids='submits', map_indexes=ti.map_index) }}",
        timeout=HOUR,
        twinsync_conn_id="mine",
        execution_timeout=HOUR,
        poke_interval=5,
        exponential_backoff=True,
        max_wait=HOUR,
        silent_fail=True,
        end_from_trigger=True,
        do_xcom_push=False,
    )
    assert_type(in_triggerer, dict[str, Any])
    TwinSyncSensor.partial(task_id="waits", **in_triggerer).expand(twinsync_task_id=submits.output)

    # Wrong.
    TwinSyncSubmitOperator(task_id="no_photo", text="a", pronouncer="b")  # type: ignore[call-arg]
    TwinSyncSubmitOperator(task_id="a", text=1, image_url="", pronouncer="")  # type: ignore[arg-type]
    TwinSyncSubmitOperator(
        task_id="b",
        text="a",
        image_url="b",
        pronouncer="c",
        on_uncertain_submit="ignore",  # type: ignore[arg-type]
    )
    TwinSyncSubmitOperator("a", "b", "c")  # type: ignore[call-arg]
    TwinSyncSensor(task_id="no_job")  # type: ignore[call-arg]
    TwinSyncSensor(task_id="the_task", twinsync_task_id=submit)  # type: ignore[arg-type]
    TwinSyncSensor(task_id="c", twinsync_task_id="1", poke_interval="5 s")  # type: ignore[arg-type]
    TwinSyncSensor.in_triggerer("{{ ti }}")  # type: ignore[call-arg]
    TwinSyncSensor.in_triggerer(submit.output, timeout=1)  # type: ignore[arg-type]
    TwinSyncSensor.in_triggerer("1", timeout=1, colour="blue")  # type: ignore[call-arg]
    TwinSyncSensor.in_triggerer("1", timeout=1, max_wait="5 s")  # type: ignore[arg-type]
    TwinSyncDownloadOperator(task_id="d", result_url=wait.output)  # type: ignore[call-arg]
    TwinSyncDownloadOperator(task_id="e", result_url=b"", destination="a")  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------- tasks of one's own


@task
def with_the_hook() -> str:
    hook = TwinSyncHook()
    with airflow_errors(advice="Look at the page of the task."):
        job = hook.submit(text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural")
        assert_type(job, str)
        state = hook.get_job(job)
        assert_type(state, Job)
        assert_type(state.state, JobState)
        assert_type(state.state.is_terminal, bool)
        assert_type(state.result_url, str | None)
        assert_type(hook.test_connection(), tuple[bool, str])
        if state.result_url:
            video = hook.download(state.result_url, Path("a.mp4"), twinsync_task_id=job)
            assert_type(video, Download)
            assert_type(video["bytes"], int)
            video["length"]  # type: ignore[typeddict-item]
    state.state = JobState.FAILED  # type: ignore[misc]
    hook.submit("Hello", "https://example.com/a.jpg", "en-US-JennyNeural")  # type: ignore[call-arg]
    hook.submit(text="Hello", image_url="https://example.com/a.jpg")  # type: ignore[call-arg]
    hook.get_job(submit.output)  # type: ignore[arg-type]
    hook.download(state.result_url, "a.mp4")  # type: ignore[arg-type]  # it may be None
    TwinSyncHook(conn_id="a")  # type: ignore[call-arg]
    return job


async def in_a_trigger_of_ones_own(hook: TwinSyncHook) -> None:
    assert_type(await hook.aget_job("1"), Job)
    hook.aget_job("1").state  # type: ignore[attr-defined]  # not awaited


def errors() -> None:
    try:
        TwinSyncHook("mine").get_job("1")
    except (StatusError, UnavailableError) as error:
        assert_type(error.retry_after_s, float | None)
    except RejectedError as error:
        assert_type(error.result_code, int | None)
    except TwinSyncError as error:
        assert_type(error.retryable, bool)
        assert_type(error.job_goes_on, bool)
        assert_type(error.code, str)
        error.result_code  # type: ignore[attr-defined]


trigger = TwinSyncTrigger(twinsync_task_id="1", wait=WaitConfig(timeout_s=60, max_wait_s=1.5))
assert_type(trigger.serialize(), tuple[str, dict[str, Any]])
assert_type(trigger.started_at, float)
assert_type(trigger.wait, WaitConfig)
TwinSyncTrigger(twinsync_task_id="1", twinsync_conn_id="mine", wait={"timeout_s": 60.0})
TwinSyncTrigger("1")  # type: ignore[call-arg]
TwinSyncTrigger(twinsync_task_id="1", timeout_s=60)  # type: ignore[arg-type]
WaitConfig(timeout_s=HOUR)  # type: ignore[arg-type]
WaitConfig(timeout=60)  # type: ignore[call-arg]
trigger.wait.timeout_s = 60  # type: ignore[misc]


def with_the_emulator() -> None:
    with Emulator(key="k", duration_s=5, state=Path("jobs")) as emulator:
        assert_type(emulator, Emulator)
        assert_type(emulator.url, str)
        emulator.world.faults.add("submit", HttpError(status=429, retry_after_s=1))
        emulator.world.faults.add("submit", AcceptThenReset)  # type: ignore[arg-type]
    Emulator("k")  # type: ignore[call-arg]
    HttpError()  # type: ignore[call-arg]
