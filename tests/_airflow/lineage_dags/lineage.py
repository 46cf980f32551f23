"""The DAGs of ``support/lineage.py``; the run's configuration has the emulator's address and the folder."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

SUBMIT: dict[str, Any] = {
    "image_url": "https://example.com/photos/portrait.jpeg?X-Amz-Signature=5ec4e7",
    "pronouncer": "en-US-JennyNeural",
}
VIDEO = Asset("video")


def show(context: Any, result: Any = None) -> None:
    """Leave what the event of the asset is going to say."""
    context["ti"].xcom_push(key="told", value=dict(context["outlet_events"][VIDEO].extra))


with DAG("lineage_told", schedule=None) as told:
    made = TwinSyncSubmitOperator(task_id="submit", text="Hello", **SUBMIT)
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id=made.output, poke_interval=0.1)
    TwinSyncDownloadOperator(
        task_id="fetch",
        result_url=wait.output,
        twinsync_task_id=made.output,
        destination="{{ dag_run.conf['folder'] }}/v.mp4",
    )

with DAG("lineage_many", schedule=None) as many:
    submits = TwinSyncSubmitOperator.partial(task_id="submit", **SUBMIT).expand(
        text=["One.", "Two.", "Three."]
    )
    other = TwinSyncSubmitOperator(task_id="other", text="Other.", **SUBMIT)

    @task
    def reverse(jobs: list[str], **context: Any) -> list[dict[str, str]]:
        """Give downloads in another order than that of the submits, and one for a job of nobody."""
        conf = context["dag_run"].conf
        videos = {**{job: job for job in reversed(jobs)}, "a-job-of-nobody": jobs[0]}
        return [
            {
                "result_url": f"{conf['url']}/example/{video}.mp4",
                "twinsync_task_id": job,
                "destination": f"{conf['folder']}/{job}.mp4",
            }
            for job, video in videos.items()
        ]

    TwinSyncDownloadOperator.partial(task_id="fetch", outlets=[VIDEO], post_execute=show).expand_kwargs(
        reverse(submits.output)
    )
    TwinSyncDownloadOperator(
        task_id="fetch_other",
        result_url=f"{{{{ dag_run.conf['url'] }}}}/example/{other.output}.mp4",
        twinsync_task_id=other.output,
        destination="{{ dag_run.conf['folder'] }}/other.mp4",
        outlets=[VIDEO],
        post_execute=show,
    )

with DAG("lineage_runs", schedule=None) as runs:
    TwinSyncSensor(
        task_id="wait",
        twinsync_task_id=TwinSyncSubmitOperator(task_id="submit", text="Hello", **SUBMIT).output,
        deferrable=False,
        poke_interval=0.1,
        timeout=300,
    )

with DAG("lineage_fails", schedule=None) as fails:
    TwinSyncDownloadOperator.partial(
        task_id="fetch", destination="{{ dag_run.conf['folder'] }}/v.mp4"
    ).expand(result_url=["{{ dag_run.conf['url'] }}/example/none.mp4", "javascript:alert(1)", "None"])
