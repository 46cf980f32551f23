"""Find values that Airflow did not render, or rendered to nothing: the service would bill them. Pure."""

from __future__ import annotations

from typing import Any, TypeGuard

from airflow_provider_twinsync._api.shown import shown_address, shown_text
from airflow_provider_twinsync.exceptions import UsageError

#: The words of Jinja, JSON, JavaScript and pandas for a missing value, in their case: "None" and not "none",
#: which may be a word of a text. ("Null" is German for zero.)
_MISSING = frozenset(("None", "null", "undefined", "nan", "NaN"))
#: The marks of a template. A single brace is not one, and a text may have ``{#`` alone.
_MARKS = (("{{", ""), ("{%", ""), ("{#", "#}"))


def refuse_unrendered(argument: str, value: Any) -> None:
    """Raise for a value that was not rendered, or rendered to nothing.

    >>> refuse_unrendered("text", "None of us {cares}")

    :param argument: the name of the argument, for the message.
    :raises UsageError: the value is ``None``, ``null`` or the like as a text, or has ``{{``, ``{%`` or
        ``{# #}`` in it.
    """
    if not is_unrendered(value):
        return
    shown = shown_text(value) if argument == "text" else shown_address(value)
    if _is_missing(value):
        raise UsageError(
            f"TS103 {argument} is {shown}: a template renders to this when its XCom, parameter or variable "
            "is missing. Check the template, and that the upstream task succeeded and pushed the value."
        )
    mark = _mark_of(value)
    raise UsageError(
        f"TS104 {argument} is {shown}: {mark!r} belongs to a template that was not rendered. Airflow renders "
        "a value once: the value of an XCom, a parameter or a template is not rendered again. Render it in "
        f"the task that pushes it. (If the braces are meant, put a space between them: {' '.join(mark)!r}.)"
    )


def is_unrendered(value: Any) -> bool:
    """Return True for a value that :func:`refuse_unrendered` refuses."""
    return _is_missing(value) or bool(_mark_of(value))


def is_constant(value: Any) -> TypeGuard[str]:
    """Return True for a text of a DAG file that Airflow does not render."""
    return isinstance(value, str) and not any(mark in value for mark, _ in _MARKS)


def _is_missing(value: Any) -> bool:
    return isinstance(value, str) and value.strip() in _MISSING


def _mark_of(value: Any) -> str:
    """Return the mark of the first kind of template in a text, or an empty text."""
    if not isinstance(value, str):
        return ""
    return next((mark for mark, end in _MARKS if mark in value and end in value), "")
