"""A service that answers every status question of the benchmark of waiting, as cheaply as Python can.

It supports only the HTTP of this benchmark's clients: requests with or without a small body, on connections
that are kept alive. Each contender sends the requests of its own service, and all of them poll the same
jobs, which are numbered. A job begins with its first poll, and ends ``lifetime_s`` later, or by the control
path; until then the answer is "not yet".

Beside the answers it counts: questions, connections (and how many of them are open), and the moment at which
it wrote the first answer that a job has ended, on the clock that all processes of a machine share
(``CLOCK_MONOTONIC``). The control paths, which are not counted, are::

    /control/stats                      the counts, as JSON
    /control/finish?over_s=20&count=N   lets the jobs 1 to N end, spread over the next 20 s
    /control/ended                      {job: [when it ended, when the answer was written]}

It is started by ``bench_waiting.py``, prints its port, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import os
import re
import sys
import time
from urllib.parse import parse_qs, urlsplit

WARM_UP_JOB = 0  # ends at once
GOLDEN_RATIO = 0.6180339887498949  # its multiples, without their whole part, spread evenly in any order
JOB_IN_PATH = re.compile(rb"(\d+)/?$")
BODY_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def response(status: str, body: dict[str, object]) -> bytes:
    """Make the bytes of an answer; they are the same for every job, but for TwinSync's."""
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def fivetran(state: str, succeeded_at: str) -> dict[str, object]:
    """Make the body of Fivetran's answer about a connector."""
    return {
        "code": "Success",
        "data": {
            "id": "bench",
            "service": "bench",
            "schema": "bench",
            "schedule_type": "auto",
            "succeeded_at": succeeded_at,
            "failed_at": None,
            "status": {"sync_state": state, "setup_state": "connected"},
        },
    }


VIDEO = "http://127.0.0.1/bench.mp4"
TWINSYNC = (
    {"result_code": 102, "msg": "the task is running"},
    {"result_code": 100, "result_url": VIDEO, "msg": f"completed, and the output video url is: {VIDEO}"},
)
DATABRICKS = (
    {"state": {"life_cycle_state": "RUNNING", "state_message": ""}},
    {"state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS", "state_message": ""}},
)
#: How a path begins, and the answers while a job runs and when it has ended.
ANSWERS = {
    b"/phototalking": (response("200 OK", TWINSYNC[0]), response("200 OK", TWINSYNC[1])),
    b"/found/": (response("404 Not Found", {}), response("200 OK", TWINSYNC[1])),
    b"/api/v2/accounts/": (
        response("200 OK", {"data": {"id": 1, "status": 3}}),
        response("200 OK", {"data": {"id": 1, "status": 10}}),
    ),
    b"/api/2": (response("200 OK", DATABRICKS[0]), response("200 OK", DATABRICKS[1])),
    b"/v1/connectors/": (
        response("200 OK", fivetran("syncing", "2020-01-01T00:00:00Z")),
        response("200 OK", fivetran("scheduled", "2040-01-01T00:00:00Z")),
    ),
}


class World:
    """The jobs and the counts."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self.ends_at: dict[int, float] = {WARM_UP_JOB: 0.0}
        self.answered_at: dict[int, float] = {}
        self.polls = self.connections = self.open = 0

    def answer(self, path: bytes, body: bytes) -> bytes:
        """Answer a question about a job; it is the number that ends the body or the path."""
        found = JOB_IN_PATH.search(body.rstrip(b" }") or path)
        answers = next((both for start, both in ANSWERS.items() if path.startswith(start)), None)
        if found is None or answers is None:
            return response("400 Bad Request", {"path": path.decode()})
        self.polls += 1
        job, now = int(found.group(1)), time.monotonic()
        if now < self.ends_at.setdefault(job, now + self.lifetime_s):
            return answers[0]
        self.answered_at.setdefault(job, now)
        return answers[1]

    def control(self, path: str) -> dict[str, object]:
        """Answer the benchmark itself."""
        url = urlsplit(path)
        if url.path.endswith("/finish"):
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            now, over_s = time.monotonic(), float(query["over_s"])
            for job in range(1, int(query["count"]) + 1):
                self.ends_at[job] = now + over_s * math.modf(job * GOLDEN_RATIO)[0]
        elif url.path.endswith("/ended"):
            return {str(job): [self.ends_at[job], at] for job, at in self.answered_at.items()}
        jobs = len(self.ends_at) - 1
        return {"polls": self.polls, "jobs": jobs, "connections": self.connections, "open": self.open}


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.buffer = b""
        self.is_counted = False  # not before the first question about a job

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self.world.open -= self.is_counted

    def data_received(self, data: bytes) -> None:
        """Answer each complete request, and keep the rest."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = BODY_LENGTH.search(self.buffer, 0, end)
            whole = end + 4 + (int(length.group(1)) if length else 0)
            if len(self.buffer) < whole:
                return
            path = self.buffer[: self.buffer.index(b"\r\n")].split(b" ")[1]
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            if path.startswith(b"/control/"):
                self.transport.write(response("200 OK", self.world.control(path.decode())))
                continue
            if not self.is_counted:
                self.is_counted = True
                self.world.connections += 1
                self.world.open += 1
            self.transport.write(self.world.answer(path, body))


async def serve(lifetime_s: float) -> None:
    """Serve until standard input ends, which it does with the process that started this one."""
    world = World(lifetime_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(world), "127.0.0.1", 0, backlog=65_535)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.freeze()
    gc.disable()  # nothing here makes circles, and a pause would be seen as the client's
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lifetime-s", type=float, default=math.inf)
    parser.add_argument("--core", type=int, help="the only core to run on")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    asyncio.run(serve(arguments.lifetime_s))


if __name__ == "__main__":
    main()
