"""
### The news, every morning

At 06:00 UTC a task writes the text of the day, and the person in a photo of your bucket speaks it. The name
of the video has the date. Each run makes at least one job, and each job costs money. `catchup=False` prevents
a run for each morning that Airflow missed.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Param, task  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncVideoOperator

# [START howto_twinsync_every_morning]
with DAG(
    dag_id="twinsync_every_morning",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "photo": Param("s3://aws_default@photos/anna.jpg", type="string"),
        "folder": Param("/tmp/twinsync", type="string"),  # noqa: S108  # an example's
    },
) as dag:

    @task(retries=3)
    def news(data_interval_end: datetime | None = None) -> str:
        """Return the text of the day; replace this with your own source."""
        return f"Good morning! It is {data_interval_end:%A, %d %B}."

    TwinSyncVideoOperator(
        task_id="video",
        text=news(),
        image_url="{{ params.photo }}",
        pronouncer="en-US-JennyNeural",
        destination="{{ params.folder }}/{{ data_interval_end | ds }}.mp4",
        timeout=timedelta(hours=2),
        retries=0,  # with a ledger, or from Airflow 3.3 on, retries cost nothing: 3, for example
    )
# [END howto_twinsync_every_morning]
