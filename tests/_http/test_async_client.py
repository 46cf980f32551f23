"""One session for all waits over a connection, and its members."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from airflow.secrets import environment_variables
from support import keepalive
from support.drive import first_event
from support.keepalive import DONE, LEAVES_NOTHING, Say, done_after, kept, pools, reasons, run, trigger, until

from airflow_provider_twinsync._http.async_client import MAX_CONNECTIONS
from airflow_provider_twinsync._wait.config import WaitConfig
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.keepalive import Service


pytestmark = LEAVES_NOTHING

service = keepalive.service  # the fixture


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often Airflow looked up a connection; it does all the same."""
    counted: Counter[str] = Counter()
    backend = environment_variables.EnvironmentVariablesBackend
    get = backend.get_conn_value

    def get_and_count(self: Any, conn_id: str, *args: Any, **kwargs: Any) -> Any:
        counted[conn_id] += 1
        return get(self, conn_id, *args, **kwargs)

    monkeypatch.setattr(backend, "get_conn_value", get_and_count)
    return counted


def test_many_waits_need_few_connections_and_one_look_up_each(
    service: Service, look_ups: Counter[str]
) -> None:
    """The first opens the session, the last closes it, and a next one opens it again."""

    async def main() -> None:
        service.say = done_after(5)
        assert await reasons(200) == {"succeeded"}
        assert pools() == []
        await until(lambda: not service.open)
        assert service.polls() == {f"job-{n}": 5 for n in range(200)}
        assert service.connections <= MAX_CONNECTIONS
        assert look_ups == {"twinsync_default": 200}
        before = service.connections
        assert await reasons(1) == {"succeeded"}
        await until(lambda: not service.open)
        assert service.connections == before + 1

    run(main())


def test_a_session_stays_open_until_the_last_wait_ends(service: Service) -> None:
    """A wait that ends early closes nothing, and a wait that comes late opens nothing."""

    async def main() -> None:
        hook = await kept()
        service.say = done_after(2)
        for _ in range(3):
            assert await reasons(2) == {"succeeded"}
        assert 1 <= len(service.open) == service.connections <= 2
        [shared] = pools()
        assert shared.members == 1
        await hook.aclose()
        await hook.aclose()  # a second time changes nothing
        await until(lambda: not service.open)

    run(main())


def test_no_more_requests_are_made_at_once_than_there_are_connections(service: Service) -> None:
    """Of a slow service: the others queue, and no poll fails for it."""
    say = done_after(2)
    service.say = lambda asked: Say(say(asked).code, delay_s=0.05)
    assert run(reasons(200)) == {"succeeded"}
    assert service.most_at_once == MAX_CONNECTIONS
    assert service.connections <= MAX_CONNECTIONS
    assert len(service.asked) == 400


def test_two_loops_in_two_threads_have_a_session_each(service: Service) -> None:
    """As a triggerer beside a task that runs a loop of its own."""
    service.say = done_after(10)
    both, seen = threading.Barrier(2, timeout=30), {}

    async def main(name: str) -> None:
        waits = asyncio.gather(*(first_event(trigger(f"{name}-{n}")) for n in range(20)))
        await until(lambda: any(one.job.startswith(name) for one in service.asked))
        await asyncio.to_thread(both.wait)
        [shared] = pools()
        seen[name] = shared
        await asyncio.to_thread(both.wait)
        assert {event["reason"] for event in await waits} == {"succeeded"}

    errors = []

    def in_a_thread(name: str) -> None:
        try:
            run(main(name))
        except BaseException as error:  # it is raised below, in the thread of the test
            errors.append(error)

    threads = [threading.Thread(target=in_a_thread, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    assert seen["one"] is not seen["two"]
    assert len(service.asked) == 400
    run(until(lambda: not service.open))


@pytest.mark.parametrize(
    ("other_id", "extra", "count"),
    [("other", {}, 2), ("twinsync_default", {"request_timeout_s": 7}, 2), ("twinsync_default", {}, 1)],
    ids=["another id", "changed meanwhile", "the same"],
)
def test_each_connection_has_a_session(
    service: Service,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    other_id: str,
    extra: Any,
    count: int,
) -> None:
    """The same settings are the same connection, however often they are looked up."""

    async def main() -> None:
        async with aclosing(await kept()) as one, aclosing(TwinSyncHook(other_id)) as other:
            connect(port=service.port, **extra)
            monkeypatch.setenv("AIRFLOW_CONN_OTHER", os.environ["AIRFLOW_CONN_TWINSYNC_DEFAULT"])
            await other.apoll(Poller("second", WaitConfig()), 0.0)
            assert len(pools()) == service.connections == count
            assert (one._client is other._client) == (count == 1)

    run(main())


def test_a_host_that_cannot_be_seen_ends_the_wait(service: Service, connect: Callable[..., None]) -> None:
    """Zero-width characters come with a copy from a page."""
    connect(host="local\u200bhost", port=service.port)
    service.say = lambda _: Say(DONE)
    assert run(reasons(1)) == {"unusable"}
