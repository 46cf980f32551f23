"""The stored arguments of a trigger, which must not change, and rows of other versions."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import time
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred
from support.drive import Run, first_event
from support.environment import AIRFLOW_VERSION

from airflow_provider_twinsync import __version__
from airflow_provider_twinsync._wait.config import ROW_VERSION, Handover, WaitConfig
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.triggers import TwinSyncTrigger


def golden_file(path: Path) -> list[Any]:
    """Its sets of arguments, as databases have them, each with the trigger's import path."""
    golden = json.loads(path.read_text(encoding="utf-8"))
    return [
        pytest.param(golden["path"], kwargs, id=f"{path.stem} {n}")
        for n, kwargs in enumerate(golden["kwargs"])
    ]


GOLDEN = Path(__file__).parent / "golden"
ALL_RELEASES = [case for path in sorted(GOLDEN.glob("trigger-*.json")) for case in golden_file(path)]


@pytest.mark.parametrize(("path", "kwargs"), ALL_RELEASES)
def test_a_trigger_of_every_release_still_works(emulator, connect, clock, monkeypatch, path, kwargs):
    """Waiting tasks outlive an upgrade: the arguments only grow, with defaults, and keep their meaning."""
    connect()
    monkeypatch.setenv("AIRFLOW_CONN_MY_CONN", os.environ["AIRFLOW_CONN_TWINSYNC_DEFAULT"])
    made = emulator.world.accept(
        text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural"
    )
    made.id = kwargs["twinsync_task_id"]
    emulator.world.tasks[made.id] = made
    module, _, name = path.rpartition(".")
    trigger = getattr(import_module(module), name)(**kwargs)
    path_now, kwargs_now = json.loads(json.dumps(trigger.serialize()))
    assert path_now == path
    assert updated(kwargs_now, kwargs) == kwargs_now
    event = asyncio.run(first_event(trigger))
    assert (event["reason"], event["twinsync_task_id"]) == ("succeeded", kwargs["twinsync_task_id"])


