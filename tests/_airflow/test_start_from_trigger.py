"""The start and the end of a sensor in the triggerer; `test_without_worker.py` has a real triggerer."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import airflow
import pytest
from support.clock import Clock
from support.drive import Pulse, first_event, run_task, trigger_of

from airflow_provider_twinsync._wait.config import OPTIONS
from airflow_provider_twinsync.emulator import ResultCode
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.triggers import TwinSyncTrigger

HAS_IT = tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 3)
since_3_3 = pytest.mark.skipif(not HAS_IT, reason="only Airflow 3.3 and later can")
BOTH: dict[str, Any] = {"task_id": "wait", "start_from_trigger": True, "end_from_trigger": True}


def kwargs_of(sensor: TwinSyncSensor) -> dict[str, Any]:
    """The trigger's arguments, as they cross the database."""
    assert sensor.start_from_trigger
    assert sensor.start_trigger_args.trigger_cls == "airflow_provider_twinsync.triggers.TwinSyncTrigger"
    assert sensor.start_trigger_args.next_method == "execute_complete"
    return json.loads(json.dumps(sensor.start_trigger_args.trigger_kwargs))


@pytest.fixture
def job(emulator, hook) -> str:
    """A job that stays in the queue."""
    emulator.world.waiting_s = 3600.0
    return hook.submit(text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural")


# ------------------------------------------------------------------------------ the start in the triggerer


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


class Hooked(TwinSyncSensor):
    """A sensor with more around `execute` than Airflow's own."""

    def pre_execute(self, context: Any) -> None: ...

    def post_execute(self, context: Any, result: Any = None) -> None: ...


@pytest.mark.skipif(not HAS_IT, reason="Airflow 3.3 and later")
def test_where_triggerers_have_queues_a_worker_starts_the_wait(monkeypatch):
    """None of them would run a trigger without a queue."""
    monkeypatch.setenv("AIRFLOW__TRIGGERER__QUEUES_ENABLED", "True")
    waiting = TwinSyncSensor(**BOTH, twinsync_task_id="1")
    assert waiting.start_from_trigger is False
    assert "queues_enabled is on" in waiting._why_worker_starts
    assert "start_trigger_args" not in TwinSyncSensor.in_triggerer("1", timeout=60)


def warnings(logged: str) -> list[str]:
    """Return the log lines on unused arguments; Airflow 2 shows each line twice."""
    lines = re.findall(r"(?:start|end)_from_trigger=True.*", logged)
    lines = [re.split(r""" \(["']| +(?:\x1b\S*)?\[""", line)[0].rstrip() for line in lines]
    return lines if HAS_IT else sorted(set(lines))


TOO_OLD = f"it needs Airflow 3.3 or later, and this is {airflow.__version__}"
#: The arguments, the reason for a start on a worker, and the reason for an end there.
LEFT = {
    "a worker that waits": ({"deferrable": False}, "deferrable is False", "deferrable is False"),
    "on_execute_callback": ({"on_execute_callback": print}, "the task has an on_execute_callback", None),
    "pre_execute": ({"pre_execute": print}, "the task has a pre_execute", None),
    "a template": ({"twinsync_conn_id": "{{ task.owner }}"}, "twinsync_conn_id is a template", None),
    "params": ({"params": {"mine": 1}}, "the task has params of its own", None),
    "on_success_callback": ({"on_success_callback": print}, None, "the task has an on_success_callback"),
    "post_execute": ({"post_execute": print}, None, "the task has a post_execute"),
    "both hooks": ({"cls": Hooked}, "the task has a pre_execute", "the task has a post_execute"),
}


@pytest.mark.parametrize(("arguments", "start", "end"), LEFT.values(), ids=LEFT)
def test_what_needs_a_worker_has_one_and_its_log_says_why_in_one_line(
    emulator, hook, logged, arguments, start, end
):
    """Nothing is logged while the DAG file is parsed, and the wait ends as usual."""
    job = hook.submit(text="Hello", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural")
    emulator.world.advance(7200)
    emulator.world.faults.add("status", ResultCode(code=101))  # at the first poll
    arguments = {"deferrable": True, **arguments}
    cls = arguments.pop("cls", TwinSyncSensor)
    sensor = cls(**BOTH, twinsync_task_id=job, poke_interval=0, **arguments)
    if HAS_IT and start:
        assert sensor.start_from_trigger is False
    elif HAS_IT:
        assert kwargs_of(sensor)["wait"]["end_from_trigger"] is False
    assert warnings(logged()) == []
    sensor.twinsync_conn_id = "twinsync_default"  # the rendered template
    run = run_task(sensor)
    assert run.result == f"{emulator.url}/example/{job}.mp4"
    assert bool(run.trigger) is arguments["deferrable"]
    if run.trigger and end:
        assert run.trigger.wait.end_from_trigger is False
    [line] = warnings(logged())
    reasons = {"start_from_trigger": start, "end_from_trigger": end}
    if not HAS_IT:
        reasons = dict.fromkeys(reasons, TOO_OLD)
    logged_reasons = dict(re.findall(r"(\w+_from_trigger)=True[^:]*: (.*?)(?=\. |\.$)", line))
    assert logged_reasons.keys() == {name for name, why in reasons.items() if why}, line
    assert all(reason.startswith(reasons[name]) for name, reason in logged_reasons.items()), line


def test_a_deferral_that_starts_on_a_worker_may_end_in_the_triggerer(job):
    """If Airflow can do it; otherwise, and by default, a worker ends it."""
    for asked in (False, True):
        sensor = TwinSyncSensor(task_id="wait", twinsync_task_id=job, timeout=0.1, end_from_trigger=asked)
        run = run_task(sensor)
        assert run.ended == "AirflowSensorTimeout"
        assert run.trigger is not None
        assert run.trigger.wait.end_from_trigger is (asked and HAS_IT)


def mapped_in(dag: Any, **arguments: Any) -> Any:
    from airflow.providers.common.compat.sdk import BaseOperator

    class Submit(BaseOperator):
        def execute(self, context: Any) -> list[str]:
            return []

    with dag:
        submit = Submit(task_id="submit")
        return TwinSyncSensor.partial(task_id="wait", retries=2, **arguments).expand(
            twinsync_task_id=submit.output
        )


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


# ----------------------------------------------------------------------------------- the trigger's beginning


def started(job: str, *, ago_s: float = 0.0, **arguments: Any) -> TwinSyncTrigger:
    """Return a trigger as Airflow starts it, some time after the start of its sensor."""
    kwargs = {"poke_interval_s": 0.0, "timeout_s": 60.0, "airflow_timeout_s": 120.0, **arguments}
    trigger = trigger_of(job, **kwargs)
    ends_at_s = time.time() - ago_s + kwargs["airflow_timeout_s"]
    trigger.timeout_after = datetime.fromtimestamp(ends_at_s, timezone.utc)  # type: ignore[attr-defined]
    return trigger


def event_at_once(trigger: TwinSyncTrigger) -> dict[str, Any]:
    """Return the event of a trigger that ends at once."""
    return asyncio.run(asyncio.wait_for(first_event(trigger), 10))


def test_the_deadline_outlives_a_triggerer(emulator, job, monkeypatch):
    """It counts from the deferral of the task, which is not in the arguments; a naive time is UTC."""
    clock = Clock(monkeypatch)
    for ago_s in (0.0, 50.0, 1000.0):
        trigger = started(job, ago_s=ago_s, poke_interval_s=5.0)
        if ago_s:
            trigger.timeout_after = trigger.timeout_after.replace(tzinfo=None)  # type: ignore[attr-defined]
        began_s = clock.now_s
        assert asyncio.run(first_event(trigger))["reason"] == "timeout"
        assert clock.now_s - began_s == pytest.approx(max(60.0 - ago_s, 0.1), abs=0.2)


@pytest.mark.parametrize("value", ["None", "", " ", "\n"], ids=repr)
def test_an_id_that_is_none_ends_a_wait_at_once(emulator, connection, value):
    """As on a worker: nothing is sent, and the message is the same."""
    event = event_at_once(started(value, poke_interval_s=60.0))
    assert event["reason"] == "unusable"
    assert event["message"].startswith(f"TS113 twinsync_task_id is {value!r}")
    assert not emulator.world.journal
    run = run_task(TwinSyncSensor(task_id="wait", twinsync_task_id=value))
    assert str(run.error) == event["message"]


def test_a_connection_that_is_wrong_ends_a_wait_at_once(emulator, connect, job):
    connect(colour="blue")
    event = event_at_once(started(job, poke_interval_s=60.0))
    assert event["reason"] == "unusable"
    assert re.match("TS205 .*colour", event["message"])


# ------------------------------------------------------------------------------------------ and its XComs


@dataclass
class Supervisor:
    """Stands in for Airflow's supervisor of triggers, and keeps its messages."""

    pulse: Pulse | None = None  # the supervisor answers after its beats
    fails_on: str = ""
    xcoms: dict[str, Any] = field(default_factory=dict)
    connections: list[dict[str, Any]] = field(
        default_factory=list
    )  # one for each look-up; after that there is none
    messages: list[tuple[str, str, Any, int]] = field(default_factory=list)

    def send(self, message: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ConnectionResult, ErrorResponse, XComResult

        assert self.pulse is None or self.pulse.job_continues()
        if type(message).__name__ == "GetConnection":
            found = self.connections.pop(0) if self.connections else {}
            return ConnectionResult(**found) if found else ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
        if type(message).__name__ == "MaskSecret":
            return None
        if message.key == self.fails_on:
            raise RuntimeError("the database is away")
        kind = type(message).__name__
        self.messages.append((kind, message.key, getattr(message, "value", None), message.map_index))
        if kind == "GetXCom":
            return XComResult(key=message.key, value=self.xcoms.get(message.key))
        return None

    async def asend(self, message: Any) -> Any:
        return await asyncio.to_thread(self.send, message)


@pytest.fixture
def supervisor(monkeypatch) -> Supervisor:
    from airflow.sdk.execution_time import task_runner

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor


def of_task(trigger: TwinSyncTrigger, *, try_number: int = 1, map_index: int = -1) -> TwinSyncTrigger:
    """Set the task instance of a trigger, as the triggerer does."""
    trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
        dag_id="made", task_id="wait", run_id="now", map_index=map_index, try_number=try_number
    )
    return trigger


async def events_of(trigger: TwinSyncTrigger) -> list[Any]:
    return [event async for event in trigger.run()]


def last_event(trigger: TwinSyncTrigger) -> str:
    """Return the name of the only event and the reason for a worker, such as ``TriggerEvent timeout``."""
    [event] = asyncio.run(events_of(trigger))
    payload = event.payload
    return type(event).__name__ + (f" {payload['reason']}" if isinstance(payload, dict) else "")


LINKS = ("twinsync_link", "_link_TwinSyncVideoLink")


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


@since_3_3
def test_a_connection_that_nobody_ever_read_ends_a_wait_at_once(job, supervisor):
    """Airflow's database answers twice that there is none: a retry of the task may find it."""
    trigger = of_task(started(job, twinsync_conn_id="no_such", poke_interval_s=60.0))
    event = event_at_once(trigger)
    assert event["reason"] == "status_lost"
    assert re.match("TS201 .*'no_such'", event["message"])


@since_3_3
@pytest.mark.parametrize("why", ["an earlier triggerer or try read it", "the database is down"])
def test_a_connection_that_may_be_there_is_looked_up_again(job, supervisor, why):
    """Airflow answers that there is none while its database is down, too."""
    if why == "the database is down":
        supervisor.fails_on = "twinsync_link"
    else:
        supervisor.xcoms["twinsync_link"] = "http://127.0.0.1/phototalking?taskID=1"
    assert (
        last_event(of_task(started(job, twinsync_conn_id="no_such", timeout_s=0.3))) == "TriggerEvent timeout"
    )


@since_3_3
def test_a_database_that_comes_back_between_two_questions_ends_no_wait(emulator, job, supervisor):
    emulator.world.advance(7200)
    address = {"host": emulator.host, "port": emulator.port, "schema": "http", "login": None}
    there = {"conn_id": "late", "conn_type": "twinsync", "password": emulator.key, "extra": None, **address}
    supervisor.connections = [{}, there]
    assert last_event(of_task(started(job, twinsync_conn_id="late"))) == "TriggerEvent succeeded"


def test_only_a_video_ends_a_task_in_the_triggerer(emulator, job):
    """A trigger without a task instance, for example in `dag.test()`, leaves the end to a worker too."""
    waiting = trigger_of(job, poke_interval_s=0.0, timeout_s=0.1, end_from_trigger=True)
    assert last_event(waiting) == "TriggerEvent timeout"
    emulator.world.advance(7200)
    waiting = trigger_of(job, poke_interval_s=0.0, end_from_trigger=True)
    assert last_event(waiting) == "TriggerEvent succeeded"


def as_the_triggerer_has_it(dag: Any, kwargs: dict[str, Any]) -> TwinSyncTrigger:
    """Return a trigger with its task as the database has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    trigger = of_task(TwinSyncTrigger(**kwargs))
    trigger.task_instance.task = DagSerialization.from_dict(stored).get_task("wait")  # type: ignore[union-attr]
    return trigger


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


@since_3_3
@pytest.mark.parametrize("outlets", [[], ["assets"]])
def test_a_worker_that_ends_what_the_triggerer_began_says_why(logged, outlets):
    """There is no `execute` to log the reason."""
    from airflow.sdk import Asset

    sensor = TwinSyncSensor(**BOTH, twinsync_task_id="1", outlets=[Asset(name) for name in outlets])
    event = {
        "reason": "succeeded",
        "twinsync_task_id": "1",
        "message": "",
        "result_url": "http://example.com/1.mp4",
    }
    context: Any = {"ti": SimpleNamespace(xcom_push=lambda **_: None, is_mapped=False)}
    assert sensor.execute_complete(context, event) == "http://example.com/1.mp4"
    assert len(warnings(logged())) == len(outlets)
