"""Import the asynchronous client where the import blocks no event loop."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

_imported: list[Any] = []  # the module, after its first use in this process


async def import_client() -> Any:
    """Import the asynchronous client in a thread: the import would block the event loop for half a second."""
    if not _imported:  # sys.modules also has a module that another thread is still importing
        _imported.append(
            await asyncio.to_thread(import_module, "airflow_provider_twinsync._http.async_client")
        )
    return _imported[0]
