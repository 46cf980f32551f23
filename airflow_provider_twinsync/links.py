"""The link to the video on the page of a task."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import airflow_provider_twinsync.requirements  # noqa: F401

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_twinsync.arguments import is_http_url, shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

log = logging.getLogger(__name__)

LINK_KEY = "twinsync_link"


def push_link(context: Context, url: str) -> None:
    """Set where the link leads: to the job's status first, and then to the video."""
    push_xcom(context, LINK_KEY, url)
    # Airflow 3 shows what lies here, and puts it there when a task ends: one that runs or is killed had none.
    if key := getattr(TwinSyncVideoLink(), "xcom_key", None):
        with _or_told(key, url):
            from airflow.sdk.bases.xcom import BaseXCom

            if XCom is BaseXCom:  # the same, and the unit test of a DAG needs no supervisor
                context["ti"].xcom_push(key=key, value=url)
            else:
                set_shown_link(context["ti"], url)


def push_xcom(context: Context, key: str, value: Any) -> None:
    """Push an XCom that is worth less than its task: a job may just have been paid for."""
    with _or_told(key, value):
        context["ti"].xcom_push(key=key, value=value)


def set_shown_link(ti: Any, url: str) -> None:
    """Store the link where Airflow 3's web server looks: in the database, whatever the backend of XComs."""
    from airflow.sdk.bases.xcom import BaseXCom

    BaseXCom.set(key=TwinSyncVideoLink().xcom_key, value=url, **place_of(ti))


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
        """Give the address, or an empty text where there is none: a page is not broken by a missing link."""
        try:
            url = XCom.get_value(ti_key=ti_key, key=LINK_KEY)
        except Exception:  # whatever is wrong, the page must show
            return ""
        return url if isinstance(url, str) else ""
