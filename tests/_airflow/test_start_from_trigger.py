"""The start of a sensor in the triggerer; `test_without_worker.py` has a real triggerer."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from support.triggerer import BOTH, kwargs_of, since_3_3

from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.triggers import TwinSyncTrigger


@since_3_3
def test_without_being_asked_nothing_starts_in_the_triggerer():
    sensor = TwinSyncSensor(task_id="wait", twinsync_task_id="1")
    assert sensor.start_from_trigger is False
    assert sensor.start_trigger_args is None


@since_3_3
def test_the_trigger_gets_the_arguments_of_the_sensor():
    """And serializes them unchanged. Its start is unknown, as they are the same for each try."""
    sensor = TwinSyncSensor(
        **BOTH,
        twinsync_task_id="20230423_1",
        twinsync_conn_id="mine",
        poke_interval=timedelta(seconds=7),
        exponential_backoff=True,
        max_wait=60,
        silent_fail=True,
        timeout=100,
        do_xcom_push=False,
    )
    kwargs = kwargs_of(sensor)
    assert kwargs == {
        "twinsync_task_id": "20230423_1",
        "twinsync_conn_id": "mine",
        "wait": {
            "poke_interval_s": 7.0,
            "exponential_backoff": True,
            "max_wait_s": 60.0,
            "silent_fail": True,
            "timeout_s": 100.0,
            "execution_timeout_s": None,
            "end_from_trigger": True,
            "do_xcom_push": False,
        },
        "handover": {
            "started_at": None,
            "next_poll_s": 0.0,
            "outage_since_s": None,
            "last_state": None,
            "airflow_timeout_s": 160.0,
        },
        "version": 1,
    }
    assert TwinSyncTrigger(**kwargs).serialize()[1] == kwargs


#: The sensor's `timeout` and `execution_timeout`; then the trigger's, and when Airflow ends it; in seconds.
DEADLINES = {
    "no execution_timeout": (100, None, (100, None, 160)),
    "the execution_timeout is earlier": (100, 50, (100, 40, 50)),
    "a short one": (100, 8, (100, 6, 8)),
    "the timeout is earlier": (50, 100, (50, 90, 100)),
    "the timeout is just before": (95, 100, (90, 90, 100)),
    "both are the same": (100, 100, (90, 90, 100)),
    "the execution_timeout is far behind": (100, 1000, (100, 150, 160)),
}


@since_3_3
@pytest.mark.parametrize(("timeout", "execution_timeout", "expected"), DEADLINES.values(), ids=DEADLINES)
def test_the_trigger_s_deadline_lies_before_airflow_s(timeout, execution_timeout, expected):
    """TaskInstance.defer_task takes the earlier of execution_timeout and the timeout of the start."""
    limit = None if execution_timeout is None else timedelta(seconds=execution_timeout)
    sensor = TwinSyncSensor(**BOTH, twinsync_task_id="1", timeout=timeout, execution_timeout=limit)
    row = kwargs_of(sensor)
    airflow_timeout_s = row["handover"]["airflow_timeout_s"]
    assert (row["wait"]["timeout_s"], row["wait"]["execution_timeout_s"], airflow_timeout_s) == expected
    by_airflow = min(filter(None, [sensor.start_trigger_args.timeout, limit]))
    assert by_airflow.total_seconds() == airflow_timeout_s


def rendered(template: str, xcoms: dict[tuple[str, str, int], Any], map_index: int = -1) -> str:
    """Return a template as the triggerer renders it, with Airflow's own environment."""
    from airflow.sdk.definitions._internal.templater import SandboxedEnvironment

    def xcom_pull(*, task_ids: str, key: str, map_indexes: int) -> Any:
        return xcoms.get((task_ids, key, map_indexes))

    ti = SimpleNamespace(xcom_pull=xcom_pull, map_index=map_index)
    return SandboxedEnvironment().from_string(template).render(ti=ti)


