"""Every name of Airflow that is not public, each with what happens without it.

For a new Airflow this file is the checklist. Each function reads one name, and returns a fallback if Airflow
no longer has it. After a :class:`MissingError` a worker does the work, or a link stays as it was. Checked on
2.11.2 to 3.3.2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import airflow

from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template


class NeedsWorkerError(Exception):
    """A triggerer cannot do this, and a worker has to; the message is the reason, as part of a sentence."""


class MissingError(NeedsWorkerError):
    """Airflow no longer has a private name.

    :param name: the name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"Airflow {airflow.__version__} no longer has {name}")


def is_unmapped(task: Any) -> bool:
    """Return whether Airflow made this task of the values of a mapped one, which happens when it runs.

    Name: ``BaseOperator.__from_mapped``. Without it ``__init__`` checks such values, and a retry fails as the
    first try did.
    """
    return bool(getattr(task, "_BaseOperator__from_mapped", False))


def is_mapped(task: Any) -> bool:
    """Return whether a task of a DAG is mapped, with ``expand`` or ``expand_kwargs``.

    Names: ``is_mapped`` (Airflow 3), ``MappedOperator.expand_input`` (Airflow 2). Without both a whole mapped
    output passes the check of the DAG file, and fails when the task runs.
    """
    return bool(getattr(task, "is_mapped", hasattr(task, "expand_input")))


def mapped_group_of(task: Any) -> Any:
    """Return the innermost mapped task group around a task, or None.

    Name: ``get_closest_mapped_task_group``. Without it there is none: a whole mapped output passes the check
    of the DAG file.
    """
    find = getattr(task, "get_closest_mapped_task_group", None)
    return find() if find else None


def is_branch(task: Any) -> bool:
    """Return whether a task of a DAG chooses among the tasks after it.

    Name: ``BranchMixIn.do_branch``. Without it two tasks behind a branch cannot have one destination.
    """
    return hasattr(getattr(task, "operator_class", task), "do_branch")


def index_of_output(task: Any) -> str:
    """Return the template of the map index under which a task, not itself mapped, pushes its output.

    Name: ``get_closest_mapped_task_group``.

    :raises MissingError: Airflow has it not.
    """
    if not hasattr(task, "get_closest_mapped_task_group"):
        raise MissingError("get_closest_mapped_task_group")
    return "-1" if mapped_group_of(task) is None else "ti.map_index"


def output_of(value: Any) -> tuple[Any, str] | None:
    """Return the task and the key of a task's output, or None for any other value.

    Name: ``PlainXComArg``.

    :raises MissingError: Airflow has it not.
    """
    try:
        from airflow.sdk.definitions.xcom_arg import PlainXComArg
    except ImportError:
        raise MissingError("PlainXComArg") from None
    return (value.operator, value.key) if isinstance(value, PlainXComArg) else None


def is_hooked(task: Any, name: str) -> bool:
    """Return whether a task has a ``pre_execute`` or ``post_execute`` of its own.

    Names: ``_pre_execute_hook`` and ``_post_execute_hook`` of an operator, ``partial_kwargs`` of a mapped
    one.

    :param name: ``pre_execute`` or ``post_execute``.
    :raises MissingError: Airflow has it not.
    """
    from airflow.providers.common.compat.sdk import BaseOperator

    if not isinstance(task, BaseOperator):
        return bool(getattr(task, "partial_kwargs", {}).get(name))
    try:
        hook = getattr(task, f"_{name}_hook")
    except AttributeError:
        raise MissingError(f"_{name}_hook") from None
    method = getattr(getattr(task, name), "__func__", None)
    return hook is not None or method is not getattr(BaseOperator, name)


def has_mapped_dependants(task: Any) -> bool:
    """Return whether another task is mapped over the result of this one.

    Name: ``iter_mapped_dependants``. A triggerer that ended such a task would leave the other without its
    list.

    :raises MissingError: Airflow has it not.
    """
    find = getattr(task, "iter_mapped_dependants", None)
    if find is None:
        raise MissingError("iter_mapped_dependants")
    return any(find())


def has_success_callback(task: Any) -> bool:
    """Return whether a task has an ``on_success_callback``.

    Name: ``has_on_success_callback``, also of the copy of a task in a trigger, which has no callbacks.

    :raises MissingError: Airflow has it not.
    """
    try:
        return bool(task.has_on_success_callback)
    except AttributeError:
        raise MissingError("has_on_success_callback") from None


def count_of_clears(ti: Any) -> int:
    """Return a number that grows with each clear of a task instance, and not with its retries.

    Name: ``max_tries``. Without it an uncertain submit is reported again after each clear.
    """
    found = getattr(ti, "max_tries", 0)
    return found if isinstance(found, int) else 0


def is_ended_by_person(ti: Any, error: BaseException) -> bool:
    """Return whether a person ended a running task: marked it as success or failed, or cleared it.

    Airflow 2 then raises ``AirflowTaskTerminated`` in the task, and keeps the person's choice only if that
    error leaves the task. It raises the same for a worker that shuts down, where a retry would follow.
    Airflow 3 raises it in no task. Name: ``TaskInstance.current_state``. Without it the task fails.
    """
    if type(error).__name__ != "AirflowTaskTerminated":
        return False
    with suppress(Exception):  # of Airflow's database
        return bool(ti.current_state() != "running")
    return False


