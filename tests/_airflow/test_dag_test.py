"""`dag.test()`: a connection that is in Airflow's database, and Ctrl-C while a submit is with the service."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.drive import Store, run_task
from support.environment import AIRFLOW_VERSION, KEY
from support.servers import Received, answer
from support.submits import code_of
from urllib3.util.connection import create_connection

import airflow_provider_twinsync
from airflow_provider_twinsync.emulator.faults import HttpError
from airflow_provider_twinsync.hooks import TwinSyncHook
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_twinsync.emulator import Emulator

TIME_LIMIT_S = 300.0  # for a whole `dag.test()` on a busy machine
TEXT = "Good morning from Ctrl-C"
PHOTO = "https://example.com/anna.jpg"
JOB: dict[str, Any] = {"text": TEXT, "image_url": PHOTO, "pronouncer": "en-US-JennyNeural"}

DAG_FILE = """
from datetime import timedelta
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

with DAG({name!r}, schedule=None) as dag:
    submit = TwinSyncSubmitOperator(
        task_id="submit", twinsync_conn_id={name!r}, retries={retries}, retry_delay=timedelta(0), **{job!r}
    )
    TwinSyncSensor(
        task_id="wait",
        twinsync_task_id=submit.output,
        twinsync_conn_id={name!r},
        poke_interval=0.5,
        timeout=20,
    )

if __name__ == "__main__":
    print("THE RUN ENDED:", dag.test().state)
