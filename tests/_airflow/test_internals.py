"""Each private name of Airflow, hidden: the feature falls back, and a DAG file still parses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from support.environment import AIRFLOW_VERSION

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.start_from_trigger import start_args_of
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.links import task_url
from airflow_provider_twinsync.sensors import TwinSyncSensor

since_3_3 = pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="Airflow 3.3 and later")
BOTH: dict[str, Any] = {"task_id": "wait", "start_from_trigger": True, "end_from_trigger": True}


def test_the_names_are_there() -> None:
    """On each supported Airflow, as far as it has the feature; else the fallback would always be used."""
    task = BaseOperator(task_id="task")
    assert not internals.is_mapped(task)
    assert internals.mapped_group_of(task) is None
    assert callable(internals.stats().incr)
    assert not internals.is_unmapped(task)
    assert "_BaseOperator__from_mapped" in vars(task) or hasattr(task, "_BaseOperator__from_mapped")
    if AIRFLOW_VERSION >= (3, 3):
        assert internals.output_of(7) is None
        assert internals.output_of(task.output) == (task, "return_value")
        assert not internals.is_hooked(task, "pre_execute")
        assert not internals.is_hooked(task, "post_execute")


@since_3_3
def test_without_the_output_of_a_task_a_worker_begins_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason, which the sensor logs, has the name."""
    with DAG("made", schedule=None):
        sensor = TwinSyncSensor(task_id="wait", twinsync_task_id=BaseOperator(task_id="submit").output)
    monkeypatch.delattr("airflow.sdk.definitions.xcom_arg.PlainXComArg")
    with pytest.raises(internals.NeedsWorkerError, match="no longer has PlainXComArg"):
        start_args_of(sensor)


