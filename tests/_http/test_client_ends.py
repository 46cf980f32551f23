"""How a wait may end beside the others: with its consumer, thrown away, or with its loop."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from support import keepalive
from support.keepalive import LEAVES_NOTHING, NEVER, Say, done_after, reasons, run, trigger, until

from airflow_provider_twinsync._http.async_client import MAX_CONNECTIONS

if TYPE_CHECKING:
    from support.keepalive import Service


pytestmark = LEAVES_NOTHING

service = keepalive.service  # the fixture


async def raise_in_the_consumer(job: str) -> None:
    with suppress(ZeroDivisionError):
        async for _ in trigger(job).run():
            raise ZeroDivisionError


async def close_the_generator(job: str) -> None:
    events = trigger(job).run()
    await events.__anext__()
    await events.aclose()


async def drop_the_generator(job: str) -> None:
    await trigger(job).run().__anext__()


async def drop_the_first_step(job: str) -> None:
    events = trigger(job).run()
    step = asyncio.ensure_future(events.__anext__())
    await asyncio.sleep(0.12)
    step.cancel()
    await asyncio.wait([step])


@pytest.mark.parametrize(
    "end", [raise_in_the_consumer, close_the_generator, drop_the_generator, drop_the_first_step]
)
def test_a_trigger_that_dies_leaves_the_others_working(service: Service, end: Any) -> None:
    """For any consumer."""
    service.say = done_after(3)

    async def main() -> None:
        others = asyncio.ensure_future(reasons(5))
        await asyncio.gather(*(end(f"dies-{n}") for n in range(5)))
        assert await others == {"succeeded"}
        await until(lambda: not service.open)

    run(main())


BEGIN = """
import asyncio, gc, sys, warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Airflow's own, while it is imported
    from airflow_provider_twinsync._http import async_client as pool
    from airflow_provider_twinsync.triggers import TwinSyncTrigger
    from airflow.providers.common.compat.connection import get_async_connection

async def wait(job):
    trigger = TwinSyncTrigger(twinsync_task_id=job, wait={"poke_interval_s": 0.1, "max_wait_s": 0.1})
    return [event.payload["reason"] async for event in trigger.run()]
"""
ENDS = """
async def main():
    tasks = [asyncio.ensure_future(wait(f"job-{n}")) for n in range(50)]
    # With a slot, all of which hang in the end, or in the queue for one.
    while [shared._asking for shared in pool._pools.get(asyncio.get_running_loop(), {}).values()] != [50]:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)

asyncio.run(main())
assert not any(shared.members for pools in pool._pools.values() for shared in pools.values())
warnings.simplefilter("ignore", DeprecationWarning)  # Airflow 2 imports its web server when a process ends
"""
ABANDONS = """
async def begin(name, seconds):
    waits.extend(asyncio.ensure_future(wait(f"{name}-{n}")) for n in range(3))
    while [shared.members for shared in pool._pools.get(asyncio.get_running_loop(), {}).values()] != [3]:
        await asyncio.sleep(0.1)
    await asyncio.sleep(seconds)

async def others():
    others = asyncio.gather(*(wait(f"other-{n}") for n in range(3)), return_exceptions=True)
    await asyncio.sleep(0.3)
    waits.clear()
    gc.collect()  # it may come at any time
    print("others:", await others)

waits = []
loop = asyncio.new_event_loop()
loop.run_until_complete(begin("lost", 0.5))
loop.close()
del loop
asyncio.run(others())
gc.collect()
print("kept:", sum(shared.members for pools in pool._pools.values() for shared in pools.values()))
"""


def run_alone(service: Service, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, in which every warning of Python and asyncio is an error."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", BEGIN + script]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    run(until(lambda: not service.open))
    return ended


@pytest.mark.slow
def test_a_triggerer_that_stops_with_waits_pending_says_nothing(service: Service) -> None:
    """Some of them in mid-request, some in a delay, and some in the queue."""
    service.say = lambda asked: Say(delay_s=NEVER if asked.number > 1 else 0.0)
    ended = run_alone(service, ENDS)
    # Airflow 3.1 logs to stderr while it is imported, without an error; asyncio's complaints are errors.
    said = [line for line in ended.stderr.splitlines() if not re.search(r" \[(info|warning) *\] ", line)]
    assert (ended.returncode, said) == (0, [])
    assert len(service.polls()) >= MAX_CONNECTIONS


@pytest.mark.slow
def test_a_loop_that_is_closed_with_waits_pending_takes_no_other_along(service: Service) -> None:
    """Nobody can end its waits; the collector throws them away, maybe in the turn of another loop."""
    say = done_after(5)
    service.say = lambda asked: Say() if asked.job.startswith("lost") else say(asked)
    lines = run_alone(service, ABANDONS).stdout.splitlines()
    assert [line for line in lines if line.startswith("others:")] == [f"others: {[['succeeded']] * 3}"]
    assert "kept: 0" in lines
