"""An error at any line of a submit: no end of a task leads to a second job."""

from __future__ import annotations

import gc
import linecache
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from support.drive import Run, Store, run_task
from support.submits import code_of, posts, submit

import airflow_provider_twinsync
from airflow_provider_twinsync._records.task_state_store import STORE_KEY
from airflow_provider_twinsync.emulator.faults import AcceptThenReset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(airflow_provider_twinsync.__file__).parent
#: No retry follows one of these.
FINAL = ("success", "AirflowFailException", "AirflowSensorTimeout")
NO_SIGNAL = ("try:", "except ", "raise ending")
WAITS = {"wait_for_completion": True, "deferrable": False, "poke_interval": 0}
#: A fault of the submit, the arguments of the task, and the folder with the lines.
CASES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "accepted": (None, {}, ""),
    "accepted, and waits": (None, WAITS, "operators"),
    "no answer": (AcceptThenReset(times=None), {}, ""),
}


def run_to(
    at_line: int, counts: Callable[[], bool], kind: type[BaseException], folder: Path, **task: Any
) -> tuple[Run, str]:
    """Run a submit, with an error at a line of a folder; also returns the line.

    :param at_line: the number of the line, among those that run while ``counts()`` is true.
    """
    seen, where = 0, ""
    store = task.pop("store")

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal seen, where
        name = frame.f_code.co_filename
        if not name.startswith(str(folder)) or "emulator" in name:
            return None
        if event == "line" and counts():
            # Python calls a signal's handler at a call, in a loop or at the start of a function.
            if not linecache.getline(name, frame.f_lineno).strip().startswith(NO_SIGNAL):
                seen += 1
            if seen == at_line and not where:
                where = f"{Path(name).relative_to(PACKAGE)}:{frame.f_lineno}"
                raise kind("Timeout") if kind is AirflowTaskTimeout else kind
        return trace

    def run() -> Iterator[Run]:
        sys.settrace(trace)
        try:
            ended = run_task(submit(retries=2, **task), store=store)
        finally:
            sys.settrace(old)
        yield ended

    # From Python 3.12 on, an error of a trace function in an `except` block stays the error that is handled.
    # A generator has its own.
    old = sys.gettrace()
    return next(run()), where


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # an error while a socket is closed
@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "not recorded"])
@pytest.mark.parametrize("kind", [AirflowTaskTimeout, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize(("fault", "task", "folder"), CASES.values(), ids=CASES)
def test_no_error_at_any_line_leads_to_a_second_job(emulator, connect, fault, task, folder, kind, recorded):
    """Every line that runs after the job was made: of the answer, the record, the error and its message."""
    connect(request_timeout_s=5)
    run_task(submit(**task))  # imports all modules
    at_line, bad = 0, []
    while True:
        at_line += 1
        emulator.world.faults.clear()
        if fault:
            emulator.world.faults.add("submit", fault)
        before, store = len(emulator.world.tasks), Store() if recorded else None

        def is_made(before: int = before) -> bool:
            return len(emulator.world.tasks) > before

        run, where = run_to(at_line, is_made, kind, PACKAGE / folder, store=store, **task)
        if not where:
            break
        job = list(emulator.world.tasks)[-1]
        is_named = job in f"{run.error} {run.result}" or code_of(run.error) in ("TS309", "TS324")
        ends = [run.ended]
        if run.ended not in FINAL and store:
            emulator.world.faults.clear()
            ends.append(run_task(submit(retries=2, **task), store=store).ended)
        if ends[-1] not in FINAL or len(emulator.world.tasks) > before + 1 or not (is_named or ends[1:]):
            bad.append((where, ends, str(run.error)[:80]))
    assert not bad
    assert at_line > 20
    # What is left open, such as a time limit with a socket, ends here and not in a later test.
    for one in threading.enumerate():
        if one.name == "twinsync-time-limit":
            one.join()
    gc.collect()


def test_an_alarm_at_any_line_after_the_intent_is_no_false_alarm(emulator):
    """In the folder of the submit, before anything is sent: the record says so, and the retry submits."""
    run_task(submit())  # imports all modules
    at_line = 0
    while True:
        at_line += 1
        emulator.world.tasks.clear()
        emulator.world.journal.clear()
        store = Store()

        def is_begun(store: Store = store) -> bool:
            return STORE_KEY in store.rows and not emulator.world.tasks

        run, where = run_to(at_line, is_begun, AirflowTaskTimeout, PACKAGE / "_airflow", store=store)
        if not where:
            break
        ended = (run.ended, code_of(run.error))
        assert ended in [("AirflowTaskTimeout", ""), ("AirflowException", "TS308")], where
        assert run_task(submit(), store=store).ended == "success", where
        assert posts(emulator) == 1, where
    assert at_line > 4
