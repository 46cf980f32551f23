"""
### The hook in tasks of your own

Submits by the hook, with another photo if the service cannot use the first one, waits with the sensor, and
fetches by the hook.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, task  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.exceptions import RejectedError, airflow_errors
from airflow_provider_twinsync.hooks import TwinSyncHook
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG(
    dag_id="twinsync_own_tasks",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "photos": Param(
            [
                "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
                "https://example.com/spare.jpg",
            ],
            type="array",
            description="The photo, and the one to take if it cannot be used",
        ),
        "destination": Param("/tmp/twinsync/own_tasks.mp4", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    # [START howto_hook_twinsync_submit]
    @task(retries=2)
    def submit(params: dict[str, list[str]]) -> str:
        """Submit with the first photo or, if the service cannot use that one, with the second."""
        hook = TwinSyncHook("twinsync_default")
        first, second = params["photos"]
        job = {"text": "Good morning!", "pronouncer": "en-US-JennyNeural"}
        with airflow_errors():
            try:
                return hook.submit(**job, image_url=first)
            except RejectedError as error:
                if error.result_code != 202:
                    raise
                return hook.submit(**job, image_url=second)
        # [END howto_hook_twinsync_submit]

    # [START howto_hook_twinsync_download]
    @task(retries=2)
    def fetch(result_url: str, params: dict[str, str]) -> str:
        """Fetch the video, and return its checksum."""
        with airflow_errors():
            return TwinSyncHook().download(result_url, params["destination"])["sha256"]
        # [END howto_hook_twinsync_download]

    # [START howto_hook_twinsync_get_task]
    @task(trigger_rule="all_done")
    def report(twinsync_task_id: str) -> str:
        """Poll the job once: `waiting`, `running`, `succeeded` or `failed`."""
        with airflow_errors():
            return TwinSyncHook().get_job(twinsync_task_id).state.value
        # [END howto_hook_twinsync_get_task]

    job = submit()
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id=job, timeout=3600)
    fetch(wait.output)
    wait >> report(job)
