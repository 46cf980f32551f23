"""A new option of a wait takes its class and the operators that have it: the rest passes all options on."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import airflow_provider_twinsync
from airflow_provider_twinsync._wait.config import OPTIONS
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator, TwinSyncVideoOperator
from airflow_provider_twinsync.sensors import TwinSyncSensor

SOURCES = Path(airflow_provider_twinsync.__file__).parent
CARRIERS = {"_wait/config.py", "sensors.py", "operators/submit.py", "operators/video.py"}
#: The files that act on an option. `timeout` is not among the options: Airflow uses the name in many calls.
ACTORS = {
    "poke_interval": {"_wait/schedule.py"},
    "exponential_backoff": {"_wait/schedule.py"},
    "max_wait": {"_wait/schedule.py"},
    "silent_fail": {"_wait/poller.py"},
    "execution_timeout": {"_wait/poller.py", "_wait/outcome.py", "_airflow/start_from_trigger.py"},
    "end_from_trigger": {"triggers.py", "_airflow/start_from_trigger.py"},
    "do_xcom_push": {"triggers.py", "_airflow/start_from_trigger.py"},
}


def names(source: str) -> set[str]:
    """Return the names and the texts in a source, without comments and docstrings' words."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "arg", "value"):
            if isinstance(name := getattr(node, field, None), str):
                found.add(name)
    return found


NAMES = {
    path.relative_to(SOURCES).as_posix(): names(path.read_text(encoding="utf-8"))
    for path in SOURCES.rglob("*.py")
    if path.relative_to(SOURCES).parts[0] != "emulator"
}


@pytest.mark.parametrize("option", ACTORS)
def test_an_option_is_named_where_a_user_gives_it(option: str) -> None:
    """The operators have it in their signatures, as Airflow's `default_args` need it."""
    naming = {file for file, found in NAMES.items() if found & {option, f"{option}_s"}}
    assert naming >= ACTORS[option]
    assert naming - ACTORS[option] <= CARRIERS


def test_each_option_is_counted() -> None:
    assert ACTORS.keys() == OPTIONS.keys() - {"timeout"}


def test_a_name_is_found_wherever_it_is() -> None:
    """As a variable, an attribute, an argument of a function and of a call, and a text."""
    assert names("a = b.c(d='e')\ndef f(g, *, h): ...") >= {*"abcdegh"}


@pytest.mark.parametrize("operator", [TwinSyncSensor, TwinSyncSubmitOperator, TwinSyncVideoOperator])
def test_the_operators_have_the_same_defaults(operator: type) -> None:
    parameters = inspect.signature(operator.__init__).parameters
    defaults = {name: parameters[name].default for name in OPTIONS if name in parameters}
    assert len(defaults) >= 3
    assert defaults == {name: OPTIONS[name] for name in defaults}
