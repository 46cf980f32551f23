"""
### A person approves the video before it is published

The DAG makes and checks the video, and then asks a person in Airflow's web UI, at *Required actions*, with
the poster, the text and the numbers of the check. After *Reject* nothing is published. Needs Airflow 3.3.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, task

from airflow_provider_twinsync.operators import TwinSyncVideoOperator

# [START howto_twinsync_approve]
QUESTION = """{% set video = ti.xcom_pull(task_ids='video') %}
[![Poster]({{ params.web }}/{{ params.name }}.jpg)]({{ params.web }}/{{ params.name }}.mp4)

> {{ video.text }}
{% for name, number in video.checks.items() %}
- {{ name }}: {{ number }}{% endfor %}"""

with DAG(
    dag_id="twinsync_approve",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "text": Param("Good evening! Here is the news.", type="string"),
        "name": Param("news", type="string"),
        "folder": Param("/tmp/twinsync", type="string"),  # noqa: S108  # an example's
        "web": Param("http://localhost:8000", type="string", description="The folder, in a browser"),
    },
) as dag:
    video = TwinSyncVideoOperator(
        task_id="video",
        text="{{ params.text }}",
        image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
        pronouncer="en-US-JennyNeural",
        destination="{{ params.folder }}/{{ params.name }}.mp4",
        poster=True,
        check=True,
    )
    approve = ApprovalOperator(
        task_id="approve",
        subject="Publish this video?",
        body=QUESTION,
        response_timeout=timedelta(days=1),
    )

    @task
    def publish(path: str) -> str:
        """Publish the video; this example only returns its path."""
        return path

    video >> approve >> publish(video.output["path"])  # type: ignore[arg-type]
# [END howto_twinsync_approve]