def deferral_timed_out(next_method: str, next_kwargs: dict[str, Any] | None) -> bool:
    """Return whether a deferral ended by Airflow's own deadline, and not by an event.

    Names: the method ``__fail__`` and the error ``Trigger timeout``. Without them Airflow's own exception
    ends the task, which names no job.
    """
    return next_method == "__fail__" and (next_kwargs or {}).get("error") == "Trigger timeout"


def read_output(output: Any) -> Any:
    """Return the output of a task, of a mapped one as a list.

    Name: ``LazyXComSequence``, which sends one request for a slice (Airflow 3.1 and later). Without it each
    element is a request: half a minute for a thousand. A loop logs an error at its end.
    """
    if not isinstance(output, Sequence) or isinstance(output, (str, bytes, list, tuple)):
        return output
    with suppress(Exception):  # of a Task SDK that has other sequences
        from airflow.sdk.execution_time.lazy_sequence import LazyXComSequence

        if isinstance(output, LazyXComSequence):
            return list(output[:])
    return [output[index] for index in range(len(output))]


def is_inline() -> bool:
    """Return whether Airflow 3 runs this trigger inside of ``dag.test()`` or ``airflow dags test``.

    Name: ``task_runner.SUPERVISOR_COMMS``, which has ``send`` and no ``asend`` there (3.1.8 to 3.3.2).
    Without it, as on Airflow 2, production stays as it is, and ``dag.test()`` on Airflow 3 finds only the
    connections of the environment and of secrets backends.
    """
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return comms is not None and not hasattr(comms, "asend")


def render(template: Template, context: Any) -> str:
    """Render a template without a look-up of the whole context, also of its deprecated parts.

    Name: ``render_template_to_string`` of ``airflow.sdk.definitions.context`` (Airflow 3) or
    ``airflow.utils.helpers`` (Airflow 2). Without both Jinja renders, with deprecation warnings in the log.
    """
    for module in ("airflow.sdk.definitions.context", "airflow.utils.helpers"):
        with suppress(ImportError):
            if found := getattr(import_module(module), "render_template_to_string", None):
                return str(found(template, context))
    return template.render(context)


def is_base_xcom(backend: Any) -> bool:
    """Return whether Airflow's own backend keeps XComs, so that a plain push has the same result.

    Name: ``airflow.sdk.bases.xcom.BaseXCom``. Without it a plain push is used.
    """
    try:
        from airflow.sdk.bases.xcom import BaseXCom
    except ImportError:
        return True
    return backend is BaseXCom


def stats() -> Any:
    """Return Airflow's own stats, or None.

    Names: ``airflow.sdk.observability.stats.Stats`` (Airflow 3.2 and later) or ``airflow.stats.Stats``.
    Without both there are no metrics.
    """
    for module in ("airflow.sdk.observability.stats", "airflow.stats"):
        with suppress(ImportError):
            return getattr(import_module(module), "Stats", None)
    return None


def resumable_job_tags(context: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the tags that ``ResumableJobMixin`` gives its metrics: the operator, and its team if it has one.

    Name: ``stats_tags`` of a task instance. Without it the metrics have no team.
    """
    found = context or {}
    tags = {"operator": type(found["task"]).__name__ if "task" in found else "none"}
    if team := (getattr(found.get("ti"), "stats_tags", None) or {}).get("team_name"):
        tags["team_name"] = str(team)
    return tags


def set_xcom(key: str, value: Any, place: dict[str, Any]) -> None:
    """Store an XCom of any task instance in Airflow's database, also if another backend keeps XComs.

    Name: ``airflow.sdk.bases.xcom.BaseXCom.set``. Without it the link of a task that runs leads nowhere.

    :raises MissingError: Airflow has it not.
    """
    try:
        from airflow.sdk.bases.xcom import BaseXCom
    except ImportError:
        raise MissingError("BaseXCom") from None
    BaseXCom.set(key=key, value=value, **place)


def call(function: Any, args: Any, context: Any) -> Any:
    """Call the function of a task with its arguments, and with those of Airflow's that it takes, as ``ti``.

    Name: ``determine_kwargs`` of ``airflow.sdk.bases.decorator`` (Airflow 3.2 and later) or
    ``airflow.utils.operator_helpers``. Without both the task fails before anything is paid.

    :param context: Airflow's context, with the keyword arguments of the task.
    :raises UsageError: Airflow has it not; the message names the operator to use instead.
    """
    for module in ("airflow.sdk.bases.decorator", "airflow.utils.operator_helpers"):
        with suppress(ImportError):
            if found := getattr(import_module(module), "determine_kwargs", None):
                return function(*args, **found(function, args, context))
    raise UsageError(
        f"TS149 @task.twinsync does not work on Airflow {airflow.__version__}, which no longer has "
        "determine_kwargs. Upgrade airflow-provider-twinsync. Until then, return the text from a @task, and "
        "give its output to a TwinSyncVideoOperator."
    )
