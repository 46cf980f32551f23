"""The lines that a person reads about the records of a ledger: a table, one record, and the next steps.

Records come from other machines, so no character of one reaches the terminal as a control character.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unicodedata import category, east_asian_width

from airflow_provider_twinsync._api.shown import bare_url, one_line, shown_duration
from airflow_provider_twinsync._records.ledger import parse_entry
from airflow_provider_twinsync._records.ledger_list import Row, State
from airflow_provider_twinsync._records.submit_record import shown_owner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADINGS = ("STATE", "AGE", "TEXT", "JOB", "VIDEO", "NAME")
#: The longest id of a job that a row of a terminal shows; the service's have 23 characters.
_JOB_COLUMNS = 25
#: The least that a cell has of a text or of a video's place.
_LEAST_COLUMNS = 8
#: A field of a record is at most that long; the inputs have two thousand characters.
_FIELD = 4_000

_MEANINGS = {
    State.SUBMITTING: "a submit has begun, and its job is not known yet",
    State.SUBMITTED: "there is a job; a task with the same inputs reconnects to it and pays nothing",
    State.STORED: "the video is stored",
    State.REJECTED: "the video failed its check; the next task submits a new job",
    State.NO_JOB: "the submit made no job; the next task submits",
    State.UNCERTAIN: "a submit has begun, and whether there is a job is unknown",
    State.DAMAGED: "the record cannot be read as one, so there may be a job",
    State.NEWER: "a newer version of this package wrote the record",
    State.UNREADABLE: "the disk or the store does not return the record",
}
_CHECK = "Check your TwinSync account for a job of that time, text and photo."
_WAIT = "- There is a job: wait for its id with a TwinSyncSensor, and do not clear the task."
_STEPS: dict[State, tuple[str, ...]] = {
    State.UNCERTAIN: (
        _CHECK,
        "- There is none: clear the task, which then submits. If it cannot be cleared any more, delete the "
        "record with --delete.",
        _WAIT,
    ),
    State.DAMAGED: (
        _CHECK,
        "- There is none: clear the task, which then submits. If it reports the record again, delete the "
        "record with --delete.",
        _WAIT,
    ),
    State.NEWER: ("Upgrade this package here and where the task runs. Do not delete the record.",),
    State.UNREADABLE: ("Correct the permission, or try again later. Do not delete the record.",),
}


def table(rows: Sequence[Row], columns: int | None) -> list[str]:
    """Return a table of records, with a line for each.

    :param columns: the width of the terminal, which texts are cut for; None does not cut anything.
    """
    short = _short_names([row.name for row in rows]) if columns else {}
    cells = [
        (
            row.state.value,
            "" if row.age_s is None else shown_duration(row.age_s),
            _text(row),
            row.record.twinsync_task_id or "",
            shown_video(row.video),
            short.get(row.name, row.name),
        )
        for row in rows
    ]
    widths = [max(map(width, column)) for column in zip(_HEADINGS, *cells, strict=True)]
    if columns:
        widths[3] = min(widths[3], _JOB_COLUMNS)
        rest = columns - sum(widths) - 2 * (len(widths) - 1) + widths[2] + widths[4]
        widths[4] = max(_LEAST_COLUMNS, min(widths[4], rest // 2))
        widths[2] = max(_LEAST_COLUMNS, min(widths[2], rest - widths[4]))
    return [_line(line, widths) for line in (_HEADINGS, *cells)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    state, age, text, job, video, name = cells
    fitted = (
        state,
        age,
        cut(text, widths[2]),
        cut(job, widths[3]),
        cut(video, widths[4], keep_end=True),
        name,
    )
    padded = (cell + " " * (wide - width(cell)) for cell, wide in zip(fitted, widths, strict=True))
    return "  ".join(padded).rstrip()


def _short_names(names: list[str]) -> dict[str, str]:
    """Return the names that have a short form: it finds the one name, as ``find_name`` reads it.

    >>> _short_names(["00ff1234-1", "11ff1234-1"])
    {'00ff1234-1': '00ff1234', '11ff1234-1': '11ff1234'}
    """
    forms = [{name: name[:8] for name in names}, {name: f"{name[:8]}…{name[-6:]}" for name in names}]
    found: dict[str, str] = {}
    for form in forms:
        counts: dict[str, int] = {}
        for short in form.values():
            counts[short] = counts.get(short, 0) + 1
        found = {name: short for name, short in form.items() if counts[short] == 1} | found
    return found


def _text(row: Row) -> str:
    """Return the text of the inputs, or of a record without inputs the problem."""
    if row.problem or row.state is State.NO_JOB or row.record.is_damaged:
        return row.problem or f"({_MEANINGS[row.state]})"
    shown = re.fullmatch(r"the text (['\"])(.*)\1 and the photo .*", row.record.shown)
    return shown[2] if shown else row.record.shown


def shown_video(path: str | None) -> str:
    """Return the place of a video: the path of a file, or an address without its secrets."""
    if not path:
        return ""
    return one_line(bare_url(path) if "://" in path else path, 1_000)


def details(row: Row, contents: Mapping[str, Any]) -> list[str]:
    """Return the lines about one record: the state, the next step, and each file.

    :param contents: the content of each file: bytes, an error, or None.
    """
    lines = [*_summary(row), ""]
    for file, data in reversed(list(contents.items())):
        lines += [file, *(f"  {line}" for line in _fields(data, row.name[:32])), ""]
    return lines[:-1]


def _fields(data: Any, inputs: str) -> list[str]:
    if not isinstance(data, bytes):
        return [one_line(f"{type(data).__name__}: {data}") if data else "deleted just now"]
    entry = parse_entry(data, inputs)
    if isinstance(entry, dict):
        owner = {"owner": shown_owner(entry["owner"])} if "owner" in entry else {}
        with suppress(RecursionError):  # no record is nested that deep
            return [
                f"{one_line(name, 40):<18} {_value(name, value)}"
                for name, value in {**entry, **owner}.items()
            ]
    return [f"(no record of these inputs) {one_line(data.decode(errors='replace'))}".rstrip()]


def _value(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{one_line(key, 40)} {_value(key, one)}" for key, one in value.items())
    if isinstance(value, str):
        return shown_video(value) if name == "path" else one_line(value, _FIELD)
    return one_line(json.dumps(value), _FIELD)


def decision(row: Row) -> list[str]:
    """Return the lines about a record that a person has to decide."""
    record = row.record
    lines = _summary(row)
    if record.is_there and not record.is_damaged:
        lines[1:1] = [
            f"  began {record.marked_at}, by {record.owner or 'an unknown task'}",
            f"  of {record.shown}",
        ]
    return lines


def _summary(row: Row) -> list[str]:
    age = "" if row.age_s is None else f", {shown_duration(row.age_s)} ago"
    lines = [f"{row.name}: {row.state.value}{age}", f"  {row.problem or _MEANINGS[row.state]}"]
    if row.names_job:
        lines.append("  the answer of the service named a job: the log of the task has its id")
    if row.state.needs_person and row.record.twinsync_task_id:
        lines.append(f"  names TwinSync job {row.record.twinsync_task_id}")
    return [*lines, *(f"  {step}" for step in _STEPS.get(row.state, ()))]


# ------------------------------------------------------------------------------------------------- a terminal


def width(text: str) -> int:
    """Return the columns of a text in a terminal.

    >>> width("abc"), width("你好"), width("e\u0301")
    (3, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int, *, keep_end: bool = False) -> str:
    """Return a text that fits some columns of a terminal.

    >>> cut("你好世界", 6), cut("/srv/videos/a.mp4", 8, keep_end=True)
    ('你好…', '…s/a.mp4')
    """
    if width(text) <= columns:
        return text
    kept, room = [], columns - 1
    for character in reversed(text) if keep_end else text:
        room -= _columns(character)
        if room < 0:
            break
        kept.append(character)
    return "…" + "".join(reversed(kept)) if keep_end else "".join(kept) + "…"
