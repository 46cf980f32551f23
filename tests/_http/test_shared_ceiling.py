"""One ceiling in a Redis: its order, its bad addresses, and a Redis that dies and comes back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.redis_server import RedisServer, false_redis, redis_server
from support.servers import closed_port

from airflow_provider_twinsync._api.settings import Settings, parse_connection
from airflow_provider_twinsync._http import ceiling as ceilings
from airflow_provider_twinsync._http.ceiling import check_store, open_ceiling, wait_for_turn
from airflow_provider_twinsync.exceptions import TwinSyncError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "secret-of-redis"


def settings_of(store: str | None, **extra: Any) -> Settings:
    extra = {"requests_per_second": 50, **({"requests_per_second_store": store} if store else {}), **extra}
    return parse_connection("c", host=None, port=None, schema=None, password="k", extra=json.dumps(extra))


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


# ------------------------------------------------------------------------------------------- the ceiling


def test_nothing_bounds_a_connection_without_a_ceiling() -> None:
    """Its store may be for the submits alone."""
    settings = settings_of("redis://127.0.0.1:1/0", requests_per_second=None)
    assert open_ceiling(settings) is None
    assert wait_for_turn(settings, "requests")


def test_cancelled_turns_neither_block_nor_leak(redis: RedisServer) -> None:
    """At any moment, many times; then ten turns come in their time, and after a close one more."""
    settings = settings_of(redis.address, requests_per_second=100, path="/cancelled")

    async def main() -> float:
        ceiling = open_ceiling(settings)
        assert ceiling
        for n in range(60):
            turns = [asyncio.ensure_future(ceiling.turn()) for _ in range(2)]
            await asyncio.sleep(n * 0.0002)
            for turn in turns:
                turn.cancel()
            await asyncio.gather(*turns, return_exceptions=True)
        began_s = time.monotonic()
        for _ in range(10):
            await ceiling.turn()
        took_s = time.monotonic() - began_s
        await ceiling.close()
        await ceiling.turn()
        await ceiling.close()
        return took_s

    # Each cancelled turn may have reserved one: 120 of them at most, of which most are kept.
    assert 0.07 < asyncio.run(main()) < 5


@pytest.mark.slow
def test_a_process_in_the_queue_is_passed_when_it_is_gone(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that gives up keeps no place for long, as a task that is killed."""
    from airflow_provider_twinsync._http import shared_store

    monkeypatch.setattr(shared_store, "FORGOTTEN_S", 0.2)
    settings = settings_of(redis.address, requests_per_second=0.25, path="/gone")

    async def main() -> float:
        first, second = open_ceiling(settings), open_ceiling(settings)
        assert first
        assert second
        await first.turn()  # the next turn comes in four seconds
        monkeypatch.setattr(shared_store, "this_process", lambda: "a task that is killed")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(second.turn(), 0.1)
        await second._client.aclose()
        monkeypatch.undo()
        began_s = time.monotonic()
        await first.turn()
        await first.close()
        return time.monotonic() - began_s

    assert 3 < asyncio.run(main()) < 6.5  # behind the one that is gone it would be eight


@pytest.mark.parametrize("side", ["triggerer", "worker"])
def test_a_redis_that_dies_and_comes_back_is_no_error(side: str, caplog: pytest.LogCaptureFixture) -> None:
    """The share of the process counts meanwhile, and one line says each."""
    caplog.set_level("INFO")
    with redis_server(SECRET) as server:
        settings = settings_of(server.address, path=f"/{side}")

        def drive(step: Callable[[], Any], turns: Any) -> None:
            step()
            server.kill()
            began_s = time.monotonic()
            for _ in range(10):
                step()
            assert time.monotonic() - began_s > 0.17  # bounded
            server.start()
            turns()._ask_at_s = 0.0  # or it would be asked after ten seconds
            for _ in range(3):
                step()

        if side == "worker":
            drive(lambda: wait_for_turn(settings, "requests"), lambda: worker_of(settings).turns)
        else:
            loop = asyncio.new_event_loop()
            ceiling = open_ceiling(settings)
            assert ceiling
            drive(lambda: loop.run_until_complete(ceiling.turn()), lambda: ceiling._turns)
            loop.run_until_complete(ceiling.close())
            loop.close()
    lines = [record for record in caplog.records if record.name.endswith("._http.turn_policy")]
    assert [line.levelname for line in lines] == ["WARNING", "INFO"]
    assert lines[0].getMessage().startswith("TS222 Connection 'c'")
    assert not any(SECRET in record.getMessage() for record in caplog.records)


def worker_of(settings: Settings) -> Any:
    [worker] = [worker for (_, one, _), worker in ceilings._of_process.items() if one == settings]
    return worker


PROCESS = """
import asyncio, json, sys, time
from airflow_provider_twinsync._api.settings import parse_connection
from airflow_provider_twinsync._http.ceiling import open_ceiling, wait_for_turn
side, extra, count = sys.argv[1:]
settings = parse_connection("c", host=None, port=None, schema=None, password="k", extra=extra)
async def triggerer():
    ceiling = open_ceiling(settings)
    for _ in range(int(count)):
        await ceiling.turn()
        print(time.monotonic(), flush=True)
    await ceiling.close()
def worker():
    for _ in range(int(count)):
        wait_for_turn(settings, "requests")
        print(time.monotonic(), flush=True)
wait_for_turn(settings, "submits")  # its library is loaded
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(triggerer()) if side == "triggerer" else worker()
"""


@pytest.mark.slow
def test_four_processes_share_one_ceiling_and_take_turns(redis: RedisServer) -> None:
    """Two triggerers and two workers: in any number of turns each has its part, however late they are."""
    count, ceiling = 25, 40
    extra = json.dumps(
        {
            "requests_per_second": ceiling,
            "requests_per_second_store": redis.address,
            "submits_per_minute": 6_000,
            "path": "/four",
        }
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, side, extra, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for side in ("triggerer", "worker", "triggerer", "worker")
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    outputs: list[str] = [""] * 4

    def finish(n: int) -> None:
        outputs[n] = processes[n].communicate("\n", timeout=60)[0]

    threads = [threading.Thread(target=finish, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [[float(line) for line in output.split()] for output in outputs]
    assert [len(one) for one in times] == [count] * 4
    everything = sorted(at_s for one in times for at_s in one)
    # The first is not waited for, and the last is not followed: as many spaces as turns, but one.
    assert everything[-1] - everything[0] > (len(everything) - 1) / ceiling * 0.95
    # None is done before each of the others has most of its turns.
    first_end_s = min(one[-1] for one in times)
    assert min(sum(at_s <= first_end_s for at_s in one) for one in times) > count / 2
