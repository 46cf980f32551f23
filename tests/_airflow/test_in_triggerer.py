"""Mapped sensors, which `TwinSyncSensor.in_triggerer` gives the arguments of their start."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.triggerer import HAS_IT, mapped_in, since_3_3

from airflow_provider_twinsync._wait.config import OPTIONS
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.sensors import TwinSyncSensor


def test_a_mapped_sensor_is_given_what_starts_it():
    """Below Airflow 3.3 it gets no arguments that would start it with a template as its id."""
    from airflow.providers.common.compat.sdk import DAG

    template = "{{ ti.xcom_pull(task_ids='submit', map_indexes=-1)[ti.map_index] }}"
    given = TwinSyncSensor.in_triggerer(template, timeout=timedelta(minutes=1), end_from_trigger=True)
    mapped = mapped_in(DAG("made", schedule=None), **given)
    if not HAS_IT:
        assert mapped.start_trigger_args is None
        return
    assert mapped.start_from_trigger is True
    kwargs = mapped.start_trigger_args.trigger_kwargs
    assert (kwargs["twinsync_task_id"], kwargs["wait"]["timeout_s"]) == (template, 60.0)
    assert (kwargs["handover"]["airflow_timeout_s"], kwargs["wait"]["end_from_trigger"]) == (120.0, True)
    # The worker has the same, if the wait ends there.
    unmapped = mapped.unmap({"twinsync_task_id": "20230423_1"})
    assert unmapped.timeout == 60.0
    assert unmapped.start_trigger_args == mapped.start_trigger_args
    assert unmapped._why_worker_starts == ""


@since_3_3
@pytest.mark.parametrize("field", ["twinsync_task_id", "twinsync_conn_id"])
def test_a_mapped_sensor_is_given_no_template_that_waits_for_ever(field):
    """No worker would begin the wait instead."""
    given = {"twinsync_task_id": "1", "timeout": 1, field: "{{ ti.xcom_pull('submit') }}"}
    with pytest.raises(UsageError, match=rf"^TS129 .*{field}=.*map_indexes"):
        TwinSyncSensor.in_triggerer(**given)


def test_a_mapped_sensor_is_given_every_option_of_a_wait():
    """Also those with their defaults: another value of `default_args` would hold on a worker only."""
    given = TwinSyncSensor.in_triggerer("1", timeout=60, silent_fail=True)
    expected = {**OPTIONS, "timeout": 60, "silent_fail": True, "twinsync_conn_id": "twinsync_default"}
    assert {name: given[name] for name in expected} == expected
    assert given.keys() - expected.keys() <= {"start_from_trigger", "start_trigger_args"}


def test_another_option_of_a_mapped_sensor_is_an_error():
    """It names the option."""
    with pytest.raises(TypeError, match="colour"):
        TwinSyncSensor.in_triggerer("1", timeout=60, colour="blue")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match=r"^TS115 timeout is None"):
        TwinSyncSensor.in_triggerer("1", timeout=None)  # type: ignore[arg-type]
