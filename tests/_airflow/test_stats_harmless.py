"""A metric harms no task and no event loop, also if its server is broken."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from support.drive import Pulse, Store, run_task, trigger_of
from support.metrics import STATS, Recorder
from support.submits import INPUTS, code_of, posts, submit

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync.operators import TwinSyncVideoOperator


class Broken:
    """Stats of which each call fails."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        raise self.error(name)


@pytest.mark.parametrize(
    "broken", [Broken(RuntimeError), Broken(MemoryError), None], ids=["error", "memory", "gone"]
)
def test_broken_stats_harm_no_task(monkeypatch, connection, emulator, tmp_path, broken):
    """Neither in the worker nor in the triggerer."""
    monkeypatch.setattr(importlib.import_module(STATS), "Stats", broken)
    assert internals.stats() is None or broken
    emulator.world.waiting_s = 0.3
    destination = str(tmp_path / "a.mp4")
    task = TwinSyncVideoOperator(task_id="video", **INPUTS, destination=destination, poke_interval=0)
    run = run_task(task, store=Store(), task_id="video")
    assert (run.ended, bool(run.trigger)) == ("success", True)


def test_an_alarm_while_a_submit_is_counted_names_the_job(monkeypatch, connection, emulator):
    """It is no error of the metric: the task ends, and no retry pays again."""
    monkeypatch.setattr(importlib.import_module(STATS), "Stats", Broken(AirflowTaskTimeout))
    run = run_task(submit(retries=2))
    [job] = emulator.world.tasks
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS324")
    assert job in str(run.error)
    assert posts(emulator) == 1


def test_an_event_loop_goes_on_while_a_metric_is_sent(monkeypatch, connection, emulator, hook):
    """Airflow's client looks up its host at the first metric, which may take seconds."""
    recorder, pulse, went_on = Recorder(monkeypatch), Pulse(), []
    timing = recorder.timing

    def slow(*args: Any, **kwargs: Any) -> None:
        went_on.append(pulse.job_continues())
        timing(*args, **kwargs)

    monkeypatch.setattr(recorder, "timing", slow)
    trigger = trigger_of(hook.submit(**INPUTS), poke_interval_s=0.0)

    async def events() -> None:
        assert len([event async for event in trigger.run()]) == 1
        await asyncio.to_thread(lambda: recorder.totals)

    pulse.beside(events())
    assert went_on == [True]
