"""
### A task that uses the video

There are two ways: a task gets the path of the video as an argument, or a command has it in a template.
"""

from __future__ import annotations

from airflow.sdk import DAG, ObjectStoragePath, Param, task  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG(
    dag_id="twinsync_next_task",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "destination": Param("/tmp/twinsync/next_task.mp4", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    submit = TwinSyncSubmitOperator(
        task_id="submit",
        text="Good morning! Here is the news.",
        image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
        pronouncer="en-US-JennyNeural",
    )
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, timeout=3600)
    fetch = TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=submit.output,
        destination="{{ params.destination }}",
    )

    # [START howto_twinsync_next_task]
    @task
    def first_bytes(path: str) -> str:
        """Open the video, on a disk or in an object store, and return a part of its first bytes."""
        with ObjectStoragePath(path).open("rb") as video:
            return video.read(12)[4:].decode("ascii")

    first_bytes(fetch.output["path"])
    # [END howto_twinsync_next_task]

    # [START howto_twinsync_next_task_template]
    @task.bash
    def print_length() -> str:
        """Print where the video is, and how long it lasts."""
        video = "{% set video = ti.xcom_pull(task_ids='fetch') %}"
        return video + "echo '{{ video.path }}: {{ video.duration_s }} s'"

    fetch >> print_length()
    # [END howto_twinsync_next_task_template]
