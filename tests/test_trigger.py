"""The trigger over the wire, and what of it must not change."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings

import pytest
from drive import first_event

from airflow_provider_twinsync.emulator.faults import Hang
from airflow_provider_twinsync.triggers import TwinSyncTrigger


@pytest.fixture
def job(emulator, hook) -> str:
    """A job that stays in the queue."""
    emulator.world.waiting_s = 3600.0
    return hook.submit(text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural")


def test_its_kwargs_of_the_first_release_still_work(emulator, job):
    """They lie in databases: a waiting task outlives an upgrade (golden file of 0.1.0)."""
    released = {
        "twinsync_task_id": job,
        "twinsync_conn_id": "twinsync_default",
        "poke_interval_s": 5.0,
        "exponential_backoff": False,
        "max_wait_s": None,
        "silent_fail": False,
        "started_at": 1_795_442_369.5,
        "timeout_s": 604800.0,
        "execution_timeout_s": None,
    }
    path, kwargs = TwinSyncTrigger(**released).serialize()
    assert path == "airflow_provider_twinsync.triggers.TwinSyncTrigger"
    assert released.items() <= kwargs.items()


def test_the_deadline_is_counted_from_the_start_of_the_wait(emulator, job):
    """A triggerer that takes the wait over after the deadline looks once more, and says timeout."""
    began = time.monotonic()
    trigger = TwinSyncTrigger(twinsync_task_id=job, started_at=time.time() - 100, timeout_s=60.0)
    event = asyncio.run(first_event(trigger))
    assert event["reason"] == "timeout"
    assert time.monotonic() - began < 5
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status"]


def test_a_video_that_came_while_no_triggerer_ran_is_not_missed(emulator, job):
    """The last look is at or after the deadline, and a video is a video."""
    emulator.world.advance(7200)
    trigger = TwinSyncTrigger(twinsync_task_id=job, started_at=time.time() - 100, timeout_s=60.0)
    assert asyncio.run(first_event(trigger))["reason"] == "succeeded"


def test_the_first_look_of_a_deferred_wait_comes_after_a_pause(emulator, job):
    """A trigger that fires at once can have its task failed by a late executor event."""
    emulator.world.advance(7200)
    began = time.monotonic()
    asyncio.run(first_event(TwinSyncTrigger(twinsync_task_id=job, poke_interval_s=0.5)))
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize("conn_id", ["nowhere", "twinsync_default"])
def test_a_connection_that_is_gone_or_wrong_ends_the_wait(emulator, job, connect, conn_id):
    """It is an event that names the connection, and not a crash of the trigger."""
    connect(colour="blue")
    event = asyncio.run(first_event(TwinSyncTrigger(twinsync_task_id=job, twinsync_conn_id=conn_id)))
    assert event["reason"] == "unusable"
    assert conn_id in event["message"]


def test_a_triggerer_that_stops_does_nothing_to_the_job(emulator, job):
    """Cancelled in mid-request: no further request, no event, nothing left open."""
    emulator.world.faults.add("status", Hang())

    async def stopped() -> None:
        waiting = asyncio.ensure_future(first_event(TwinSyncTrigger(twinsync_task_id=job, poke_interval_s=0)))
        while not any(entry.call == "status" for entry in emulator.world.journal):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the emulator runs in another thread: no event of this loop tells
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        asyncio.run(stopped())
        gc.collect()
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status"]


def test_many_waits_do_not_block_the_loop(emulator, job):
    """A hundred waits in one loop: nothing else in it waits for longer than a blink."""
    stalls: list[float] = []

    async def beat() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            stalls.append(time.monotonic() - began - 0.01)

    async def waits() -> list[dict]:
        pulse = asyncio.ensure_future(beat())
        triggers = [
            TwinSyncTrigger(twinsync_task_id=job, poke_interval_s=0.2, timeout_s=1.5, started_at=time.time())
            for _ in range(100)
        ]
        events = await asyncio.gather(*map(first_event, triggers))
        pulse.cancel()
        return events

    assert {event["reason"] for event in asyncio.run(waits())} == {"timeout"}
    # A blocking request or sleep would show as the time of a hundred of them; this bound is far from both.
    assert sorted(stalls)[len(stalls) // 2] < 0.1


def test_neither_its_arguments_nor_its_repr_hold_the_key(emulator, job):
    """Both reach logs and the database."""
    trigger = TwinSyncTrigger(twinsync_task_id=job)
    assert emulator.key not in repr(trigger)
    assert emulator.key not in str(trigger.serialize())
