"""
### A photo from an object store

The service opens a photo by its address, so the submit signs one, which works for a day. Each retry signs
another, and it is the same job. This needs the extra `content` of the package, and the provider of the store.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG(
    dag_id="twinsync_stored_photo",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "photo": Param("s3://aws_default@photos/anna.jpg", type="string"),
        "destination": Param("/tmp/twinsync/stored_photo.mp4", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    # [START howto_twinsync_stored_photo]
    submit = TwinSyncSubmitOperator(
        task_id="submit",
        text="Good morning! My photo is in a bucket.",
        image_url="{{ params.photo }}",  # such as s3://aws_default@photos/anna.jpg
        pronouncer="en-US-JennyNeural",
    )
    # [END howto_twinsync_stored_photo]
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, timeout=3600)
    TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=submit.output,
        destination="{{ params.destination }}",
    )
