"""The bounds of submits: the jobs of a day, and the submits of a minute."""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from support.environment import KEY
from support.redis_server import RedisServer, redis_server
from support.servers import closed_port

from airflow_provider_twinsync._airflow import admission as admissions
from airflow_provider_twinsync._http import ceiling as ceilings
from airflow_provider_twinsync._records.day_slots import take_slot
from airflow_provider_twinsync._records.ledger_folder import LocalFolder, open_folder
from airflow_provider_twinsync.emulator import HttpError, ResultCode
from airflow_provider_twinsync.exceptions import UnavailableError, UncertainSubmitError, UsageError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_twinsync.emulator import Emulator

JOB = {"image_url": "https://example.com/a.jpg", "pronouncer": "en-US-JennyNeural"}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["store", "ledger"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The field of the connection that says where the jobs of a day are counted."""
    if request.param == "ledger":
        return {"ledger": str(tmp_path / "ledger")}
    return {"requests_per_second_store": request.getfixturevalue("redis").address}


def submits(emulator: Emulator) -> int:
    return len([entry for entry in emulator.world.journal if entry.call == "submit"])


# ------------------------------------------------------------------------------------- the jobs of a day


def test_a_day_has_its_jobs_and_no_more(
    connect: Callable[..., None], emulator: Emulator, place: dict[str, str]
) -> None:
    """The one too many is not sent, and the error has the connection, the limit and the end of the day."""
    connect(max_jobs_per_day=2, **place)
    for n in range(2):
        TwinSyncHook().submit(text=f"Number {n}.", **JOB)
    with pytest.raises(UsageError) as caught:
        TwinSyncHook().submit(text="One too many.", **JOB)
    assert caught.value.code == "TS540"
    assert not caught.value.retryable
    tomorrow = dt.datetime.now(dt.timezone.utc).date() + dt.timedelta(days=1)
    assert {"'twinsync_default'", "2", f"{tomorrow}"} <= set(str(caught.value).split())
    assert submits(emulator) == 2


@pytest.mark.parametrize("fault", [ResultCode(code=201), ResultCode(code=203), HttpError(status=429)])
def test_a_job_that_was_certainly_not_made_gives_its_place_back(
    connect: Callable[..., None],
    emulator: Emulator,
    place: dict[str, str],
    sleeps: list[float],
    fault: Any,
) -> None:
    """The service refused it, or was busy for all attempts."""
    connect(max_jobs_per_day=1, **place)
    emulator.world.faults.add("submit", replace(fault, times=None))
    with pytest.raises(Exception, match="TS30"):
        TwinSyncHook().submit(text="Refused.", **JOB)
    emulator.world.faults.clear()
    TwinSyncHook().submit(text="Accepted.", **JOB)
    with pytest.raises(UsageError, match="TS540"):
        TwinSyncHook().submit(text="One too many.", **JOB)


def test_an_uncertain_job_keeps_its_place(
    connect: Callable[..., None], emulator: Emulator, place: dict[str, str]
) -> None:
    """It may have been paid."""
    connect(max_jobs_per_day=1, **place)
    emulator.world.faults.add("submit", HttpError(status=500))
    with pytest.raises(UncertainSubmitError):
        TwinSyncHook().submit(text="Lost.", **JOB)
    with pytest.raises(UsageError, match="TS540"):
        TwinSyncHook().submit(text="One too many.", **JOB)
    assert submits(emulator) == 1


def test_a_reconnect_takes_no_place(
    connect: Callable[..., None], emulator: Emulator, place: dict[str, str], tmp_path: Path
) -> None:
    """The job is there, also when the day is full."""
    connect(**{"max_jobs_per_day": 1, "ledger": str(tmp_path / "records"), **place})
    jobs = {TwinSyncHook().submit_once(text="Once.", reuse="runs", **JOB) for _ in range(3)}
    assert len(jobs) == submits(emulator) == 1
    with pytest.raises(UsageError, match="TS540"):
        TwinSyncHook().submit_once(text="Another.", reuse="runs", **JOB)
    # Nothing was sent, so a record would be a lie: the next day the same inputs are submitted.
    connect(**{"max_jobs_per_day": 2, "ledger": str(tmp_path / "records"), **place})
    TwinSyncHook().submit_once(text="Another.", reuse="runs", **JOB)
    assert submits(emulator) == 2


def test_the_ledger_of_a_task_counts_if_the_connection_has_none(
    connect: Callable[..., None], emulator: Emulator, tmp_path: Path
) -> None:
    connect(max_jobs_per_day=1)
    once = {"reuse": "runs", "ledger": str(tmp_path / "ledger"), **JOB}
    TwinSyncHook().submit_once(text="One.", **once)
    with pytest.raises(UsageError, match="TS540"):
        TwinSyncHook().submit_once(text="Two.", **once)
    assert submits(emulator) == 1


def test_a_day_that_nothing_counts_is_an_error(connect: Callable[..., None], emulator: Emulator) -> None:
    """Neither a store nor a ledger: the limit could not be held."""
    connect(max_jobs_per_day=1)
    with pytest.raises(UsageError, match="TS541"):
        TwinSyncHook().submit(text="One.", **JOB)
    assert submits(emulator) == 0


def test_a_store_or_a_ledger_that_is_away_submits_nothing(
    connect: Callable[..., None], emulator: Emulator, tmp_path: Path
) -> None:
    """A retry may find it; without the count the day has no bound."""
    connect(max_jobs_per_day=1, requests_per_second_store=f"redis://127.0.0.1:{closed_port()}/0")
    with pytest.raises(UnavailableError, match="TS221"):
        TwinSyncHook().submit(text="One.", **JOB)
    (tmp_path / "file").touch()
    connect(max_jobs_per_day=1, ledger=str(tmp_path / "file"))
    with pytest.raises(UsageError, match="TS542"):
        TwinSyncHook().submit(text="One.", **JOB)
    assert submits(emulator) == 0


def test_a_new_day_has_its_jobs(
    connect: Callable[..., None], emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a submit that waited for its turn past midnight: it counts for the day on which it is sent."""
    ledger = tmp_path / "ledger"
    connect(max_jobs_per_day=1, ledger=str(ledger))
    days = iter(["2026-11-28", "2026-11-28", "2026-11-29", "2026-11-29", "2026-11-29"])
    monkeypatch.setattr(admissions, "_today", lambda: next(days))
    TwinSyncHook().submit(text="One.", **JOB)
    assert [path.parent.name for path in ledger.rglob("*.json")] == ["2026-11-29"]
    assert submits(emulator) == 1


def test_many_tasks_at_once_get_exactly_the_jobs_of_the_day(tmp_path: Path) -> None:
    """Sixteen threads want 400 of 150 places."""
    folder = LocalFolder(str(tmp_path))
    taken: list[str | None] = []

    def take() -> None:
        taken.extend(take_slot(folder, 150) for _ in range(25))

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [name for name in taken if name]
    assert len(names) == len(set(names)) == len(folder.names()) == 150
    # A limit that is lowered in the middle of the day.
    assert take_slot(folder, 20) is None


def test_a_place_is_one_more_file_in_the_ledger_and_no_record(
    connect: Callable[..., None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The list of the ledger has the records alone, and the new ledger is announced once."""
    ledger = tmp_path / "ledger"
    connect(max_jobs_per_day=5, ledger=str(ledger))
    TwinSyncHook().submit_once(text="One.", reuse="runs", **JOB)
    assert len(open_folder(str(ledger)).names()) == 1
    assert len(list(ledger.rglob("*.json"))) == 2
    records = {id(one): one.getMessage() for one in caplog.records}.values()
    assert sum(message.startswith("TS339 ") for message in records) == 1


# ------------------------------------------------------------------------------------ the submits of a minute


@pytest.mark.parametrize("has_store", [False, True])
def test_a_submit_waits_for_its_turn(
    connect: Callable[..., None],
    emulator: Emulator,
    redis: RedisServer,
    has_store: bool,
) -> None:
    """Two submits with a second between them, and each job is made."""
    store = {"requests_per_second_store": redis.address} if has_store else {}
    connect(submits_per_minute=60, **store)
    for n in range(2):
        TwinSyncHook().submit(text=f"Number {n}.", **JOB)
    first, second = (entry.at_s for entry in emulator.world.journal)
    assert second - first > 0.9


def test_an_alarm_while_a_submit_waits_makes_no_job_uncertain(
    connect: Callable[..., None],
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: Callable[[], str],
) -> None:
    """Nothing is sent, nothing is recorded, and the place of the day is free; one line has the length."""
    ledger = tmp_path / "ledger"
    connect(submits_per_minute=0.5, max_jobs_per_day=2, ledger=str(ledger))
    TwinSyncHook().submit(text="The first.", **JOB)
    delays: list[float] = []

    def ring(seconds: float) -> None:
        delays.append(seconds)
        assert not list(ledger.glob("*.json")), "an intent"
        raise AirflowTaskTimeout("the alarm")

    monkeypatch.setattr(ceilings.time, "sleep", ring)
    with pytest.raises((UnavailableError, AirflowTaskTimeout)):
        TwinSyncHook().submit_once(text="The second.", reuse="runs", **JOB)
    [delay_s] = delays
    assert 100 < delay_s <= 120
    assert submits(emulator) == 1
    assert len(list(ledger.rglob("*.json"))) == 1
    assert logged().count("Waiting for a turn: submits_per_minute") == 1


def test_another_attempt_needs_another_turn(
    connect: Callable[..., None], emulator: Emulator, sleeps: list[float]
) -> None:
    """And gives up if that comes late: by then the intent is recorded."""
    connect(submits_per_minute=0.5)
    emulator.world.faults.add("submit", replace(ResultCode(code=203), times=None))
    began_s = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        TwinSyncHook().submit(text="Busy.", **JOB)
    assert caught.value.code == "TS304"
    assert submits(emulator) == 1
    assert time.monotonic() - began_s < 10


def test_the_button_of_the_form_tests_the_store_too(connect: Callable[..., None], redis: RedisServer) -> None:
    """It shows no password, and counts no job."""
    connect(requests_per_second_store="ftp://:secret@cache.example")
    assert TwinSyncHook().test_connection()[1].startswith("TS217 This connection: ")
    connect(requests_per_second_store=redis.address, max_jobs_per_day=1)
    for _ in range(2):
        works, message = TwinSyncHook().test_connection()
        assert works, message
    assert KEY not in message
