"""Airflow's supervisor of triggers."""

from __future__ import annotations

import pytest
from support.triggerer import Supervisor


@pytest.fixture
def supervisor(monkeypatch) -> Supervisor:
    from airflow.sdk.execution_time import task_runner

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor
