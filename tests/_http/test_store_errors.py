"""The errors of a store: its address, its login, its scripts, and a server that does not answer."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.redis_server import SECRET, RedisServer, false_redis, redis_server, settings_of
from support.servers import closed_port

from airflow_provider_twinsync._http import ceiling as ceilings
from airflow_provider_twinsync._http.ceiling import check_store, open_ceiling, wait_for_turn
from airflow_provider_twinsync.exceptions import TwinSyncError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_twinsync._api.settings import Settings


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server(SECRET) as server:
        yield server


async def turn_and_close(settings: Settings) -> None:
    ceiling = open_ceiling(settings)
    assert ceiling
    try:
        await ceiling.turn()
    finally:
        await ceiling.close()


USES: dict[str, Callable[[Settings], Any]] = {
    "triggerer": lambda settings: asyncio.run(turn_and_close(settings)),
    "worker": lambda settings: wait_for_turn(settings, "requests"),
    "Test button": check_store,
}


@pytest.fixture(params=USES)
def use(request: pytest.FixtureRequest) -> Callable[[Settings], Any]:
    return USES[request.param]


def error_of(use: Callable[[Settings], Any], store: str, kind: type[TwinSyncError], **extra: Any) -> str:
    with pytest.raises(kind) as caught:
        use(settings_of(store, **extra))
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)
    return caught.value.code


# --------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "store",
    [
        "http://cache.example:6379",
        "redis+sentinel://cache.example",
        "memory://",
        f"cache.example:6379/{SECRET}",
        f"unix://:{SECRET}@/run/redis.sock",
        f"redis://:{SECRET}@cache.example:port",
        f"redis://:12/{SECRET}@cache.example/0?socket_timeout=x",
    ],
)
def test_an_address_of_another_kind_is_an_error_at_its_first_use(use: Any, store: str) -> None:
    """Not when the connection is read, and so not in a DAG file."""
    assert error_of(use, store, UsageError) == "TS217"


def test_a_missing_library_is_named(use: Any, redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the extra `redis`."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    assert error_of(use, redis.address, UsageError, submits_per_minute=1) == "TS218"


@pytest.mark.parametrize("login", [f":{SECRET}-of-another@", "", f"nobody:{SECRET}@"])
def test_a_wrong_login_is_an_error(use: Any, redis: RedisServer, login: str) -> None:
    """A wrong password, none, and an unknown user."""
    assert error_of(use, redis.address.replace(f":{SECRET}@", login), UsageError) == "TS219"


def test_a_database_that_is_not_there_is_an_error(use: Any, redis: RedisServer) -> None:
    """There are sixteen by default."""
    assert error_of(use, redis.address.replace("/0", "/99"), UsageError) == "TS220"


def test_a_redis_without_scripts_is_an_error(use: Any) -> None:
    """Before Redis 2.6."""
    with false_redis(b"-ERR unknown command\r\n") as store:
        assert error_of(use, store, UsageError) == "TS220"


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"-LOADING a moment\r\n"])
def test_a_server_without_an_answer_is_unreachable(use: Any, answer: bytes | None) -> None:
    """One that hangs, one of another protocol, and one that starts; within seconds."""
    with false_redis(answer) as store:
        began_s = time.monotonic()
        assert error_of(use, store, UnavailableError) == "TS221"
        assert time.monotonic() - began_s < 10


def test_nobody_at_the_address_is_unreachable(use: Any) -> None:
    """A retry may find it."""
    assert error_of(use, f"redis://:{SECRET}@127.0.0.1:{closed_port()}/0", UnavailableError) == "TS221"


def test_options_in_the_address_do_not_make_it_wait_longer(use: Any) -> None:
    """A hanging server would hold a worker for a minute."""
    with false_redis(None) as store:
        began_s = time.monotonic()
        assert error_of(use, f"{store}?socket_timeout=60", UnavailableError) == "TS221"
        assert time.monotonic() - began_s < 10


def test_a_hanging_redis_leaves_the_loop_to_others() -> None:
    """For all of its second, by the clock of the loop's own thread."""

    async def main(store: str) -> float:
        longest_s = 0.0
        ceiling = open_ceiling(settings_of(store))
        assert ceiling
        await asyncio.to_thread(ceilings._load, settings_of(store), "redis.asyncio")
        turn = asyncio.ensure_future(ceiling.turn())
        while not turn.done():
            began_s = time.thread_time()
            await asyncio.sleep(0.005)
            longest_s = max(longest_s, time.thread_time() - began_s)
        with pytest.raises(UnavailableError):
            await turn
        await ceiling.close()
        return longest_s

    with false_redis(None) as store:
        assert asyncio.run(main(store)) < 0.2
