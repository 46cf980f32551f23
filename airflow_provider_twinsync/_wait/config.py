"""The options of a wait, and the row that takes them to another process.

Pure: no input or output, no clock, no randomness.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_twinsync._api.durations import checked_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from typing_extensions import Self

#: The version of a trigger's row in Airflow's database. A new field needs no new version: older code ignores
#: the field, and newer code has a default. Raise the version if older code would misread a row. Every
#: version keeps `twinsync_task_id`, `twinsync_conn_id` and `version`.
ROW_VERSION = 1

DEFAULT_POKE_INTERVAL_S = 2.0


class WaitOptions(TypedDict, total=False):
    """The arguments of an operator that are fields of :class:`WaitConfig`, but for ``timeout``."""

    poke_interval: timedelta | float
    exponential_backoff: bool
    max_wait: timedelta | float | None
    silent_fail: bool
    execution_timeout: timedelta | None
    end_from_trigger: bool
    do_xcom_push: bool


class _Row:
    """A part of a trigger's row: its slots are the fields of a dataclass."""

    __slots__: tuple[str, ...] = ()

    def to_row(self) -> dict[str, Any]:
        """Return the fields for Airflow's database."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_row(cls, row: Self | Mapping[str, Any] | None) -> Self:
        """Read the fields of any release: ignore an unknown field, and use the default of a missing one."""
        if isinstance(row, cls):
            return row
        given: Any = row or {}
        return cls(**{name: given[name] for name in cls.__slots__ if name in given})


@dataclass(frozen=True, slots=True)
class WaitConfig(_Row):
    """The options of a wait; the names are those of the operators' arguments.

    For example, ``WaitConfig(timeout_s=3600.0, max_wait_s=30.0)``. Times are in seconds, as ``float``.

    :param poke_interval_s: the least delay between two polls; the default is 2.
    :param exponential_backoff: double the delay with each poll; the first is between half of
        ``poke_interval_s`` and all of it.
    :param max_wait_s: the longest delay. None means 60, or ``poke_interval_s`` if that is longer; with
        ``exponential_backoff`` it means no bound.
    :param silent_fail: tolerate an outage until the deadline, instead of for ``tolerance_s`` of the
        connection.
    :param timeout_s: the deadline, counted from the start of the wait; None for none.
    :param execution_timeout_s: the deadline of the task's ``execution_timeout``, counted from the start.
    :param end_from_trigger: end the task in the triggerer when the video is ready.
    :param do_xcom_push: push the XCom ``return_value`` in that case.
    """

    poke_interval_s: float = DEFAULT_POKE_INTERVAL_S
    exponential_backoff: bool = False
    max_wait_s: float | None = None
    silent_fail: bool = False
    timeout_s: float | None = None
    execution_timeout_s: float | None = None
    end_from_trigger: bool = False
    do_xcom_push: bool = True

    @classmethod
    def of(cls, task: Any) -> WaitConfig:
        """Read the options from the attributes of an operator."""
        return cls.of_arguments({name: getattr(task, name, default) for name, default in OPTIONS.items()})

    @classmethod
    def of_arguments(cls, arguments: Mapping[str, Any]) -> WaitConfig:
        """Read the options from the arguments of an operator, such as ``{"timeout": timedelta(hours=1)}``.

        :raises TypeError: an argument is no option of a wait.
        :raises UsageError: a time is negative or not finite.
        """
        if unknown := arguments.keys() - OPTIONS.keys():
            raise TypeError(f"a wait has no option {', '.join(sorted(unknown))}")
        given: dict[str, Any] = {}
        for field in fields(cls):
            name = field.name.removesuffix("_s")
            value = arguments.get(name, field.default)
            if name == field.name or (value is None and field.default is None):
                given[field.name] = value
            else:
                given[field.name] = _seconds(name, value)
        return cls(**given)

    @property
    def deadline_s(self) -> float | None:
        """The earlier of the two deadlines, in seconds from the start of the wait."""
        deadlines = [d for d in (self.timeout_s, self.execution_timeout_s) if d is not None]
        return min(deadlines, default=None)


#: The arguments of an operator that are options of a wait, and their defaults.
OPTIONS: dict[str, Any] = {field.name.removesuffix("_s"): field.default for field in fields(WaitConfig)}


@dataclass(frozen=True, slots=True)
class Handover(_Row):
    """The state of a wait that one process hands to the next.

    For example, ``Handover(started_at=1700000000.0, next_poll_s=5.25, last_state="waiting")``.

    :param started_at: the start of the wait, in seconds since 1970.
    :param next_poll_s: the next poll that the worker planned, in seconds from the start.
    :param outage_since_s: the start of an outage in the worker, in seconds from the start; None without one.
    :param last_state: the job's state that the worker logged last; None if there was none.
    :param airflow_timeout_s: for a wait that no worker began: Airflow's own deadline, in seconds from the
        start. Airflow stores the same row for each try, so ``started_at`` is derived from this.
    """

    started_at: float | None = None
    next_poll_s: float = 0.0
    outage_since_s: float | None = None
    last_state: str | None = None
    airflow_timeout_s: float | None = None


def trigger_row(
    twinsync_task_id: str, twinsync_conn_id: str, wait: WaitConfig, handover: Handover
) -> dict[str, Any]:
    """Return the arguments of a trigger, as Airflow's database has them.

    Both ids are at the top, where Airflow's triggerer finds and renders them.
    """
    return {
        "twinsync_task_id": twinsync_task_id,
        "twinsync_conn_id": twinsync_conn_id,
        "wait": wait.to_row(),
        "handover": handover.to_row(),
        "version": ROW_VERSION,
    }


def _seconds(name: str, value: Any) -> float | None:
    # For Airflow these two are no limit if they are 0.
    return checked_seconds(name, value) or (None if name in ("max_wait", "execution_timeout") else 0.0)
