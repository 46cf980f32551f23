"""Sensors that need a worker have one, and its log has the reason."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import airflow
import pytest
from support.drive import run_task
from support.triggerer import BOTH, HAS_IT, kwargs_of, since_3_3, warnings

from airflow_provider_twinsync.emulator import ResultCode
from airflow_provider_twinsync.sensors import TwinSyncSensor


class Hooked(TwinSyncSensor):
    """A sensor with more around `execute` than Airflow's own."""

    def pre_execute(self, context: Any) -> None: ...

    def post_execute(self, context: Any, result: Any = None) -> None: ...


@pytest.mark.skipif(not HAS_IT, reason="Airflow 3.3 and later")
def test_where_triggerers_have_queues_a_worker_starts_the_wait(monkeypatch):
    """None of them would run a trigger without a queue."""
    monkeypatch.setenv("AIRFLOW__TRIGGERER__QUEUES_ENABLED", "True")
    waiting = TwinSyncSensor(**BOTH, twinsync_task_id="1")
    assert waiting.start_from_trigger is False
    assert "queues_enabled is on" in waiting._why_worker_starts
    assert "start_trigger_args" not in TwinSyncSensor.in_triggerer("1", timeout=60)


TOO_OLD = f"it needs Airflow 3.3 or later, and this is {airflow.__version__}"
#: The arguments, the reason for a start on a worker, and the reason for an end there.
LEFT = {
    "a worker that waits": ({"deferrable": False}, "deferrable is False", "deferrable is False"),
    "on_execute_callback": ({"on_execute_callback": print}, "the task has an on_execute_callback", None),
    "pre_execute": ({"pre_execute": print}, "the task has a pre_execute", None),
    "a template": ({"twinsync_conn_id": "{{ task.owner }}"}, "twinsync_conn_id is a template", None),
    "params": ({"params": {"mine": 1}}, "the task has params of its own", None),
    "on_success_callback": ({"on_success_callback": print}, None, "the task has an on_success_callback"),
    "post_execute": ({"post_execute": print}, None, "the task has a post_execute"),
    "both hooks": ({"cls": Hooked}, "the task has a pre_execute", "the task has a post_execute"),
}


@pytest.mark.parametrize(("arguments", "start", "end"), LEFT.values(), ids=LEFT)
def test_what_needs_a_worker_has_one_and_its_log_says_why_in_one_line(
    emulator, hook, logged, arguments, start, end
):
    """Nothing is logged while the DAG file is parsed, and the wait ends as usual."""
    job = hook.submit(text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural")
    emulator.world.advance(7200)
    emulator.world.faults.add("status", ResultCode(code=101))  # at the first poll
    arguments = {"deferrable": True, **arguments}
    cls = arguments.pop("cls", TwinSyncSensor)
    sensor = cls(**BOTH, twinsync_task_id=job, poke_interval=0, **arguments)
    if HAS_IT and start:
        assert sensor.start_from_trigger is False
    elif HAS_IT:
        assert kwargs_of(sensor)["wait"]["end_from_trigger"] is False
    assert warnings(logged()) == []
    sensor.twinsync_conn_id = "twinsync_default"  # the rendered template
    run = run_task(sensor)
    assert run.result == f"{emulator.url}/example/{job}.mp4"
    assert bool(run.trigger) is arguments["deferrable"]
    if run.trigger and end:
        assert run.trigger.wait.end_from_trigger is False
    [line] = warnings(logged())
    reasons = {"start_from_trigger": start, "end_from_trigger": end}
    if not HAS_IT:
        reasons = dict.fromkeys(reasons, TOO_OLD)
    logged_reasons = dict(re.findall(r"(\w+_from_trigger)=True[^:]*: (.*?)(?=\. |\.$)", line))
    assert logged_reasons.keys() == {name for name, why in reasons.items() if why}, line
    assert all(reason.startswith(reasons[name]) for name, reason in logged_reasons.items()), line


@since_3_3
@pytest.mark.parametrize("outlets", [[], ["assets"]])
def test_a_worker_that_ends_what_the_triggerer_began_says_why(logged, outlets):
    """There is no `execute` to log the reason."""
    from airflow.sdk import Asset

    sensor = TwinSyncSensor(**BOTH, twinsync_task_id="1", outlets=[Asset(name) for name in outlets])
    event = {
        "reason": "succeeded",
        "twinsync_task_id": "1",
        "message": "",
        "result_url": "http://example.com/1.mp4",
    }
    context: Any = {"ti": SimpleNamespace(xcom_push=lambda **_: None, is_mapped=False)}
    assert sensor.execute_complete(context, event) == "http://example.com/1.mp4"
    assert len(warnings(logged())) == len(outlets)
