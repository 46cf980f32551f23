"""One ceiling in a Redis: its order, and a Redis that dies and comes back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.redis_server import SECRET, RedisServer, redis_server, settings_of

from airflow_provider_twinsync._http import ceiling as ceilings
from airflow_provider_twinsync._http.ceiling import open_ceiling, wait_for_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_twinsync._api.settings import Settings


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server(SECRET) as server:
        yield server


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
