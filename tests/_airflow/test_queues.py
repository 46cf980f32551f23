"""The queue of a trigger that a worker started."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_twinsync._airflow.start_from_trigger import queue_of

TASK = SimpleNamespace(queue="gpu")


@pytest.mark.parametrize(
    ("queues_enabled", "ti", "queue"),
    [("True", TASK, "gpu"), ("False", TASK, None), (None, TASK, None), ("True", None, None)],
)
def test_a_trigger_has_the_queue_of_its_task(
    monkeypatch: pytest.MonkeyPatch, queues_enabled: str | None, ti: object, queue: str | None
) -> None:
    """Only where Airflow gives triggers a queue; `dag.test()` has no task instance in a trigger."""
    if queues_enabled:
        monkeypatch.setenv("AIRFLOW__TRIGGERER__QUEUES_ENABLED", queues_enabled)
    assert queue_of(ti) == queue
