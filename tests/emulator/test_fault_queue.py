"""The faults that wait, for example their order and their number, and wrong faults."""

from __future__ import annotations

import pytest

from airflow_provider_twinsync.emulator import (
    Body,
    FailJob,
    GzipBomb,
    Hang,
    HttpError,
    InterimResponse,
    NotJson,
    Padded,
    ResultCode,
    Slow,
    Truncated,
)
from airflow_provider_twinsync.emulator.fault_queue import MAX_PENDING


def test_faults_are_used_in_order_each_as_often_as_it_says(client, emulator):
    """First in, first out; ``None`` until a reset."""
    for fault in (HttpError(500, times=2), HttpError(502), HttpError(504, times=None)):
        emulator.world.faults.add("status", fault)
    assert [client.get("x").status_code for _ in range(6)] == [500, 500, 502, 504, 504, 504]
    emulator.world.reset()
    assert client.get("x").status_code == 200


@pytest.mark.parametrize(
    ("call", "fault"),
    [("cancel", Hang()), ("status", FailJob()), ("submit", Truncated(1)), ("result", ResultCode(100))],
)
def test_a_fault_that_cannot_happen_to_a_call_is_an_error(emulator, call, fault):
    """At once, and not when a test wonders why nothing happens."""
    with pytest.raises(ValueError, match=call):
        emulator.world.faults.add(call, fault)


@pytest.mark.parametrize(
    "make",
    [
        lambda: HttpError(200),
        lambda: HttpError(503, retry_after_s=-1),
        lambda: Slow("1"),
        lambda: Slow(float("inf")),
        lambda: Truncated(True),
        lambda: Hang(times=0),
        lambda: NotJson(None),
        lambda: NotJson("x" * 32_001),
        lambda: Body(["x" * 32_000]),
        lambda: Body(object()),
        lambda: ResultCode("1" * 1_001),
        lambda: Slow(10**400),
        lambda: InterimResponse(101),
        lambda: InterimResponse(200),
        lambda: GzipBomb(layers=5),
        lambda: GzipBomb(mebibytes=5000),
        lambda: Padded(1),
        lambda: Slow(float("nan")),
    ],
)
def test_a_fault_with_a_wrong_value_is_an_error(make):
    """Out of range, or of another type."""
    with pytest.raises(ValueError, match="fault"):
        make()


def test_the_faults_that_wait_are_bounded(client, emulator):
    """And the one that is too many is refused."""
    for call in ("submit", "status") * (MAX_PENDING // 2):
        emulator.world.faults.add(call, Hang())
    with pytest.raises(ValueError, match="1000 faults wait"):
        emulator.world.faults.add("result", Hang())
    response = client.control("POST", "faults", json={"call": "result", "fault": "hang"})
    assert (response.status_code, len(emulator.world.faults.pending())) == (400, MAX_PENDING)
