"""The link to the video on the page of a task."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_twinsync._api.shown import shown_url
from airflow_provider_twinsync._api.validation import is_http_url

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

log = logging.getLogger(__name__)

LINK_KEY = "twinsync_link"
#: Longer than any address that a browser takes; a signed one has 2,000 characters.
_MAX_CHARACTERS = 8000


def is_shown(url: Any) -> TypeGuard[str]:
    """Return whether a link may have this address: a browser would run a ``javascript:`` address."""
    return is_http_url(url) and len(url) <= _MAX_CHARACTERS


def push_xcom(context: Context, key: str, value: Any) -> None:
    """Push an XCom that is worth less than its task: a job may just have been paid for."""
    with _or_told(key, value):
        context["ti"].xcom_push(key=key, value=value)


def push_submit_link(context: Context, task: BaseOperator, twinsync_task_id: str, url: str) -> None:
    """Set the link of the submit that made a job to its video, too; never fails.

    The only way to change the link of another task is to set its XCom. Only a submit upstream is found, with
    this task's map index, or without one.

    :param context: of the task that has seen the video.
    :param task: that task.
    """
    if not is_shown(url):
        return
    ti = context["ti"]
    try:
        own_index = -1 if ti.map_index is None else ti.map_index
        for submit, is_many in submits_before(task):
            if is_many and own_index < 0:
                continue  # it may be any of them
            index = own_index if is_many else -1
            if ti.xcom_pull(task_ids=submit, map_indexes=index) == twinsync_task_id:
                place = {**place_of(ti), "task_id": submit, "map_index": index}
                if hasattr(TwinSyncVideoLink(), "xcom_key"):
                    _set_shown(url, place)
                else:  # Airflow 2 asks `get_link`
                    XCom.set(key=LINK_KEY, value=url, **place)
    except Exception as error:  # a later Airflow may not let a task do this
        log.debug("The link of the submit task could not be set: %s", error)


def submits_before(task: Any) -> Iterator[tuple[str, bool]]:
    """Return the ids of the submit tasks upstream of a task, each with whether it has many instances."""
    for submit in task.get_flat_relatives(upstream=True):
        if getattr(getattr(submit, "operator_class", submit), "makes_jobs", False):
            yield submit.task_id, is_mapped(submit) or submit.get_closest_mapped_task_group() is not None


def is_mapped(task: Any) -> bool:
    """Return whether a task of a DAG is mapped, with ``expand`` or ``expand_kwargs``."""
    return getattr(task, "is_mapped", hasattr(task, "expand_input"))  # the latter on Airflow 2


def set_shown_link(ti: Any, url: str) -> None:
    """Store the link where Airflow 3's web server looks: in the database, whatever the backend of XComs."""
    _set_shown(url, place_of(ti))


def _set_shown(url: str, place: dict[str, Any]) -> None:
    from airflow.sdk.bases.xcom import BaseXCom

    BaseXCom.set(key=TwinSyncVideoLink().xcom_key, value=url, **place)


def place_of(ti: Any) -> dict[str, Any]:
    """Give what names the XComs of a task instance."""
    map_index = -1 if ti.map_index is None else ti.map_index
    return {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": map_index}


@contextmanager
def _or_told(key: str, value: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of any backend of XComs, and there the job may just have been paid for
        shown = shown_url(value) if is_http_url(value) else value  # a query may be a signature
        log.warning("The XCom %s could not be stored (%s): %s", key, shown, error)


class TwinSyncVideoLink(BaseOperatorLink):
    """Link to the finished video or, while there is none, to the job's status at the service."""

    name = "TwinSync video"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey, **kwargs: Any) -> str:
        """Return the address, or an empty text where there is none: no page breaks for a missing link."""
        # Airflow 3 asks in the worker, after each try, and logs an error for an XCom that is not there.
        # Airflow 2 asks in the web server, whose operator does not know.
        if hasattr(self, "xcom_key") and not getattr(operator, "is_linked", True):
            return ""
        try:
            url = XCom.get_value(ti_key=ti_key, key=LINK_KEY)
        except Exception:  # whatever is wrong, the page must show
            return ""
        return url if is_shown(url) else ""


class Linked:
    """A task with the link; for the bases of an operator."""

    operator_extra_links: Collection[BaseOperatorLink] = (TwinSyncVideoLink(),)
    #: Whether the task has set where its link leads, in this try.
    is_linked = False

    def push_link(self, context: Context, url: str) -> None:
        """Set where the link leads: to the job's status first, and then to the video."""
        if not is_shown(url):
            return
        self.is_linked = True
        push_xcom(context, LINK_KEY, url)
        # Airflow 3 shows this XCom, and sets it when a task ends: a task that runs or was killed had none.
        if key := getattr(TwinSyncVideoLink(), "xcom_key", None):
            with _or_told(key, url):
                from airflow.sdk.bases.xcom import BaseXCom

                if XCom is BaseXCom:  # the same, and the unit test of a DAG needs no supervisor
                    context["ti"].xcom_push(key=key, value=url)
                else:
                    set_shown_link(context["ti"], url)
