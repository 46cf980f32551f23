"""Each event is counted once: in worker and triggerer, over tries, and for the parts of a text."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drive import Run, Store, run_task, trigger_of
from support.environment import CHECKOUT
from support.metrics import Recorder
from support.submits import INPUTS, submit

from airflow_provider_twinsync._airflow import stats
from airflow_provider_twinsync._airflow.waiting import WorkerWait
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._wait.config import WaitConfig
from airflow_provider_twinsync._wait.outcome import End, EndReason
from airflow_provider_twinsync.emulator.faults import AcceptThenReset, FailJob, HttpError, ResultCode
from airflow_provider_twinsync.operators import TwinSyncVideoOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.text import count_words
from airflow_provider_twinsync.triggers import TwinSyncJobsTrigger

if TYPE_CHECKING:
    from pathlib import Path

WORDS = count_words(INPUTS["text"])
IN_BOTH_MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "worker"])
#: Three jobs with the limit of ten words.
SCRIPT = " ".join(f"One two three four five six seven {number}." for number in ("eight", "nine", "ten"))
UNCERTAIN = {"twinsync.submits,outcome=uncertain": 1, "twinsync.uncertain_submits": 1}
ACCEPTED = {"twinsync.submits,outcome=accepted": 1, "twinsync.words": WORDS}


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


def reconnects(*names: str) -> dict[str, float]:
    return {f"resumable_job.{name},operator=none": 1 for name in names}


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (None, ACCEPTED),
        (ResultCode(code=201, times=None), {"twinsync.submits,outcome=rejected": 1}),
        (HttpError(status=429, times=None), {"twinsync.submits,outcome=unavailable": 1}),
        (HttpError(status=429, times=1), ACCEPTED),
        (AcceptThenReset(), UNCERTAIN),
    ],
    ids=["accepted", "rejected", "unavailable", "accepted at the second request", "uncertain"],
)
def test_a_submit_is_counted_once(recorder, connection, emulator, sleeps, fault, counted):
    """By its outcome, and not at each of its requests."""
    if fault:
        emulator.world.faults.add("submit", fault)
    run_task(submit())
    assert recorder.totals == counted


def test_a_retry_pays_nothing_and_counts_no_submit(recorder, connection, emulator):
    """Core's names: the first try submits, the others find a job that waits, and one that is finished."""
    store = Store()
    emulator.world.waiting_s = 3600.0
    run_task(submit(), store=store)
    assert recorder.totals == {**ACCEPTED, **reconnects("fresh_submit")}
    run_task(submit(), store=store, try_number=2)
    seen = ["fresh_submit", "reconnect_attempt", "reconnect_success"]
    assert recorder.totals == {**ACCEPTED, **reconnects(*seen)}
    emulator.world.waiting_s = 0.0
    run_task(submit(), store=store, try_number=3)
    attempts = {"resumable_job.reconnect_attempt,operator=none": 2}
    assert recorder.totals == {**ACCEPTED, **reconnects(*seen, "already_succeeded"), **attempts}


def test_a_job_that_failed_is_submitted_again(recorder, connection, emulator):
    """Two submits, and core's name for the second."""
    store = Store()
    emulator.world.faults.add("submit", FailJob(times=1))
    for number in (1, 2):
        run_task(submit(), store=store, try_number=number)
    assert recorder.totals == {
        "twinsync.submits,outcome=accepted": 2,
        "twinsync.words": 2 * WORDS,
        **reconnects("fresh_submit", "reconnect_attempt", "terminal_resubmit"),
    }


def test_a_task_without_records_reconnects_to_nothing(recorder, connection):
    """Core counts no decision either where there is none."""
    run_task(submit(durable=False), store=Store())
    assert recorder.totals == ACCEPTED


