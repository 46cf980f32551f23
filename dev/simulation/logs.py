"""Keep all that is logged in a universe, in place of printing it."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import suppress
from typing import Any

from airflow_provider_twinsync._http.import_client import import_client

#: The lines of the universe that runs.
lines: list[str] = []


def prepare() -> None:
    """Do once a process the things that only its first universe would do, for example imports."""
    asyncio.run(import_client())
    logging.raiseExceptions = False
    with suppress(ImportError):  # Airflow 2 has none
        import structlog

        structlog.configure(processors=[_keep], cache_logger_on_first_use=False)
    handler = _Kept()
    for name in ("", "airflow.task"):
        logging.getLogger(name).addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    gc.collect()
    gc.freeze()  # simloom collects the garbage of a universe often, and Airflow's modules are none


def _keep(logger: Any, method: str, event: Any) -> Any:
    import structlog

    lines.append(" ".join(map(str, (event["event"], *event.get("positional_args", ())))))
    raise structlog.DropEvent


class _Kept(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines.append(record.getMessage())
