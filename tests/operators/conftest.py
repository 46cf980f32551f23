"""The connection of the operators' tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _connected(connection, sleeps):
    """The delays between two submits are skipped, and those of a wait are short."""
