"""
### A person approves the video before it is published

The DAG fetches the video, and then asks a person in Airflow's web UI, at *Required actions*. After *Approve*
the next task runs. After *Reject* it is skipped, and without an answer within a day the question fails.
Needs Airflow 3.3 or later; on 3.1 and 3.2 give `execution_timeout` instead of `response_timeout`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, task

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG(
    dag_id="twinsync_approve",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "text": Param("Good evening! Here is the news.", type="string"),
        "destination": Param("/tmp/twinsync/approve.mp4", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    submit = TwinSyncSubmitOperator(
        task_id="submit",
        text="{{ params.text }}",
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

    # [START howto_twinsync_approve]
    approve = ApprovalOperator(
        task_id="approve",
        subject="Publish this video?",
        body="[Watch it]({{ ti.xcom_pull(task_ids='wait') }}). It says: {{ params.text }}",
        response_timeout=timedelta(days=1),
    )

    @task
    def publish(path: str) -> str:
        """Publish the video; this example only returns its path."""
        return path

    fetch >> approve >> publish("{{ ti.xcom_pull(task_ids='fetch')['path'] }}")
    # [END howto_twinsync_approve]
