"""
### A message for every row of a sheet

`scripts.csv`, beside this file, has a row for each person. `plan` checks all rows before anything is paid,
and passes on those that are new or changed. `make` makes a video of each. `report` writes a page that shows
the whole night, also after a failure. Another run pays for the rows that changed since.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import (
    TwinSyncPlanOperator,
    TwinSyncReportOperator,
    TwinSyncVideoOperator,
)

PHOTO = "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg"

# [START howto_twinsync_sheet]
with DAG(
    dag_id="twinsync_sheet",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={
        "sheet": Param(str(Path(__file__).with_name("scripts.csv")), type="string"),
        "photo": Param(PHOTO, type="string"),
        "folder": Param("/tmp/twinsync/sheet", type="string"),  # noqa: S108  # an example's
    },
) as dag:
    plan = TwinSyncPlanOperator(
        task_id="plan",
        source="{{ params.sheet }}",
        defaults={
            "image_url": "{{ params.photo }}",
            "destination": "{{ params.folder }}/{{ row.id }}.mp4",
            "captions": "srt, vtt",
            "poster": True,
            "check": True,
        },
        max_jobs=50,
        ledger="{{ params.folder }}/ledger",
        report_destination="{{ params.folder }}",
    )
    make = TwinSyncVideoOperator.partial(
        task_id="make", map_index_template="{{ task.row_id }}"
    ).expand_kwargs(plan.output)
    TwinSyncReportOperator(
        task_id="report",
        videos=make.output,
        plan=plan.output["plan"],
        destination="{{ params.folder }}/report.html",
    )
# [END howto_twinsync_sheet]
