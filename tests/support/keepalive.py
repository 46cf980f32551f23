"""A service that keeps its connections open and counts them, in a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import socket
import threading
import time
from collections import Counter
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from airflow_provider_twinsync._http import async_client as pool
from airflow_provider_twinsync._wait.config import WaitConfig
from airflow_provider_twinsync._wait.outcome import Again
from airflow_provider_twinsync._wait.poller import Poller
from airflow_provider_twinsync.hooks import TwinSyncHook
from support.drive import first_event, trigger_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from airflow_provider_twinsync.triggers import TwinSyncTrigger

RUNNING, DONE, FAILED = 102, 100, 104
NEVER = float("inf")


@dataclass(frozen=True)
class Asked:
    """A request as it came: for which job, when, over which connection, as the how manieth of that."""

    job: str
    at_s: float
    connection: int
    number: int


@dataclass(frozen=True)
class Say:
    """An answer, its time, and the end of its connection; a status of 0 is no answer."""

    code: int = RUNNING
    delay_s: float = 0.0
    status: int = 200
    headers: str = ""
    then: str = ""  # "close" it, or "half" of it, or "twice" the answer: the second with a video


class Service:
    """It listens between :meth:`start` and :meth:`stop`, each time on the same port.

    :param host: the address on loopback.
    :param port: 0 for one that is free.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port = host, port
        self.say: Callable[[Asked], Say] = lambda _: Say()
        self.asked: list[Asked] = []
        self.connections = self.answered = 0
        self.open: set[_Connection] = set()
        self.under_way: set[_Connection] = set()
        self.most_at_once = 0
        self.loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    def start(self) -> None:
        self._in_loop(self._start())

    def stop(self) -> None:
        """Stop listening, and close all connections."""
        self._in_loop(self._stop())

    def end(self) -> None:
        """Stop for good."""
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def close_idle(self) -> None:
        """Close every connection that waits for a request."""

        async def close() -> None:
            for connection in self.open - self.under_way:
                connection.transport.close()

        self._in_loop(close())

    def polls(self) -> Counter[str]:
        return Counter(one.job for one in self.asked)

    def _in_loop(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self.loop).result(30)

    async def _start(self) -> None:
        listening = socket.create_server((self.host, self.port), backlog=1000)
        self.port = listening.getsockname()[1]
        self._server = await self.loop.create_server(lambda: _Connection(self), sock=listening)

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for connection in list(self.open):
            connection.transport.abort()
        await asyncio.sleep(0.01)


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self.service = service
        self.received = b""
        self.requests = 0
        self.answering: asyncio.TimerHandle | None = None
        self.is_half_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.service.connections += 1
        self.number = self.service.connections
        self.service.open.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.service.open.discard(self)
        self.service.under_way.discard(self)
        if self.answering:
            self.answering.cancel()

    def data_received(self, data: bytes) -> None:
        if self.is_half_closed:  # too late for an answer
            return
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            found = re.match(rb"GET /phototalking\?taskID=(\S*) HTTP/1.1\r\n", head)
            assert found, head
            self.requests += 1
            asked = Asked(unquote(found[1].decode()), time.monotonic(), self.number, self.requests)
            self.service.asked.append(asked)
            self.service.under_way.add(self)
            self.service.most_at_once = max(self.service.most_at_once, len(self.service.under_way))
            say = self.service.say(asked)
            if not say.delay_s:
                self.answer(asked, say)
            elif say.delay_s != NEVER:
                self.answering = self.service.loop.call_later(say.delay_s, self.answer, asked, say)

    def answer(self, asked: Asked, say: Say) -> None:
        self.service.under_way.discard(self)
        if not say.status:
            self.transport.close()
            return
        body = {"result_code": say.code, "msg": "", "result_url": f"http://127.0.0.1/{asked.job}.mp4"}
        # An error page has no job, unless the test adds one.
        text = json.dumps(body if say.status == 200 or say.code != RUNNING else {}).encode()
        head = f"HTTP/1.1 {say.status} Because\r\nContent-Length: {len(text)}\r\n{say.headers}\r\n"
        self.transport.write(head.encode() + text)
        self.service.answered += 1
        if say.then == "half":
            self.transport.write_eof()
            self.is_half_closed = True
        elif say.then == "twice":
            self.service.loop.call_later(0.05, self.answer, asked, Say(DONE))
        elif say.then:
            self.transport.close()


