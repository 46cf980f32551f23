"""The key is in the connection and in the body of a POST, and nowhere else."""

from __future__ import annotations

import os
import re
import time
import traceback
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from support.buckets import BUCKET, photo_bucket
from support.clock import Clock
from support.dags import load
from support.drive import Store, run_task
from support.environment import CHECKOUT, KEY
from support.servers import answer

from airflow_provider_twinsync.emulator.faults import (
    AcceptThenHang,
    AcceptThenReset,
    Body,
    FailJob,
    Hang,
    HttpError,
    NotJson,
    Redirect,
    ResetBefore,
    ResultCode,
    Truncated,
    WrongVideo,
)
from airflow_provider_twinsync.hooks import TwinSyncHook
from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator

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
@pytest.mark.parametrize("example", ["talking_photo", "three_steps"])
def test_no_run_leaves_the_key_anywhere(migrated, connection, emulator, tmp_path, capfd, fault, example):
    """Neither in the output, nor in a log, nor in a row of the database: all of it is searched."""
    if fault:
        emulator.world.faults.add("submit", fault)
    run = load(example).test(run_conf={"destination": str(tmp_path / "video.mp4")})
    assert (run.state == "success") == (fault is None)
    assert emulator.world.journal[0].key == "accepted"
    home = Path(os.environ["AIRFLOW_HOME"])
    files = [file for file in home.rglob("*") if file.is_file()]
    assert any(file.suffix == ".db" for file in files)
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    printed = "".join(capfd.readouterr())
    # Airflow 3.0 prints each secret that it masks, in its `dag.test()` and nowhere else.
    printed = re.sub(r"Sending request +msg=MaskSecret\(.*", "", printed)
    assert f"twinsync_{example}" in printed
    assert KEY not in printed


JOB = {"text": "Hello there.", "image_url": "https://photos.example/a.jpg", "pronouncer": "en-US-JennyNeural"}
#: Each fault of a call; pages and answers repeat the key, as those of a debugging server might.
CODES = [ResultCode(code=code, times=None) for code in (100, 103, 104, 200, 201, 202, 203, 999, KEY, True)]
PAGES = [
    HttpError(status=status, body=f"<html>{KEY}</html>", times=None)
    for status in (400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504)
]
HANGING = [Hang(times=None), AcceptThenHang(times=None)]
BROKEN = [ResetBefore(times=None), AcceptThenReset(times=None), *HANGING]
ODD = [
    NotJson(body=f"key={KEY}", times=None),
    Body(json=[KEY], times=None),
    Redirect("/elsewhere", times=None),
]
CASES = {
    "submit": [*CODES, *PAGES, *BROKEN, *ODD, ECHO, FailJob()],
    "status": [*CODES[:8], *(replace(page, body="an error page") for page in PAGES), *BROKEN, Redirect("/")],
    "result": [
        *PAGES,
        *BROKEN,
        Redirect("http://elsewhere.invalid/"),
        Truncated(9, times=None),
        WrongVideo(),
    ],
}


def left_behind(run, logged):
    """Return everything that a try of a task leaves, for example its XComs and its log lines."""
    trigger = run.trigger and (repr(run.trigger), run.trigger.serialize(), vars(run.trigger))
    error = "".join(traceback.format_exception(run.error)) + repr(run.error) if run.error else ""
    return "\n".join(map(str, [run.result, error, run.xcoms, trigger, run.event, logged()]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "fault"),
    [(call, fault) for call, faults in CASES.items() for fault in faults],
    ids=lambda one: one if isinstance(one, str) else f"{one.name} {getattr(one, 'status', '')}",
)
@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in the worker"])
def test_no_fault_leaves_the_key_anywhere(
    connect, emulator, monkeypatch, tmp_path, logged, call, fault, deferrable
):
    """Submit, wait and download under each fault, and a second try: nothing has the key in it."""
    if fault in HANGING:  # the time limit of a request is by the true clock
        monkeypatch.setattr(time, "sleep", lambda _: None)
        monkeypatch.setattr("airflow_provider_twinsync._download.transfer._MAX_TRIES", 2)
        connect(request_timeout_s=0.8, tolerance_s=0.5)
    else:
        Clock(monkeypatch)
        connect(tolerance_s=0.5)
    emulator.world.faults.add(call, fault)
    store = Store()
    make = TwinSyncSubmitOperator(
        task_id="make",
        **JOB,
        wait_for_completion=True,
        deferrable=deferrable,
        poke_interval=0.1,
        timeout=60,
        retries=1,
    )
    seen = []
    for _ in range(2):
        run = run_task(make, store=store)
        seen += [left_behind(run, logged), repr(make), str(make), store.rows]
        if url := run.xcoms.get("result_url"):
            fetch = TwinSyncDownloadOperator(
                task_id="fetch", result_url=url, destination=tmp_path / "video.mp4"
            )
            seen += [left_behind(run_task(fetch, store=store), logged), repr(fetch), store.rows]
    hook = TwinSyncHook()
    seen += [repr(hook), str(hook), repr(hook.settings()), str(hook.settings()), hook.test_connection()]
    assert any(entry.key == "accepted" for entry in emulator.world.journal)
    assert any(entry.fault == fault.name for entry in emulator.world.journal)
    assert KEY not in "\n".join(map(str, seen))


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_service_that_repeats_the_request_leaves_no_signature(
    connect, serve, sleeps, logged, moto_port, tmp_path, status
):
    """The photo is from a bucket: its signed address is in no record, no XCom and no log."""
    pytest.importorskip("s3fs", reason="the photo is in S3")
    form = {}

    def repeat(request):
        form.update(parse_qs(request.body.decode()))
        body = form["image_url"][0][-64:].encode() + b" " + request.body
        return [answer(status, body, Content_Length=len(body))]

    connect(host=serve(repeat).url, port=None, ledger=str(tmp_path / "ledger"))
    with photo_bucket(moto_port, "photo_leaks") as bucket:
        bucket.put_object(
            Bucket=BUCKET, Key="a.jpg", Body=(CHECKOUT / "example_dags" / "portrait.jpg").read_bytes()
        )
        photo = f"s3://photo_leaks@{BUCKET}/a.jpg"
        make = TwinSyncSubmitOperator(task_id="make", **{**JOB, "image_url": photo}, retries=1)
        store = Store()
        seen = []
        for _ in range(2):
            run = run_task(make, store=store)
            assert run.error
            seen += [left_behind(run, logged), repr(make), repr(vars(make)), store.rows]
    seen += [path.read_text() for path in (tmp_path / "ledger").iterdir()]
    [signature] = re.findall("X-Amz-Signature=([0-9a-f]{64})", form["image_url"][0])
    assert photo in "\n".join(map(str, seen))
    for secret in (signature, signature[:20], KEY):
        assert secret not in "\n".join(map(str, seen))


def test_no_service_at_all_leaves_no_key(connect, sleeps, logged):
    """A connection that is refused, and a host name that does not exist."""
    for host in ("127.0.0.1:1", "no-such-host.invalid"):
        connect(host=f"http://{host}", port=None)
        run = run_task(TwinSyncSubmitOperator(task_id="submit", **JOB))
        assert run.ended == "AirflowException"
        assert KEY not in left_behind(run, logged)