"""


def start(folder: Path, name: str, *, retries: int = 0, **env: str) -> subprocess.Popen[str]:
    """Start `dag.test()` in a process of its own, with a folder of DAGs of its own."""
    (folder / "dags").mkdir()
    (folder / "dags" / "dag.py").write_text(DAG_FILE.format(name=name, retries=retries, job=JOB))
    return subprocess.Popen(
        [sys.executable, str(folder / "dags" / "dag.py")],
        env={**os.environ, "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_wait_finds_the_connection_in_the_database(migrated: None, emulator: Emulator, tmp_path: Path):
    """The worker finds it, and the trigger that runs in the same process; nothing about it is in the log."""
    emulator.world.faults.add("status", HttpError(status=500))  # or the worker sees the video at once
    fields = ["--conn-type", "twinsync", "--conn-host", emulator.host, "--conn-port", str(emulator.port)]
    add = [sys.executable, "-m", "airflow", "connections", "add", "in_database", *fields]
    done = subprocess.run([*add, "--conn-password", KEY], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    printed, _ = start(tmp_path, "in_database").communicate(timeout=TIME_LIMIT_S)
    assert "THE RUN ENDED: success" in printed, printed
    assert "running trigger in line" in printed
    assert "There is no usable connection" not in printed
    assert len(emulator.world.tasks) == 1


@pytest.fixture
def holding(serve: Callable[..., Any]) -> Iterator[Any]:
    """A server that takes a submit and does not answer before the test ends."""
    is_over = threading.Event()

    def hold(_: Received) -> Iterator[bytes]:
        is_over.wait(60)
        yield answer(500)

    yield serve(hold)
    is_over.set()


@pytest.mark.parametrize("retries", [0, 1])
def test_ctrl_c_during_a_submit_shows_the_inputs_of_the_job(
    migrated: None, holding: Any, tmp_path: Path, retries: int
):
    """Nothing is submitted again, the run ends, and the output has time, text and photo."""
    connection = {"conn_type": "twinsync", "host": "127.0.0.1", "port": holding.port, "password": KEY}
    name = f"ctrl_c_{retries}"
    process = start(
        tmp_path, name, retries=retries, **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection)}
    )
    give_up_s = time.monotonic() + TIME_LIMIT_S
    while not holding.requests:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < give_up_s
        threading.Event().wait(0.05)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=TIME_LIMIT_S)
    printed = re.sub(r"\x1b\[[0-9;]*m", "", printed)  # Airflow 3.0 prints in colours
    one_line = re.sub(r"\s+", " ", printed)
    assert re.search(r"TS309 .* 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 .*Ctrl-C", one_line), one_line
    assert TEXT in one_line
    assert PHOTO in one_line
    # Airflow 3.0 prints each secret that it masks, in its `dag.test()` and nowhere else.
    assert KEY not in "".join(line for line in printed.splitlines() if "MaskSecret(" not in line)
    assert [request.method for request in holding.requests] == ["POST"]
    # Airflow 3 takes a KeyboardInterrupt in a task for a failure of the task, and goes on with the run.
    if AIRFLOW_VERSION < (3, 0) and not retries:
        assert process.returncode != 0
        assert "THE RUN ENDED: " not in printed
        assert printed.splitlines()[-1].startswith("KeyboardInterrupt: TS309 "), printed
    else:
        assert "THE RUN ENDED: failed" in printed


# ------------------------------------------------------------------------------- the same, in this process


def interrupting(serve: Callable[..., Any], is_over: threading.Event) -> Any:
    """A server that answers a submit with Ctrl-C."""

    def respond(_: Received) -> Iterator[bytes]:
        os.kill(os.getpid(), signal.SIGINT)
        is_over.wait(60)
        yield answer(500)

    return serve(respond)


@pytest.fixture
def interrupted(serve, connect) -> Iterator[Any]:
    """The default connection, to a server that answers with Ctrl-C."""
    is_over = threading.Event()
    server = interrupting(serve, is_over)
    connect(port=server.port)
    yield server
    is_over.set()


def test_ctrl_c_in_the_hook_stays_what_it_is(interrupted):
    with pytest.raises(KeyboardInterrupt, match=r"^TS309 .*'Good morning from Ctrl-C'") as caught:
        TwinSyncHook().submit(**JOB)
    assert not isinstance(caught.value, Exception)
    assert caught.value.__suppress_context__


CASES = {
    "no retries": ({}, None, "KeyboardInterrupt"),
    "retries": ({"retries": 2}, None, "AirflowFailException"),
    "retries and a record": ({"retries": 2}, Store, "AirflowFailException"),
    "no retries and a record": ({}, Store, "KeyboardInterrupt"),
    "the user's choice": ({"retries": 2, "on_uncertain_submit": "retry"}, Store, "KeyboardInterrupt"),
}


@pytest.mark.parametrize(("arguments", "store", "ended"), CASES.values(), ids=CASES)
def test_a_retry_never_pays_again_after_ctrl_c(interrupted, arguments, store, ended):
    """Airflow retries a task that ended by a KeyboardInterrupt: only a task without retries does."""
    store = store and store()
    run = run_task(TwinSyncSubmitOperator(task_id="submit", **arguments, **JOB), store=store)
    assert run.ended == ended
    assert code_of(run.error) == "TS309"
    assert len(interrupted.requests) == 1
    if store is not None and "on_uncertain_submit" not in arguments:
        again = run_task(TwinSyncSubmitOperator(task_id="submit", **arguments, **JOB), store=store)
        assert again.ended == "AirflowFailException"
        assert code_of(again.error) == "TS313"
        assert len(interrupted.requests) == 1


def test_ctrl_c_before_anything_is_sent_leaves_no_doubt(connect):
    """It comes while the connection is made, to a host that takes none."""
    store = Store()

    def ctrl_c() -> None:
        # The main thread stands in the function that connects, however busy the machine is.
        main = threading.main_thread().ident
        while sys._current_frames()[main].f_code is not create_connection.__code__:
            threading.Event().wait(0.01)
        threading.Event().wait(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # they fill its queue
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        connect(port=full.getsockname()[1])
        interrupter = threading.Thread(target=ctrl_c, daemon=True)
        interrupter.start()
        run = run_task(TwinSyncSubmitOperator(task_id="submit", **JOB), store=store)
        interrupter.join()
    assert (run.ended, str(run.error)) == ("KeyboardInterrupt", "")
    assert store.rows["twinsync_submit"]["made_no_job"] is True


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # Ctrl-C while a socket is closed
def test_ctrl_c_at_any_line_after_the_submit_began_reports_an_uncertain_submit(connect, emulator):
    """Or the id is returned, for example at the last line; the interrupt is never swallowed."""
    connect(request_timeout_s=5)
    hook = TwinSyncHook()
    package = str(Path(airflow_provider_twinsync.__file__).parent)
    hook.submit(**JOB)  # imports the modules that it uses

    def submit(at_line: int) -> tuple[str | None, str, bool]:
        """Submit, with Ctrl-C at a line of this package after a job was made, if that line is met."""
        before, seen, is_met = len(emulator.world.tasks), 0, False

        def trace(frame: Any, event: str, _: Any) -> Any:
            nonlocal seen, is_met
            if not frame.f_code.co_filename.startswith(package) or "emulator" in frame.f_code.co_filename:
                return None
            if event == "line" and len(emulator.world.tasks) > before:
                seen += 1
                if seen == at_line:
                    is_met = True
                    raise KeyboardInterrupt
            return trace

        old = sys.gettrace()
        sys.settrace(trace)
        try:
            return hook.submit(**JOB), "", is_met
        except KeyboardInterrupt as error:
            return None, str(error), is_met
        finally:
            sys.settrace(old)

    at_line = 0
    while True:
        at_line += 1
        job, message, is_met = submit(at_line)
        if not is_met:
            break
        assert job is None
        assert code_of(message) in ("TS309", "TS324"), at_line
    assert at_line > 20
    # Ctrl-C while a block ends leaves its time limit, and with it a socket, to a later test.
    for one in threading.enumerate():
        if one.name == "twinsync-time-limit":
            one.join()
    gc.collect()
