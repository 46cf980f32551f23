"""The link to the video on the page of a task."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

log = logging.getLogger(__name__)

LINK_KEY = "twinsync_link"


def push_link(context: Context, url: str) -> None:
    """Set where the link leads: to the job's status first, and then to the video."""
    try:
        context["ti"].xcom_push(key=LINK_KEY, value=url)
    except Exception as error:  # a job may just have been paid for: no link is worth a second one
        log.warning("The link to %s could not be stored: %s", url, error)


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
