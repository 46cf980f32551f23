"""The key stands in the connection and in the body of a POST, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import KEY
from test_example_dags import load

from airflow_provider_twinsync.emulator.faults import AcceptThenReset, Body, FailJob, HttpError, ResultCode

ECHO = Body(json={"result_code": 201, "msg": f"the key {KEY} is not known"})


@pytest.mark.parametrize(
    "fault",
    [None, ResultCode(code=201), ECHO, HttpError(status=500, body=KEY), AcceptThenReset(), FailJob()],
    ids=[
        "success",
        "refused",
        "the service repeats the key",
        "error page repeats the key",
        "reset",
        "failed",
    ],
)
def test_no_run_leaves_the_key_anywhere(migrated, connection, emulator, tmp_path, capfd, fault):
    """Neither in what is printed, nor in a log, nor in a row of the database: all of it is searched."""
    if fault:
        emulator.world.faults.add("submit", fault)
    run = load("talking_photo").test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert (run.state == "success") == (fault is None)
    assert emulator.world.journal[0].key == "accepted"
    home = Path(os.environ["AIRFLOW_HOME"])
    files = [file for file in home.rglob("*") if file.is_file()]
    assert any(file.suffix == ".db" for file in files)
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    printed = "".join(capfd.readouterr())
    assert "twinsync_talking_photo" in printed
    assert KEY not in printed
