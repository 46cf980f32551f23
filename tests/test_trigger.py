"""The trigger over the wire, and its stored arguments, which must not change."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import re
import sys
import threading
import time
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, BaseHook, TaskDeferred
from airflow.secrets import environment_variables
from support.clock import Clock
from support.drive import Pulse, Run, first_event, trigger_of
from support.environment import AIRFLOW_VERSION
from support.servers import Received, answer

from airflow_provider_twinsync import __version__
from airflow_provider_twinsync._wait.config import ROW_VERSION, Handover, WaitConfig
from airflow_provider_twinsync._wait.schedule import chance
from airflow_provider_twinsync.emulator.faults import Hang, HttpError, Slow
from airflow_provider_twinsync.exceptions import StatusError
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.triggers import TwinSyncTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock(emulator, monkeypatch) -> Clock:
    """Nobody sleeps for real."""
    return Clock(monkeypatch)


@pytest.fixture
def job(emulator, hook) -> str:
    """A job that stays in the queue."""
    emulator.world.waiting_s = 3600.0
    return hook.submit(text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural")


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


def test_the_deadline_is_counted_from_the_start_of_the_wait(emulator, job):
    """A triggerer that resumes the wait after the deadline polls once more, and ends with a timeout."""
    began = time.monotonic()
    trigger = trigger_of(job, started_at=time.time() - 100, timeout_s=60.0)
    event = asyncio.run(first_event(trigger))
    assert event["reason"] == "timeout"
    assert time.monotonic() - began < 30
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status"]


def test_a_video_that_came_while_no_triggerer_ran_is_not_missed(emulator, job):
    """The last poll is at or after the deadline, and a video is a video."""
    emulator.world.advance(7200)
    trigger = trigger_of(job, started_at=time.time() - 100, timeout_s=60.0)
    assert asyncio.run(first_event(trigger))["reason"] == "succeeded"


def test_the_first_poll_of_a_deferred_wait_comes_after_a_delay(emulator, job):
    """A trigger that fires at once can have its task failed by a late executor event."""
    emulator.world.advance(7200)
    began = time.monotonic()
    asyncio.run(first_event(trigger_of(job, poke_interval_s=0.5)))
    assert time.monotonic() - began >= 0.5


def test_a_state_that_only_a_later_version_knows_ends_no_wait(emulator, job):
    """A worker may be upgraded before its triggerer."""
    emulator.world.advance(7200)
    trigger = trigger_of(job, poke_interval_s=0.1, last_state="rendering")
    assert asyncio.run(first_event(trigger))["reason"] == "succeeded"


def trigger_for(job: str, *, every_s: float = 5.0, **fields: Any) -> TwinSyncTrigger:
    """A wait of an hour with a constant delay."""
    interval = {"poke_interval_s": every_s, "max_wait_s": every_s}
    return trigger_of(job, **{**interval, "timeout_s": 3600.0, **fields})


def first_delay_s(job: str, every_s: float = 5.0) -> float:
    """The delay of a wait that is resumed at an unknown time: longer, by the id."""
    return every_s * (1 + chance(job, 0))


# ----------------------------------------------------------------------------- reading the connection


def test_a_connection_that_is_wrong_ends_the_wait_at_the_first_poll(emulator, job, connect, clock):
    """No retry corrects it; the event names the connection and the field."""
    connect(colour="blue")
    event = asyncio.run(first_event(trigger_for(job)))
    assert event["reason"] == "unusable"
    assert "twinsync_default" in event["message"]
    assert "colour" in event["message"]
    assert clock.pauses == [first_delay_s(job)]


class DatabaseAwayError(Exception):
    """As one of a database driver."""


class UnreadableError(ValueError):
    """As one of a parser."""


def denied(error: Exception) -> Any:
    """How a secrets backend fails; Airflow 3.3 lets few errors through and calls the others 'not found'."""

    def look_up(*_: Any, **__: Any) -> Any:
        raise error

    return staticmethod(look_up)


#: Airflow's error while a connection cannot be read (None: as 3.3.2 does), and a part of the message.
AWAY = {
    "not found": (None, "twinsync_default"),
    "an error": (DatabaseAwayError("server closed"), "DatabaseAwayError: server closed"),
    "an error without words": (DatabaseAwayError(), "(DatabaseAwayError)"),
    "an error that quotes the key": (
        UnreadableError("port Sesame-7b1f"),
        "(UnreadableError)",
    ),
}


@pytest.fixture(params=AWAY.values(), ids=AWAY)
def away(request, monkeypatch, connection):
    """A connection that cannot be read until it is back: a part of the message, and its return."""
    error, shown = request.param
    outage = pytest.MonkeyPatch()
    if error is None:
        outage.delenv("AIRFLOW_CONN_TWINSYNC_DEFAULT")
    else:
        for name in ("get_connection", "aget_connection"):
            if hasattr(BaseHook, name):
                outage.setattr(BaseHook, name, denied(error))
    yield shown, outage.undo
    outage.undo()


def test_a_connection_that_cannot_be_read_for_a_while_is_tolerated(job, clock, away, capsys):
    """One line when it begins and one when it ends, for any error of Airflow; then the wait goes on."""
    shown, back = away
    clock.at(22, back)
    event = asyncio.run(first_event(trigger_for(job, timeout_s=90.0, next_poll_s=5.0)))
    assert event["reason"] == "timeout"
    assert event["message"].startswith("TS405 ")
    assert "waiting" in event["message"]
    lines = [line for line in capsys.readouterr().out.splitlines() if job in line]
    assert len(lines) == 3
    assert shown in lines[0]
    assert re.search(r"TS408 .*for up to 300 s", lines[0])
    assert "available again after 20 s: waiting (25 s); next poll in " in lines[1]
    assert "Sesame" not in "".join(lines)


def test_a_connection_that_stays_away_ends_the_wait_and_may_be_retried(job, emulator, clock, away):
    """The tolerance is that of an outage, by default five minutes; the message has the last problem."""
    shown, _ = away
    event = asyncio.run(first_event(trigger_for(job, every_s=60.0, next_poll_s=60.0)))
    assert event["reason"] == "status_lost"
    assert event["message"].startswith("TS402 ")
    assert shown in event["message"]
    assert "300 s" in event["message"]
    assert clock.now_s == pytest.approx(360, abs=0.2)
    assert [entry.call for entry in emulator.world.journal] == ["submit"]


def test_a_connection_that_comes_back_brings_its_own_tolerance(job, emulator, connect, clock, away):
    """The outage goes on: there was no good answer in between."""
    _, back = away

    def came_back() -> None:
        back()
        connect(tolerance_s=60)

    clock.at(42, came_back)
    emulator.world.faults.add("status", HttpError(status=500, times=None))
    event = asyncio.run(first_event(trigger_for(job, every_s=20.0, next_poll_s=20.0)))
    assert event["reason"] == "status_lost"
    assert clock.now_s == pytest.approx(80, abs=0.2)
    assert "HTTP 500" in event["message"]


def test_a_wait_without_a_tolerance_tolerates_that_too(job, clock, away):
    """`silent_fail`: until the deadline."""
    event = asyncio.run(first_event(trigger_for(job, silent_fail=True)))
    assert event["reason"] == "timeout"
    assert clock.now_s == pytest.approx(3600, abs=0.2)


def test_a_connection_is_read_once_if_that_works(job, connect, clock):
    """A wait of a hundred polls reads Airflow's database once."""
    clock.at(50, lambda: connect(port=1))
    event = asyncio.run(first_event(trigger_for(job, timeout_s=500.0)))
    assert event["reason"] == "timeout"
    assert "waiting" in event["message"]


