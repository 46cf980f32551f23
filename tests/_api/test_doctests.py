"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import airflow_provider_twinsync

PACKAGE = Path(airflow_provider_twinsync.__file__).parent
#: The modules that need no connection, for example ``_api.shown``.
PURE = [
    *(PACKAGE / f"{name}.py" for name in ("__init__", "exceptions", "text")),
    *PACKAGE.glob("_api/*.py"),
    *PACKAGE.glob("_records/*.py"),
    *(PACKAGE / "_content" / f"{name}.py" for name in ("length", "finished/video_check")),
    *(PACKAGE / "emulator" / f"{name}.py" for name in ("defects", "fault")),
]
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PURE
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str) -> None:
    """Each has the output of its docstring."""
    failed, attempted = doctest.testmod(import_module(name))
    assert attempted
    assert not failed


def test_the_public_modules_have_examples() -> None:
    """An empty list would pass the test above."""
    assert {"airflow_provider_twinsync.exceptions", "airflow_provider_twinsync.text"} <= set(MODULES)
