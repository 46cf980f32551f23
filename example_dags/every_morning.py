"""
### A video every morning

At 06:00 UTC a task writes the text of the day, and TwinSync makes one video of the text. The name of the file
has the date. Each run makes a job, and each job costs money. `catchup=False` prevents a run for each morning
that Airflow missed.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Param, task  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

# [START howto_twinsync_every_morning]
with DAG(
    dag_id="twinsync_every_morning",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={"folder": Param("/tmp/twinsync", type="string")},  # noqa: S108  # an example's
) as dag:

    @task(retries=3)
    def news(data_interval_end: datetime | None = None) -> str:
        """Return the text of the day; replace this with your own source."""
        return f"Good morning! It is {data_interval_end:%A, %d %B}."

    submit = TwinSyncSubmitOperator(
        task_id="submit",
        text=news(),
        image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
        pronouncer="en-US-JennyNeural",
        retries=0,  # with a ledger, retries cost nothing here as well
    )
    wait = TwinSyncSensor(
        task_id="wait",
        twinsync_task_id=submit.output,
        timeout=timedelta(hours=2),
        retries=3,
    )
    TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=submit.output,
        destination="{{ params.folder }}/{{ data_interval_end | ds }}.mp4",
        retries=3,
    )
# [END howto_twinsync_every_morning]
