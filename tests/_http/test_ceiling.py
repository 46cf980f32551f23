"""The requests of all waits over a connection: a ceiling, turns, and a loop that is free for others."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from support import keepalive
from support.drive import first_event
from support.environment import AIRFLOW_VERSION
from support.keepalive import (
    DONE,
    LEAVES_NOTHING,
    NEVER,
    Say,
    done_after,
    kept,
    lines_about,
    reasons,
    run,
    trigger,
    until,
)

from airflow_provider_twinsync._http.async_client import MAX_CONNECTIONS, join
from airflow_provider_twinsync._wait import poller as polling
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.keepalive import Service


pytestmark = LEAVES_NOTHING

service = keepalive.service  # the fixture


# --------------------------------------------------------------------------------- requests per second


@dataclass(frozen=True)
class Sent:
    """A request that had its turn: for which job, and when by the clock of the loop that sends it."""

    job: str
    at_s: float


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """The requests, in order; on a busy machine it may arrive late, and in another order."""
    sent: list[Sent] = []
    connect = aiohttp.TCPConnector.connect

    async def note_and_connect(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(Sent(request.url.query["taskID"], time.monotonic()))
        return await connect(self, request, *args, **kwargs)

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", note_and_connect)
    return sent


@pytest.fixture
def late_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every timer of a loop rings 40 ms late, as on a busy machine."""
    call_at = asyncio.BaseEventLoop.call_at

    def call_late(self: Any, when: float, *args: Any, **kwargs: Any) -> Any:
        return call_at(self, when + 0.04, *args, **kwargs)

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_at", call_late)


@pytest.mark.slow
def test_all_waits_together_keep_to_the_ceiling_and_take_turns(
    service: Service,
    connect: Callable[..., None],
    sent: list[Sent],
    late_timers: None,
    logged: Callable[[], str],
) -> None:
    """100 polls at once: those above the ceiling come later, in their turn, and are no outage."""
    ceiling, count, turns = 50, 100, 2
    connect(port=service.port, requests_per_second=ceiling)
    service.say = done_after(turns)
    started_at = time.time()
    # All of them want to poll at the same moment, and again soon after. In Airflow 2 and 3.0 a thread
    # reads the connection for one after the other, and all are to have it by then.
    first_s = 1.0 if AIRFLOW_VERSION >= (3, 1) else 15.0
    assert run(reasons(count, started_at=started_at, next_poll_s=first_s)) == {"succeeded"}
    times = [one.at_s for one in sent]
    assert len(times) == len(service.asked) == count * turns
    burst = ceiling / 10
    most = max(sum(begin_s <= at_s < begin_s + 1 for at_s in times) for begin_s in times)
    assert most <= ceiling + burst + 1
    # A timer for each request would let through a third of the ceiling, as late as they are.
    assert len(times) / (times[-1] - times[0]) >= 0.6 * ceiling
    served: Counter[str] = Counter({f"job-{n}": 0 for n in range(count)})
    for one in sent:
        served[one.job] += 1
        # A wait without its connection has no turn yet.
        assert AIRFLOW_VERSION < (3, 1) or min(served.values()) >= served[one.job] - 1
    assert not lines_about(logged, "unavailable")


def test_a_ceiling_of_less_than_one_a_second_is_kept_to(
    service: Service, connect: Callable[..., None], sent: list[Sent]
) -> None:
    """One request in two seconds."""
    connect(port=service.port, requests_per_second=0.5)

    async def main() -> None:
        async with aclosing(await kept()):
            service.say = lambda _: Say(DONE)
            assert await reasons(1) == {"succeeded"}

    run(main())
    first, second = sent
    assert 1.99 < second.at_s - first.at_s < 3.9


def test_a_ceiling_is_that_of_all_waits_and_not_of_those_at_once(
    service: Service, connect: Callable[..., None], sent: list[Sent]
) -> None:
    """Each of these ends before the next begins, as if videos are finished at the first poll."""
    connect(port=service.port, requests_per_second=1)
    service.say = lambda _: Say(DONE)

    async def main() -> None:
        for _ in range(3):
            assert await reasons(1) == {"succeeded"}

    run(main())
    assert len(sent) == 3
    assert sent[-1].at_s - sent[0].at_s > 1.99


def test_a_triggerer_without_a_ceiling_asks_as_often_as_its_waits_want(service: Service) -> None:
    """There is no default bound."""
    service.say = lambda _: Say(DONE)
    assert run(reasons(300, started_at=time.time(), next_poll_s=1.0)) == {"succeeded"}
    # A fraction of a second; of a busy machine no more can be asked.
    assert service.asked[-1].at_s - service.asked[0].at_s < 5.0


