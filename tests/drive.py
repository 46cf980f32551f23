"""Run one operator as Airflow does, without Airflow's processes: worker, then triggerer, then worker again.

What crosses the database in between (trigger and event) crosses JSON here.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred

try:
    from airflow.sdk.io import attach as attach
except ImportError:  # Airflow 2
    from airflow.io.store import attach as attach  # type: ignore[no-redef,import-not-found,unused-ignore]

from airflow_provider_twinsync.triggers import TwinSyncTrigger


@dataclass
class Store:
    """The task state store, which outlives a try."""

    rows: dict[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        return self.rows.get(key)

    def set(self, key: str, value: Any) -> None:
        self.rows[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.rows.pop(key, None)


@dataclass
class Run:
    """What a try of a task left behind."""

    result: Any = None
    error: BaseException | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)
    trigger: TwinSyncTrigger | None = None
    event: dict[str, Any] | None = None
    max_tries: int = 0

    def xcom_push(self, key: str, value: Any) -> None:
        if key.startswith("_link_"):  # on Airflow 3, beside the link's own
            assert value == self.xcoms["twinsync_link"]
            return
        self.xcoms[key] = json.loads(json.dumps(value))

    @property
    def ended(self) -> str:
        """`success`, or the name of the exception."""
        return type(self.error).__name__ if self.error else "success"


def run_task(
    operator: Any, *, store: Store | None = None, clears: int = 0, context: dict[str, Any] | None = None
) -> Run:
    """Make one try of the task.

    :param clears: how often the task was cleared so far: each raises what Airflow calls its max_tries.
    :param context: what else the task finds in its context.
    """
    run = Run(max_tries=clears)
    context = {**(context or {}), "ti": run}
    if store is not None:
        context["task_state_store"] = store
    try:
        try:
            run.result = operator.execute(context)
        except TaskDeferred as deferral:
            path, kwargs = deferral.trigger.serialize()
            assert path == "airflow_provider_twinsync.triggers.TwinSyncTrigger"
            run.trigger = TwinSyncTrigger(**json.loads(json.dumps(kwargs)))
            run.event = json.loads(json.dumps(asyncio.run(first_event(run.trigger))))
            run.result = operator.resume_execution(deferral.method_name, {"event": run.event}, context)
    # Airflow's own ways to end a task are no subclasses of Exception.
    except BaseException as error:
        run.error = error
    return run


async def first_event(trigger: TwinSyncTrigger) -> dict[str, Any]:
    """Run a trigger to its event, and see that there is only one."""
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    return events[0]
