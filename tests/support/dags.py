"""Import an example DAG."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from support.environment import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path


def module(name: str, folder: Path = EXAMPLES):
    """Import an example as Airflow does: from its file."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(name: str):
    return module(name).dag