def updated(row: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return a row with other fields, also in its parts."""
    parts = {name: {**row[name], **part} for name, part in fields.items() if isinstance(part, dict)}
    return {**row, **fields, **parts}


@pytest.mark.parametrize(("path", "kwargs"), ALL_RELEASES)
def test_airflow_stores_a_row_as_it_is(path, kwargs):
    """Its two parts are dictionaries, which Airflow encodes."""
    from airflow.models.trigger import Trigger

    stored = Trigger.from_object(TwinSyncTrigger(**kwargs))
    assert stored.classpath == path
    assert TwinSyncTrigger(**Trigger(path, stored.kwargs).kwargs).serialize() == (path, kwargs)


def test_the_arguments_of_this_version_are_in_its_golden_file():
    """A new field needs a new file, and a default: an older file does not name it."""
    cases = golden_file(GOLDEN / f"trigger-{__version__}.json")
    for path, kwargs in (case.values for case in cases):
        assert json.loads(json.dumps(TwinSyncTrigger(**kwargs).serialize())) == [path, kwargs]
        assert kwargs["version"] == ROW_VERSION


def test_every_version_has_the_same_arguments():
    """Another argument would be an error for an older version: a new field goes into one of the two parts."""
    *arguments, newer = inspect.signature(TwinSyncTrigger).parameters.values()
    assert newer.kind is newer.VAR_KEYWORD
    names = [argument.name for argument in arguments]
    assert names == ["twinsync_task_id", "twinsync_conn_id", "wait", "handover", "version"]
    required = [argument.name for argument in arguments if argument.default is argument.empty]
    assert required == ["twinsync_task_id"]


ROW = ALL_RELEASES[1].values[1]


#: Options of both operators with other values than their defaults, and their fields in a row.
OPTIONS: dict[str, Any] = {
    "poke_interval": timedelta(seconds=7),
    "max_wait": 90,
    "exponential_backoff": True,
    "timeout": timedelta(hours=1),
    "execution_timeout": timedelta(minutes=2),
    "do_xcom_push": False,
}
FIELDS = {
    "poke_interval_s": 7.0,
    "max_wait_s": 90.0,
    "exponential_backoff": True,
    "timeout_s": 3600.0,
    "execution_timeout_s": 120.0,
    "do_xcom_push": False,
    "silent_fail": False,
    "end_from_trigger": False,
}


@pytest.mark.parametrize("kind", [TwinSyncSensor, TwinSyncSubmitOperator])
def test_the_options_of_an_operator_are_in_the_row_of_its_deferral(emulator, job, kind):
    """With the state that the worker saw, and when it polls next."""
    text = {"text": "Hello", "image_url": "https://example.com/a.jpg", "pronouncer": "en-US-JennyNeural"}
    began = time.time()
    if kind is TwinSyncSensor:
        more = {"silent_fail": True, "end_from_trigger": True}
        operator = kind(task_id="wait", twinsync_task_id=job, **more, **OPTIONS)
        fields = {**FIELDS, "silent_fail": True, "end_from_trigger": AIRFLOW_VERSION >= (3, 3)}
    else:
        operator = kind(task_id="submit", wait_for_completion=True, **text, **OPTIONS)
        fields = FIELDS
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({"ti": Run()})
    row = json.loads(json.dumps(deferred.value.trigger.serialize()[1]))
    assert row["wait"] == fields
    handed = row["handover"]
    assert began - 1 <= handed.pop("started_at") <= time.time() + 1
    assert 7 / 2 <= handed.pop("next_poll_s") <= 7 + 10
    assert handed == {"outage_since_s": None, "last_state": "waiting", "airflow_timeout_s": None}


def test_fields_of_a_later_release_are_ignored_and_missing_ones_have_their_defaults():
    """With the same version they change nothing for this release."""
    later = {"wait": {"colour": "blue"}, "handover": {"worker": "w1"}}
    assert TwinSyncTrigger(**updated(ROW, later)).serialize()[1] == ROW
    short = TwinSyncTrigger(twinsync_task_id="1", wait={"timeout_s": 60.0}, handover={"started_at": 7.0})
    assert short.wait == WaitConfig(timeout_s=60.0)
    assert short.handover == Handover(started_at=7.0)


@pytest.mark.parametrize("arguments", [{"timeout_s": 60.0}, {"colour": "blue", "version": 1}], ids=str)
def test_an_argument_of_no_version_is_an_error(arguments):
    """Of a caller; a wait must not lose its deadline by a wrong name."""
    with pytest.raises(TypeError, match=next(iter(arguments))):
        TwinSyncTrigger(twinsync_task_id="1", **arguments)


#: Rows of versions that are unknown here.
NEWER = {
    "the same fields": {},
    "another field": {"colour": "blue"},
    "other contents": {"wait": [1, 2], "handover": "now"},
    "without the parts": {"wait": None, "handover": None},
    "of a wait that no worker began": {"handover": {"airflow_timeout_s": 60.0}},
}


@pytest.mark.parametrize("fields", NEWER.values(), ids=NEWER)
@pytest.mark.parametrize("version", [ROW_VERSION + 1, 99])
def test_a_row_of_a_newer_version_ends_the_wait_with_one_error(emulator, job, fields, version):
    """At once, with nothing requested; the job goes on, and a retry may find a newer triggerer."""
    row = {
        **ROW,
        **fields,
        "twinsync_task_id": job,
        "twinsync_conn_id": "twinsync_default",
        "version": version,
    }
    trigger = TwinSyncTrigger(**row)
    assert trigger.serialize()[1] == row
    event = asyncio.run(asyncio.wait_for(first_event(trigger), 10))
    assert event["reason"] == "status_lost"
    assert event["message"].startswith("TS413 ")
    assert all(part in event["message"] for part in (job, f"version {version}"))
    assert [entry.call for entry in emulator.world.journal] == ["submit"]
    sensor = TwinSyncSensor(task_id="wait", twinsync_task_id=job)
    with pytest.raises(AirflowException, match=r"^TS413 .* costs nothing") as error:
        sensor.execute_complete({"ti": None}, json.loads(json.dumps(event)))
    assert type(error.value) is AirflowException


def test_neither_its_arguments_nor_its_repr_hold_the_key(emulator, job):
    """Both reach logs and the database."""
    trigger = TwinSyncTrigger(twinsync_task_id=job)
    assert emulator.key not in repr(trigger)
    assert emulator.key not in str(trigger.serialize())
