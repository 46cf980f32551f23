"""The options of a wait, from the arguments of an operator to a trigger's row and back."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twinsync._wait.config import OPTIONS, Handover, WaitConfig, WaitOptions
from airflow_provider_twinsync.exceptions import UsageError

#: Each option with another value than its default: as an argument of an operator, and in a row.
OTHER: dict[str, tuple[Any, Any]] = {
    "poke_interval": (timedelta(seconds=7), 7.0),
    "exponential_backoff": (True, True),
    "max_wait": (90, 90.0),
    "silent_fail": (True, True),
    "timeout": (timedelta(hours=1), 3600.0),
    "execution_timeout": (timedelta(minutes=2), 120.0),
    "end_from_trigger": (True, True),
    "do_xcom_push": (False, False),
}
ARGUMENTS = {name: argument for name, (argument, _) in OTHER.items()}


def other_row() -> dict[str, Any]:
    row = WaitConfig().to_row()
    return dict(zip(row, (OTHER[name.removesuffix("_s")][1] for name in row), strict=True))


def test_each_option_goes_from_the_arguments_of_an_operator_to_a_row() -> None:
    """Also from its attributes; a time becomes seconds."""
    row = WaitConfig.of_arguments(ARGUMENTS).to_row()
    assert row == other_row() == WaitConfig.of(SimpleNamespace(**ARGUMENTS)).to_row()
    unchanged = [name for name, value in WaitConfig().to_row().items() if value == row[name]]
    assert unchanged == []
    assert all(type(row[name]) is float for name in row if name.endswith("_s"))


def test_what_an_operator_lacks_has_its_default() -> None:
    assert WaitConfig.of(object()) == WaitConfig.of_arguments({}) == WaitConfig()


def test_the_typed_options_are_those_of_a_wait() -> None:
    """The `timeout` is an argument of its own, as it is required."""
    assert WaitOptions.__optional_keys__ == OPTIONS.keys() - {"timeout"}


@pytest.mark.parametrize("name", ["max_wait_s", "colour"])
def test_another_option_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        WaitConfig.of_arguments({"timeout": 1, name: 1})


@pytest.mark.parametrize("name", [name for name in OPTIONS if f"{name}_s" in WaitConfig().to_row()])
def test_a_time_that_cannot_be_meant_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^TS115 {name} is "):
        WaitConfig.of_arguments({name: float("nan")})


def test_there_is_no_wait_without_an_interval() -> None:
    """A mapped sensor that starts in the triggerer has no other check."""
    with pytest.raises(UsageError, match=r"^TS115 poke_interval is None"):
        WaitConfig.of_arguments({"timeout": 1, "poke_interval": None})


@pytest.mark.parametrize(
    ("name", "seconds"), [("max_wait", None), ("execution_timeout", None), ("timeout", 0)]
)
def test_some_times_of_zero_are_no_limit(name: str, seconds: float | None) -> None:
    """As in Airflow."""
    assert WaitConfig.of_arguments({name: timedelta(0)}).to_row()[f"{name}_s"] == seconds


FIELDS = {"poke_interval_s": st.floats(0, 1e9), "max_wait_s": st.none() | st.floats(0, 1e9)}


@given(st.fixed_dictionaries({}, optional=FIELDS), st.dictionaries(st.text(), st.integers()))
def test_a_row_crosses_the_database(fields: dict[str, Any], unknown: dict[str, int]) -> None:
    """With fields of a later release, or without some of this one."""
    config = WaitConfig(**fields)
    known = {name: value for name, value in unknown.items() if name not in config.to_row()}
    for row in (config.to_row(), fields):
        assert WaitConfig.from_row(json.loads(json.dumps({**known, **row}))) == config


def test_a_handover_crosses_the_database() -> None:
    handed = Handover(1700000000.25, 60.5, 0.125, "running", 3660.0)
    assert Handover.from_row(json.loads(json.dumps(handed.to_row()))) == handed
    assert Handover.from_row(None) == Handover()
