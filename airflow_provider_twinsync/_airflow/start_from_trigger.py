"""Waits without a worker: start and end a sensor in the triggerer, and find the reasons for a worker.

For Airflow 3.3 and later; the statements about it were checked with 3.3.2.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import NoneType
from typing import TYPE_CHECKING, Any

from airflow import __version__
from airflow.providers.common.compat.sdk import conf

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.internals import NeedsWorkerError
from airflow_provider_twinsync._api.durations import checked_seconds
from airflow_provider_twinsync._api.settings import DEFAULT_REQUEST_TIMEOUT_S
from airflow_provider_twinsync._wait.config import OPTIONS, Handover, WaitConfig, trigger_row
from airflow_provider_twinsync._wait.event import BACKSTOP_S
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.links import LINK_KEY, TwinSyncVideoLink, is_shown, place_of, set_shown_link

if TYPE_CHECKING:
    from airflow.triggers.base import StartTriggerArgs

_TRIGGER = "airflow_provider_twinsync.triggers.TwinSyncTrigger"
_RETURN_VALUE = "return_value"
_HAS_IT = tuple(int(part) for part in __version__.split(".")[:2]) >= (3, 3)

#: Airflow ends a wait that began in the triggerer at its ``execution_timeout``, and its message has neither
#: job nor reason. The trigger's deadline is this many seconds earlier, or a quarter of the time if that is
#: less.
_MARGIN_S = 10.0


def why_no_triggerer(sensor: Any) -> str:
    """Return the reason why no triggerer can begin or end the wait of a sensor, or an empty text."""
    if not _HAS_IT:
        return f"it needs Airflow 3.3 or later, and this is {__version__}"
    return "" if sensor.deferrable else "deferrable is False"


def _why_not_picked_up() -> str:
    """Return the reason why no triggerer may run a trigger that starts there, or an empty text."""
    # In Airflow 3.3.2 such a trigger has no queue, and a triggerer with queues runs no trigger without one.
    return "[triggerer] queues_enabled is on, and Airflow puts it into no queue" if _has_queues() else ""


def queue_of(ti: Any) -> str | None:
    """Return the queue of a trigger that a worker started, or None where triggers have no queues.

    With ``[triggerer] queues_enabled`` (Airflow 3.2 and later) it is the queue of the task, and only a
    triggerer with this queue in its ``--queues`` runs the trigger.

    :param ti: the task instance of the trigger; None in ``dag.test()``.
    """
    return getattr(ti, "queue", None) if _has_queues() else None


def _has_queues() -> bool:
    enabled: bool = conf.getboolean("triggerer", "queues_enabled", fallback=False)
    return enabled


def start_args_of(sensor: Any) -> StartTriggerArgs:
    """Return the ``start_trigger_args`` of a sensor, with which Airflow begins its wait in the triggerer.

    :raises NeedsWorkerError: the wait cannot begin there.
    """
    if why := why_no_triggerer(sensor) or _why_not_picked_up():
        raise NeedsWorkerError(why)
    dag = sensor.get_dag()
    if set(sensor.params) - set(dag.params if dag else ()):
        # Airflow checks them in the triggerer. A wrong one ends the triggerer with all its triggers (3.3.2).
        raise NeedsWorkerError("the task has params of its own")
    if sensor.on_execute_callback:
        raise NeedsWorkerError("the task has an on_execute_callback, which only a worker calls")
    if internals.is_hooked(sensor, "pre_execute"):
        raise NeedsWorkerError("the task has a pre_execute, which only a worker calls")
    wait = WaitConfig.of(sensor)
    if _why_worker_ends_by_its_arguments(sensor):
        # While the DAG file is parsed, the task has no downstream task yet: the triggerer checks again.
        wait = replace(wait, end_from_trigger=False)
    return start_args(
        _as_template("twinsync_task_id", sensor.twinsync_task_id),
        _as_template("twinsync_conn_id", sensor.twinsync_conn_id),
        wait,
    )


def start_args(twinsync_task_id: str, twinsync_conn_id: str, wait: WaitConfig) -> StartTriggerArgs:
    """Return the ``start_trigger_args`` of a wait with a ``timeout``; the triggerer renders both ids."""
    # The import is slow, and most DAG files do not need it.
    from airflow.triggers.base import StartTriggerArgs

    timeout_s, limit_s = wait.timeout_s or 0.0, wait.execution_timeout_s
    airflow_timeout_s = timeout_s + BACKSTOP_S + DEFAULT_REQUEST_TIMEOUT_S
    if limit_s is not None:
        # As Airflow does.
        airflow_timeout_s = min(airflow_timeout_s, limit_s)
        latest_s = airflow_timeout_s - min(_MARGIN_S, airflow_timeout_s / 4)
        if timeout_s <= limit_s:  # then this is the reason of the end, also of an earlier end
            timeout_s = min(timeout_s, latest_s)
        wait = replace(wait, timeout_s=timeout_s, execution_timeout_s=latest_s)
    return StartTriggerArgs(
        trigger_cls=_TRIGGER,
        trigger_kwargs=trigger_row(
            twinsync_task_id, twinsync_conn_id, wait, Handover(airflow_timeout_s=airflow_timeout_s)
        ),
        next_method="execute_complete",
        timeout=timedelta(seconds=airflow_timeout_s),
    )


def partial_args(twinsync_task_id: str, twinsync_conn_id: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``partial`` for a mapped sensor that starts in the triggerer.

    :param options: the sensor's arguments that are options of a wait, with its ``timeout``.
    :raises TypeError: an argument is no option of a wait.
    :raises UsageError: a template pulls an XCom without ``map_indexes``, or a time is negative or not finite.
    """
    checked_seconds("timeout", options["timeout"])  # None is no timeout here
    if not isinstance(limit := options.get("execution_timeout"), (timedelta, NoneType)):
        # Airflow refuses a number too, but only when it makes the task of a mapped value.
        raise UsageError(f"TS115 execution_timeout is {limit!r}: it should be a timedelta.")
    wait = WaitConfig.of_arguments(options)
    arguments = {**OPTIONS, **options, "twinsync_conn_id": twinsync_conn_id, "start_from_trigger": True}
    if not _HAS_IT or _why_not_picked_up():  # Airflow 2.11 would start it with the template as the id
        return arguments
    ids = {"twinsync_task_id": twinsync_task_id, "twinsync_conn_id": twinsync_conn_id}
    for name, template in ids.items():
        # Airflow does not answer this question of a trigger, which then waits for ever (3.3.2).
        if isinstance(template, str) and "xcom_pull" in template and "map_indexes" not in template:
            raise UsageError(
                f"TS129 A mapped sensor cannot start in the triggerer with {name}={template!r}: add "
                "map_indexes to xcom_pull, such as map_indexes=ti.map_index."
            )
    return {**arguments, "start_trigger_args": start_args(twinsync_task_id, twinsync_conn_id, wait)}


