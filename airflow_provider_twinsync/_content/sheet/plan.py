"""Plan the videos of a sheet: the arguments of each row, its errors, and the counts. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line, shown_text
from airflow_provider_twinsync._api.unrendered import is_constant
from airflow_provider_twinsync._content.finished.options import KINDS
from airflow_provider_twinsync._content.sheet.reader import column_key
from airflow_provider_twinsync._content.sheet.template import RowTemplate, TemplateError, row_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_twinsync._content.sheet.reader import Sheet, SheetRow

#: The arguments of TwinSyncVideoOperator that a cell may have.
REQUIRED = ("text", "image_url", "pronouncer", "destination")
ARGUMENTS = (*REQUIRED, "twinsync_conn_id", "captions", "poster", "check")
COLUMNS = ("id", *ARGUMENTS)
_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_MAX_ID_CHARACTERS = 250  # of a partition key in Airflow
#: The share of equal letters from which a column is a misspelling: ``caption`` is, ``description`` is none.
_NEAR = 0.85


@dataclass(frozen=True, slots=True)
class RowError:
    """An error of a row, or of the sheet.

    :param code: the code of the message, such as ``TS165``.
    :param column: the key of the column, or the argument; empty for the whole row.
    :param message: the error, as a sentence without its code.
    """

    code: str
    column: str
    message: str


@dataclass(slots=True)
class PlannedRow:
    """A row, and its video.

    :param number: the number of the row, as a person sees it.
    :param arguments: the arguments of TwinSyncVideoOperator, by their names.
    :param expected_s: the expected length of the video, in seconds.
    :param inputs: the fingerprint of each job, in the order of the text's parts.
    :param photo: the address of the photo, for a person.
    :param place: the destination in the form in which equal destinations are equal texts.
    :param state: ``new``, ``unchanged``, ``retry`` or ``refused``.
    :param jobs: the number of jobs that this row may pay for; a job of two rows counts in the first.
    :param stored: the stored video, as the ledger has it; None if there is none.
    :param map_index: the index among the rows to make; None for other rows.
    :param note: the reason of a retry, or a warning, for a person.
    """

    row_id: str
    number: int
    arguments: dict[str, Any]
    errors: list[RowError] = field(default_factory=list)
    words: int = 0
    expected_s: float = 0.0
    inputs: list[str] = field(default_factory=list)
    photo: str = ""
    place: str = ""
    state: str = "new"
    jobs: int = 0
    stored: dict[str, Any] | None = None
    map_index: int | None = None
    note: str = ""

    def refuse(self, code: str, column: str, message: str) -> None:
        """Add an error, and set the state to ``refused``."""
        self.errors.append(RowError(code, column, message))
        self.state = "refused"


@dataclass(slots=True)
class Plan:
    """The rows of a sheet, with the errors and the notes that are of no single row."""

    rows: list[PlannedRow]
    errors: list[RowError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def to_make(self) -> list[PlannedRow]:
        """The rows to make, in the order of the sheet."""
        return [row for row in self.rows if row.state in ("new", "retry")]

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of rows, and of the jobs and the words to make."""
        states = [row.state for row in self.rows]
        counts = {state: states.count(state) for state in ("new", "unchanged", "retry", "refused")}
        jobs, words = (sum(getattr(row, name) for row in self.to_make) for name in ("jobs", "words"))
        return {"rows": len(self.rows), **counts, "jobs": jobs, "words": words}

    @property
    def expected_s(self) -> float:
        """The expected length of all videos to make, in seconds."""
        return sum(row.expected_s for row in self.to_make)


