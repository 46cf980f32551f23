"""The submit records of every release: a later release reads each as the release that wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.drive import Store, run_task
from support.submits import INPUTS, code_of, posts, submit

from airflow_provider_twinsync import __version__
from airflow_provider_twinsync._api.submit import fingerprint
from airflow_provider_twinsync._records.task_state_store import STORE_KEY
from airflow_provider_twinsync.emulator.faults import AcceptThenReset, Body, ResultCode

GOLDEN = Path(__file__).parents[1] / "golden"
ALL_RELEASES = [
    pytest.param(record, id=f"{path.stem} {record['case']}")
    for path in sorted(GOLDEN.glob("record-*.json"))
    for record in json.loads(path.read_text(encoding="utf-8"))["records"]
]


@pytest.fixture(autouse=True)
def _connected(connection, sleeps):
    """The delays between two submits are skipped."""


@pytest.mark.parametrize("record", ALL_RELEASES)
def test_a_record_of_every_release_is_still_read(emulator, record):
    same = fingerprint(f"{emulator.url}/phototalking", *INPUTS.values())
    entry = {name: same if value == "SAME" else value for name, value in record["entry"].items()}
    run = run_task(submit(**record.get("arguments", {})), store=Store({STORE_KEY: entry}), try_number=2)
    kind, shown = record["ended"]
    assert run.ended == kind
    assert shown in (code_of(run.error), run.result, "")
    assert posts(emulator) == record["posts"]


def test_the_records_of_this_version_are_in_its_golden_file(emulator):
    """With the same fields: whoever changes them writes new cases, and keeps the old ones."""
    golden = json.loads((GOLDEN / f"record-{__version__}.json").read_text(encoding="utf-8"))["records"]
    known = {frozenset(record["entry"]) for record in golden}
    named = Body(json={"result_code": 203, "task_id": "20230423_11_23_05_10279"})
    for fault in (None, ResultCode(code=200), AcceptThenReset(), named):
        if fault:
            emulator.world.faults.add("submit", fault)
        store = Store()
        run_task(submit(), store=store)
        assert frozenset(store.rows[STORE_KEY]) in known
