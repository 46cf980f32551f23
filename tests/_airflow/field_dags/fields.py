"""The DAGs of ``test_text_fields.py``; the folder comes from the run's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, TaskGroup, task

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

SUBMIT: dict[str, Any] = {"image_url": "https://example.com/portrait.txt", "pronouncer": "en-US-JennyNeural"}

#: The text in the DAG file, and the text to be spoken.
TEXTS = {
    "2024": "2024",
    "[1, 2]": "[1, 2]",
    "'Hello,' she said": "'Hello,' she said",
    '"Quoted."': '"Quoted."',
    "{{ 2024 }}": "2024",
    "{{ '\"Hi.\"' }}": '"Hi."',
    "news.txt": "News of twenty and four.",
    "Read news.txt, please.": "Read news.txt, please.",
}

with DAG(
    "fields_native",
    schedule=None,
    render_template_as_native_obj=True,
    user_defined_macros={"joined": "and"},
    template_searchpath=[str(Path(__file__).with_name("words"))],
) as native:

    @task
    def give(number: Any) -> Any:
        """Check that this DAG renders natively, and return texts in the form of other values."""
        assert number == 2024
        return ["[3, 4]", "2025"]

    submit = TwinSyncSubmitOperator(task_id="submit", text="{{ dag_run.conf['text'] }}", **SUBMIT)
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id="{{ ti.xcom_pull(task_ids='submit') }}")
    (
        TwinSyncDownloadOperator(
            task_id="fetch",
            result_url="{{ ti.xcom_pull(task_ids='wait') }}",
            twinsync_task_id="{{ ti.xcom_pull(task_ids='submit') }}",
            destination="{{ dag_run.conf['folder'] }}/2024",
        )
        << wait
    )
    submit >> wait
    # These apply to every operator, whether it waits or not.
    with TaskGroup("group", default_args={"deferrable": False, "timeout": 60, "poke_interval": 1}):
        TwinSyncSubmitOperator.partial(task_id="constants", **SUBMIT).expand(text=list(TEXTS))
        TwinSyncSubmitOperator(task_id="file", text="news.txt", **SUBMIT)
    TwinSyncSubmitOperator.partial(task_id="given", **SUBMIT).expand(text=give("{{ 2024 }}"))

with DAG("fields_missing", schedule=None) as missing:
    TwinSyncSubmitOperator(task_id="submit", text="none-of-that-name.txt", retries=3, **SUBMIT)

with DAG("fields_links", schedule=None) as links:
    one = TwinSyncSubmitOperator(task_id="submit", text="One.", **SUBMIT)
    TwinSyncSensor(task_id="wait", twinsync_task_id=one.output)
    several = TwinSyncSubmitOperator.partial(task_id="submits", **SUBMIT).expand(text=["Two.", "Three."])
    TwinSyncSensor.partial(task_id="waits").expand(twinsync_task_id=several.output)
    # A task without a job has no link.
    TwinSyncSubmitOperator(
        task_id="refused", text="No.", image_url="{{ 'ftp://example.com/a' }}", pronouncer="en-US-JennyNeural"
    )
