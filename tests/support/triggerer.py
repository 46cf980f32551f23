"""Sensors that start and end in the triggerer: their rows, triggers and events, and Airflow's supervisor."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import airflow
import pytest

from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.triggers import TwinSyncTrigger
from support.drive import Pulse, first_event, trigger_of

HAS_IT = tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 3)
since_3_3 = pytest.mark.skipif(not HAS_IT, reason="only Airflow 3.3 and later can")
BOTH: dict[str, Any] = {"task_id": "wait", "start_from_trigger": True, "end_from_trigger": True}


def kwargs_of(sensor: TwinSyncSensor) -> dict[str, Any]:
    """The trigger's arguments, as they cross the database."""
    assert sensor.start_from_trigger
    assert sensor.start_trigger_args.trigger_cls == "airflow_provider_twinsync.triggers.TwinSyncTrigger"
    assert sensor.start_trigger_args.next_method == "execute_complete"
    return json.loads(json.dumps(sensor.start_trigger_args.trigger_kwargs))


def warnings(logged: str) -> list[str]:
    """Return the log lines on unused arguments; Airflow 2 shows each line twice."""
    lines = re.findall(r"(?:start|end)_from_trigger=True.*", logged)
    lines = [re.split(r""" \(["']| +(?:\x1b\S*)?\[""", line)[0].rstrip() for line in lines]
    return lines if HAS_IT else sorted(set(lines))


def mapped_in(dag: Any, **arguments: Any) -> Any:
    from airflow.providers.common.compat.sdk import BaseOperator

    class Submit(BaseOperator):
        def execute(self, context: Any) -> list[str]:
            return []

    with dag:
        submit = Submit(task_id="submit")
        return TwinSyncSensor.partial(task_id="wait", retries=2, **arguments).expand(
            twinsync_task_id=submit.output
        )


def started(job: str, *, ago_s: float = 0.0, **arguments: Any) -> TwinSyncTrigger:
    """Return a trigger as Airflow starts it, some time after the start of its sensor."""
    kwargs = {"poke_interval_s": 0.0, "timeout_s": 60.0, "airflow_timeout_s": 120.0, **arguments}
    trigger = trigger_of(job, **kwargs)
    ends_at_s = time.time() - ago_s + kwargs["airflow_timeout_s"]
    trigger.timeout_after = datetime.fromtimestamp(ends_at_s, timezone.utc)  # type: ignore[attr-defined]
    return trigger


def event_at_once(trigger: TwinSyncTrigger) -> dict[str, Any]:
    """Return the event of a trigger that ends at once."""
    return asyncio.run(asyncio.wait_for(first_event(trigger), 10))


@dataclass
class Supervisor:
    """Stands in for Airflow's supervisor of triggers, and keeps its messages."""

    pulse: Pulse | None = None  # the supervisor answers after its beats
    fails_on: str = ""
    xcoms: dict[str, Any] = field(default_factory=dict)
    connections: list[dict[str, Any]] = field(
        default_factory=list
    )  # one for each look-up; after that there is none
    messages: list[tuple[str, str, Any, int]] = field(default_factory=list)

    def send(self, message: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ConnectionResult, ErrorResponse, XComResult

        assert self.pulse is None or self.pulse.job_continues()
        if type(message).__name__ == "GetConnection":
            found = self.connections.pop(0) if self.connections else {}
            return ConnectionResult(**found) if found else ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
        if type(message).__name__ == "MaskSecret":
            return None
        if message.key == self.fails_on:
            raise RuntimeError("the database is away")
        kind = type(message).__name__
        self.messages.append((kind, message.key, getattr(message, "value", None), message.map_index))
        if kind == "GetXCom":
            return XComResult(key=message.key, value=self.xcoms.get(message.key))
        return None

    async def asend(self, message: Any) -> Any:
        return await asyncio.to_thread(self.send, message)


def of_task(
    trigger: TwinSyncTrigger, *, try_number: int = 1, map_index: int = -1, queue: str = "default"
) -> TwinSyncTrigger:
    """Set the task instance of a trigger, as the triggerer does."""
    trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
        dag_id="made", task_id="wait", run_id="now", map_index=map_index, try_number=try_number, queue=queue
    )
    return trigger


async def events_of(trigger: TwinSyncTrigger) -> list[Any]:
    return [event async for event in trigger.run()]


def last_event(trigger: TwinSyncTrigger) -> str:
    """Return the name of the only event and the reason for a worker, such as ``TriggerEvent timeout``."""
    [event] = asyncio.run(events_of(trigger))
    payload = event.payload
    return type(event).__name__ + (f" {payload['reason']}" if isinstance(payload, dict) else "")


LINKS = ("twinsync_link", "_link_TwinSyncVideoLink")


def as_the_triggerer_has_it(dag: Any, kwargs: dict[str, Any]) -> TwinSyncTrigger:
    """Return a trigger with its task as the database has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    trigger = of_task(TwinSyncTrigger(**kwargs))
    trigger.task_instance.task = DagSerialization.from_dict(stored).get_task("wait")  # type: ignore[union-attr]
    return trigger