def _as_template(name: str, value: Any) -> str:
    """Return an argument as a template that the triggerer renders to the value for a worker.

    :raises NeedsWorkerError: the argument is neither a constant nor the output of a task.
    """
    if output := internals.output_of(value):
        return _pull(*output)
    if not isinstance(value, str):
        raise NeedsWorkerError(f"{name} is neither a text nor the output of a task ({type(value).__name__})")
    # Airflow does not answer the questions of some templates in a trigger, which then waits for ever (3.3.2).
    if any(mark in value for mark in ("{{", "{%", "{#")):
        raise NeedsWorkerError(f"{name} is a template, which a worker renders")
    return value


def _pull(task: Any, key: str) -> str:
    # Not a mapped task, nor one of another mapped group: TextFields.check_given refuses these.
    index = internals.index_of_output(task)
    pull = f"ti.xcom_pull(task_ids={task.task_id!r}, key={key!r}, map_indexes={index})"
    # A list would become a text in the form of an id.
    return f"{{% set value = {pull} %}}{{{{ value if value is string else none }}}}"


def why_worker_ends(task: Any, *, is_mapped: bool = False) -> str:
    """Return the reason why only a worker can end a task, or an empty text.

    :param task: the operator, or its copy in a trigger, which has no ``post_execute``.
    :param is_mapped: the task is an instance of a mapped task.
    """
    if why := _why_worker_ends_by_its_arguments(task):
        return why
    try:
        if task.get_dag() and not (is_mapped or task.is_mapped) and internals.has_mapped_dependants(task):
            return "another task is mapped over this task's result, which only a worker checks"
    except internals.MissingError as missing:
        return str(missing)
    return ""


def _why_worker_ends_by_its_arguments(task: Any) -> str:
    try:
        if internals.has_success_callback(task):
            return "the task has an on_success_callback, which only a worker calls"
        if task.outlets:
            return "the task has outlets, and only a worker makes their events"
        if internals.is_hooked(task, "post_execute"):
            return "the task has a post_execute, which only a worker calls"
    except internals.MissingError as missing:
        return str(missing)
    return ""


def begin_try(ti: Any) -> None:
    """Delete the XComs of an earlier try, as Airflow does for a worker; blocks.

    :param ti: the task instance of a trigger.
    """
    from airflow.providers.common.compat.sdk import XCom

    if ti.try_number > 1:
        for key in (_RETURN_VALUE, LINK_KEY, TwinSyncVideoLink().xcom_key):
            XCom.delete(key=key, **place_of(ti))


def has_link(ti: Any) -> bool:
    """Return True if this wait, or an earlier try, stored a link, and so has read the connection; blocks.

    :param ti: the task instance of a trigger.
    :raises Exception: Airflow could not answer: its database may be down.
    """
    from airflow.providers.common.compat.sdk import XCom

    return XCom.get_one(key=LINK_KEY, **place_of(ti)) is not None


def end_try(ti: Any, result_url: str, *, do_xcom_push: bool) -> None:
    """Store the XComs that a worker stores when the task succeeds; blocks.

    ``TaskSuccessEvent(xcoms=...)`` would encode them twice.
    """
    from airflow.providers.common.compat.sdk import XCom

    set_link(ti, result_url)
    if do_xcom_push:
        XCom.set(key=_RETURN_VALUE, value=result_url, **place_of(ti))


def set_link(ti: Any, url: str) -> None:
    """Store the address of the task's link, also in the XCom that a worker stores at its end; blocks."""
    from airflow.providers.common.compat.sdk import XCom

    if is_shown(url):
        XCom.set(key=LINK_KEY, value=url, **place_of(ti))
        set_shown_link(ti, url)