class _Drafter:
    def __init__(self, sheet: Sheet, defaults: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        self.sheet = sheet
        self.run = run
        self.known = {*sheet.columns, "id"}
        self.used = set(COLUMNS)
        self.errors: list[RowError] = []
        #: The argument's value for a row without a cell: a template, a value, or None after an error.
        self.defaults = {name: self._default(name, value) for name, value in defaults.items()}

    def _default(self, name: str, value: Any) -> Any:
        if not isinstance(value, str) or is_constant(value):
            return value
        try:
            template = row_template(value, frozenset(self.run) or frozenset(("row",)))
            self._check_columns(template)
        except TemplateError as error:
            self.errors.append(RowError("TS169", name, f"the default of {name}: {error}"))
            return None
        self.used |= template.columns
        return template

    def _check_columns(self, template: RowTemplate) -> None:
        if unknown := sorted(template.columns - self.known):
            near = get_close_matches(unknown[0], self.known, n=1, cutoff=0.6)
            hint = f"; is row.{near[0]} meant?" if near else ""
            name = one_line(unknown[0], 80)
            raise TemplateError(f"it uses row.{name}, and the sheet has no such column{hint}")

    def check_columns(self) -> list[str]:
        """Add the errors of missing and misspelt columns, and return notes about the others."""
        others = [key for key in self.sheet.columns if key not in self.used]
        misspelt = {}
        for key in list(others):
            free = [name for name in COLUMNS if name not in self.sheet.columns]
            near = get_close_matches(key, free, n=1, cutoff=_NEAR)
            if near:
                misspelt[near[0]] = key
                others.remove(key)
                shown = shown_text(self.sheet.columns[key])
                self.errors.append(
                    RowError("TS166", key, f"the column {shown} is not known: is {near[0]} meant?")
                )
        for name in REQUIRED:
            if name not in {*self.sheet.columns, *self.defaults, *misspelt} and self.sheet.rows:
                columns = ", ".join(shown_text(column) for column in list(self.sheet.columns.values())[:20])
                message = f"there is no column {name}, and no default; the columns are {columns}"
                self.errors.append(RowError("TS165", name, message))
        if not others:
            return []
        names = ", ".join(shown_text(self.sheet.columns[key]) for key in others[:20])
        return [f"TS177 Columns that nothing uses: {names}."]

    def row(self, given: SheetRow) -> PlannedRow:
        row = PlannedRow(f"row-{given.number}", given.number, {})
        if "" in given.bad:
            row.refuse("TS170", "", given.bad[""])
        cells = dict(given.cells)
        if {"id"} & {*self.sheet.columns, *self.defaults}:
            row_id = self._value(row, given, "id", cells)
            if isinstance(row_id, str) and row_id:
                self._check_id(row, row_id)
                row.row_id = row_id
            elif row_id == "":
                row.refuse("TS167", "id", "id is empty: each row needs one, and keeps it")
        cells["id"] = row.row_id
        for name in ARGUMENTS:
            value = self._value(row, given, name, cells)
            if value == "" and name in REQUIRED:
                if name in self.sheet.columns:
                    row.refuse("TS165", name, f"{name} is empty, and has no default")
            elif value not in ("", None):
                self._set(row, name, value)
        return row

    @staticmethod
    def _check_id(row: PlannedRow, row_id: str) -> None:
        if len(row_id) > _MAX_ID_CHARACTERS or one_line(row_id) != row_id or re.search(r"[/\\]", row_id):
            message = (
                f"id is {shown_text(row_id)}: it should have at most {_MAX_ID_CHARACTERS} characters on one "
                "line, and no slash"
            )
            row.refuse("TS167", "id", message)
        elif problem := _rendered_again("id", row_id):
            row.refuse("TS183", "id", problem)

    def _value(self, row: PlannedRow, given: SheetRow, name: str, cells: Mapping[str, str]) -> Any:
        """Return the value of an argument, an empty text for a missing one, or None after an error."""
        if name in given.bad:
            row.refuse("TS170", name, f"the cell of {name} cannot be read: {given.bad[name]}")
            return None
        cell = given.cells.get(name, "")
        value = cell or self.defaults.get(name, "")
        if not isinstance(value, RowTemplate) and (not cell or is_constant(cell)):
            return value
        try:
            if not isinstance(value, RowTemplate):
                value = row_template(cell, ())
                self._check_columns(value)
                self.used |= value.columns
            if bad := sorted(value.columns & given.bad.keys()):
                raise TemplateError(f"the cell of {bad[0]} cannot be read: {given.bad[bad[0]]}")
            return value.render(cells, {} if cell else self.run).strip()
        except TemplateError as error:
            row.refuse("TS169", name, f"the template of {name} cannot be rendered: {error}")
            return None

    def _set(self, row: PlannedRow, name: str, value: Any) -> None:
        """Set an argument, of the type that the operator takes."""
        if isinstance(value, str):
            value = re.sub(r"\r\n?", "\n", value).strip()
            if problem := _rendered_again(name, value):
                row.refuse("TS183", name, problem)
                return
        wanted = ""
        if name == "captions":
            value = re.split(r"[\s,;]+", value.strip(",; ")) if isinstance(value, str) else list(value)
            if not set(value) <= set(KINDS):
                wanted = f"some of {', '.join(KINDS)}"
        elif name in ("poster", "check") and isinstance(value, str):
            switch = _SWITCHES.get(value.lower())
            value, wanted = (value, "true or false") if switch is None else (switch, "")
        if wanted:
            row.refuse("TS171", name, f"{name} is {shown_text(value)}: it should be {wanted}")
        else:
            row.arguments[name] = value


def _rendered_again(name: str, value: str) -> str:
    """Return the problem of a text that Airflow would not leave as it is, or an empty text.

    Airflow renders the values that ``expand_kwargs`` takes from an XCom (2.11.2, 3.1.8 and 3.3.2), with all
    connections and variables within reach.
    """
    if mark := re.search(r"\{[{%#]", value):
        return f"{name} has {mark[0]!r}, which begins a template of Airflow: put a space after its brace"
    if name == "text" and value.endswith(".txt"):
        return (
            f"text ends in .txt, so Airflow would read a file: add a full stop to {shown_text(value[-60:])}"
        )
    return ""


def draft_plan(sheet: Sheet, defaults: Mapping[str, Any], run: Mapping[str, Any]) -> Plan:
    """Return a plan with the arguments of all rows, and the errors that the sheet alone has.

    :param defaults: the values of missing columns and empty cells: texts, which may be templates over the row
        and the run, or values of the type that the operator takes.
    :param run: the values of the run for the defaults, such as ``ds``.
    """
    drafter = _Drafter(sheet, defaults, run)
    plan = Plan([drafter.row(row) for row in sheet.rows], drafter.errors, list(sheet.notes))
    plan.notes += drafter.check_columns()
    if "id" not in {*sheet.columns, *defaults} and plan.rows:
        plan.notes.append(
            "TS180 The sheet has no column id, so the number of a row is its id: a row that is inserted "
            "renames all rows below. Add a column id."
        )
    refuse_equal(plan.rows, "TS167", "id", lambda row: row.row_id)
    return plan


def refuse_equal(rows: list[PlannedRow], code: str, column: str, key: Any) -> None:
    """Refuse all rows but the first with an equal key.

    :param key: returns the key of a row; an empty one counts as none.
    """
    first: dict[str, PlannedRow] = {}
    for row in rows:
        if (found := key(row)) and (other := first.setdefault(found, row)) is not row:
            row.refuse(code, column, f"{column} is {shown_text(found)}, as in row {other.number}")


def check_defaults(defaults: Mapping[str, Any]) -> str:
    """Return the problem of the argument ``defaults``, as a part of a sentence, or an empty text.

    >>> check_defaults({"text": "Hello {{ row.name }}", "poster": True})
    ''
    """
    for name, value in defaults.items():
        if name not in COLUMNS:
            near = get_close_matches(column_key(str(name)), COLUMNS, n=1)
            hint = f"is {near[0]} meant?" if near else "give it to TwinSyncVideoOperator.partial(...)."
            return f"{shown_text(name)} is none of {', '.join(COLUMNS)}: {hint}"
        kinds: Any = {"captions": (str, list, tuple), "poster": (str, bool), "check": (str, bool)}
        if not isinstance(value, kinds.get(name, str)):
            return (
                f"{name} is {shown_text(value)}: it should be a text. The output of a task belongs in the "
                "rows: build them in an upstream task, and give its output as the source."
            )
    return ""
