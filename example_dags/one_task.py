"""
### A photo that speaks, in one task

For a DAG in which the video is one step among many: a single task submits, waits in the triggerer, and pushes
the address of the video as its XCom `result_url`. If the job fails, a retry of the task submits again.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator

with DAG(
    dag_id="twinsync_one_task",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "destination": Param("/tmp/twinsync/one_task.mp4", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    # [START howto_operator_twinsync_one_task]
    make = TwinSyncSubmitOperator(
        task_id="make",
        text="Good morning! Here is the weather for today.",
        image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
        pronouncer="en-US-JennyNeural",
        wait_for_completion=True,
        poke_interval=2,
        timeout=3600,
        retries=2,
    )
    TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=make.output["result_url"],
        twinsync_task_id=make.output,
        destination="{{ params.destination }}",
    )
    # [END howto_operator_twinsync_one_task]
