"""
### A photo that speaks

Makes a video of a text of any length: the person in the photo speaks it. Trigger the DAG with other values
for its parameters to make another video. A text of more than 150 words makes several jobs, and each job costs
money; their videos are joined.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncVideoOperator

with DAG(
    dag_id="twinsync_talking_photo",
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
            "/tmp/twinsync/talking_photo.mp4",  # noqa: S108  # a place that every reader of the example has
            type="string",
            description="Path or address of the video",
        ),
    },
) as dag:
    # [START howto_operator_twinsync_video]
    TwinSyncVideoOperator(
        task_id="video",
        text="{{ params.text }}",
        image_url="{{ params.image_url }}",
        pronouncer="{{ params.pronouncer }}",
        destination="{{ params.destination }}",
        timeout=timedelta(hours=1),
    )
    # [END howto_operator_twinsync_video]
