"""
### Waits that take no worker

The waits for the videos begin and end in the triggerer: no worker runs for them, not even for one poll. This
needs Airflow 3.3; on an earlier Airflow a worker begins and ends each wait, and its log has a line about it.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, task  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

PHOTO = "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg"

with DAG(
    dag_id="twinsync_without_worker",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "texts": Param(["Good morning.", "Good afternoon."], type="array"),
        "folder": Param("/tmp/twinsync", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    submit = TwinSyncSubmitOperator(
        task_id="submit", text="Good day.", image_url=PHOTO, pronouncer="en-US-JennyNeural"
    )
    # [START howto_sensor_twinsync_without_worker]
    wait = TwinSyncSensor(
        task_id="wait",
        twinsync_task_id=submit.output,
        timeout=3600,
        start_from_trigger=True,
        end_from_trigger=True,
    )
    # [END howto_sensor_twinsync_without_worker]
    TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=submit.output,
        destination="{{ params.folder }}/{{ run_id }}.mp4",
    )

    @task
    def texts(params: dict[str, list[str]]) -> list[str]:
        """Return the texts of this run."""
        return params["texts"]

    # [START howto_sensor_twinsync_without_worker_mapped]
    submit_each = TwinSyncSubmitOperator.partial(
        task_id="submit_each", image_url=PHOTO, pronouncer="en-US-JennyNeural"
    ).expand(text=texts())
    wait_each = TwinSyncSensor.partial(
        task_id="wait_each",
        **TwinSyncSensor.in_triggerer(
            "{{ ti.xcom_pull(task_ids='submit_each', map_indexes=ti.map_index) }}",
            timeout=3600,
            end_from_trigger=True,
        ),
    ).expand(twinsync_task_id=submit_each.output)
    # [END howto_sensor_twinsync_without_worker_mapped]