@pytest.mark.parametrize(("ceiling", "lines"), [(1 / 3600, 1), (1.0, 0)])
def test_a_ceiling_below_a_poll_an_hour_for_each_wait_is_warned_of_once(
    service: Service,
    connect: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    ceiling: float,
    lines: int,
) -> None:
    """With the numbers, in each triggerer."""
    connect(port=service.port, requests_per_second=ceiling)

    async def main() -> None:
        settings = TwinSyncHook().settings()
        clients = [await join(settings) for _ in range(4)]
        for client in clients:
            await client.leave()

    run(main())
    warnings = [one.getMessage() for one in caplog.records if one.getMessage().startswith("TS223 ")]
    assert len(warnings) == lines
    assert all(" 2 waits " in warning for warning in warnings)


# ----------------------------------------------------------------------------- the deadline in a long queue


@pytest.fixture
def short_last_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time for which a poll waits for its turn beyond the deadline."""
    monkeypatch.setattr(polling, "_LAST_TURN_S", 0.3)


@pytest.mark.parametrize("queue", ["slots", "ceiling"])
def test_a_wait_at_its_deadline_does_not_stay_in_a_queue(
    service: Service, connect: Callable[..., None], short_last_turn: None, queue: str
) -> None:
    """Airflow ends it soon after, and would name no job and no reason."""
    connect(port=service.port, **({"requests_per_second": 0.1} if queue == "ceiling" else {}))
    service.say = lambda _: Say(delay_s=NEVER)
    count = MAX_CONNECTIONS + 20

    async def main() -> None:
        others = [asyncio.ensure_future(first_event(trigger(f"job-{n}"))) for n in range(count)]
        at_once = 1 if queue == "ceiling" else MAX_CONNECTIONS
        await until(lambda: len(service.asked) == at_once)
        await asyncio.sleep(0.3)
        assert len(service.asked) == at_once
        began = time.monotonic()
        event = await first_event(trigger("late", timeout_s=0.5))
        took_s = time.monotonic() - began
        assert event["reason"] == "timeout"
        assert event["message"].startswith("TS405 TwinSync job late ")
        assert 0.5 <= took_s < 15  # the slots are held for 30 s, and the turn comes in minutes
        assert service.polls()["late"] == 0
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    run(main())


def test_all_waits_of_a_ceiling_that_is_too_low_end_at_their_deadlines_about(
    service: Service, connect: Callable[..., None], short_last_turn: None
) -> None:
    """Not one after the other, as their turns come."""
    connect(port=service.port, requests_per_second=0.5)
    began = time.monotonic()
    assert run(reasons(50, timeout_s=0.5)) == {"timeout"}
    took_s = time.monotonic() - began
    assert took_s < 15  # their turns would take 100 s
    assert len(service.asked) <= 2 + 0.5 * took_s


# ------------------------------------------------------------------------------------------------- the log


def test_a_poll_is_no_line_in_the_log(
    service: Service,
    logged: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of any logger: a wait of fifty polls logs that the job is running, and that it is finished."""
    monkeypatch.setattr(polling, "_MIN_DELAY_S", 0.01)  # or fifty polls would take five seconds
    caplog.set_level(logging.INFO)
    service.say = done_after(50)
    assert run(reasons(1, poke_interval_s=0.01, max_wait_s=0.01)) == {"succeeded"}
    assert service.polls() == {"job-0": 50}
    lines = [line for line in logged().splitlines() if line.strip()]
    texts = {re.sub(r".*?(TwinSync job job-0 \w+ \w+).*", r"\1", line) for line in lines}
    # Airflow 2 and 3.0 have some of their own, of a connection that they look up.
    ours = {text for text in texts if AIRFLOW_VERSION >= (3, 1) or "job-0" in text}
    assert ours == {"TwinSync job job-0 is running", "TwinSync job job-0 is finished"}
    assert len(lines) < 10
    assert len(caplog.records) < 10


def test_many_waits_leave_the_loop_to_others(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step of theirs is long, by the clock of the loop's own thread; a busy machine does not count."""
    service.say = lambda _: Say()
    gaps: list[float] = []

    async def beat() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.005)
            gaps.append(time.thread_time() - began)

    async def main() -> None:
        waits = [asyncio.ensure_future(first_event(trigger(f"job-{n}"))) for n in range(300)]
        await until(lambda: len(service.polls()) == 300)
        beating = asyncio.ensure_future(beat())
        await until(lambda: len(service.asked) > 1200)
        for task in (beating, *waits):
            task.cancel()
        await asyncio.gather(beating, *waits, return_exceptions=True)

    run(main())
    assert len(gaps) > 10
    assert max(gaps) < 0.1
