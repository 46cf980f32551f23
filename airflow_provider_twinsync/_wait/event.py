"""The event that ends a wait in the triggerer and crosses Airflow's database.

This module does not import the trigger: Airflow's base class of triggers is slow to import, and a parsed DAG
file defers nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line, shown_text
from airflow_provider_twinsync._api.validation import is_http_url
from airflow_provider_twinsync._wait.outcome import End, EndReason
from airflow_provider_twinsync.exceptions import StatusError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The trigger ends a wait with the job and the reason. Airflow's own deadline for a deferred task comes later
#: by this time and the time for a request: it is only for a triggerer that does not run.
BACKSTOP_S = 30.0

_MAX_ID_CHARACTERS = 250
_MAX_MESSAGE_CHARACTERS = 2_000


def make_event(end: End) -> dict[str, Any]:
    """Build the event of an end: small and plain, as it crosses the database."""
    return {
        "reason": end.reason.value,
        # A wait for an unusable id ends with the id's text, which may be anything.
        "twinsync_task_id": one_line(str(end.twinsync_task_id), _MAX_ID_CHARACTERS),
        "message": one_line(end.message, _MAX_MESSAGE_CHARACTERS),
        "result_url": end.result_url,
    }


def make_events(ends: Iterable[End]) -> dict[str, Any]:
    """Build the event of several ends."""
    return {"ends": [make_event(end) for end in ends]}


def read_events(event: Any, jobs: Sequence[str]) -> list[End]:
    """Read the event of several ends, as :func:`read_event`.

    :param jobs: the jobs that are waited for, in their order; empty if they are unknown.
    :raises StatusError: this version does not understand the event, or it has the videos of other jobs.
    """
    found = event.get("ends") if isinstance(event, dict) else None
    ends = [read_event(end) for end in (found if found and isinstance(found, list) else [event])]
    is_done = all(end.result_url for end in ends)
    if jobs and is_done and [end.twinsync_task_id for end in ends] != list(jobs):
        raise _not_understood(event)
    return ends


def read_event(event: Any) -> End:
    """Read an event from the database. Others may write there, so texts are bounded and on one line.

    :raises StatusError: this version does not understand the event.
    """
    try:
        end = End(
            EndReason(event["reason"]),
            one_line(event["twinsync_task_id"], _MAX_ID_CHARACTERS),
            one_line(event["message"], _MAX_MESSAGE_CHARACTERS),
            event["result_url"],
        )
        succeeded = end.reason is EndReason.SUCCEEDED
        understood = is_http_url(end.result_url) if succeeded else end.result_url is None
    except (AttributeError, TypeError, KeyError, ValueError):
        understood = False
    if not understood:
        raise _not_understood(event)
    return end


def _not_understood(event: Any) -> StatusError:
    return StatusError(
        f"TS407 This version does not understand the event of the trigger: {shown_text(event)}. Was the "
        "package changed while the task waited? The job goes on."
    )
