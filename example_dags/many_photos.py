"""
### One video for each text

A group of three tasks, mapped over a list of texts. Every text is submitted, waited for and fetched on its
own: a row that fails delays no other row, and can be cleared alone.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task, task_group  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG(
    dag_id="twinsync_many_photos",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "texts": Param(
            {"morning": "早上好。", "afternoon": "Good afternoon.", "evening": "Guten Abend."},
            type="object",
            description="The name of each video, and its text",
        ),
        "folder": Param("/tmp/twinsync", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    # [START howto_twinsync_mapped]
    @task
    def rows(params: dict[str, Any], run_id: str) -> list[dict[str, str]]:
        """Return the text and the file of each video."""
        return [
            {"text": text, "destination": f"{params['folder']}/{run_id}-{name}.mp4"}
            for name, text in params["texts"].items()
        ]

    @task_group
    def video(text: str, destination: str) -> None:
        """Make the video of one row."""
        submit = TwinSyncSubmitOperator(
            task_id="submit",
            text=text,
            image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
            pronouncer="zh-CN-XiaohanNeural",
            max_active_tis_per_dagrun=8,
        )
        wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, poke_interval=2, timeout=3600)
        TwinSyncDownloadOperator(
            task_id="fetch",
            result_url=wait.output,
            twinsync_task_id=submit.output,
            destination=destination,
            retries=3,
        )

    # One group, not three mapped tasks: each of those would wait for all rows of the task before it.
    video.expand_kwargs(rows())
    # [END howto_twinsync_mapped]
