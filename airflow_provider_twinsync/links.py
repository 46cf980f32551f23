"""The link to the video on the page of a task."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import parse_qsl, quote, urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._api.shown import shown_url
from airflow_provider_twinsync._api.validation import is_http_url

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

log = logging.getLogger(__name__)

LINK_KEY = "twinsync_link"
#: More than any browser accepts; a signed address has 2,000 characters.
_MAX_CHARACTERS = 8000


def is_shown(url: Any) -> TypeGuard[str]:
    """Return whether a link may have this address.

    It is an http(s) address of at most 8,000 characters: a browser would run a ``javascript:`` address.

    >>> is_shown("https://example.com/a.mp4"), is_shown("javascript:alert(1)")
    (True, False)
    """
    return is_http_url(url) and len(url) <= _MAX_CHARACTERS


def push_xcom(context: Context, key: str, value: Any) -> None:
    """Push an XCom; an error is only logged (``TS601``), as the task may just have paid for a job."""
    with _warn_on_error(key, value):
        context["ti"].xcom_push(key=key, value=value)


def push_submit_link(context: Context, task: BaseOperator, twinsync_task_id: str, url: str) -> None:
    """Point the link of the submit task to the video too. Never raises an error.

    The only way to change the link of another task is to set its XCom. This finds only a submit upstream,
    with this task's map index or without one.

    :param context: the context of the task that has the video's address.
    :param task: that task.
    :param twinsync_task_id: the job.
    :param url: the video's address.
    """
    if not is_shown(url):
        return
    ti = context["ti"]
    try:
        own_index = -1 if ti.map_index is None else ti.map_index
        for submit, is_many in submits_before(task):
            if is_many and own_index < 0:
                continue  # any instance of it may be the one
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
    """Return pairs of the submit tasks upstream of a task: the task's id, and whether it is mapped."""
    for submit in task.get_flat_relatives(upstream=True):
        if getattr(getattr(submit, "operator_class", submit), "makes_jobs", False):
            is_many = internals.is_mapped(submit) or internals.mapped_group_of(submit) is not None
            yield submit.task_id, is_many


def set_shown_link(ti: Any, url: str) -> None:
    """Store the link for Airflow 3's web server, which reads the database and not the backend of XComs."""
    _set_shown(url, place_of(ti))


def _set_shown(url: str, place: dict[str, Any]) -> None:
    internals.set_xcom(TwinSyncVideoLink().xcom_key, url, place)


def place_of(ti: Any) -> dict[str, Any]:
    """Return the keyword arguments that identify a task instance's XComs."""
    map_index = -1 if ti.map_index is None else ti.map_index
    return {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": map_index}


def task_url(ti: Any, task_id: str, map_index: int = -1) -> str | None:
    """Return the address of a task instance of the same run in Airflow's web UI, or None.

    For example ``http://localhost:8080/dags/d/runs/r/tasks/t/mapped/3`` (Airflow 3) or
    ``http://localhost:8080/dags/d/grid?dag_run_id=r&task_id=t`` (Airflow 2).

    :param ti: any task instance of the run.
    :param map_index: the index of the instance; -1 for a task that is not mapped.
    """
    with suppress(Exception):  # of Airflow's configuration
        before, in_path, _ = ti.log_url.rpartition(f"/tasks/{ti.task_id}")
        if in_path:
            return f"{before}/tasks/{quote(task_id)}" + (f"/mapped/{map_index}" if map_index >= 0 else "")
        address, query = ti.log_url.split("?", 1)
        fields = {**dict(parse_qsl(query)), "task_id": task_id, "map_index": str(map_index)}
        if map_index < 0:
            del fields["map_index"]
        return f"{address}?{urlencode(fields)}"
    return None


@contextmanager
def _warn_on_error(key: str, value: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # from any backend of XComs
        shown = shown_url(value) if is_http_url(value) else value  # a query may be a signature
        log.warning("TS601 The XCom %s could not be stored (%s): %s", key, shown, error)


class TwinSyncVideoLink(BaseOperatorLink):
    """The link *TwinSync video*: to the finished video or, until then, to the job's status at the service.

    The operators of this package have it. A task of your own gets it with ``Linked``.
    """

    name = "TwinSync video"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey, **kwargs: Any) -> str:
        """Return the address, or an empty string if there is none. Never raises an error.

        :param operator: the task.
        :param ti_key: the task instance.
        """
        # Airflow 3 calls this in the worker after each try, and logs an error for a missing XCom. Airflow 2
        # calls it in the web server, with an operator that lacks `is_linked`.
        if hasattr(self, "xcom_key") and not getattr(operator, "is_linked", True):
            return ""
        try:
            url = XCom.get_value(ti_key=ti_key, key=LINK_KEY)
        except Exception:  # an error would break the page of the task
            return ""
        return url if is_shown(url) else ""


class Linked:
    """A base class for operators with the link :class:`TwinSyncVideoLink`. For example::

    from airflow.providers.common.compat.sdk import BaseOperator
    from airflow_provider_twinsync.links import Linked

    class Publish(Linked, BaseOperator):
        def execute(self, context):
            self.push_link(context, "https://example.com/video.mp4")
    """

    operator_extra_links: Collection[BaseOperatorLink] = (TwinSyncVideoLink(),)
    #: Whether this try has set the address of the link.
    is_linked = False

    def push_link(self, context: Context, url: str) -> None:
        """Set the address of the link.

        :param context: the context of this task.
        :param url: an http(s) address. Any other address is ignored.
        """
        if not is_shown(url):
            return
        self.is_linked = True
        push_xcom(context, LINK_KEY, url)
        # Airflow 3 shows this XCom and sets it when a task ends: a running or killed task would have none.
        if key := getattr(TwinSyncVideoLink(), "xcom_key", None):
            with _warn_on_error(key, url):
                if internals.is_base_xcom(XCom):  # the unit test of a DAG needs no supervisor then
                    context["ti"].xcom_push(key=key, value=url)
                else:
                    set_shown_link(context["ti"], url)
