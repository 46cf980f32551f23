"""
### A video that starts another DAG

Two DAGs that share only an asset: the first makes a video, and Airflow starts the second when the video is
there. The event of the asset has the path of the video, its size and checksum, the job that made it, and a
fingerprint of its inputs. Unpause both.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import DAG, Asset, Param, task  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

VIDEO = Asset("twinsync_finished_video")

with DAG(
    dag_id="twinsync_make_video",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "text": Param("Good evening! Here is the news.", type="string"),
        "destination": Param("/tmp/twinsync/news.mp4", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    submit = TwinSyncSubmitOperator(
        task_id="submit",
        text="{{ params.text }}",
        image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
        pronouncer="en-US-JennyNeural",
    )
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, timeout=3600)
    TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=submit.output,
        destination="{{ params.destination }}",
        outlets=[VIDEO],
        retries=3,
    )

with DAG(
    dag_id="twinsync_publish_video",
    schedule=[VIDEO],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),  # Airflow 2 wants one where there is a schedule
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
) as publish_dag:

    @task
    def publish(**context: Any) -> list[dict[str, Any]]:
        """Return the videos of this run: more than one, if several were ready before it began."""
        # The second name is that of Airflow 2.
        old = context.get("triggering_dataset_events")  # noqa: AIR301
        events = context.get("triggering_asset_events") or old or {}
        return [event.extra for of_one_asset in events.values() for event in of_one_asset]

    publish()
