"""The connection that a trigger reads: wrong, away for a while, or away for good."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from support.drive import first_delay_s, first_event, trigger_for

from airflow_provider_twinsync.emulator.faults import HttpError


def test_a_connection_that_is_wrong_ends_the_wait_at_the_first_poll(emulator, job, connect, clock):
    """No retry corrects it; the event names the connection and the field."""
    connect(colour="blue")
    event = asyncio.run(first_event(trigger_for(job)))
    assert event["reason"] == "unusable"
    assert "twinsync_default" in event["message"]
    assert "colour" in event["message"]
    assert clock.pauses == [first_delay_s(job)]


class DatabaseAwayError(Exception):
    """As one of a database driver."""


class UnreadableError(ValueError):
    """As one of a parser."""


def denied(error: Exception) -> Any:
    """How a secrets backend fails; Airflow 3.3 lets few errors through and calls the others 'not found'."""

    def look_up(*_: Any, **__: Any) -> Any:
        raise error

    return staticmethod(look_up)


#: Airflow's error while a connection cannot be read (None: as 3.3.2 does), and a part of the message.
AWAY = {
    "not found": (None, "twinsync_default"),
    "an error": (DatabaseAwayError("server closed"), "DatabaseAwayError: server closed"),
    "an error without words": (DatabaseAwayError(), "(DatabaseAwayError)"),
    "an error that quotes the key": (
        UnreadableError("port Sesame-7b1f"),
        "(UnreadableError)",
    ),
}


@pytest.fixture(params=AWAY.values(), ids=AWAY)
def away(request, monkeypatch, connection):
    """A connection that cannot be read until it is back: a part of the message, and its return."""
    error, shown = request.param
    outage = pytest.MonkeyPatch()
    if error is None:
        outage.delenv("AIRFLOW_CONN_TWINSYNC_DEFAULT")
    else:
        for name in ("get_connection", "aget_connection"):
            if hasattr(BaseHook, name):
                outage.setattr(BaseHook, name, denied(error))
    yield shown, outage.undo
    outage.undo()


def test_a_connection_that_cannot_be_read_for_a_while_is_tolerated(job, clock, away, capsys):
    """One line when it begins and one when it ends, for any error of Airflow; then the wait goes on."""
    shown, back = away
    clock.at(22, back)
    event = asyncio.run(first_event(trigger_for(job, timeout_s=90.0, next_poll_s=5.0)))
    assert event["reason"] == "timeout"
    assert event["message"].startswith("TS405 ")
    assert "waiting" in event["message"]
    lines = [line for line in capsys.readouterr().out.splitlines() if job in line]
    assert len(lines) == 3
    assert shown in lines[0]
    assert re.search(r"TS408 .*for up to 300 s", lines[0])
    assert "available again after 20 s: waiting (25 s); next poll in " in lines[1]
    assert "Sesame" not in "".join(lines)


def test_a_connection_that_stays_away_ends_the_wait_and_may_be_retried(job, emulator, clock, away):
    """The tolerance is that of an outage, by default five minutes; the message has the last problem."""
    shown, _ = away
    event = asyncio.run(first_event(trigger_for(job, every_s=60.0, next_poll_s=60.0)))
    assert event["reason"] == "status_lost"
    assert event["message"].startswith("TS402 ")
    assert shown in event["message"]
    assert "300 s" in event["message"]
    assert clock.now_s == pytest.approx(360, abs=0.2)
    assert [entry.call for entry in emulator.world.journal] == ["submit"]


def test_a_connection_that_comes_back_brings_its_own_tolerance(job, emulator, connect, clock, away):
    """The outage goes on: there was no good answer in between."""
    _, back = away

    def came_back() -> None:
        back()
        connect(tolerance_s=60)

    clock.at(42, came_back)
    emulator.world.faults.add("status", HttpError(status=500, times=None))
    event = asyncio.run(first_event(trigger_for(job, every_s=20.0, next_poll_s=20.0)))
    assert event["reason"] == "status_lost"
    assert clock.now_s == pytest.approx(80, abs=0.2)
    assert "HTTP 500" in event["message"]


def test_a_wait_without_a_tolerance_tolerates_that_too(job, clock, away):
    """`silent_fail`: until the deadline."""
    event = asyncio.run(first_event(trigger_for(job, silent_fail=True)))
    assert event["reason"] == "timeout"
    assert clock.now_s == pytest.approx(3600, abs=0.2)


def test_a_connection_is_read_once_if_that_works(job, connect, clock):
    """A wait of a hundred polls reads Airflow's database once."""
    clock.at(50, lambda: connect(port=1))
    event = asyncio.run(first_event(trigger_for(job, timeout_s=500.0)))
    assert event["reason"] == "timeout"
    assert "waiting" in event["message"]
