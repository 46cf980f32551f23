"""Many tasks that submit the same inputs at once, and the requests that a ledger costs."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.drive import run_task
from support.once import ONCE
from support.submits import INPUTS, posts, submit

from airflow_provider_twinsync.emulator.faults import Slow
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event


def _submit(ledger: str, begin: Event, results: Queue[str]) -> None:
    """Submit in a process of its own, which has read its connections before."""
    hook = TwinSyncHook()
    hook.settings()
    begin.wait()
    try:
        results.put(hook.submit_once(**INPUTS, ledger=ledger, reuse="runs"))
    except Exception as error:
        results.put(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
def test_fifty_processes_make_one_post(emulator, connection, tmp_path, slow):
    """All of them have the one job; with a slow service they wait for its id."""
    if slow:
        emulator.world.faults.add("submit", Slow(delay_s=1.5))
    fork = multiprocessing.get_context("fork")
    begin, results = fork.Event(), fork.Queue()
    ledger = str(tmp_path / "ledger")
    processes = [fork.Process(target=_submit, args=(ledger, begin, results)) for _ in range(50)]
    for process in processes:
        process.start()
    begin.set()
    jobs = {results.get(timeout=120) for _ in processes}
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert posts(emulator) == 1
    assert jobs == set(emulator.world.tasks)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, str]]]:
    """Return the requests to S3 so far, each with its time."""
    core = pytest.importorskip("s3fs.core", reason="the tests of S3 need the provider for it")
    seen: list[tuple[float, str]] = []
    call = core.S3FileSystem._call_s3

    async def counted(self: Any, method: str, *arguments: Any, **options: Any) -> Any:
        seen.append((time.time(), method))
        return await call(self, method, *arguments, **options)

    monkeypatch.setattr(core.S3FileSystem, "_call_s3", counted)
    return seen


def counts(emulator: Any, requests: list[tuple[float, str]], **task: Any) -> tuple[int, int]:
    """Run a submit, and return the requests to the store before its last POST, and after."""
    requests.clear()
    before = posts(emulator)
    assert run_task(submit(**task), try_number=2).ended == "success"
    if posts(emulator) == before:
        return len(requests), 0
    sent = max(entry.at_s for entry in emulator.world.journal if entry.call == "submit")
    early = sum(at < sent for at, _ in requests)
    return early, len(requests) - early


def test_a_submit_costs_two_requests_before_its_post_and_one_after(
    emulator, connection, aws, bucket, requests
):
    """A submit that reconnects costs two; one after a job that failed costs three and one."""
    task = {"ledger": f"s3://{aws}@videos/ledger"}
    assert counts(emulator, requests, **task) == (2, 1)
    assert counts(emulator, requests, **task) == (2, 0)
    for job in emulator.world.tasks.values():
        job.failure = "no face"
    assert counts(emulator, requests, **task) == (3, 1)


def test_a_wait_costs_no_request(emulator, connection, aws, bucket, requests, sleeps):
    """Neither in the triggerer nor when the task resumes."""
    emulator.world.waiting_s = 0.5
    task = {"ledger": f"s3://{aws}@videos/ledger", "wait_for_completion": True, "poke_interval": 0}
    run = run_task(submit(**task))
    assert run.event is not None
    assert len(requests) == 3


@ONCE
@pytest.mark.slow
def test_a_sheet_of_500_rows_makes_no_post_a_second_time(emulator, connection, tmp_path):
    """All its jobs are there."""
    ledger = str(tmp_path / "ledger")
    for night in ("monday", "tuesday"):
        for row in range(500):
            task = submit(ledger=ledger, reuse="runs", text=f"Row {row}.")
            assert run_task(task, run_id=night, map_index=row).ended == "success"
        assert posts(emulator) == 500
