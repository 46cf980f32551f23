"""
### A notification when there is no video

A callback reports each task that has failed for good, with the task's own error, which names the next step.
A task after them continues without a video, so that the rest of the DAG need not stop.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param, task  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

if TYPE_CHECKING:
    from airflow.sdk import Context  # Airflow 2: airflow.providers.common.compat.sdk

log = logging.getLogger(__name__)


def tell(context: Context) -> None:
    """Report a task that has failed: here in the log, in your DAG for example by mail or chat."""
    log.error("No video: %s failed. %s", context["ti"].task_id, context.get("exception"))


with DAG(
    dag_id="twinsync_alerts",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={"destination": Param("/tmp/twinsync/alerts.mp4", type="string")},  # noqa: S108  # an example's
    # [START howto_twinsync_alerts]
    default_args={"on_failure_callback": tell},
    # [END howto_twinsync_alerts]
) as dag:
    submit = TwinSyncSubmitOperator(
        task_id="submit",
        text="Good morning! Here is the news.",
        image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
        pronouncer="en-US-JennyNeural",
    )
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id=submit.output, timeout=3600)
    fetch = TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=submit.output,
        destination="{{ params.destination }}",
        retries=3,
    )

    # [START howto_twinsync_without_video]
    @task(trigger_rule="one_failed")
    def go_on_without_it() -> None:
        """Handle a missing video: publish the text alone, for example."""
        log.warning("The news goes out without a video.")

    [submit, wait, fetch] >> go_on_without_it()
    # [END howto_twinsync_without_video]