# --------------------------------------------------------------------------------------- clocks and restarts


def test_an_outage_that_a_worker_met_is_not_logged_twice(emulator, connect, clock, capsys):
    """The tolerance goes on from the worker's poll, as long as the triggerer resumes before the next one."""
    connect(tolerance_s=60)
    trigger = trigger_for("1", every_s=20.0, next_poll_s=20.0, outage_since_s=0.0)
    event = asyncio.run(first_event(trigger))
    assert event["reason"] == "status_lost"
    assert clock.now_s == pytest.approx(60, abs=0.2)
    assert "TS408" not in capsys.readouterr().out


def test_a_trigger_that_starts_again_has_a_new_tolerance(emulator, connect, clock, capsys):
    """Its arguments are those of the first start, hours ago, and an outage of then is over."""
    connect(tolerance_s=60)
    trigger = trigger_for("1", every_s=20.0, next_poll_s=20.0, outage_since_s=0.0)
    clock.sleep(1000)
    event = asyncio.run(first_event(trigger))
    assert event["reason"] == "status_lost"
    assert clock.now_s == pytest.approx(1000 + first_delay_s("1", 20.0) + 60, abs=0.2)
    assert capsys.readouterr().out.count("TS408") == 1


@pytest.mark.parametrize(
    ("step_s", "pauses_s"),
    [(-1e6, [7.0, 5.0]), (5.0, [2.0, 5.0]), (50.0, [None, 5.0]), (1e6, [0.1])],
    ids=["set back", "a little forward", "forward", "far forward"],
)
def test_a_wall_clock_that_is_set_between_processes_parks_nothing(job, clock, step_s, pauses_s):
    """At worst the deadline moves; the delay is the one that was handed over, or the usual one."""
    trigger = trigger_for(job, next_poll_s=7.0)
    clock.step_wall(step_s)
    asyncio.run(first_event(trigger))
    wanted = [first_delay_s(job) if delay_s is None else delay_s for delay_s in pauses_s]
    assert clock.pauses[: len(wanted)] == pytest.approx(wanted, abs=1e-6)


