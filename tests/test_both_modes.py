"""A wait ends in the same way in the worker and in the triggerer, for any answers of the service.

The service answers by a generated script, one entry for each moment of a poll, and the clock stands still
until the wait sleeps: both modes then poll at the same moments.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.clock import Clock
from support.drive import Run, Store, run_task
from support.servers import Received, Server, answer

from airflow_provider_twinsync.operators import TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = "20230423_11_23_05_10279"
VIDEO = "http://api.twinsync.xyz:27323/example/a.mp4"
RESET, CLOSED = b"RST", b""


def status(code: Any, http: int = 200, **more: Any) -> bytes:
    return answer(http, json.dumps({"result_code": code, "msg": "words", **more}).encode())


WAITING, RUNNING, FAILED = status(101), status(102), status(104)
DONE = status(103, result_url=VIDEO)
DOWN = answer(500)
#: Answers without a status, and those of a job that is not finished.
GOES_ON = {
    "waiting": WAITING,
    "running": RUNNING,
    "waiting, as a text": status("101"),
    "running, HTTP 500": status(102, http=500),
    "done without an address": status(103),
    "100 without an address": status(100),
    "done with a wrong address": status(103, result_url=5),
    "another job's video": status(103, result_url=VIDEO, task_id=f"{ID}0"),
    "another job's failure": answer(
        200, json.dumps({"result_code": 104, "msg": f"taskID:{ID}0 failed"}).encode()
    ),
    "unknown id": status(200),
    "busy": status(203),
    "unknown code": status(777),
    "a code that is none": status(True, result_url=VIDEO),
    "a code of another type": status([100], result_url=VIDEO),
    "HTTP 400": answer(400, b"bad request"),
    "HTTP 404": answer(404),
    "HTTP 429": answer(429, Retry_After=30),
    "HTTP 500": DOWN,
    "HTTP 502": answer(502, b"<html>"),
    "HTTP 503": answer(503),
    "HTTP 503, come back": answer(503, Retry_After=7),
    "HTTP 503, come back tomorrow": answer(503, Retry_After=86_400),
    "not JSON": answer(200, b"<html>Welcome to nginx!</html>"),
    "a list": answer(200, b"[]"),
    "reset": RESET,
    "closed": CLOSED,
}
ENDS = {
    "100": status(100, result_url=VIDEO),
    "103": DONE,
    "103, with white space": status("103 ", result_url=f" {VIDEO}\n"),
    "failed": FAILED,
    "down for ever": DOWN,
    "waiting for ever": WAITING,
}


class ScriptedServer(Server):
    """A server that can reset a connection too."""

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            method, target, _ = reader.readline().decode().split(" ")
            length = 0
            while line := reader.readline().strip().lower():
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            reader.read(length)
            [said] = self.respond(Received(method, target, {}, b""))
            if said == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                connection.sendall(said)


@dataclass
class Service:
    """The answers of the service in one run, and the times of its polls (`aiohttp` may send two at once)."""

    script: list[bytes]
    clock: Clock
    asked_at_s: list[float] = field(default_factory=list)

    def respond(self, request: Received) -> list[bytes]:
        if request.method == "POST":
            return [answer(200, json.dumps({"result_code": 100, "task_id": ID}).encode())]
        if self.clock.now_s not in self.asked_at_s:
            self.asked_at_s.append(self.clock.now_s)
        return [self.script[min(len(self.asked_at_s), len(self.script)) - 1]]


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer(socket.create_server(("127.0.0.1", 0)), lambda _: [])
    threading.Thread(target=scripted.run, daemon=True).start()
    yield scripted
    scripted.listening.shutdown(socket.SHUT_RDWR)
    scripted.listening.close()


@dataclass
class Case:
    """One service, one connection, and the arguments of a wait."""

    polls: list[str]
    end: str
    tolerance_s: float = 300.0
    arguments: dict[str, Any] = field(default_factory=dict)

    def run(
        self, server: ScriptedServer, operator: type, *, deferrable: bool, store: Store | None = None
    ) -> tuple:
        """Return everything that both modes must have in common."""
        with pytest.MonkeyPatch.context() as patch:
            clock = Clock(patch)
            service = Service([*(GOES_ON[poll] for poll in self.polls), ENDS[self.end]], clock)
            server.respond = service.respond
            connection = {
                "conn_type": "twinsync",
                "host": "127.0.0.1",
                "port": server.port,
                "password": "key",
            }
            extra = {"tolerance_s": self.tolerance_s}
            patch.setenv("AIRFLOW_CONN_TWINSYNC_DEFAULT", json.dumps({**connection, "extra": extra}))
            run = run_task(operator(deferrable=deferrable, **self.arguments), store=store)
            assert run.trigger is None or deferrable
            return shown(run), [round(at_s, 3) for at_s in service.asked_at_s]


def shown(run: Run) -> tuple[Any, ...]:
    """Return the result or the exception, with its message if Airflow keeps it, and the XComs."""
    # BaseSensorOperator replaces the message of a deferred sensor's skip.
    words = "" if run.ended == "AirflowSkipException" else str(run.error)
    # Each library has its own message for a reset.
    words = re.sub(r"no answer: .*?(?=\)?\. [A-Z][^.]* (id|job)\b)", "no answer", words)
    return run.ended, run.result, words, run.xcoms


SECONDS = st.sampled_from([0.5, 1.0, 5.0, 20.0, 100.0])
ARGUMENTS = st.fixed_dictionaries(
    {"poke_interval": st.sampled_from([0.5, 2, 5, 60]), "timeout": SECONDS},
    optional={
        "execution_timeout": SECONDS.map(lambda seconds: timedelta(seconds=seconds)),
        "exponential_backoff": st.just(True),
        "max_wait": st.sampled_from([1, 30, timedelta(seconds=90)]),
    },
)
CASES = st.builds(
    Case,
    st.lists(st.sampled_from(sorted(GOES_ON)), max_size=12),
    st.sampled_from(sorted(ENDS)),
    st.sampled_from([1.0, 10.0, 300.0]),
    ARGUMENTS,
)
AS_IT_TAKES = settings(
    max_examples=60,
    deadline=None,  # a busy machine is slow
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def sensor(**arguments: Any) -> TwinSyncSensor:
    return TwinSyncSensor(task_id="wait", twinsync_task_id=ID, **arguments)


def submit(**arguments: Any) -> TwinSyncSubmitOperator:
    inputs = {"text": "你好", "image_url": "https://example.com/a.jpg", "pronouncer": "zh-CN-XiaohanNeural"}
    return TwinSyncSubmitOperator(task_id="submit", wait_for_completion=True, **inputs, **arguments)


@AS_IT_TAKES
@given(
    case=CASES,
    skips=st.sampled_from([{}, {"soft_fail": True}, {"never_fail": True}]),
    silent_fail=st.booleans(),
)
# The outage begins at the poll of the worker, and its tolerance and delay go over to the triggerer.
@example(Case(["HTTP 500"] * 3, "103", 10.0, {"poke_interval": 5, "timeout": 1000}), {}, False)
@example(Case(["HTTP 429"], "103", 10.0, {"poke_interval": 5, "timeout": 20}), {}, False)
# The service is down: the delays grow, and the deadline may be in one of them.
@example(Case(["HTTP 500"] * 8, "103", 300.0, {"poke_interval": 0.5, "timeout": 100}), {}, False)
@example(
    Case(["running", *["HTTP 500"] * 8], "103", 300.0, {"poke_interval": 0.5, "timeout": 100}), {}, False
)
@example(Case(["HTTP 500"] * 8, "103", 300.0, {"poke_interval": 0.5, "timeout": 5}), {}, False)
@example(Case(["running", *["HTTP 500"] * 8], "103", 300.0, {"poke_interval": 0.5, "timeout": 5}), {}, True)
@example(Case(["HTTP 503, come back"] * 8, "103", 300.0, {"poke_interval": 0.5, "timeout": 100}), {}, False)
# Finished without an address, with something else in between.
@example(
    Case(["100 without an address", "HTTP 400"] * 3, "100", 1.0, {"poke_interval": 0.5, "timeout": 5}),
    {},
    False,
)
# An answer with a code is no outage, for example with HTTP 500.
@example(Case(["running, HTTP 500"] * 10, "103", 300.0, {"poke_interval": 0.5, "timeout": 100}), {}, False)
def test_a_sensor_ends_alike_in_both_modes(server, case, skips, silent_fail):
    """The same exception with the same message, or the same address, after polls at the same moments."""
    case = replace(case, arguments={**case.arguments, **skips, "silent_fail": silent_fail})
    assert case.run(server, sensor, deferrable=True) == case.run(server, sensor, deferrable=False)


@AS_IT_TAKES
@given(case=CASES, recorded=st.booleans())
@example(Case(["HTTP 500", "HTTP 500", "reset"], "100", 1.0, {"poke_interval": 0.5, "timeout": 1}), False)
def test_the_one_task_form_ends_alike_in_both_modes(server, case, recorded):
    """It waits as the sensor does, with or without a submit record."""
    deferred, polled = (
        case.run(server, submit, deferrable=deferrable, store=Store() if recorded else None)
        for deferrable in (True, False)
    )
    assert deferred == polled


@AS_IT_TAKES
@given(case=CASES)
def test_both_operators_wait_alike(server, case):
    """With a record, which makes a retry free, both end alike; a failed job may be submitted again."""
    waited, asked_at_s = case.run(server, sensor, deferrable=True)
    one_task, also_asked_at_s = case.run(server, submit, deferrable=True, store=Store())
    assert asked_at_s == also_asked_at_s
    ended = "AirflowException" if "(code 104)" in waited[2] else waited[0]
    assert one_task[0] == ended
