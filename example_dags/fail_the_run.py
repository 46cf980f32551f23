"""
### A run that fails when one of its videos failed

One video for each text, and a summary, also if some videos failed. Airflow judges a run by its last tasks
alone, and the summary always succeeds. So another last task fails the run when a row failed.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task, task_group  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG(
    dag_id="twinsync_fail_the_run",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "texts": Param(["Good morning.", "Good evening."], type="array"),
        "folder": Param("/tmp/twinsync", type="string"),  # noqa: S108  # an example's
    },
) as dag:

    @task
    def rows(params: dict[str, Any]) -> list[dict[str, str]]:
        """Return the text and the file of each video."""
        return [
            {"text": text, "destination": f"{params['folder']}/{number}.mp4"}
            for number, text in enumerate(params["texts"])
        ]

    @task_group
    def video(text: str, destination: str) -> None:
        """Make the video of one row."""
        submit = TwinSyncSubmitOperator(
            task_id="submit",
            text=text,
            image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
            pronouncer="en-US-JennyNeural",
        )
        wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, timeout=3600)
        TwinSyncDownloadOperator(
            task_id="fetch", result_url=wait.output, twinsync_task_id=submit.output, destination=destination
        )

    # [START howto_twinsync_fail_the_run]
    @task(trigger_rule="all_done")
    def summary(ti: Any) -> str:
        """Run after all rows, also if some failed; return the paths of the videos that were fetched."""
        fetched = ti.xcom_pull(task_ids=["video.fetch"])  # in a list: the result is one, too
        return ", ".join(video["path"] for video in fetched if video)

    @task(trigger_rule="one_failed", retries=0)
    def fail_the_run() -> None:
        """Run only if a row failed, and fail."""
        raise RuntimeError("At least one video failed: see the tasks of the group `video`.")

    videos = video.expand_kwargs(rows())
    videos >> [summary(), fail_the_run()]
    # [END howto_twinsync_fail_the_run]
