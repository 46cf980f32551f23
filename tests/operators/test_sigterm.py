"""A SIGTERM during and after a submit, as Airflow 2 passes it on, and the message of a stop."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest
from support.drive import Run, run_task
from support.submits import code_of, submit

from airflow_provider_twinsync.emulator.faults import (
    AcceptThenHang,
)


@pytest.mark.parametrize("waits", [True, False], ids=["one task", "two tasks"])
def test_a_sigterm_after_the_id_is_known_does_not_pay_again(emulator, monkeypatch, waits):
    """Airflow 2 raises an error as this one, has no record, and would start a retry."""

    def stop(*_: Any, **__: Any) -> None:
        raise BaseException("Task received SIGTERM signal")

    monkeypatch.setattr(Run, "xcom_push", stop)
    run = run_task(submit(wait_for_completion=waits))
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS324")
    assert next(iter(emulator.world.tasks)) in str(run.error)


def test_stopping_it_during_a_submit_logs_the_inputs_of_the_job(emulator, capsys):
    """A job may exist, and its id is unknown."""

    class TerminatedError(BaseException):
        """Stands for Airflow 2's exception for a SIGTERM, which comes before the answer."""

    operator = submit()

    def stop(*_):
        operator.on_kill()
        raise TerminatedError

    before = signal.signal(signal.SIGALRM, stop)
    emulator.world.faults.add("submit", AcceptThenHang())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        run = run_task(operator)
    finally:
        signal.signal(signal.SIGALRM, before)
    # Without a record a retry would pay again.
    assert run.ended == "AirflowFailException"
    assert re.match("TS309 .*TerminatedError", str(run.error))
    when = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.search(rf"TS320 .*'你好.* {when}\.", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("state", "ended"), [("success", "AirflowTaskTerminated"), ("running", "AirflowFailException")]
)
def test_airflow_2_keeps_the_mark_of_a_person_and_starts_no_retry_otherwise(
    emulator, monkeypatch, state, ended
):
    """Airflow 2 raises its error for a SIGTERM in both cases."""

    class AirflowTaskTerminated(BaseException):  # Airflow's name
        pass

    def stop(*_: Any, **__: Any) -> None:
        raise AirflowTaskTerminated

    monkeypatch.setattr(Run, "current_state", lambda _: state, raising=False)
    monkeypatch.setattr(Run, "xcom_push", stop)
    assert run_task(submit()).ended == ended