def test_a_wall_clock_that_is_set_during_a_wait_changes_nothing(emulator, job, clock):
    """Inside one process time is counted monotonically."""
    emulator.world.waiting_s = 1e9  # the emulator reads the wall clock
    clock.at(100, lambda: clock.step_wall(1e6))
    clock.at(200, lambda: clock.step_wall(-3e6))
    event = asyncio.run(first_event(trigger_for(job)))
    assert event["reason"] == "timeout"
    assert clock.now_s == pytest.approx(3600, abs=0.2)


# ------------------------------------------------------------------------------ the loop and the sessions


async def cancelled_when(ready: Any, trigger: TwinSyncTrigger) -> None:
    waiting = asyncio.ensure_future(first_event(trigger))
    while not ready():  # noqa: ASYNC110
        await asyncio.sleep(
            0.01
        )  # the emulator runs in another thread, and no event of this loop waits for it
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.slow
@pytest.mark.filterwarnings("error::ResourceWarning")
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("fault", "next_poll_s", "polls"),
    [(Hang(), 0.1, 1), (Slow(delay_s=0.0), 60.0, 0), (HttpError(status=500), 0.1, 1)],
    ids=["in mid-request", "in its first delay", "in a delay after a poll"],
)
def test_a_triggerer_that_stops_does_nothing_to_the_job(emulator, job, fault, next_poll_s, polls):
    """Cancelled: no further request, no event, and no socket left open (a warning of the collector fails)."""
    emulator.world.faults.add("status", fault)
    trigger = trigger_of(job, poke_interval_s=60.0, next_poll_s=next_poll_s)
    asyncio.run(cancelled_when(lambda: len(emulator.world.journal) == 1 + polls, trigger))
    gc.collect()
    assert [entry.call for entry in emulator.world.journal] == ["submit", *["status"] * polls]


