"""
### One long talk

A text of 600 words, in a file beside the DAG, becomes one video. A job speaks up to 150 words, so the text
makes five jobs, and each job costs money. The worker needs the extra `content` of the package.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncVideoOperator

with DAG(
    dag_id="twinsync_long_talk",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={"destination": Param("/tmp/twinsync/talk.mp4", type="string")},  # noqa: S108  # an example's
) as dag:
    # [START howto_twinsync_long_talk]
    TwinSyncVideoOperator(
        task_id="talk",
        text="talk.txt",
        image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
        pronouncer="en-US-JennyNeural",
        destination="{{ params.destination }}",
        timeout=timedelta(hours=2),
    )
    # [END howto_twinsync_long_talk]
