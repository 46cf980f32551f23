"""XComs, links and files of an example's run."""

from __future__ import annotations

import hashlib
from operator import attrgetter
from pathlib import Path

import airflow

from airflow_provider_twinsync.links import TwinSyncVideoLink


def xcoms(run, task_id: str, key: str = "return_value") -> list:
    """The values that the instances of a task pushed, by map index."""
    from airflow.utils.session import create_session

    try:
        from airflow.models.xcom import XComModel

        value_of = XComModel.deserialize_value
    except ImportError:  # Airflow 2, whose rows come deserialised
        from airflow.models.xcom import XCom as XComModel

        value_of = attrgetter("value")
    with create_session() as session:
        query = session.query(XComModel).filter_by(run_id=run.run_id, task_id=task_id, key=key)
        return [value_of(row) for row in query.order_by(XComModel.map_index)]


def links(run, task_id: str) -> list[str]:
    """Where a task's link leads. Airflow 3 keeps it as an XCom of its own, made when the task ends."""
    if airflow.__version__.startswith("2."):
        ti = run.get_task_instance(task_id)
        return [run.dag.get_task(task_id).get_extra_links(ti, TwinSyncVideoLink.name)]
    return xcoms(run, task_id, "_link_TwinSyncVideoLink")


def is_whole(fetched: dict) -> bool:
    """Compare a file with its description by the task."""
    video = Path(fetched["path"]).read_bytes()
    return (len(video), hashlib.sha256(video).hexdigest()) == (fetched["bytes"], fetched["sha256"])
