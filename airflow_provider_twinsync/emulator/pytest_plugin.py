"""A pytest plugin: ``pytest_plugins = ["airflow_provider_twinsync.emulator.pytest_plugin"]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_twinsync.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def twinsync_emulator() -> Iterator[Emulator]:
    """A fresh emulator on a free port, for one test; its jobs are done at once."""
    with Emulator() as emulator:
        yield emulator
