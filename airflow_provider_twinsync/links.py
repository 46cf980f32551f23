"""The link to the video on the page of a task."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import airflow_provider_twinsync.requirements  # noqa: F401

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

log = logging.getLogger(__name__)

LINK_KEY = "twinsync_link"


def push_link(context: Context, url: str) -> None:
    """Set where the link leads: to the job's status first, and then to the video."""
    push_xcom(context, LINK_KEY, url)
    # Airflow 3 shows what lies here, and puts it there when a task ends: one that runs or is killed had none.
    if key := getattr(TwinSyncVideoLink(), "xcom_key", None):
        push_xcom(context, key, url)


def push_xcom(context: Context, key: str, value: Any) -> None:
    """Push an XCom that is worth less than its task: a job may just have been paid for."""
    try:
        context["ti"].xcom_push(key=key, value=value)
    except Exception as error:
        log.warning("The XCom %s could not be stored (%s): %s", key, value, error)


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
