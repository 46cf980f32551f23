"""The check of a destination before anything is paid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._api.shown import shown_destination
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


def check_destination(task: Any, context: Context) -> None:
    """Check that this task can write its destination, and that no other task of the run writes it too.

    Two tasks may have one destination behind a branch, which runs one of them.

    :param task: the operator, rendered.
    :raises UsageError: the destination cannot be written, or another task has the same.
    :raises DownloadInterruptedError: the destination cannot be written now.
    """
    # Here, as a DAG file that is parsed downloads nothing.
    from airflow_provider_twinsync._download.destination import find_place

    find_place(task.destination).check()
    dag: Any = context.get("dag")
    if dag is None or not dag.has_task(task.task_id):
        return
    written = dag.get_task(task.task_id)
    own = _constant(written)
    if own is None:
        return
    shown = shown_destination(str(own))
    ti: Any = context["ti"]
    is_one_of_many = internals.is_mapped(written) or internals.mapped_group_of(written) is not None
    if is_one_of_many and (ti.map_index or 0) > 0:
        raise UsageError(
            f"TS147 destination {shown} is the same for all instances of the mapped task {task.task_id!r}, "
            "so each would replace the video of the one before. Put something of the row into it, such as "
            "{{ ti.map_index }}, or map over it too."
        )
    for other in dag.tasks:
        if other.task_id != task.task_id and _constant(other) == own and not _is_branched(written, other):
            raise UsageError(
                f"TS147 destination {shown} is that of the task {other.task_id!r} too, so one would replace "
                "the video of the other. Give each a destination of its own."
            )


def _is_branched(*tasks: Any) -> bool:
    """Return whether a task upstream of these chooses among them."""
    return any(internals.is_branch(one) for task in tasks for one in task.get_flat_relatives(upstream=True))


def _constant(task: Any) -> Any:
    """Return the destination of a task as the DAG file has it; None if each instance may have another."""
    arguments = getattr(task, "partial_kwargs", None)
    destination = getattr(task, "destination", None) if arguments is None else arguments.get("destination")
    text = str(destination) if hasattr(destination, "__fspath__") else destination
    # Macros of the time or of chance, such as `macros.uuid`, may differ in each instance.
    if not isinstance(text, str) or ("{" in text and re.search(r"\b(ti|task\w*|macros)\b", text)):
        return None
    return text
