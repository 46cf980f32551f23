"""A wait that is cancelled at any moment takes nothing along from the others."""

from __future__ import annotations

import asyncio
import itertools
import logging
import types
from typing import TYPE_CHECKING, Any

import pytest
from support import keepalive
from support.drive import first_event
from support.keepalive import LEAVES_NOTHING, NEVER, Say, kept, poll, pools, run, trigger, until

from airflow_provider_twinsync._http.async_client import MAX_CONNECTIONS
from airflow_provider_twinsync._wait.outcome import Again

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from support.keepalive import Service


pytestmark = LEAVES_NOTHING

service = keepalive.service  # the fixture


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
