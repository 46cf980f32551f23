"""
### One video for each text

A group of three tasks, mapped over as many texts as a list holds. Every text is submitted, waited for and
fetched on its own: one that fails holds up no other, and can be cleared alone.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param, task, task_group

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG(
    dag_id="twinsync_many_photos",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "texts": Param(["早上好。", "Good afternoon.", "Guten Abend."], type="array"),
        "folder": Param("/tmp/twinsync", type="string"),  # noqa: S108  # an example's
    },
) as dag:

    @task
    def texts(params: dict[str, list[str]]) -> list[str]:
        """Give the texts of this run."""
        return params["texts"]

    # [START howto_twinsync_mapped]
    @task_group
    def video(text: str) -> None:
        """Make the video of one text."""
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
            destination="{{ params.folder }}/{{ run_id }}-{{ ti.map_index }}.mp4",
            retries=3,
        )

    # A group and not three mapped tasks: those would each wait for all of the one before, and need all of it.
    video.expand(text=texts())
    # [END howto_twinsync_mapped]
