"""A sensor with mode="reschedule": each poll is a process of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.environment import AIRFLOW_VERSION
from support.sensors import sensor

from airflow_provider_twinsync.emulator.faults import HttpError


def test_a_sensor_that_is_rescheduled_tolerates_an_outage_until_its_timeout(emulator, job, connect, capsys):
    """Each poll is a process of its own, without a past; the log promises no more."""
    connect(tolerance_s=0.001)
    emulator.world.faults.add("status", HttpError(status=500, times=None))
    waiting = sensor(twinsync_task_id=job, deferrable=False, mode="reschedule")
    for _ in range(4):
        assert waiting.poke({}).is_done is False
    assert "until the deadline" in capsys.readouterr().out


def test_the_log_of_a_sensor_that_is_rescheduled_has_no_times(emulator, job, capsys):
    """The process of a poll knows neither the start of the wait nor the next poll."""
    lines = []
    for advanced_s in (0, 3600):
        emulator.world.advance(advanced_s)
        sensor(twinsync_task_id=job, deferrable=False, mode="reschedule").poke({})
        lines += [line for line in capsys.readouterr().out.splitlines() if f"TwinSync job {job}" in line]
    assert [line.partition(f"TwinSync job {job} ")[2].partition(" [")[0] for line in lines] == [
        "is waiting.",
        f"is finished; its video is at {emulator.url}/example/{job}.mp4",
    ]


@pytest.mark.parametrize(
    ("arguments", "waited_s", "least_s", "most_s"),
    [
        ({"poke_interval": 60}, 0, 60, 66),
        ({"poke_interval": 60}, 3600, 60, 60),
        ({"poke_interval": 10, "max_wait": 300}, 3600, 180, 198),
        ({"poke_interval": 60, "exponential_backoff": True}, 0, 30, 60),
    ],
    ids=["the floor", "the default ceiling", "a share of the time waited", "backoff is Airflow's"],
)
def test_a_rescheduled_sensor_polls_once_a_time(
    monkeypatch, emulator, job, arguments, waited_s, least_s, most_s
):
    """With mode="reschedule" each poll frees the worker; the delay is as in the other modes."""
    from airflow.providers.common.compat.sdk import timezone
    from support.drive import AirflowRescheduleException

    began = timezone.utcnow() - timedelta(seconds=waited_s)

    class TaskInstance(dict):  # as BaseSensorOperator uses it in this mode
        xcom_push = staticmethod(lambda **_: None)
        get_first_reschedule_date = staticmethod(lambda _: began)
        max_tries = map_index = 0
        dag_id = task_id = run_id = "wait"

    if AIRFLOW_VERSION < (3, 0):  # it asks the database itself
        monkeypatch.setattr("airflow.sensors.base._orig_start_date", lambda **_: began)
    asked = sensor(twinsync_task_id=job, deferrable=False, mode="reschedule", timeout=6000, **arguments)
    with pytest.raises(AirflowRescheduleException) as rescheduled:
        asked.execute({"ti": TaskInstance()})
    delay_s = (rescheduled.value.reschedule_date - timezone.utcnow()).total_seconds()
    assert least_s - 1 < delay_s <= most_s
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status"]
