"""Every way to wait without a worker, and every way back to one; ``test_without_worker.py`` runs it.

The ids come from the configuration of the run, over a task: each sensor takes its own.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, Context, get_current_context, task, task_group

from airflow_provider_twinsync.sensors import TwinSyncSensor


def called_back(context: Context) -> None:
    """Leave a trace."""
    (Path(os.environ["AIRFLOW_HOME"]) / "called-back").write_text(context["ti"].task_id)


with DAG("waits", schedule=None, params={"conn": "twinsync_default"}, default_args={"retries": 0}):
    BOTH: dict[str, Any] = {"start_from_trigger": True, "end_from_trigger": True, "poke_interval": 0.5}

    @task(multiple_outputs=True)
    def submit() -> dict[str, str]:
        """Give each sensor its job."""
        return dict(get_current_context()["dag_run"].conf["jobs"])

    @task
    def submit_all() -> list[str]:
        """Give the jobs of the mapped sensors."""
        return list(get_current_context()["dag_run"].conf["mapped"])

    @task
    def submit_one(number: int) -> str:
        """Give one of them."""
        return str(get_current_context()["dag_run"].conf["mapped"][number])

    @task_group
    def one(number: int) -> Any:
        """Wait for one of them."""
        return TwinSyncSensor(task_id="wait", twinsync_task_id=submit_one(number), **BOTH).output

    jobs, all_jobs = submit(), submit_all()
    waits = [
        TwinSyncSensor(task_id="plain", twinsync_task_id=jobs["plain"], **BOTH),
        TwinSyncSensor(task_id="on_worker", twinsync_task_id=jobs["plain"], poke_interval=0.5),
        TwinSyncSensor(task_id="no_xcom", twinsync_task_id=jobs["plain"], do_xcom_push=False, **BOTH),
        TwinSyncSensor(
            task_id="start", twinsync_task_id=jobs["plain"], **{**BOTH, "end_from_trigger": False}
        ),
        TwinSyncSensor(
            task_id="end", twinsync_task_id=jobs["plain"], **{**BOTH, "start_from_trigger": False}
        ),
        TwinSyncSensor(
            task_id="needs_worker", twinsync_task_id="{{ ti.xcom_pull('submit', key='plain') }}", **BOTH
        ),
        TwinSyncSensor(
            task_id="callback", twinsync_task_id=jobs["plain"], on_success_callback=called_back, **BOTH
        ),
        TwinSyncSensor(task_id="outlets", twinsync_task_id=jobs["plain"], outlets=[Asset("waits")], **BOTH),
        TwinSyncSensor(
            task_id="retried",
            twinsync_task_id=jobs["retried"],
            twinsync_conn_id="twinsync_flaky",
            retries=1,
            retry_delay=timedelta(seconds=0),
            **BOTH,
        ),
        TwinSyncSensor(task_id="failed", twinsync_task_id=jobs["failed"], retries=1, **BOTH),
        TwinSyncSensor(
            task_id="no_connection",
            twinsync_task_id=jobs["plain"],
            twinsync_conn_id="no_such",
            retries=1,
            retry_delay=timedelta(seconds=0),
            **BOTH,
        ),
        TwinSyncSensor(task_id="missing", twinsync_task_id=jobs["missing"], retries=1, **BOTH),
        TwinSyncSensor(
            task_id="timed_out",
            twinsync_task_id=jobs["slow"],
            twinsync_conn_id="twinsync_slow",
            timeout=3,
            retries=1,
            **BOTH,
        ),
        TwinSyncSensor(
            task_id="execution_timed_out",
            twinsync_task_id=jobs["slow"],
            twinsync_conn_id="twinsync_slow",
            execution_timeout=timedelta(seconds=12),
            **BOTH,
        ),
        TwinSyncSensor(
            task_id="soft_failed",
            twinsync_task_id=jobs["slow"],
            twinsync_conn_id="twinsync_slow",
            timeout=3,
            soft_fail=True,
            **BOTH,
        ),
        TwinSyncSensor.partial(
            task_id="mapped",
            **TwinSyncSensor.in_triggerer(
                "{{ ti.xcom_pull(task_ids='submit_all', map_indexes=-1)[ti.map_index] }}",
                timeout=60,
                poke_interval=0.5,
                end_from_trigger=True,
            ),
        ).expand(twinsync_task_id=all_jobs),
        TwinSyncSensor.partial(task_id="mapped_without", **BOTH).expand(twinsync_task_id=all_jobs),
    ]
    # Known only after the sensor was made.
    late = TwinSyncSensor(task_id="late_outlets", twinsync_task_id=jobs["plain"], **BOTH)
    late.outlets.append(Asset("late"))

    @task(trigger_rule="all_done", multiple_outputs=False)
    def read(values: dict[str, Any]) -> dict[str, Any]:
        """Give what came of the sensors, with its type."""
        return {
            name: [
                [type(one).__name__, one] for one in (value if not isinstance(value, str | None) else [value])
            ]
            for name, value in values.items()
        }

    @task
    def read_one(value: str) -> None:
        """Be mapped over what a mapped sensor gives: no reason for a worker, as Airflow checks only lists."""

    read_one.expand(value=waits[-1].output)
    jobs >> waits[5]  # a template says nothing of where its XComs come from
    ones = {"one.wait": one.expand(number=[0, 1])}
    read(ones | {wait.task_id: wait.output for wait in [*waits, late]})
