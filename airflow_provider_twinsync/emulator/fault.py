"""The base of the faults, with the check of their fields."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = ("submit", "status", "result")
"""The three things a client asks: post a job, ask for its status, fetch its video."""


#: Of one text or JSON value: a thousand waiting faults fit in memory.
_MAX_CHARS = 32_000
_MAX_NUMBER = 10**9


def _is_number(value: object) -> bool:
    # A bool is an int to Python, and no client means `true` by a number of seconds.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _length(value: object) -> int:
    """Return the number of characters of a text, or of a JSON value when it is written.

    :raises ValueError: if it is no JSON value.
    """
    try:
        return len(value if isinstance(value, str) else json.dumps(value))
    except (TypeError, RecursionError) as e:
        raise ValueError(f"a fault cannot answer what is no JSON: {e}") from e


# Keyed by a field's annotation, which is a string in this module.
_CHECKS: dict[str, Callable[[object], bool]] = {
    "Any": lambda _: True,
    "str": lambda value: isinstance(value, str),
    "int": lambda value: _is_number(value) and isinstance(value, int),
    "int | None": lambda value: value is None or (_is_number(value) and isinstance(value, int)),
    "float": _is_number,
    "float | None": lambda value: value is None or _is_number(value),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The base of every fault.

    :param times: how many requests it hits; ``None`` for every one until the world is reset.
    :raises ValueError: if a field has the wrong type, a number is negative or out of its range, or
        a text or JSON value has too many characters.
    """

    calls: ClassVar[tuple[str, ...]] = CALLS
    times: int | None = field(default=1, kw_only=True, metadata={"min": 1})

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if not _CHECKS[str(f.type)](value):
                raise ValueError(f"{f.name} of fault {self.name!r} must be {f.type}, got {value!r}")
            low, high = f.metadata.get("min", 0), f.metadata.get("max", _MAX_NUMBER)
            if f.type != "Any" and isinstance(value, int | float) and not low <= value <= high:
                raise ValueError(
                    f"{f.name} of fault {self.name!r} must be from {low} to {high}, got {value!r}"
                )
            max_chars = f.metadata.get("max_chars", _MAX_CHARS)
            if (chars := _length(value)) > max_chars:
                raise ValueError(
                    f"{f.name} of fault {self.name!r} has {chars} characters, more than {max_chars}"
                )

    @property
    def name(self) -> str:
        """Return the fault's name in JSON and in the journal."""
        return snake_case(type(self).__name__)


def snake_case(name: str) -> str:
    """Return the name of a class as a name in JSON.

    >>> snake_case("ResetBefore")
    'reset_before'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
