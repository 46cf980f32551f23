"""The contenders of the benchmark of waiting, and the way in which each reaches the local server.

Every contender is a trigger, named by its path and made from arguments that cross JSON, as in Airflow. Where
the settings of its connection do not reach the local server, ``patch`` changes the least that does, and
``patched`` names it. All contenders poll the same jobs, every ``POKE_INTERVAL_S`` seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

POKE_INTERVAL_S = 5.0
FAR_FUTURE = 4_000_000_000.0  # seconds since 1970: the end of the wait, for triggers that ask for one


@dataclass(frozen=True, slots=True)
class Contender:
    """A trigger to be measured."""

    name: str
    label: str  # as a table and a plot show it
    distribution: str  # the package to install
    classpath: str
    arguments: Callable[[int, int], dict[str, Any]]  # from the job's number and the server's port
    connection: Callable[[int], tuple[str, dict[str, Any]]] | None = None  # from the port: its id, its fields
    patch: Callable[[int], None] | None = None  # from the port; called in the client before anything starts
    patched: str = "nothing"

    @property
    def version(self) -> str | None:
        """The version that is installed; None if none is."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return None

    def environment(self, port: int) -> dict[str, str]:
        """Return the environment variable with the connection."""
        if self.connection is None:
            return {}
        conn_id, fields = self.connection(port)
        return {f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(fields)}


def _local(conn_id: str, **fields: Any) -> Callable[[int], tuple[str, dict[str, Any]]]:
    """Make a connection to the local server, by its host, port and schema."""
    address = {"host": "127.0.0.1", "schema": "http"}
    return lambda port: (conn_id, {**address, "port": port, **fields})


def _patch_dbt(port: int) -> None:
    from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook

    with_https = DbtCloudHook.get_request_url_params

    def with_http(*args: Any, **kwargs: Any) -> tuple[str, dict[str, Any]]:
        url, params = with_https(*args, **kwargs)
        return url.replace("https://", "http://", 1), params

    DbtCloudHook.get_request_url_params = staticmethod(with_http)


def _patch_fivetran(port: int) -> None:
    from fivetran_provider_async.hooks import FivetranHook

    FivetranHook.api_protocol = "http"
    FivetranHook.api_host = f"127.0.0.1:{port}"


def _twinsync(**policy: float) -> dict[str, Any]:
    return {
        "distribution": "airflow-provider-twinsync",
        "classpath": "airflow_provider_twinsync.triggers.TwinSyncTrigger",
        "arguments": lambda job, port: {"twinsync_task_id": str(job), "wait": policy},
        "connection": _local("twinsync_default", conn_type="twinsync", password="bench-key"),
    }


CONTENDERS = (
    Contender(
        name="sleep",
        label="a trigger that sleeps",
        distribution="apache-airflow",
        classpath="waiting_triggers.SleepingTrigger",
        arguments=lambda job, port: {"job": job},
    ),
    Contender(
        name="bare",
        label="bare aiohttp session",
        distribution="aiohttp",
        classpath="waiting_triggers.BareTrigger",
        arguments=lambda job, port: {
            "url": f"http://127.0.0.1:{port}/phototalking?taskID={job}",
            "poke_interval_s": POKE_INTERVAL_S,
        },
    ),
    Contender(
        name="twinsync",
        label="TwinSyncTrigger",
        **_twinsync(poke_interval_s=POKE_INTERVAL_S, max_wait_s=POKE_INTERVAL_S),
    ),
    Contender(
        name="http-sensor",
        label="HttpSensorTrigger",
        distribution="apache-airflow-providers-http",
        classpath="airflow.providers.http.triggers.http.HttpSensorTrigger",
        arguments=lambda job, port: {"endpoint": f"found/{job}", "poke_interval": POKE_INTERVAL_S},
        connection=_local("http_default", conn_type="http"),
    ),
    Contender(
        name="http-event",
        label="HttpEventTrigger",
        distribution="apache-airflow-providers-http",
        classpath="airflow.providers.http.triggers.http.HttpEventTrigger",
        arguments=lambda job, port: {
            "response_check_path": "waiting_check.has_ended",
            "endpoint": f"phototalking?taskID={job}",
            "poll_interval": POKE_INTERVAL_S,
        },
        connection=_local("http_default", conn_type="http"),
    ),
    Contender(
        name="dbt-cloud",
        label="DbtCloudRunJobTrigger",
        distribution="apache-airflow-providers-dbt-cloud",
        classpath="airflow.providers.dbt.cloud.triggers.dbt.DbtCloudRunJobTrigger",
        arguments=lambda job, port: {
            "conn_id": "dbt_cloud_default",
            "run_id": job,
            "end_time": FAR_FUTURE,
            "poll_interval": POKE_INTERVAL_S,
            "account_id": 1,
        },
        connection=lambda port: (
            "dbt_cloud_default",
            {"conn_type": "dbt_cloud", "host": f"127.0.0.1:{port}", "login": "1", "password": "bench-key"},
        ),
        patch=_patch_dbt,
        patched="DbtCloudHook.get_request_url_params: https in the address becomes http",
    ),
    Contender(
        name="fivetran",
        label="FivetranTrigger",
        distribution="airflow-provider-fivetran-async",
        classpath="fivetran_provider_async.triggers.FivetranTrigger",
        arguments=lambda job, port: {
            "task_id": "bench",
            "connector_id": str(job),
            "fivetran_conn_id": "fivetran_default",
            "xcom": "2026-01-01T00:00:00Z",
            "poke_interval": POKE_INTERVAL_S,
        },
        connection=lambda port: (
            "fivetran_default",
            {"conn_type": "fivetran", "login": "bench", "password": "bench-key"},
        ),
        patch=_patch_fivetran,
        patched="FivetranHook.api_protocol and .api_host",
    ),
    Contender(
        name="databricks",
        label="DatabricksExecutionTrigger",
        distribution="apache-airflow-providers-databricks",
        classpath="airflow.providers.databricks.triggers.databricks.DatabricksExecutionTrigger",
        arguments=lambda job, port: {
            "run_id": job,
            "databricks_conn_id": "databricks_default",
            "polling_period_seconds": POKE_INTERVAL_S,
        },
        connection=_local("databricks_default", conn_type="databricks", password="bench-key"),
    ),
)

#: With the default poll policy and jobs of ten minutes: from the first start to the last event, ...
DEFAULT_POLICY = Contender(name="twinsync-default", label="TwinSyncTrigger, default policy", **_twinsync())
#: ... and while all of them stand, as in ``waiting_standing.py``.
STANDING = Contender(name="twinsync-standing", label="TwinSyncTrigger, standing", **_twinsync())
ALL = (*CONTENDERS, DEFAULT_POLICY, STANDING)


def contender(name: str) -> Contender:
    """Find a contender by its name."""
    return next(one for one in ALL if one.name == name)
