"""The DAGs of ``test_partitions.py``: three videos of one asset, and a consumer of each kind."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task

from airflow_provider_twinsync._airflow.lineage import tell_assets

VIDEO = Asset("partitioned_video")
ROWS = ["anna", "bert", "row 7"]

with DAG("partitions_make", schedule=None) as make:

    @task(outlets=[VIDEO])
    def video(row_id: str, **context: Any) -> None:
        """Describe a video in the event of its asset."""
        tell_assets(context, [VIDEO], {"path": f"/videos/{row_id}.mp4"}, partition_key=row_id)

    video.expand(row_id=ROWS)


def publish() -> None:
    """Do nothing: the tests count the runs."""


for name, schedule in {"each": PartitionedAssetTimetable(assets=VIDEO), "plain": [VIDEO]}.items():
    with DAG(f"partitions_{name}", schedule=schedule, is_paused_upon_creation=False):
        task(publish)()
