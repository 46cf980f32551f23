"""Run one operator as Airflow does, without Airflow's processes: worker, then triggerer, then worker again.

The trigger and the event, which cross Airflow's database, cross JSON here.
"""

from __future__ import annotations

import asyncio
import json
import os
import pkgutil
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import airflow
import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred
from airflow.providers.common.compat.sdk import timeout as airflow_timeout

try:
    from airflow.sdk.io import attach as attach
except ImportError:  # Airflow 2
    from airflow.io.store import attach as attach  # type: ignore[no-redef,import-not-found,unused-ignore]
try:
    from airflow.sdk.exceptions import AirflowRescheduleException as AirflowRescheduleException
except ImportError:  # Airflow 2 and 3.0
    from airflow.exceptions import AirflowRescheduleException as AirflowRescheduleException
try:
    from airflow.sdk.execution_time.context import set_current_context as set_current_context
except ImportError:  # Airflow 2
    from airflow.models.taskinstance import set_current_context as set_current_context

from airflow_provider_twinsync._wait.config import Handover, WaitConfig
from airflow_provider_twinsync._wait.schedule import chance
from airflow_provider_twinsync.triggers import TwinSyncTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from airflow.triggers.base import BaseTrigger


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
    """The results of a try of a task."""

    result: Any = None
    error: BaseException | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)
    trigger: BaseTrigger | None = None
    event: dict[str, Any] | None = None
    max_tries: int = 0
    try_number: int = 1
    dag_id: str = "dag"
    task_id: str = "submit"
    run_id: str = "run"
    map_index: int = -1
    #: The XComs of tasks before this one.
    pulled: dict[str, dict[str, Any]] = field(default_factory=dict)

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int | None = None) -> Any:
        if task_ids == self.task_id:
            assert map_indexes == self.map_index
            return self.xcoms.get(key)
        return self.pulled.get(task_ids, {}).get(key)

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
    operator: Any,
    *,
    store: Store | None = None,
    clears: int = 0,
    try_number: int = 1,
    context: dict[str, Any] | None = None,
    **instance: Any,
) -> Run:
    """Make one try of the task.

    :param clears: how often the task was cleared so far: each clear raises the max_tries of Airflow.
    :param try_number: which try it is, as Airflow counts them.
    :param context: more entries of the task's context.
    :param instance: fields of the task instance, such as its `run_id`.
    """
    run = Run(max_tries=clears, try_number=try_number, **instance)
    context = {**(context or {}), "ti": run}
    if store is not None:
        context["task_state_store"] = store
    try:
        try:
            run.result = operator.execute(context)
        except TaskDeferred as deferral:
            path, kwargs = deferral.trigger.serialize()
            run.trigger = pkgutil.resolve_name(path)(**json.loads(json.dumps(kwargs)))
            run.event = json.loads(json.dumps(asyncio.run(first_event(run.trigger))))
            kwargs = {**json.loads(json.dumps(deferral.kwargs or {})), "event": run.event}
            run.result = operator.resume_execution(deferral.method_name, kwargs, context)
    # Airflow's own ways to end a task are no subclasses of Exception.
    except BaseException as error:
        run.error = error
    return run


def trigger_of(job: str, *, twinsync_conn_id: str = "twinsync_default", **fields: Any) -> TwinSyncTrigger:
    """Return a trigger; each field goes to its part of the row."""
    options = {name: fields.pop(name) for name in WaitConfig.__dataclass_fields__ if name in fields}
    return TwinSyncTrigger(
        twinsync_task_id=job,
        twinsync_conn_id=twinsync_conn_id,
        wait=WaitConfig(**options),
        handover=Handover(**fields).to_row(),
    )


def trigger_for(job: str, *, every_s: float = 5.0, **fields: Any) -> TwinSyncTrigger:
    """Return one of a wait of an hour with a constant delay."""
    interval = {"poke_interval_s": every_s, "max_wait_s": every_s}
    return trigger_of(job, **{**interval, "timeout_s": 3600.0, **fields})


def first_delay_s(job: str, every_s: float = 5.0) -> float:
    """Return the delay of a wait that is resumed at an unknown time: longer, by the id."""
    return every_s * (1 + chance(job, 0))


async def first_event(trigger: BaseTrigger) -> dict[str, Any]:
    """Run a trigger to its event, and see that there is only one."""
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    return events[0]


def activate(*assets: Any) -> None:
    """Have Airflow 3.0 know assets, as its scheduler does: its `dag.test()` refuses unknown ones."""
    if not airflow.__version__.startswith("3.0."):
        return
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        for asset in assets:
            if not session.get(AssetActive, (asset.name, asset.uri)):
                session.add(AssetModel.from_public(asset))
                session.flush()
                session.add(AssetActive.for_asset(asset))


class Pulse:
    """Something else in a loop, and whether it has its turns while something slow happens beside."""

    def __init__(self) -> None:
        self.beats = 0

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.01)
            self.beats += 1

    def job_continues(self) -> bool:
        """Block this thread until there were ten more turns; not for ever, for there may be none."""
        wanted, give_up_s = self.beats + 10, time.monotonic() + 10
        while self.beats < wanted and time.monotonic() < give_up_s:
            threading.Event().wait(0.01)
        return self.beats >= wanted

    def beside(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Run something to its result, with the pulse in its loop."""

        async def run() -> Any:
            beating = asyncio.ensure_future(self._beat())
            result = await what
            beating.cancel()
            return result

        return asyncio.run(run())


@contextmanager
def alarm_when(is_so: Callable[[], Any]) -> Iterator[None]:
    """Ring the alarm of Airflow's execution_timeout when something is so, however long that takes.

    The block has to hang from then on, until it rings.
    """
    is_over = threading.Event()

    def ring() -> None:
        while not is_over.wait(0.01):
            if is_so():
                is_over.wait(0.2)  # the received bytes are read by then
                os.kill(os.getpid(), signal.SIGALRM)
                return

    ringing = threading.Thread(target=ring, daemon=True)
    with airflow_timeout(60):
        ringing.start()
        try:
            yield
        finally:
            is_over.set()
            ringing.join()


@contextmanager
def alarm_in_a_pause() -> Iterator[list[float]]:
    """Ring it in the first pause; gives how long that was meant to be, in seconds."""
    pauses_s: list[float] = []

    def ring(seconds: float) -> None:
        pauses_s.append(seconds)
        os.kill(os.getpid(), signal.SIGALRM)

    with pytest.MonkeyPatch.context() as patch, airflow_timeout(60):
        patch.setattr(time, "sleep", ring)
        yield pauses_s


def rings(*_: Any, **__: Any) -> Any:
    """The alarm of an execution_timeout, in a call that is not the package's."""
    raise AirflowTaskTimeout("Timeout, PID: 1")
