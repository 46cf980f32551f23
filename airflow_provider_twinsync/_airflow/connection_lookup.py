"""The look-up of an Airflow connection: in a worker, in a triggerer, and in `airflow dags test`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_twinsync._api.settings import Settings, parse_connection
from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync.exceptions import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import Connection


class NoConnectionError(UnavailableError):
    """Airflow did not find the connection. Airflow 3 answers the same while its database is down."""


def read_settings(conn_id: str) -> Settings:
    """Look up a connection and read it; blocks.

    :raises UsageError: it is wrong.
    :raises NoConnectionError: Airflow did not find it.
    :raises UnavailableError: Airflow could not look it up.
    """
    with _only_ours(conn_id):
        connection = BaseHook.get_connection(conn_id)
    return _read(connection, conn_id)


async def aread_settings(conn_id: str) -> Settings:
    """Look up a connection and read it without blocking the event loop; as :func:`read_settings`."""
    with _only_ours(conn_id):
        if _is_inline():
            from asgiref.sync import sync_to_async

            connection = await sync_to_async(BaseHook.get_connection)(conn_id)
        else:
            from airflow.providers.common.compat.connection import get_async_connection

            connection = await get_async_connection(conn_id)
    return _read(connection, conn_id)


def _is_inline() -> bool:
    """Return whether Airflow 3 runs this trigger inside of `dag.test()` or `airflow dags test`.

    There `SUPERVISOR_COMMS` has `send` and no `asend` (3.1.8 to 3.3.2), and an asynchronous look-up finds
    nothing. `task_runner.SUPERVISOR_COMMS` is a private name of Airflow. Without it, as on Airflow 2, this
    returns False: production stays as it is, and `dag.test()` on Airflow 3 would find only the connections of
    the environment and of secrets backends.
    """
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return comms is not None and not hasattr(comms, "asend")


@contextmanager
def _only_ours(conn_id: str) -> Iterator[None]:
    """Turn every error of Airflow, or of its secrets backend, into a :class:`TwinSyncError`.

    :raises NoConnectionError: the connection is not found.
    :raises UnavailableError: it could not be looked up.
    """
    try:
        yield
    except AirflowNotFoundException:
        raise NoConnectionError(
            f"There is no usable connection {conn_id!r}. If you did define it, look further up in this log "
            "for what Airflow could not read: in a URI, the characters # / : @ of a key must be "
            "percent-encoded; in JSON they need not. Or its database was away, and a retry finds it. Else "
            "make one in the web UI (Admin, Connections; type TwinSync), or with: airflow connections add "
            f"{conn_id} --conn-type twinsync --conn-password <access key>"
        ) from None
    except Exception as error:
        # A ValueError may quote what could not be read, and that may be the key.
        words = "" if isinstance(error, ValueError) else one_line(str(error))
        said = f"{type(error).__name__}: {words}" if words else type(error).__name__
        raise UnavailableError(
            f"Airflow could not look up the connection {conn_id!r} ({said}). Nothing was sent."
        ) from None


def _read(connection: Connection, conn_id: str) -> Settings:
    return parse_connection(
        conn_id,
        host=connection.host,
        port=connection.port,
        schema=connection.schema,
        password=connection.password,
        extra=connection.extra,
    )
