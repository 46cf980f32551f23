"""A service that is down: few requests for all waits over a connection, and each wait logs it once."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support import keepalive
from support.drive import first_event
from support.keepalive import DONE, FAILED, LEAVES_NOTHING, NEVER, Say, lines_about, run, trigger, until

from airflow_provider_twinsync._http.async_client import MAX_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.keepalive import Service


pytestmark = LEAVES_NOTHING

service = keepalive.service  # the fixture


WAITS = 500


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a connection was tried; the loop does it all the same."""
    connects: list[float] = []
    connect = asyncio.SelectorEventLoop.sock_connect

    async def connect_and_note(self: Any, sock: Any, address: Any) -> None:
        connects.append(time.monotonic())
        await connect(self, sock, address)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", connect_and_note)
    return connects


@contextmanager
def down(service: Service, how: str) -> Iterator[None]:
    """Let the service be down."""
    says = {
        "hangs": Say(delay_s=NEVER),
        "503": Say(status=503),
        "503 with Retry-After": Say(status=503, headers="Retry-After: 2\r\n"),
    }
    if how == "nothing listens":
        service.stop()
    else:
        service.say = lambda _: says[how]
    yield
    service.say = lambda _: Say()
    if how == "nothing listens":
        service.start()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["nothing listens", "hangs", "503", "503 with Retry-After"])
def test_a_service_that_is_down_is_asked_by_one_and_not_by_all(
    service: Service, connect: Callable[..., None], logged: Callable[[], str], connects: list[float], how: str
) -> None:
    """Each wait logs the outage once, retries, and goes on after it."""
    # As short only where it is waited for: a busy machine would cause timeouts of its own.
    connect(port=service.port, request_timeout_s=2.0 if how == "hangs" else 30.0)

    async def main() -> None:
        waits = [
            asyncio.ensure_future(first_event(trigger(f"job-{n}", poke_interval_s=0.5, max_wait_s=0.5)))
            for n in range(WAITS)
        ]
        await until(lambda: len(service.polls()) == WAITS)
        asked, tried = len(service.asked), len(connects)
        with down(service, how):
            await asyncio.sleep(2.5)
            await until(lambda: len(lines_about(logged, "unavailable")) == WAITS, every_s=0.1)
            asked, tried = len(service.asked) - asked, len(connects) - tried
        assert not any(wait.done() for wait in waits)
        # Those that were under way when it began, and some probes; the 500 would poll five times each.
        assert 1 <= max(asked, tried) <= 2 * MAX_CONNECTIONS
        before = len(service.asked)
        await until(lambda: len(lines_about(logged, "available again")) == WAITS, every_s=0.1)
        assert len({one.job for one in service.asked[before:]}) == WAITS
        service.say = lambda _: Say(DONE)
        assert {(await wait)["reason"] for wait in waits} == {"succeeded"}

    run(main())
    log = logged()
    each = {f"job-{n}": 1 for n in range(WAITS)}
    assert lines_about(lambda: log, "unavailable") == each
    assert lines_about(lambda: log, "available again") == each
    assert lines_about(lambda: log, r"is (?:running|finished)") == dict.fromkeys(each, 2)
    assert lines_about(lambda: log, "") == dict.fromkeys(each, 4)


@pytest.mark.parametrize("code", [DONE, FAILED], ids=["succeeded", "failed"])
def test_the_answer_about_one_job_is_not_the_end_of_another(service: Service, code: int) -> None:
    """The body has the state, and not the HTTP status; with such a status the others do not poll."""
    odd = Say(code, status=503, headers="Retry-After: 1\r\n")
    service.say = lambda asked: odd if asked.job == "odd" else Say()

    async def main() -> None:
        others = [asyncio.ensure_future(first_event(trigger(f"job-{n}"))) for n in range(5)]
        await until(lambda: len(service.polls()) == 5)
        assert (await first_event(trigger("odd")))["reason"] == ("succeeded" if code == DONE else "failed")
        await asyncio.sleep(0.5)
        service.say = lambda _: Say(DONE)
        events = [await other for other in others]
        assert [event["result_url"] for event in events] == [
            f"http://127.0.0.1/job-{n}.mp4" for n in range(5)
        ]

    run(main())


def test_a_wait_whose_deadline_comes_while_the_service_is_down_looks_once_more(
    service: Service, logged: Callable[[], str]
) -> None:
    """A video that came in time is seen, although the circuit breaker is open."""
    away = Say(status=503, headers="Retry-After: 600\r\n")
    service.say = lambda asked: Say(DONE) if asked.job == "late" else away

    async def main() -> None:
        others = [asyncio.ensure_future(first_event(trigger(f"job-{n}"))) for n in range(5)]
        await until(lambda: len(lines_about(logged, "unavailable")) == 5)
        asked = len(service.asked)
        assert (await first_event(trigger("late", timeout_s=1.0)))["reason"] == "succeeded"
        assert [one.job for one in service.asked[asked:]] == ["late"]
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    run(main())
