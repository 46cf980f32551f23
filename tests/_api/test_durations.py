"""A time that cannot be meant, such as NaN, is an error of the DAG file: before anything is paid."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_twinsync._api.durations import checked_seconds
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

SUBMIT: dict[str, Any] = {
    "text": "Hello.",
    "image_url": "https://example.com/a.jpg",
    "pronouncer": "en-US-JennyNeural",
    "wait_for_completion": True,
}
NO_TIMES = [
    float("nan"),
    float("inf"),
    -float("inf"),
    -1,
    -0.001,
    True,
    "60",
    "",
    [],
    Decimal("NaN"),
    1e300,
    10**5000,
    2**63 - 1,
    timedelta(seconds=-1),
    timedelta.max,
]


@pytest.mark.parametrize("value", [0, 1, 2.5, 10**9, timedelta(days=7), timedelta(0)], ids=str)
def test_a_time_is_read_as_seconds(value):
    """Seconds, or a timedelta."""
    wanted = value.total_seconds() if isinstance(value, timedelta) else float(value)
    assert checked_seconds("timeout", value) == wanted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("60", "'60'"),
        ("x" * 200, "'" + "x" * 79),
        (10**20, str(10**20)),
        (10**20 + 1, "a number of 21 digits"),
        (-(10**21), "a number of 22 digits"),
        (10**5000, "a number of 5001 digits"),
    ],
    ids=lambda value: str(value)[:30] if value != 10**5000 else "huge",
)
def test_the_error_about_a_time_shows_it_in_short(value: Any, shown: str) -> None:
    """A number that Python refuses to write is shown by its length."""
    with pytest.raises(UsageError) as caught:
        checked_seconds("timeout", value)
    assert str(caught.value).startswith(f"TS115 timeout is {shown}: ")


@pytest.mark.parametrize(
    "value", NO_TIMES, ids=lambda value: repr(value)[:20] if value != 10**5000 else "huge"
)
@pytest.mark.parametrize("argument", ["timeout", "poke_interval", "max_wait"])
def test_what_is_no_time_is_refused_while_the_dag_is_parsed(argument, value):
    """By the submit that waits, by the sensor, and by the arguments of a mapped sensor."""
    message = rf"^TS115 {argument} is "
    with pytest.raises(ValueError, match=message):
        TwinSyncSubmitOperator(task_id="submit", **SUBMIT, **{argument: value})
    with pytest.raises(ValueError, match=message):
        TwinSyncSensor(task_id="wait", twinsync_task_id="1", **{argument: value})
    with DAG("a", schedule=None, default_args={argument: value}), pytest.raises(ValueError, match=message):
        TwinSyncSensor(task_id="wait", twinsync_task_id="1")
    with pytest.raises(ValueError, match=message):
        TwinSyncSensor.in_triggerer("1", **{"timeout": 60, argument: value})


@pytest.mark.parametrize("value", [timedelta(seconds=-1), timedelta.max], ids=str)
def test_an_execution_timeout_that_cannot_be_meant(value):
    """Airflow accepts it, and its alarm fails in the task."""
    message = "^TS115 execution_timeout is "
    with pytest.raises(ValueError, match=message):
        TwinSyncSubmitOperator(task_id="submit", **SUBMIT, execution_timeout=value)
    with pytest.raises(ValueError, match=message):
        TwinSyncSensor(task_id="wait", twinsync_task_id="1", execution_timeout=value)
    with pytest.raises(ValueError, match=message):
        TwinSyncSensor.in_triggerer("1", timeout=60, execution_timeout=value)


def test_the_largest_times_that_are_taken_can_be_waited_for(emulator, connection):
    """Nothing fails for a time after the job is paid for: the deadlines have dates."""
    from airflow.providers.common.compat.sdk import TaskDeferred
    from support.drive import Run, Store

    emulator.world.waiting_s = 3600.0
    longest = timedelta(days=36_500)
    for kind, arguments in (
        (TwinSyncSubmitOperator, SUBMIT),
        (
            TwinSyncSensor,
            {"twinsync_task_id": emulator.world.accept(text="a", image_url="b", pronouncer="c").id},
        ),
    ):
        operator = kind(
            task_id="a",
            timeout=longest,
            execution_timeout=longest,
            poke_interval=longest,
            max_wait=longest,
            exponential_backoff=True,
            **arguments,
        )
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute({"ti": Run(), "task_state_store": Store()})
        from airflow.providers.common.compat.sdk import timezone

        assert (timezone.utcnow() + deferred.value.timeout).year > 2100
