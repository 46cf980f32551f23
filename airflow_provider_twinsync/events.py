"""The event that ends a wait in the triggerer, as it crosses Airflow's database.

A room of its own, without the trigger: Airflow's base of triggers is slow to import, and a DAG file that is
parsed defers nothing.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_twinsync.arguments import is_http_url, shown_text
from airflow_provider_twinsync.exceptions import StatusError, WaitTimeoutError
from airflow_provider_twinsync.polling import End, EndReason

#: Airflow's own deadline for a deferred task lies behind that of the trigger, which names the job and the
#: reason, by this and the time for a request: it is only for a triggerer that does not run.
BACKSTOP_S = 30.0


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
    """Make the event that says how a wait ended: it crosses the database, so it is small and plain."""
    return {
        "reason": end.reason.value,
        "twinsync_task_id": end.twinsync_task_id,
        "message": end.message,
        "result_url": end.result_url,
    }


def read_event(event: Any) -> End:
    """Read an event back.

    :raises StatusError: it is not one that this version understands.
    """
    try:
        end = End(
            EndReason(event["reason"]), event["twinsync_task_id"], event["message"], event["result_url"]
        )
        texts = isinstance(end.twinsync_task_id, str) and isinstance(end.message, str)
        succeeded = end.reason is EndReason.SUCCEEDED
        understood = texts and (is_http_url(end.result_url) if succeeded else end.result_url is None)
    except (TypeError, KeyError, ValueError):
        understood = False
    if not understood:
        raise StatusError(
            f"The trigger sent an event that this version does not understand: {shown_text(event)}. Was the "
            "package changed while the task waited? The job goes on."
        )
    return end
