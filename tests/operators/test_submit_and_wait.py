"""The submit operator with wait_for_completion: it waits as the sensor does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from support.drive import Run, Store, alarm_in_a_pause, run_task
from support.sensors import IN_BOTH_MODES
from support.submits import INPUTS, WAITING, submit

from airflow_provider_twinsync._api.submit import fingerprint
from airflow_provider_twinsync.emulator.faults import (
    FailJob,
    HttpError,
)


class TestTheOneTaskForm:
    """`wait_for_completion=True`."""

    @IN_BOTH_MODES
    def test_it_returns_the_id_and_pushes_the_address(self, emulator, deferrable):
        """The return value is the id in every mode."""
        emulator.world.waiting_s = 0.3
        run = run_task(submit(**WAITING, deferrable=deferrable))
        assert bool(run.trigger) is deferrable
        assert [run.result] == list(emulator.world.tasks)
        address = f"{emulator.url}/example/{run.result}.mp4"
        assert run.xcoms == {
            "twinsync_task_id": run.result,
            "result_url": address,
            "twinsync_link": address,
            "twinsync_inputs": {
                "twinsync_task_id": run.result,
                "fingerprint": fingerprint(f"{emulator.url}/phototalking", *INPUTS.values()),
                "photo": INPUTS["image_url"],
                "record": None,
                "is_recorded": False,
            },
        }

    @IN_BOTH_MODES
    @pytest.mark.parametrize(
        ("fault", "arguments", "recorded", "ended"),
        [
            # A retry submits a new job.
            (FailJob(), {}, False, "AirflowException"),
            (None, {"timeout": 0.3}, False, "AirflowSensorTimeout"),
            (None, {"execution_timeout": timedelta(seconds=0.3)}, True, "AirflowTaskTimeout"),
            (None, {"execution_timeout": timedelta(seconds=0.3)}, False, "AirflowFailException"),
            # A retry would pay again without a record, and reconnects with one.
            (HttpError(status=500, times=None), {}, False, "AirflowFailException"),
            (HttpError(status=500, times=None), {}, True, "AirflowException"),
        ],
        ids=[
            "failed",
            "timeout",
            "execution_timeout, recorded",
            "execution_timeout",
            "lost",
            "lost, recorded",
        ],
    )
    def test_a_wait_that_fails(self, emulator, connect, fault, arguments, recorded, ended, deferrable):
        """The id is in the message and in an XCom: a job was paid."""
        connect(tolerance_s=0.3)
        if isinstance(fault, FailJob):
            emulator.world.faults.add("submit", fault)
        else:
            emulator.world.waiting_s = 3600.0
        if isinstance(fault, HttpError):
            emulator.world.faults.add("status", fault)
        run = run_task(
            submit(**WAITING, **arguments, deferrable=deferrable), store=Store() if recorded else None
        )
        (job,) = emulator.world.tasks
        assert run.ended == ended
        assert job in str(run.error)
        assert run.xcoms["twinsync_task_id"] == job
        assert "result_url" not in run.xcoms

    def test_a_task_that_is_not_durable_has_no_record_in_a_store(self, emulator, connect, capsys):
        """A wait that ends badly skips the retries, as below Airflow 3.3: they would pay again."""
        connect(tolerance_s=0.3)
        emulator.world.faults.add("status", HttpError(status=500, times=None))
        store = Store()
        run = run_task(submit(**WAITING, durable=False, retries=1), store=store)
        assert run.ended == "AirflowFailException"
        assert store.rows == {}
        assert "TS318 " in capsys.readouterr().out

    def test_retries_without_a_record_are_warned_of(self, emulator, capsys):
        """Below Airflow 3.3 every try submits; the warning comes before anything is paid."""
        run_task(submit(**WAITING, retries=2))
        log = capsys.readouterr().out
        assert 0 < log.index("TS318 ") < log.index("is submitted (")

    @pytest.mark.parametrize(
        ("recorded", "ended", "advice"),
        [
            (True, "AirflowException", "A retry of this task waits for the same job and pays nothing"),
            (False, "AirflowFailException", "Another try of this task would submit and pay again"),
        ],
        ids=["recorded", ""],
    )
    @pytest.mark.parametrize(
        ("next_method", "next_kwargs"),
        [
            ("execute_complete", {"event": {"reason": "an older one"}}),
            ("__fail__", {"error": "Trigger failure", "traceback": ["of the trigger"]}),
        ],
        ids=["unknown event", "trigger died"],
    )
    def test_a_deferral_that_ends_badly_does_not_pay_again(
        self, recorded, ended, advice, next_method, next_kwargs
    ):
        """Only a recorded job allows a retry, and the advice fits."""
        inputs = {
            "twinsync_task_id": "20230423_11_23_05_10279",
            "fingerprint": "5f3c",
            "photo": INPUTS["image_url"],
            "record": None,
            "is_recorded": recorded,
        }
        context = {"ti": Run(xcoms={"twinsync_inputs": inputs})}
        with pytest.raises(AirflowException) as caught:
            submit(**WAITING).resume_execution(next_method, next_kwargs, context)
        assert caught.type.__name__.replace("TaskDeferralError", "AirflowException") == ended
        assert next_method == "__fail__" or advice in str(caught.value)

    def test_a_triggerer_that_never_answers_is_a_timeout_without_a_retry(self, emulator):
        """A retry would pay again."""
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        with pytest.raises(AirflowSensorTimeout):
            submit(**WAITING).resume_execution("__fail__", {"error": "Trigger timeout"}, {})

    @pytest.mark.parametrize("recorded", [True, False], ids=["recorded", ""])
    def test_an_xcom_that_cannot_be_stored_does_not_pay_again(self, emulator, monkeypatch, recorded):
        """The link is not worth a task, and the id is in the error."""

        def away(*_: Any, **__: Any) -> None:
            raise RuntimeError("the API server is away")

        monkeypatch.setattr(Run, "xcom_push", away)
        store = Store() if recorded else None
        assert run_task(submit()).ended == "success"
        run = run_task(submit(**WAITING), store=store)
        assert run.ended == ("RuntimeError" if recorded else "AirflowFailException")
        assert recorded or re.match(f"TS324 .*{list(emulator.world.tasks)[-1]}", str(run.error))

    def test_the_alarm_of_a_worker_ends_it_like_the_trigger(self, emulator):
        """Airflow's own: without a record a retry would pay again."""
        emulator.world.waiting_s = 3600.0
        with alarm_in_a_pause():
            run = run_task(submit(**WAITING, deferrable=False, execution_timeout=timedelta(seconds=61)))
        assert run.ended == "AirflowFailException"
        assert "execution_timeout" in str(run.error)
        assert next(iter(emulator.world.tasks)) in str(run.error)

    def test_a_store_that_fails_after_the_wait_does_not_lose_the_video(self, emulator, monkeypatch):
        """The event names the job, too."""
        emulator.world.waiting_s = 0.3
        store = Store()
        answers = iter([None])  # then a StopIteration
        monkeypatch.setattr(store, "get", lambda _: next(answers))
        run = run_task(submit(**WAITING), store=store)
        assert run.event
        assert [run.result] == list(emulator.world.tasks)

    def test_a_second_run_of_the_same_operator_knows_nothing_of_the_first(self, emulator):
        """As of two `dag.test()` in one process: nothing was accepted, so a retry submits."""
        emulator.world.waiting_s = 0.3
        operator = submit(**WAITING)
        assert run_task(operator).event
        emulator.world.faults.add("submit", HttpError(429, times=None))
        assert run_task(operator).ended == "AirflowException"

    def test_stopping_it_logs_that_the_job_continues(self, emulator, capsys):
        """There is no call that would cancel it."""
        operator = submit()
        job = run_task(operator).result
        capsys.readouterr()
        operator.on_kill()
        assert f"TwinSync job {job} " in capsys.readouterr().out
