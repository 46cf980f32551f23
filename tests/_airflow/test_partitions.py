"""The partition keys of asset events: Airflow runs a consumer once for each video."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from support.airflow_runs import rows
from support.dags import module
from support.environment import AIRFLOW_VERSION

from airflow_provider_twinsync._airflow.lineage import tell_assets

DAGS = Path(__file__).with_name("partition_dags")
VIDEO, ALIAS = Asset("video"), AssetAlias("alias")
since_3_3 = pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="Airflow 3.3 and later have partitions")


class Event:
    """The event of an asset before Airflow 3.3."""

    def __init__(self) -> None:
        self.extra: dict[str, object] = {}


def test_before_airflow_3_3_an_event_has_no_partition(caplog):
    """The event describes the video all the same."""
    event = Event()
    tell_assets({"outlet_events": {"video": event}}, ["video"], {"bytes": 7}, partition_key="anna")
    assert event.extra == {"bytes": 7}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@since_3_3
@pytest.mark.parametrize(
    ("key", "expected", "code"),
    [
        ("anna", {"anna"}, ""),
        (None, set(), ""),
        ("a" * 250, {"a" * 250}, ""),
        ("a" * 251, set(), "TS606 "),
        (" ", set(), "TS606 "),
    ],
    ids=["key", "none", "longest", "too long", "blank"],
)
def test_the_partition_of_an_event(key, expected, code, caplog):
    """A key that Airflow refuses is a warning: the video is worth more."""
    from airflow.sdk.execution_time.context import OutletEventAccessors

    events = OutletEventAccessors()
    tell_assets({"outlet_events": events}, [ALIAS, VIDEO], {"bytes": 7}, partition_key=key)
    assert events[VIDEO].partition_keys == expected
    assert events[VIDEO].extra == {"bytes": 7}
    assert events[ALIAS].partition_keys == set()
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [one[:6] for one in warnings] == [code] * bool(code)


@since_3_3
@pytest.mark.slow
def test_a_consumer_runs_once_for_each_video(migrated, monkeypatch):
    """Airflow's own scheduler makes the runs. A DAG that is scheduled by the asset itself does not start."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit

    bundle = {
        "name": "partitions",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    dags = module("partitions", DAGS)
    assert dags.make.test().state == "success"
    runner = SchedulerJobRunner(job=Job())
    with create_session() as session, prohibit_commit(session) as guard:
        session.add(runner.job)
        session.flush()
        runner._create_dagruns_for_dags(guard, session)
    found = rows("select dag_id, partition_key from dag_run where dag_id like 'partitions_%' order by id")
    assert sorted(found) == [*[("partitions_each", key) for key in dags.ROWS], ("partitions_make", None)]
    extras = rows("select extra, partition_key from asset_event where source_dag_id = 'partitions_make'")
    assert {key: json.loads(extra)["path"] for extra, key in extras} == {
        key: f"/videos/{key}.mp4" for key in dags.ROWS
    }
