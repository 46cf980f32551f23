"""The deadline of a sensor: Airflow's own alarm, the last poll, and the backstop of a deferral."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.drive import alarm_in_a_pause, alarm_when, run_task
from support.sensors import IN_BOTH_MODES, sensor, submit

from airflow_provider_twinsync.emulator.faults import Hang, Slow
from airflow_provider_twinsync.triggers import TwinSyncTrigger


@pytest.mark.parametrize(
    ("soft_fail", "ended"), [(False, "AirflowTaskTimeout"), (True, "AirflowSkipException")]
)
@pytest.mark.parametrize("poke_interval", [0, 60])
def test_the_alarm_of_a_worker_ends_a_wait_like_the_trigger(job, soft_fail, ended, poke_interval):
    """Airflow's own alarm rings before our poll at the deadline; the message names the job all the same."""
    waiting = sensor(
        twinsync_task_id=job,
        deferrable=False,
        soft_fail=soft_fail,
        poke_interval=poke_interval,
        execution_timeout=timedelta(seconds=61),
    )
    with alarm_in_a_pause():
        run = run_task(waiting)
    assert run.ended == ended
    assert str(run.error).startswith("TS405 ")
    assert job in str(run.error)
    assert "execution_timeout" in str(run.error)


@IN_BOTH_MODES
@pytest.mark.parametrize(
    ("soft_fail", "ended"), [(False, "AirflowTaskTimeout"), (True, "AirflowSkipException")]
)
def test_the_alarm_of_a_worker_in_mid_request(emulator, job, deferrable, soft_fail, ended):
    """The service hangs: the first poll is the worker's in both modes."""
    emulator.world.faults.add("status", Hang())
    waiting = sensor(
        twinsync_task_id=job,
        deferrable=deferrable,
        soft_fail=soft_fail,
        execution_timeout=timedelta(seconds=61),
    )
    with alarm_when(lambda: len(emulator.world.journal) > 1):
        run = run_task(waiting)
    assert run.ended == ended
    assert str(run.error).startswith("TS405 ")
    assert job in str(run.error)
    assert "execution_timeout" in str(run.error)


@pytest.mark.slow
@IN_BOTH_MODES
@pytest.mark.parametrize(
    ("is_done", "skips", "ended"),
    [
        (True, {}, "success"),
        (False, {}, "AirflowSensorTimeout"),
        (False, {"never_fail": True}, "AirflowSkipException"),
        (False, {"soft_fail": True}, "AirflowSkipException"),
    ],
    ids=["done meanwhile", "not done", "never_fail", "soft_fail"],
)
def test_a_poll_that_lasts_beyond_the_deadline(emulator, hook, deferrable, is_done, skips, ended, capsys):
    """A slow service: there is a last poll, its video counts, and the end names the job."""
    emulator.world.waiting_s = 0.3 if is_done else 3600.0
    emulator.world.faults.add("status", Slow(delay_s=0.8, times=None))
    job = submit(hook)
    run = run_task(sensor(twinsync_task_id=job, deferrable=deferrable, timeout=0.5, **skips))
    assert run.ended == ended
    # The message of a skip after a deferral is BaseSensorOperator's.
    assert f"TS405 TwinSync job {job} " in f"{run.error} {capsys.readouterr().out}" or is_done


def test_the_deferral_has_a_backstop_behind_the_trigger_s_own_deadline(job):
    """Airflow's deadline names neither job nor reason, so it comes later."""
    from airflow.providers.common.compat.sdk import TaskDeferred

    waiting = sensor(twinsync_task_id=job, timeout=100, execution_timeout=timedelta(seconds=50))
    with pytest.raises(TaskDeferred) as deferral:
        waiting.execute({"ti": type("TI", (), {"xcom_push": staticmethod(lambda **_: None)})()})
    assert isinstance(deferral.value.trigger, TwinSyncTrigger)
    assert timedelta(seconds=50) < deferral.value.timeout <= timedelta(seconds=120)
