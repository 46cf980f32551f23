"""Look up an Airflow connection: in a worker, in a triggerer, and in `airflow dags test`."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._api.settings import Settings, parse_connection
from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync.exceptions import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import Connection


class NoConnectionError(UnavailableError):
    """Airflow did not find the connection. Airflow 3 answers the same while its database is down."""


def read_settings(conn_id: str) -> Settings:
    """Return the settings of a connection, for example of ``"twinsync_default"``; blocks.

    :raises UsageError: a field of the connection is wrong.
    :raises NoConnectionError: Airflow did not find the connection.
    :raises UnavailableError: Airflow could not look up the connection.
    """
    with _only_ours(conn_id):
        connection = BaseHook.get_connection(conn_id)
    return _read(connection, conn_id)


async def aread_settings(conn_id: str) -> Settings:
    """Return the settings of a connection, as :func:`read_settings`, without blocking the event loop."""
    with _only_ours(conn_id):
        if internals.is_inline():
            from asgiref.sync import sync_to_async

            connection = await sync_to_async(BaseHook.get_connection)(conn_id)
        else:
            from airflow.providers.common.compat.connection import get_async_connection

            # A trigger that Airflow cancels must not give up reading Airflow's answer: in 3.1.8 the next
            # reader would get it, and every trigger of the triggerer fails ("Response read out of order").
            connection = await asyncio.shield(get_async_connection(conn_id))
    return _read(connection, conn_id)


@contextmanager
def _only_ours(conn_id: str) -> Iterator[None]:
    """Turn every error of Airflow, or of its secrets backend, into a :class:`TwinSyncError`.

    :raises NoConnectionError: Airflow did not find the connection.
    :raises UnavailableError: Airflow could not look up the connection.
    """
    try:
        yield
    except AirflowNotFoundException:
        raise NoConnectionError(
            f"TS201 There is no usable connection {conn_id!r}. If you did define it, the reason is "
            "further up in this log: a URI needs the characters # / : @ of a key percent-encoded, and JSON "
            "does not. If Airflow's database was down, a retry finds the connection. Otherwise define it in "
            "the web UI (Admin, Connections; type TwinSync), or with: airflow connections add "
            f"{conn_id} --conn-type twinsync --conn-password <access key>"
        ) from None
    except Exception as error:
        # A ValueError may quote the definition of the connection, with its key.
        text = "" if isinstance(error, ValueError) else one_line(str(error))
        problem = f"{type(error).__name__}: {text}" if text else type(error).__name__
        raise UnavailableError(
            f"TS202 Airflow could not look up the connection {conn_id!r} ({problem}). Nothing was sent."
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
