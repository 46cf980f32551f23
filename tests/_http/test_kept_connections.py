"""The connections that the session of all waits keeps: closed, forgotten, or of a service that moves."""

from __future__ import annotations

import asyncio
import socket
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from support import keepalive
from support.keepalive import LEAVES_NOTHING, NEVER, Say, kept, run, service_on, until

from airflow_provider_twinsync._api.status import Job, JobState
from airflow_provider_twinsync.exceptions import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.keepalive import Service


pytestmark = LEAVES_NOTHING

service = keepalive.service  # the fixture


def between_polls(service: Service, failure: str) -> None:
    if failure == "closes what is idle":
        service.close_idle()
    elif failure == "is started again":
        service.stop()
        service.start()


FAILURES: dict[str, Say] = {
    "closes what is idle": Say(),
    "closes its half": Say(then="half"),
    "says that it closes": Say(headers="Connection: close\r\n", then="close"),
    "says that it closes and does not": Say(headers="Connection: close\r\n"),
    "closes as the next request comes": Say(status=0),
    "is started again": Say(),
}


ONE, SOME = [1, 1, 1], [8, 8, 1, 1]


@pytest.mark.parametrize(
    ("failure", "at_once"),
    [(failure, ONE) for failure in FAILURES]
    + [(failure, SOME) for failure in FAILURES if failure != "closes as the next request comes"],
)
def test_a_kept_connection_that_is_closed_is_no_failure(
    service: Service, failure: str, at_once: list[int]
) -> None:
    """A poll gets the status all the same, with one silent repeat at most."""
    is_late = FAILURES[failure].status == 0

    async def main() -> None:
        async with aclosing(await kept()) as hook:
            service.say = lambda asked: FAILURES[failure] if not is_late or asked.number > 1 else Say()
            for turn, count in enumerate(at_once):
                between_polls(service, failure)
                jobs = [f"job-{turn}-{n}" for n in range(count)]
                seen = await asyncio.gather(*map(hook.aget_job, jobs), return_exceptions=True)
                assert [one for one in seen if not isinstance(one, Job)] == []
        assert max(service.polls().values()) == (2 if is_late else 1)

    run(main())


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(service: Service) -> None:
    """It would be the video of another job."""
    service.say = lambda asked: Say(then="twice" if asked.job == "one" else "")

    async def main() -> None:
        async with aclosing(await kept()) as hook:
            await hook.aget_job("one")
            await until(lambda: service.answered == 3)
            await asyncio.sleep(0.1)  # the loop has read it by then
            assert (await hook.aget_job("another")).state is JobState.RUNNING

    run(main())


def test_connections_that_were_all_forgotten_cost_one_look(service: Service) -> None:
    """A router that drops them may show it only at their use, and the one repeat may meet another."""

    async def main() -> None:
        async with aclosing(await kept()) as hook:
            await asyncio.gather(*map(hook.aget_job, [f"before-{n}" for n in range(8)]))
            before = service.connections
            service.say = lambda asked: Say(status=0) if asked.connection <= before else Say()
            with pytest.raises(StatusError):
                await hook.aget_job("lost")
            for n in range(10):
                assert isinstance(await hook.aget_job(f"after-{n}"), Job)
        assert max(service.polls().values()) <= 2

    run(main())


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of `twinsync.test` for the resolver of this process; the last one counts."""
    resolve, addresses = socket.getaddrinfo, ["127.0.0.1"]

    def resolve_ours(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve(addresses[-1] if host == "twinsync.test" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_ours)
    return addresses


@pytest.mark.parametrize("becomes", ["closed", "silent"])
def test_a_service_that_moves_is_found_at_its_new_address(
    service: Service, connect: Callable[..., None], addresses: list[str], becomes: str
) -> None:
    """At once if the old one is closed; if it hangs, the polls under way are lost, and no other."""
    connect(host=f"http://twinsync.test:{service.port}", port=None, request_timeout_s=2)

    async def main() -> None:
        async with aclosing(await kept()) as hook:
            await asyncio.gather(*map(hook.aget_job, [f"before-{n}" for n in range(8)]))
            assert len(service.asked) == 9
            addresses.append("127.0.0.2")
            if becomes == "closed":
                service.stop()
            else:
                service.say = lambda _: Say(delay_s=NEVER)
                # Too few for the circuit breaker, which would stop the next ones.
                lost = await asyncio.gather(
                    *map(hook.aget_job, [f"lost-{n}" for n in range(4)]), return_exceptions=True
                )
                assert {type(one) for one in lost} <= {StatusError}
            at_the_old_one = len(service.asked)
            for n in range(3):
                assert isinstance(await hook.aget_job(f"after-{n}"), Job)
            assert len(service.asked) == at_the_old_one
            assert (len(moved.asked), moved.connections) == (3, 1)
        await until(lambda: not moved.open and not service.open)

    with service_on("127.0.0.2", service.port) as moved:
        run(main())
