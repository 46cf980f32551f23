"""The end of a wait in the triggerer: its XComs, and whether the task lets it end there."""

from __future__ import annotations

import pytest
from support.drive import Pulse, run_task, trigger_of
from support.triggerer import (
    BOTH,
    HAS_IT,
    LINKS,
    as_the_triggerer_has_it,
    events_of,
    kwargs_of,
    last_event,
    mapped_in,
    of_task,
    since_3_3,
    started,
)

from airflow_provider_twinsync.sensors import TwinSyncSensor


def test_a_deferral_that_starts_on_a_worker_may_end_in_the_triggerer(job):
    """If Airflow can do it; otherwise, and by default, a worker ends it."""
    for asked in (False, True):
        sensor = TwinSyncSensor(task_id="wait", twinsync_task_id=job, timeout=0.1, end_from_trigger=asked)
        run = run_task(sensor)
        assert run.ended == "AirflowSensorTimeout"
        assert run.trigger is not None
        assert run.trigger.wait.end_from_trigger is (asked and HAS_IT)


@since_3_3
@pytest.mark.parametrize("do_xcom_push", [True, False])
def test_the_triggerer_stores_what_a_worker_stores(emulator, job, supervisor, do_xcom_push):
    """The link to the status at the start; at the end the link to the video, and the result by default."""
    emulator.world.advance(7200)
    trigger = started(job, end_from_trigger=True, do_xcom_push=do_xcom_push)
    assert last_event(of_task(trigger, map_index=3)) == "TaskSuccessEvent"
    video, status = f"{emulator.url}/example/{job}.mp4", f"{emulator.url}/phototalking?taskID={job}"
    expected = [*((key, status) for key in LINKS), *((key, video) for key in LINKS)]
    expected += [("return_value", video)] if do_xcom_push else []
    assert supervisor.messages == [("SetXCom", key, value, 3) for key, value in expected]


@since_3_3
def test_a_later_try_forgets_the_result_of_an_earlier_one(emulator, job, supervisor):
    """A worker deletes it for its own tries; a task that runs after a failure must not find it."""
    trigger = of_task(started(job, end_from_trigger=True, timeout_s=0.1), try_number=2)
    assert last_event(trigger) == "TriggerEvent timeout"
    changes = [(kind, key) for kind, key, *_ in supervisor.messages if kind != "GetXCom"]
    assert changes[:3] == [("DeleteXCom", key) for key in ("return_value", *LINKS)]
    assert changes[3:] == [("SetXCom", key) for key in LINKS]


@since_3_3
def test_a_later_try_that_cannot_begin_leaves_no_old_result_either(emulator, job, supervisor):
    """In this try the upstream task returned nothing."""
    trigger = of_task(started("None", timeout_s=0.1), try_number=2)
    assert last_event(trigger) == "TriggerEvent unusable"
    changes = [(kind, key) for kind, key, *_ in supervisor.messages if kind != "GetXCom"]
    assert changes == [("DeleteXCom", key) for key in ("return_value", *LINKS)]


@since_3_3
@pytest.mark.parametrize("key", ["return_value", *LINKS])
def test_a_worker_ends_what_the_triggerer_cannot_store(emulator, job, supervisor, key, caplog):
    emulator.world.advance(7200)
    supervisor.fails_on = key
    trigger = trigger_of(job, poke_interval_s=0.0, end_from_trigger=True)
    assert last_event(of_task(trigger)) == "TriggerEvent succeeded"
    assert caplog.text.count("the database is away") == 1


@since_3_3
def test_a_wait_does_not_depend_on_its_link(emulator, job, supervisor, caplog):
    emulator.world.advance(7200)
    supervisor.fails_on = "twinsync_link"
    assert last_event(of_task(started(job))) == "TriggerEvent succeeded"
    assert caplog.text.count("the database is away") == 1


@since_3_3
def test_a_slow_supervisor_does_not_block_the_loop(emulator, job, supervisor):
    emulator.world.advance(7200)
    supervisor.pulse = Pulse()
    supervisor.pulse.beside(events_of(of_task(started(job, end_from_trigger=True))))
    assert len(supervisor.messages) == 5


def test_only_a_video_ends_a_task_in_the_triggerer(emulator, job):
    """A trigger without a task instance, for example in `dag.test()`, leaves the end to a worker too."""
    waiting = trigger_of(job, poke_interval_s=0.0, timeout_s=0.1, end_from_trigger=True)
    assert last_event(waiting) == "TriggerEvent timeout"
    emulator.world.advance(7200)
    waiting = trigger_of(job, poke_interval_s=0.0, end_from_trigger=True)
    assert last_event(waiting) == "TriggerEvent succeeded"


@since_3_3
@pytest.mark.parametrize("late", ["outlets", "on_success_callback", "a mapped task", "nothing"])
def test_what_a_task_is_given_after_it_was_made_counts(emulator, job, supervisor, late):
    """The triggerer checks the task again; the worker's log has the reason."""
    from airflow.sdk import DAG, Asset, task

    emulator.world.advance(7200)

    @task
    def after(value: str) -> None: ...

    with DAG("made", schedule=None) as dag:
        sensor = TwinSyncSensor(**BOTH, twinsync_task_id=job, poke_interval=0)
        if late == "outlets":
            sensor.outlets.append(Asset("late"))
        elif late == "on_success_callback":
            sensor.on_success_callback = [print]
        elif late == "a mapped task":
            after.expand(value=sensor.output)
    kwargs = kwargs_of(sensor)
    assert kwargs["wait"]["end_from_trigger"] is True
    trigger = as_the_triggerer_has_it(dag, kwargs)
    assert last_event(trigger) == ("TaskSuccessEvent" if late == "nothing" else "TriggerEvent succeeded")


@since_3_3
@pytest.mark.parametrize("name", ["outlets", "on_success_callback", "post_execute", "nothing"])
def test_what_a_mapped_task_is_given_counts(emulator, job, supervisor, name):
    """`in_triggerer` has no access to it."""
    from airflow.sdk import DAG, Asset

    emulator.world.advance(7200)
    given = TwinSyncSensor.in_triggerer(job, timeout=60, poke_interval=0, end_from_trigger=True)
    values = {"outlets": [Asset("late")], "on_success_callback": print, "post_execute": print}
    mapped = mapped_in(
        DAG("made", schedule=None), **given, **{key: values[key] for key in [name] if key in values}
    )
    trigger = as_the_triggerer_has_it(mapped.dag, mapped.start_trigger_args.trigger_kwargs)
    assert last_event(trigger) == ("TaskSuccessEvent" if name == "nothing" else "TriggerEvent succeeded")
