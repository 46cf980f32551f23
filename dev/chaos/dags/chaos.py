"""The DAG of `make chaos`: each video in a mapped group of its own, in the three ways that there are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task, task_group

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor
from dev.chaos.plan import DAG_ID, VOICE

WAIT = {"poke_interval": 3, "timeout": 900}

with DAG(
    dag_id=DAG_ID,
    schedule=None,
    catchup=False,
    max_active_tasks=12,
    # A wait goes before the next submit: then many jobs are waited for at once.
    default_args={"retries": 5, "retry_delay": timedelta(seconds=1), "weight_rule": "upstream"},
    params={group: Param([], type="array") for group in ("two_tasks", "one_task", "in_worker")},
) as dag:

    @task
    def videos(group: str, params: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return the videos of one group."""
        return params[group]

    @task_group
    def two_tasks(text: str, image_url: str, destination: str) -> None:
        """Submit, wait and fetch, one task each."""
        submit = TwinSyncSubmitOperator(task_id="submit", text=text, image_url=image_url, pronouncer=VOICE)
        wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, **WAIT)
        TwinSyncDownloadOperator(
            task_id="fetch",
            result_url=wait.output,
            twinsync_task_id=submit.output,
            destination=destination,
        )

    def submit_and_wait(text: str, image_url: str, destination: str, **how: Any) -> None:
        """Submit and wait in one task, and fetch."""
        submit = TwinSyncSubmitOperator(
            task_id="submit",
            text=text,
            image_url=image_url,
            pronouncer=VOICE,
            wait_for_completion=True,
            **WAIT,
            **how,
        )
        TwinSyncDownloadOperator(
            task_id="fetch", result_url=submit.output["result_url"], destination=destination
        )

    @task_group
    def one_task(text: str, image_url: str, destination: str) -> None:
        """Submit and wait in one task that defers."""
        submit_and_wait(text, image_url, destination)

    @task_group
    def in_worker(text: str, image_url: str, destination: str) -> None:
        """Submit and wait in one task that stays in its worker, and holds it as long as its job takes."""
        submit_and_wait(text, image_url, destination, deferrable=False, max_active_tis_per_dag=2)

    for group in (two_tasks, one_task, in_worker):
        asked = videos.override(task_id=f"{group.function.__name__}_videos")(group.function.__name__)
        group.expand_kwargs(asked)
