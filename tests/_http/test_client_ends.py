"""How a wait may end beside the others: stopped at any moment, thrown away, or with its loop."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import subprocess
import sys
import types
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from support import keepalive
from support.drive import first_event
from support.keepalive import (
    LEAVES_NOTHING,
    NEVER,
    Say,
    done_after,
    kept,
    poll,
    pools,
    reasons,
    run,
    trigger,
    until,
)

from airflow_provider_twinsync._http.async_client import MAX_CONNECTIONS
from airflow_provider_twinsync._wait.outcome import Again

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from support.keepalive import Service

pytestmark = LEAVES_NOTHING

service = keepalive.service  # the fixture


# ------------------------------------------------------------------------------------------ cancellation


async def all_slots_are_free(service: Service) -> None:
    """See that as many requests can be made at once as ever."""
    service.say = lambda _: Say(delay_s=0.5)
    await until(lambda: not service.under_way)
    service.most_at_once = 0
    steps = await asyncio.gather(*(poll(f"after-{n}") for n in range(MAX_CONNECTIONS + 8)))
    assert all(isinstance(step, Again) and step.level == logging.INFO for step in steps)
    assert service.most_at_once == MAX_CONNECTIONS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "first_of_them", "poke_interval_s"),
    [(40, 0, 60.0), (MAX_CONNECTIONS, 0, 0.1), (MAX_CONNECTIONS + 40, MAX_CONNECTIONS, 0.1)],
    ids=["in the first delay", "in mid-request", "in the queue for a slot"],
)
def test_waits_that_are_cancelled_take_no_slot_along(
    service: Service, count: int, first_of_them: int, poke_interval_s: float
) -> None:
    """The others go on, and nothing is left."""

    async def main() -> None:
        hook = await kept()
        service.say = lambda _: Say(delay_s=NEVER)
        tasks = {
            f"job-{n}": asyncio.ensure_future(
                first_event(trigger(f"job-{n}", poke_interval_s=poke_interval_s, max_wait_s=60.0))
            )
            for n in range(count)
        }
        asked = 0 if poke_interval_s > 1 else min(count, MAX_CONNECTIONS)
        await until(lambda: len(service.under_way) == asked)
        await asyncio.sleep(0.3)  # those that are to queue do by now
        served = service.polls()
        # Those in the queue first, while those in mid-request hold the slots; then these.
        for jobs in ([job for job in tasks if job not in served], list(tasks)):
            for job in jobs:
                tasks[job].cancel()
            await asyncio.gather(*(tasks[job] for job in jobs), return_exceptions=True)
            assert all(tasks[job].cancelled() for job in jobs)
            assert len(jobs) in (0, count - asked, count)
        assert service.polls() == served
        assert len(served) == asked + 1
        await all_slots_are_free(service)
        await hook.aclose()
        await until(lambda: not service.open)

    run(main())


def test_waits_that_are_cancelled_at_the_ceiling_take_no_turn_along(
    service: Service, connect: Callable[..., None]
) -> None:
    """Neither their slots nor the limiter's turn."""
    connect(port=service.port, requests_per_second=200)

    async def main() -> None:
        hook = await kept()
        # Those of three seconds, however late this loop hears of the first ten.
        tasks = {f"job-{n}": asyncio.ensure_future(poll(f"job-{n}")) for n in range(600)}
        await until(lambda: len(service.asked) >= 10)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        cancelled = [job for job, task in tasks.items() if task.cancelled()]
        await all_slots_are_free(service)
        assert cancelled
        assert set(cancelled) - set(service.polls())
        await hook.aclose()

    run(main())


@types.coroutine
def cancelled_at(wanted: int, is_over: bool, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a coroutine; cancel its task at one of its awaits, as that begins or when it is just over.

    A task can be stopped nowhere but where it lets the loop go on: these are all the moments there are, and
    they do not depend on the speed of the machine.
    """
    task = asyncio.current_task()
    assert task
    steps = coroutine.__await__()
    step: Callable[..., Any] = steps.send
    arguments: Any = None
    for number in itertools.count():
        try:
            waits_for = step(arguments)
        except StopIteration as end:
            return end.value
        if number == wanted:
            if is_over and waits_for is not None:
                waits_for.add_done_callback(
                    lambda _: task.cancel()
                )  # before the callback that wakes the task
            else:
                task.cancel()
        try:
            step, arguments = steps.send, (yield waits_for)
        except BaseException as error:
            step, arguments = steps.throw, error


@pytest.mark.slow
@pytest.mark.parametrize("is_over", [False, True], ids=["as an await begins", "as it ends"])
@pytest.mark.parametrize("beside", ["alone", "over a kept connection", "over a new connection"])
def test_a_poll_may_be_cancelled_at_any_moment(service: Service, beside: str, is_over: bool) -> None:
    """Joining, connecting, sending, reading, leaving: at each await."""
    if beside == "over a new connection":
        service.say = lambda _: Say(headers="Connection: close\r\n", then="close")

    async def main() -> None:
        hook = await kept() if beside != "alone" else None
        for number in itertools.count():
            if beside == "over a kept connection":
                await poll(f"before-{number}")
            task = asyncio.ensure_future(cancelled_at(number, is_over, poll(f"job-{number}")))
            await asyncio.wait([task])
            assert [shared.members for shared in pools()] == ([1] if hook else [])
            if not task.cancelled():
                break
        assert isinstance(task.result(), Again)
        await all_slots_are_free(service)
        if hook:
            await hook.aclose()
        await until(lambda: not service.open)
        # Some were stopped before they had asked, and some after.
        assert {f"job-{n}" in service.polls() for n in range(number)} == {False, True}

    run(main())


def test_who_is_cancelled_while_the_session_closes_has_closed_it(service: Service) -> None:
    """And a member that joins in that moment has another."""

    async def main() -> None:
        hook = await kept()
        closing = asyncio.ensure_future(hook.aclose())
        await asyncio.sleep(0)
        assert pools() == []
        next_one = await kept()
        closing.cancel()
        await asyncio.wait([closing])
        second = asyncio.ensure_future(next_one.aclose())
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await until(lambda: not service.open)

    run(main())


# --------------------------------------------------------------------------------------- ends of another kind


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
