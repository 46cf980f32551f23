"""The arguments of the submit operator that need ``wait_for_completion=True``."""

from __future__ import annotations

from typing import Any

from airflow_provider_twinsync._wait.config import OPTIONS
from airflow_provider_twinsync.exceptions import UsageError

_DEFAULTS = {**OPTIONS, "deferrable": True}


def check_unused(given: dict[str, Any], default_args: dict[str, Any]) -> None:
    """Check that a task that does not wait has no argument of a wait.

    Airflow passes a value of ``default_args``, which apply to all tasks of a DAG, as any other argument, and
    also the ``default_args`` themselves. For example, ``default_args={"deferrable": False}`` is no error.

    :param given: the arguments of the task.
    :param default_args: those of its DAG.
    :raises UsageError: an argument has neither its default nor the value of ``default_args``.
    """
    usual = {**_DEFAULTS, **default_args}
    unused = [name for name, value in given.items() if value not in (_DEFAULTS[name], usual[name])]
    if unused:
        raise UsageError(
            f"TS116 {', '.join(unused)} without wait_for_completion=True: this task does not wait. Give it "
            "to the TwinSyncSensor that does, or add wait_for_completion=True."
        )
