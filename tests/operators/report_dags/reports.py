"""The DAGs of ``test_report_dags.py``; the folder and the rows come from the run's configuration."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_twinsync.operators import TwinSyncReportOperator, TwinSyncVideoOperator

FOLDER = "{{ dag_run.conf['folder'] }}"

with DAG("reports_night", schedule=None) as night:

    @task
    def sheet(dag_run: Any = None) -> list[dict[str, str]]:
        """Return the rows to make, as the plan does."""
        rows: list[dict[str, str]] = dag_run.conf["rows"]
        return rows

    @task
    def make(text: str, row_id: str, ti: Any = None, dag_run: Any = None) -> dict[str, Any]:
        """Return a result of a video, or fail as a check does."""
        if text == "silent":
            ti.xcom_push(key="rejected", value={"row_id": row_id, "message": "It is silent.", "checks": {}})
            raise RuntimeError(text)
        if text == "lost":
            raise RuntimeError(text)
        path = f"{dag_run.conf['folder']}/{row_id}.mp4"
        return {"path": path, "row_id": row_id, "text": text, "map_index": ti.map_index}

    TwinSyncReportOperator(
        task_id="report",
        videos=make.expand_kwargs(sheet()),
        plan=FOLDER + "/plan.json",
        destination=FOLDER + "/report.html",
        retries=2,
    )

with DAG("reports_one", schedule=None) as one:
    video = TwinSyncVideoOperator(
        task_id="video",
        text="Hello.",
        image_url="https://example.com/anna.jpg",
        pronouncer="en-US-JennyNeural",
        destination=FOLDER + "/a.mp4",
        poke_interval=0.1,
    )
    TwinSyncReportOperator(task_id="report", videos=video.output, destination=FOLDER + "/report.html")
