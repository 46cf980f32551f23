"""The event that ends a wait in the triggerer, as it crosses Airflow's database.

A room of its own, without the trigger: Airflow's base of triggers is slow to import, and a DAG file that is
parsed defers nothing.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_twinsync._api.shown import one_line, shown_text
from airflow_provider_twinsync._api.validation import is_http_url
from airflow_provider_twinsync._wait.outcome import End, EndReason
from airflow_provider_twinsync.exceptions import StatusError, WaitTimeoutError

#: Airflow's own deadline for a deferred task lies behind that of the trigger, which names the job and the
#: reason, by this and the time for a request: it is only for a triggerer that does not run.
BACKSTOP_S = 30.0

_MAX_ID_CHARACTERS = 250
_MAX_MESSAGE_CHARACTERS = 2_000


def check_triggerer(next_method: str, next_kwargs: dict[str, Any] | None) -> None:
    """Tell a deferral that ended by Airflow's own deadline from one that ended by an event.

    Airflow resumes such a task with these words from 2.11 to 3.3, and what it raises for them differs.

    :raises WaitTimeoutError: it did.
    """
    if next_method == "__fail__" and (next_kwargs or {}).get("error") == "Trigger timeout":
        raise WaitTimeoutError(
            "No triggerer said before the deadline how the wait ended: is an `airflow triggerer` running? "
            "The job goes on; the link 'TwinSync video' of this task shows its status."
        )


def make_event(end: End) -> dict[str, Any]:
    """Build the event that says how a wait ended: it crosses the database, so it is small and plain."""
    return {
        "reason": end.reason.value,
        # The wait for what is no id ends with its text, which may be anything.
        "twinsync_task_id": one_line(str(end.twinsync_task_id), _MAX_ID_CHARACTERS),
        "message": one_line(end.message, _MAX_MESSAGE_CHARACTERS),
        "result_url": end.result_url,
    }


def read_event(event: Any) -> End:
    """Read an event back from the database, where others may write too: its texts are bounded and on one
    line.

    :raises StatusError: it is not one that this version understands.
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
        raise StatusError(
            f"The trigger sent an event that this version does not understand: {shown_text(event)}. Was the "
            "package changed while the task waited? The job goes on."
        )
    return end