@pytest.mark.slow
@pytest.mark.filterwarnings("error::ResourceWarning")
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("fault", "fields", "reason"),
    [
        (None, {}, "succeeded"),
        (HttpError(status=500, times=None), {"tolerance_s": 0.3}, "status_lost"),
        (Hang(times=None), {"request_timeout_s": 0.1, "tolerance_s": 0.3}, "status_lost"),
    ],
    ids=["with a video", "without a status", "without an answer"],
)
def test_a_wait_that_ends_leaves_nothing_open(emulator, connect, fault, fields, reason):
    """However it ends."""
    connect(**fields)
    job = emulator.world.accept(
        text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural"
    )
    if fault:
        emulator.world.faults.add("status", fault)
    event = asyncio.run(first_event(trigger_of(job.id, poke_interval_s=0.0)))
    gc.collect()
    assert event["reason"] == reason


def test_a_slow_service_does_not_block_the_loop(connect, serve):
    """It answers when the loop has had other turns, however fast or busy the machine is."""
    pulse, went_on = Pulse(), []

    def respond(_: Received) -> Iterator[bytes]:
        went_on.append(pulse.job_continues())
        yield answer(200, b'{"result_code": 104}')

    connect(port=serve(respond).port)
    trigger = trigger_of("1", poke_interval_s=0.0)
    assert pulse.beside(first_event(trigger))["reason"] == "failed"
    assert went_on == [True]


def test_a_slow_secrets_backend_does_not_block_the_loop(job, connect, monkeypatch):
    """Nor does the first import of a client: see the next test."""
    get = environment_variables.EnvironmentVariablesBackend.get_connection
    pulse, went_on = Pulse(), []

    def slowly(*args: Any, **kwargs: Any) -> Any:
        went_on.append(pulse.job_continues())
        return get(*args, **kwargs)

    monkeypatch.setattr(environment_variables.EnvironmentVariablesBackend, "get_connection", slowly)
    trigger = trigger_of(job, poke_interval_s=0.0, timeout_s=0.5)
    event = pulse.beside(first_event(trigger))
    assert event["reason"] == "timeout"
    assert went_on == [True]


def test_the_first_poll_of_a_process_imports_nothing_in_the_loop(hook, monkeypatch):
    """`requests`, `aiohttp` and the http provider take half a second, which all waits would lose."""
    importers = {}

    class Finder:
        @staticmethod
        def find_spec(found: str, *_: Any) -> None:
            importers[found] = threading.current_thread()

    asyncio.run(hook.asettings())  # reading the connection imports some small modules in the loop
    # Their imports are those of the first poll.
    clients = [f"airflow_provider_twinsync._http.{name}" for name in ("async_client", "sync_client")]
    for name in clients:
        import_module(name)
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("airflow_provider_twinsync.hooks._imported", [])  # as in a fresh process
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(StatusError):
        asyncio.run(hook.aget_job("1"))
    assert importers.keys() >= set(clients)
    assert threading.current_thread() not in importers.values()


def test_many_waits_do_not_block_one_another(connect, serve):
    """The service answers when it has been asked for ten jobs: if one blocked the others, it never were."""
    ten, together = threading.Barrier(10, timeout=20), []

    def respond(_: Received) -> Iterator[bytes]:
        together.append(ten.wait())
        yield answer(200, b'{"result_code": 104}')

    connect(port=serve(respond).port)

    async def run() -> list[Any]:
        fields = {"poke_interval_s": 0.1, "timeout_s": 60.0}
        waits = (trigger_of(str(n), **fields) for n in range(100))
        return await asyncio.gather(*map(first_event, waits))

    assert {event["reason"] for event in asyncio.run(run())} == {"failed"}
    assert len(together) == 100


def test_neither_its_arguments_nor_its_repr_hold_the_key(emulator, job):
    """Both reach logs and the database."""
    trigger = TwinSyncTrigger(twinsync_task_id=job)
    assert emulator.key not in repr(trigger)
    assert emulator.key not in str(trigger.serialize())


def test_stopping_a_task_that_waits_logs_that_its_job_goes_on(caplog):
    """Airflow 3.3 and later call it if a user marks or clears the task."""
    asyncio.run(TwinSyncTrigger(twinsync_task_id="20230423_1").on_kill())
    assert "TS410 TwinSync job 20230423_1 " in caplog.text
