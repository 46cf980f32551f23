"""A trigger in the loop of all waits: nothing of it blocks the others, and nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from airflow.secrets import environment_variables
from support.drive import Pulse, first_event, trigger_of
from support.servers import Received, answer

from airflow_provider_twinsync.emulator.faults import Hang, HttpError, Slow
from airflow_provider_twinsync.exceptions import StatusError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_twinsync.triggers import TwinSyncTrigger


@pytest.fixture(autouse=True)
def _no_garbage_of_others() -> None:
    """A socket that an earlier test of this process left in a cycle is not of these tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


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
    monkeypatch.setattr(
        "airflow_provider_twinsync._http.import_client._imported", []
    )  # as in a fresh process
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