@since_3_3
@pytest.mark.parametrize("name", ["pre_execute", "post_execute"])
def test_a_dag_file_parses_without_the_hooks_of_a_task(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A worker begins or ends the wait then."""
    monkeypatch.setattr(TwinSyncSensor, f"_{name}_hook", Gone(), raising=False)
    sensor = TwinSyncSensor(**BOTH, twinsync_task_id="1")
    if name == "pre_execute":
        assert sensor.start_from_trigger is False
        assert "_pre_execute_hook" in sensor._why_worker_starts
    else:
        assert sensor.start_trigger_args.trigger_kwargs["wait"]["end_from_trigger"] is False


class Gone:
    """An attribute that is not there, and that nobody can set."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise AttributeError

    def __set__(self, instance: Any, value: Any) -> None: ...


@since_3_3
def test_a_worker_ends_a_wait_whose_dependants_are_unknown() -> None:
    with pytest.raises(internals.MissingError, match="iter_mapped_dependants"):
        internals.has_mapped_dependants(SimpleNamespace())
    with pytest.raises(internals.MissingError, match="has_on_success_callback"):
        internals.has_success_callback(SimpleNamespace())


def test_without_its_name_a_task_is_checked_as_any_other() -> None:
    assert not internals.is_unmapped(SimpleNamespace())
    assert internals.mapped_group_of(SimpleNamespace()) is None
    assert not internals.is_mapped(SimpleNamespace())


def test_without_the_group_of_a_task_a_worker_begins_the_wait() -> None:
    """The triggerer would pull the output under the wrong index, and wait for the id 'None'."""
    with pytest.raises(internals.NeedsWorkerError, match="no longer has get_closest_mapped_task_group"):
        internals.index_of_output(SimpleNamespace())


@pytest.mark.parametrize("value", [None, "1"])
def test_without_a_count_of_clears_there_is_one_answer(value: Any) -> None:
    assert internals.count_of_clears(SimpleNamespace()) == 0
    assert internals.count_of_clears(SimpleNamespace(max_tries=value)) == 0
    assert internals.count_of_clears(SimpleNamespace(max_tries=3)) == 3


@pytest.mark.parametrize(
    ("ti", "name", "expected"),
    [
        (SimpleNamespace(current_state=lambda: "success"), "AirflowTaskTerminated", True),
        (SimpleNamespace(current_state=lambda: "restarting"), "AirflowTaskTerminated", True),
        (SimpleNamespace(current_state=lambda: "running"), "AirflowTaskTerminated", False),
        (SimpleNamespace(current_state=lambda: 1 / 0), "AirflowTaskTerminated", False),
        (SimpleNamespace(), "AirflowTaskTerminated", False),
        (SimpleNamespace(current_state=lambda: "success"), "AirflowTaskTimeout", False),
    ],
)
def test_a_person_s_choice_ends_a_task_only_if_airflow_says_so(ti: Any, name: str, expected: bool) -> None:
    assert internals.is_ended_by_person(ti, type(name, (BaseException,), {})()) is expected


@pytest.mark.parametrize(
    ("method", "kwargs", "expected"),
    [
        ("__fail__", {"error": "Trigger timeout"}, True),
        ("__fail__", {"error": "Trigger failure"}, False),
        ("__fail__", None, False),
        ("execute_complete", {"event": {}}, False),
    ],
)
def test_the_end_of_a_deferral(method: str, kwargs: Any, expected: bool) -> None:
    assert internals.deferral_timed_out(method, kwargs) is expected


@pytest.mark.parametrize("output", [None, "abc", {"path": "a"}, [1, None], (1,)], ids=repr)
def test_the_output_of_one_task_is_unchanged(output: Any) -> None:
    assert internals.read_output(output) is output


def test_the_output_of_a_mapped_task_is_a_list() -> None:
    """Also of a sequence that has no slices, as the result of ``.map()``."""

    class Mapped(Sequence[int]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: Any) -> Any:
            assert isinstance(index, int)
            return 10 * index

    assert internals.read_output(Mapped()) == [0, 10, 20]


AIRFLOW_3 = "http://h/dags/d/runs/r%3A1/tasks/report"
AIRFLOW_2 = "http://h/dags/d/grid?dag_run_id=r%3A1&task_id=report"


@pytest.mark.parametrize(
    ("own", "map_index", "expected"),
    [
        (f"{AIRFLOW_3}?try_number=2", -1, "http://h/dags/d/runs/r%3A1/tasks/tasks.make"),
        (f"{AIRFLOW_3}/mapped/0?try_number=2", 3, "http://h/dags/d/runs/r%3A1/tasks/tasks.make/mapped/3"),
        (f"{AIRFLOW_2}&map_index=0&tab=logs", -1, f"{AIRFLOW_2.replace('report', 'tasks.make')}&tab=logs"),
        (AIRFLOW_2, 0, f"{AIRFLOW_2.replace('report', 'tasks.make')}&map_index=0"),
        ("http://h/elsewhere", 0, None),
        (None, 0, None),
    ],
)
def test_the_page_of_another_task(own: str | None, map_index: int, expected: str | None) -> None:
    """Of the same run; the own address tells which Airflow it is."""
    ti = SimpleNamespace(task_id="report", log_url=own)
    assert task_url(ti, "tasks.make", map_index) == expected


def test_without_its_name_there_is_no_page_of_a_task() -> None:
    assert task_url(SimpleNamespace(task_id="report"), "make") is None


def test_airflow_has_the_page_of_a_task() -> None:
    """Its own property, read without a run."""
    if AIRFLOW_VERSION >= (3, 0):
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance as Instance
    else:
        from airflow.models.taskinstance import TaskInstance as Instance
    ti: Any = SimpleNamespace(dag_id="d", run_id="r:1", task_id="report", map_index=-1, try_number=1)
    ti.execution_date = datetime(2026, 1, 1, tzinfo=timezone.utc)
    ti.log_url = Instance.log_url.fget(ti)
    found = str(task_url(ti, "make", 3))
    assert "/dags/d/" in found
    assert "make/mapped/3" in found or {"task_id=make", "map_index=3"} <= set(found.split("&"))
    assert "report" not in found


def test_without_airflow_s_renderer_jinja_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    from jinja2 import Template

    for module in ("airflow.sdk.definitions.context", "airflow.utils.helpers"):
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
    assert internals.render(Template("{{ ds }}!"), {"ds": "2026-11-28"}) == "2026-11-28!"


def test_without_airflow_s_arguments_a_function_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the operator that does the same."""
    called: list[str] = []
    assert internals.call(called.append, ["Hello."], {}) is None
    for module in ("airflow.sdk.bases.decorator", "airflow.utils.operator_helpers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match="TS149 "):
        internals.call(called.append, ["Hello."], {})
    assert called == ["Hello."]