@since_3_3
@pytest.mark.parametrize(
    ("pushed", "expected"),
    [("20230423_1", "20230423_1"), (None, "None"), ("", ""), (["20230423_1"], "None"), (7, "None")],
    ids=repr,
)
@pytest.mark.parametrize("key", ["return_value", 'it\'s "the" id'])
def test_the_output_of_a_task_is_pulled_by_a_template(key, pushed, expected):
    """Another value would become a text, and a list such as ``["20230423_1"]`` a text like an id."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, TaskGroup

    with DAG("made", schedule=None), TaskGroup("group"):
        submit = EmptyOperator(task_id="submit")
        wait = TwinSyncSensor(**BOTH, twinsync_task_id=submit.output[key])
    assert wait.upstream_task_ids == {"group.submit"}
    template = kwargs_of(wait)["twinsync_task_id"]
    assert rendered(template, {("group.submit", key, -1): pushed}) == expected


@since_3_3
def test_in_a_mapped_task_group_each_takes_its_own():
    """A value from outside of the group is the same for all."""
    from airflow.sdk import DAG, task, task_group

    with DAG("made", schedule=None):

        @task
        def connection() -> str:
            return "mine"

        @task
        def submit(number: int) -> str:
            return str(number)

        @task_group
        def one(number: int) -> None:
            waits.append(TwinSyncSensor(**BOTH, twinsync_task_id=submit(number), twinsync_conn_id=outside))

        waits: list[TwinSyncSensor] = []
        outside = connection()
        one.expand(number=[1, 2])
    kwargs = kwargs_of(waits[0])
    xcoms = {("one.submit", "return_value", 1): "second", ("connection", "return_value", -1): "mine"}
    assert rendered(kwargs["twinsync_task_id"], xcoms, map_index=1) == "second"
    assert rendered(kwargs["twinsync_conn_id"], xcoms, map_index=1) == "mine"


@since_3_3
@pytest.mark.parametrize("field", ["twinsync_task_id", "twinsync_conn_id"])
@pytest.mark.parametrize("template", ["{{ params.job }}", "{% if ds %}1{% endif %}", "{{ ds", "{# none #}1"])
def test_a_template_needs_a_worker(field, template):
    """Some could wait for ever in the triggerer; the DAG file stays valid."""
    sensor = TwinSyncSensor(**{**BOTH, "twinsync_task_id": "1", field: template})
    assert sensor.start_from_trigger is False
    assert f"{field} is a template" in sensor._why_worker_starts


@since_3_3
def test_a_constant_goes_as_it_is():
    assert (
        kwargs_of(TwinSyncSensor(**BOTH, twinsync_task_id="20230423_1"))["twinsync_task_id"] == "20230423_1"
    )


def outputs() -> dict[str, Any]:
    """Outputs of tasks that only a worker can resolve."""
    from airflow.sdk import task

    @task
    def submit(number: int = 0) -> str:
        return str(number)

    return {
        "map": submit().map(str),
        "zip": submit().zip(submit()),
        "a number": 7,
        "nothing": None,
    }


@since_3_3
@pytest.mark.parametrize("name", ["map", "zip", "a number", "nothing"])
def test_any_other_value_needs_a_worker(name):
    """Some of them are a mistake, for which the worker has a message."""
    from airflow.sdk import DAG

    with DAG("made", schedule=None):
        sensor = TwinSyncSensor(**BOTH, twinsync_task_id=outputs()[name])
    assert sensor.start_from_trigger is False
    assert "twinsync_task_id" in sensor._why_worker_starts


@since_3_3
def test_a_dag_file_loads_the_base_of_triggers_only_if_it_is_used():
    """It is slow to import."""
    code = (
        "import sys\nfrom airflow_provider_twinsync.sensors import TwinSyncSensor\n"
        "for asked in (False, True):\n"
        "    TwinSyncSensor(task_id='wait', twinsync_task_id='1', start_from_trigger=asked)\n"
        "    print('airflow.triggers.base' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["False", "True"]