def test_the_tags_are_those_of_core(recorder, connection, monkeypatch):
    """The class of the operator, and the team if the task has one; never the ids of DAG and task."""
    task = submit()
    monkeypatch.setattr(Run, "stats_tags", {"team_name": "news", "dag_id": "dag"}, raising=False)
    run_task(task, store=Store(), context={"task": task})
    assert "resumable_job.fresh_submit,operator=TwinSyncSubmitOperator,team_name=news" in recorder.totals


def test_a_try_that_was_killed_during_its_submit_is_counted_by_the_next(recorder, connection, monkeypatch):
    """It could not count itself. A further retry reports it again, and does not count it again."""
    store, kept = Store(), []
    set_row = store.set

    def keep_intent(key: str, value: Any) -> None:
        kept.append(value)
        set_row(key, value)

    monkeypatch.setattr(store, "set", keep_intent)
    run_task(submit(), store=store)
    [key] = store.rows
    store.rows[key] = kept[0]  # as after a SIGKILL
    before = recorder.totals
    for number in (2, 3):
        assert run_task(submit(), store=store, try_number=number).ended == "AirflowFailException"
    assert recorder.totals == {**before, **UNCERTAIN}


@IN_BOTH_MODES
def test_a_wait_is_counted_once(recorder, connection, emulator, hook, deferrable):
    """The worker's polls and the triggerer's are summed up."""
    emulator.world.waiting_s = 0.3
    job = hook.submit(**INPUTS)
    wait = TwinSyncSensor(task_id="wait", twinsync_task_id=job, poke_interval=0, deferrable=deferrable)
    run = run_task(wait)
    assert (run.ended, bool(run.trigger)) == ("success", deferrable)
    assert recorder.sent["twinsync.wait_seconds,outcome=succeeded"] == 1
    assert 0.3 <= recorder.totals["twinsync.wait_seconds,outcome=succeeded"] < 5
    asked = sum(entry.call == "status" for entry in emulator.world.journal)
    assert recorder.totals["twinsync.polls"] == asked > 1


def test_a_wait_that_crosses_triggerers_is_counted_once(recorder, connection, emulator, hook):
    """Its time begins with the worker."""
    emulator.world.waiting_s = 3600.0
    job = hook.submit(**INPUTS)
    trigger = trigger_of(job, poke_interval_s=0.0, timeout_s=60.0)

    async def run(limit_s: float) -> list[Any]:
        async def events() -> list[Any]:
            return [event async for event in trigger.run()]

        return await asyncio.wait_for(events(), limit_s)

    with pytest.raises(asyncio.TimeoutError):  # a triggerer that stops cancels its triggers
        asyncio.run(run(0.5))
    assert "twinsync.wait_seconds,outcome=succeeded" not in recorder.totals
    emulator.world.waiting_s = 0.0
    assert len(asyncio.run(run(10))) == 1
    assert recorder.sent["twinsync.wait_seconds,outcome=succeeded"] == 1
    assert recorder.totals["twinsync.wait_seconds,outcome=succeeded"] >= 0.5


def test_a_poll_of_a_rescheduled_sensor_has_no_time(recorder, hook):
    """Another process began the wait."""
    end = WorkerWait(hook, hook.submit(**INPUTS), WaitConfig(), is_one_poll=True).poll()
    assert isinstance(end, End)
    assert {name: recorder.totals[name] for name in recorder.sent if "submits" not in name} == {
        "twinsync.words": WORDS,
        "twinsync.polls": 1,
    }


def test_a_failed_wait_has_its_reason(recorder, connection, emulator):
    """So that a panel can leave it out."""
    emulator.world.faults.add("submit", FailJob())
    run_task(submit(wait_for_completion=True, poke_interval=0))
    assert recorder.sent["twinsync.wait_seconds,outcome=failed"] == 1


