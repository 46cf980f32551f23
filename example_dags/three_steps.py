"""
### A photo that speaks, in three steps

Submits a text, a photo and a voice to TwinSync, waits in the triggerer until the video is there, and fetches
it. Trigger it with other values for its parameters to make another video.

Each step is a task of its own, so that each can be seen and retried alone: a retry of the wait or of the
download never pays for a second video.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG(
    dag_id="twinsync_three_steps",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "text": Param("你好，我是会说话的照片数字人", type="string", description="What the person says"),
        "image_url": Param(
            "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
            type="string",
            format="uri",
            description="The address of the photo",
        ),
        "pronouncer": Param("zh-CN-XiaohanNeural", type="string", description="A Microsoft voice"),
        "destination": Param(
            "/tmp/twinsync/three_steps.mp4",  # noqa: S108  # a place that every reader of the example has
            type="string",
            description="Path or address of the video",
        ),
    },
) as dag:
    # [START howto_operator_twinsync_submit]
    submit = TwinSyncSubmitOperator(
        task_id="submit",
        text="{{ params.text }}",
        image_url="{{ params.image_url }}",
        pronouncer="{{ params.pronouncer }}",
    )
    # [END howto_operator_twinsync_submit]
    # [START howto_sensor_twinsync]
    wait = TwinSyncSensor(
        task_id="wait",
        twinsync_task_id=submit.output,
        poke_interval=2,
        timeout=timedelta(hours=1),
    )
    # [END howto_sensor_twinsync]
    # [START howto_operator_twinsync_download]
    TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=submit.output,
        destination="{{ params.destination }}",
        retries=3,
    )
    # [END howto_operator_twinsync_download]