@contextmanager
def service_on(host: str = "127.0.0.1", port: int = 0) -> Iterator[Service]:
    service = Service(host, port)
    try:
        yield service
    finally:
        service.end()


async def until(ready: Callable[[], Any], within_s: float = 30.0, every_s: float = 0.005) -> None:
    """Wait for a change in another thread, without an event of this loop."""
    end_s = time.monotonic() + within_s
    while not ready():
        if time.monotonic() > end_s:
            pytest.fail("it did not happen in time")
        await asyncio.sleep(every_s)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a loop, for two minutes at most, and see that neither a task nor a pool is left in it."""

    async def checked() -> Any:
        result = await asyncio.wait_for(main, 120)
        await asyncio.sleep(0)  # the last cancelled task runs
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert pools() == []
        return result

    result = asyncio.run(checked())
    gc.collect()
    return result


# ----------------------------------------------------------------------------- helpers of the tests


def done_after(polls: int) -> Callable[[Asked], Say]:
    """Let each job be finished when it is asked for so often."""
    seen: Counter[str] = Counter()

    def say(asked: Asked) -> Say:
        seen[asked.job] += 1
        return Say(DONE if seen[asked.job] >= polls else RUNNING)

    return say


def trigger(job: str, **fields: Any) -> TwinSyncTrigger:
    return trigger_of(job, **{"poke_interval_s": 0.1, "max_wait_s": 0.1, "timeout_s": 60.0, **fields})


async def reasons(count: int, **fields: Any) -> set[str]:
    """Run a number of waits, and return their ends."""
    events = await asyncio.gather(*(first_event(trigger(f"job-{n}", **fields)) for n in range(count)))
    return {event["reason"] for event in events}


#: A session or a socket that is left open is found when the collector meets it, and pytest then warns.
LEAVES_NOTHING = [
    pytest.mark.filterwarnings("error::ResourceWarning"),
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]


async def poll(job: str) -> Any:
    """Take one step of a wait, as a trigger does."""
    async with aclosing(TwinSyncHook()) as hook:
        return await hook.apoll(Poller(job, WaitConfig()), 0.0)


async def kept() -> TwinSyncHook:
    """Return a hook that has joined, and that keeps the session open until it leaves."""
    hook = TwinSyncHook()
    assert isinstance(await hook.apoll(Poller("first", WaitConfig()), 0.0), Again)
    return hook


def pools() -> list[pool.AsyncClient]:
    """Return the pools of this loop that a hook has joined."""
    return [one for one in pool._pools.get(asyncio.get_running_loop(), {}).values() if one.members]


def lines_about(logged: Callable[[], str], words: str) -> Counter[str]:
    """Count the log's lines with some words after a job; Airflow 2 prints each line twice."""
    return Counter(re.findall(rf"(?m)^[^\[\n].*?job ([\w-]+) {words}", logged()))


@pytest.fixture
def service(connect: Callable[..., None], caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """A service that keeps its connections open; the default connection leads to it."""
    gc.freeze()  # the collector examines only objects of the test, and not all of Airflow each time
    with service_on() as service:
        connect(port=service.port)
        yield service
    gc.unfreeze()
    # `aiohttp` and `asyncio` report open connections and unread exceptions to asyncio's log.
    errors = [r for r in caplog.get_records("call") if r.name == "asyncio" and r.levelno >= logging.WARNING]
    assert [error.getMessage() for error in errors] == []