@IN_BOTH_MODES
def test_each_part_of_a_text_is_counted_once(recorder, connect, emulator, tmp_path, deferrable):
    """Those that are finished before the deferral too, which the triggerer polls once more."""
    connect(text_limit_words=10)
    emulator.world.faults.add("status", HttpError(status=500, times=1))  # of the first part
    inputs = {**INPUTS, "text": SCRIPT, "destination": str(tmp_path / "a.mp4"), "poke_interval": 0}
    task = TwinSyncVideoOperator(task_id="video", deferrable=deferrable, **inputs)
    run = run_task(task, store=Store(), task_id="video")
    assert (run.ended, bool(run.trigger)) == ("success", deferrable), run.error
    totals = recorder.totals
    assert totals["twinsync.submits,outcome=accepted"] == 3
    assert totals["twinsync.words"] == count_words(SCRIPT)
    assert totals["resumable_job.fresh_submit,operator=none"] == 3
    assert recorder.sent["twinsync.wait_seconds,outcome=succeeded"] == 3
    assert recorder.sent["twinsync.downloaded_bytes"] == 3


def test_a_job_that_ended_before_the_deferral_is_counted_once(recorder, connection, emulator, hook):
    """The trigger of several jobs polls each of them, and fires once."""
    jobs = [hook.submit(**{**INPUTS, "text": text}) for text in ("Hello.", "Good evening.")]
    rows = [trigger_of(job, poke_interval_s=0.0).serialize()[1] for job in jobs]

    async def events() -> list[Any]:
        return [event async for event in TwinSyncJobsTrigger(waits=rows).run()]

    assert len(asyncio.run(events())) == 1
    assert recorder.sent["twinsync.wait_seconds,outcome=succeeded"] == 2


def test_a_download_is_counted_by_its_bytes(recorder, hook, tmp_path: Path):
    """Those of the file; a video that was refused is none."""
    job = hook.get_job(hook.submit(**INPUTS))
    fetched = hook.download(job.result_url, str(tmp_path / "a.mp4"))
    assert recorder.totals["twinsync.downloaded_bytes"] == fetched["bytes"]


def test_an_event_loop_sends_its_polls_together(recorder):
    """One packet for a thousand polls; the end of a wait sends the rest."""

    async def poll() -> None:
        for _ in range(1000):
            stats.count_poll()
        stats.count_waits([])

    asyncio.run(poll())
    assert recorder.totals["twinsync.polls"] == 1000
    assert recorder.sent["twinsync.polls"] <= 2


DOCS = (CHECKOUT / "docs" / "howto" / "monitoring.md").read_text(encoding="utf-8")
ANY = st.text() | st.integers() | st.none()


@settings(max_examples=30)
@given(
    context=st.none() | st.dictionaries(st.sampled_from(["ti", "task", "run_id"]), ANY),
    job=ANY,
    text=st.text(),
)
def test_names_and_tags_are_those_of_the_docs(context, job, text):
    """Of any task, for example: no text, no address and no id becomes a name or a tag."""
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(patch)
        for outcome in ("accepted", "rejected", "unavailable", "uncertain"):
            stats.count_submit(outcome, text if outcome == "accepted" else None)
        for found, state in [
            (None, None),
            (str(job), JobState.RUNNING),
            (str(job), JobState.SUCCEEDED),
            (None, JobState.FAILED),
        ]:
            stats.count_reconnect(context, found, [state] if state else [])
        end = End(EndReason.SUCCEEDED, str(job), text, text, 1.0)
        stats.count_poll()
        stats.count_waits([replace(end, reason=reason) for reason in EndReason])
        stats.count_download(7)
        found = recorder.totals
    assert {name.partition(",")[0] for name in found} == set(re.findall(r"(?m)^\| `([a-z_.]+)` \|", DOCS))
    tags = {tag for name in found for tag in name.split(",")[1:]}
    operator = type((context or {})["task"]).__name__ if "task" in (context or {}) else "none"
    outcomes = {"accepted", "rejected", "unavailable", "uncertain", *(reason.value for reason in EndReason)}
    assert tags == {f"operator={operator}", *(f"outcome={outcome}" for outcome in outcomes)}
