"""Airflow's supervisor of triggers, and runs of the DAGs in `lineage_dags`."""

from __future__ import annotations

import json

import pytest
from support.lineage import DAGS, run_dag
from support.triggerer import Supervisor


@pytest.fixture
def supervisor(monkeypatch) -> Supervisor:
    from airflow.sdk.execution_time import task_runner

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor


@pytest.fixture
def dags(migrated, connection, emulator, monkeypatch, tmp_path):
    """Run one of the DAGs in `lineage_dags`, and return its state."""
    bundle = {
        "name": "lineage",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    return lambda name: run_dag(name, url=emulator.url, folder=str(tmp_path))
