"""A world for the example DAGs."""

from __future__ import annotations

import pytest


@pytest.fixture
def short_jobs(migrated, connection, emulator) -> None:
    """An emulator with short jobs."""
    emulator.world.waiting_s, emulator.world.duration_s = 0.5, 0.5
