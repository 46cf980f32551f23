"""The files of a ledger of every release: a later release reads each as the release that wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.drive import run_task
from support.environment import KEY
from support.submits import INPUTS, code_of, posts, submit

from airflow_provider_twinsync import __version__
from airflow_provider_twinsync._api.submit import fingerprint
from airflow_provider_twinsync._records.ledger import account, record_name
from airflow_provider_twinsync.emulator.faults import AcceptThenReset, Body, ResultCode

GOLDEN = Path(__file__).parents[1] / "golden"
ALL_RELEASES = [
    pytest.param(record, id=f"{path.stem} {record['case']}")
    for path in sorted(GOLDEN.glob("ledger-*.json"))
    for record in json.loads(path.read_text(encoding="utf-8"))["records"]
]
SELF = {"dag_id": "dag", "task_id": "submit", "run_id": "run", "map_index": -1, "try_number": 1}


@pytest.fixture(autouse=True)
def _connected(connect, sleeps):
    """No delay is made, and nobody waits long for another task."""
    connect(request_timeout_s=0.5)


@pytest.mark.parametrize("record", ALL_RELEASES)
def test_the_files_of_every_release_are_still_read(emulator, tmp_path, connect, record):
    url = f"{emulator.url}/phototalking"
    same = fingerprint(url, *INPUTS.values())
    words: dict[str, Any] = {"SAME": same, "SELF": SELF, "OTHER": {**SELF, "run_id": "another"}}
    for suffix, entry in record["files"].items():
        written = {name: words.get(str(value), value) for name, value in entry.items()}
        path = tmp_path / f"{record_name(same, account(url, KEY), None)}{suffix}.json"
        path.write_text(json.dumps(written))
    if "intent of" in record["case"]:
        connect(request_timeout_s=0.01)
    arguments = record.get("arguments", {})
    run = run_task(submit(ledger=tmp_path, reuse="runs", **arguments), try_number=2)
    kind, shown = record["ended"]
    assert run.ended == kind
    assert shown in (code_of(run.error), run.result, "")
    assert posts(emulator) == record["posts"]


def test_the_files_of_this_version_are_in_its_golden_file(emulator, tmp_path):
    """With the same fields: whoever changes them writes new cases, and keeps the old ones."""
    golden = json.loads((GOLDEN / f"ledger-{__version__}.json").read_text(encoding="utf-8"))["records"]
    known = {frozenset(entry) for record in golden for entry in record["files"].values()}
    named = Body(json={"result_code": 203, "task_id": "20230423_11_23_05_10279"})
    for number, fault in enumerate((None, ResultCode(code=200), AcceptThenReset(), named)):
        if fault:
            emulator.world.faults.add("submit", fault)
        run_task(submit(ledger=tmp_path / str(number), reuse="runs"))
        for path in (tmp_path / str(number)).iterdir():
            assert frozenset(json.loads(path.read_text())) in known, path.name
