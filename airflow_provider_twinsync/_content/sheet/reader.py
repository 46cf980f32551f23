"""Read a sheet: comma-separated values, JSON, JSON lines, xlsx or ods. Bytes in, rows out. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line, shown_text
from airflow_provider_twinsync._content.sheet.cell import cell_text
from airflow_provider_twinsync._content.sheet.limits import (
    MAX_BYTES,
    MAX_COLUMNS,
    MAX_ROWS,
    not_a_sheet,
    too_many_rows,
)
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The rows of a spreadsheet program, which may write the empty ones too.
_MAX_LINES = 1_048_576
_DELIMITERS = ",;\t|"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of a sheet.

    :param number: the number that a person sees: of the row in a table, of the line in JSON lines, of the
        element in a list, from 1.
    :param cells: the text of each cell that is not empty, by the key of its column.
    :param bad: the reason of each cell that cannot be read, as a part of a sentence. The key is empty for a
        cell under no column.
    """

    number: int
    cells: dict[str, str]
    bad: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a sheet, without empty ones.

    :param columns: the name of each column as the sheet has it, by its key.
    :param letters: the letter of each column of a table, by its key.
    :param notes: sentences for a person, each with a code.
    """

    columns: dict[str, str]
    rows: list[SheetRow]
    letters: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def place(self, number: int, key: str) -> str:
        """Return the place of a cell for a person, such as ``B7`` or ``row 7``."""
        return f"{self.letters[key]}{number}" if key in self.letters else f"row {number}"


def column_key(name: str) -> str:
    """Return the key of a column: lower case, with underscores.

    >>> column_key("Image URL"), column_key("image-url "), column_key("Straße")
    ('image_url', 'image_url', 'straße')
    """
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def column_letter(index: int) -> str:
    """Return the letter of a column, counted from 0.

    >>> column_letter(0), column_letter(27)
    ('A', 'AB')
    """
    letters = ""
    while index >= 0:
        letters = chr(ord("A") + index % 26) + letters
        index = index // 26 - 1
    return letters


def read_sheet(data: bytes, subject: str) -> Sheet:
    r"""Return the rows of a file. The content of the file decides about its kind, not its name.

    >>> read_sheet(b"id,Text\n7,Good morning", "news.csv").rows
    [SheetRow(number=2, cells={'id': '7', 'text': 'Good morning'}, bad={})]

    :param data: the bytes of the file.
    :param subject: the file, as the subject of a sentence.
    :raises UsageError: the file is no sheet, is empty, or has too many rows, or a library is missing.
    """
    if len(data) > MAX_BYTES:
        raise not_a_sheet(subject, "it has more than 50 MB")
    if data.startswith(b"PK"):
        # Here, as only a worker has the library.
        from airflow_provider_twinsync._content.sheet.workbook import read_workbook

        cells, bad, notes = read_workbook(data, subject)
        sheet = _from_table(enumerate(cells, 1), bad, subject)
        return Sheet(sheet.columns, sheet.rows, sheet.letters, notes)
    if data.startswith(_OLE):
        raise not_a_sheet(subject, "it has a password, or is an .xls: save it as .xlsx without a password")
    text = _decoded(data, subject)
    if max(text.count("\n"), text.count("\r")) > _MAX_LINES:
        raise too_many_rows(subject)
    start = text.lstrip()[:1]
    if start == "[":
        return read_records(_parsed(text, subject), subject)
    if start == "{":
        lines = [(number, line) for number, line in enumerate(re.split(r"\r\n?|\n", text), 1) if line.strip()]
        if len(lines) > MAX_ROWS:
            raise too_many_rows(subject)
        parsed = [(number, _parsed(line, subject, f"line {number}: ")) for number, line in lines]
        return _from_records(parsed, subject)
    if start == "<":
        raise not_a_sheet(subject, "it is a web page or XML; is it the page of a login?")
    return _from_table(_csv_rows(text, subject), {}, subject)


def read_records(found: Any, subject: str) -> Sheet:
    """Return the rows of a list of dicts, such as an upstream task returns.

    >>> read_records([{"id": 7, "text": "Hello", "note": None}], "source").rows[0].cells
    {'id': '7', 'text': 'Hello'}

    :raises UsageError: it is no list of dicts, or has too many rows.
    """
    if not isinstance(found, list):
        raise not_a_sheet(subject, f"it is {shown_text(found)}, and should be a list of rows")
    if len(found) > MAX_ROWS:
        raise too_many_rows(subject)
    return _from_records(list(enumerate(found, 1)), subject)


def _decoded(data: bytes, subject: str) -> str:
    """Return the text of a file, in UTF-8 or UTF-16."""
    encoding = "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif data[:200].count(0) * 3 > len(data[:200]) > 1:  # Latin letters without a byte order mark
        encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"line {line} is not in UTF-8: save it as CSV UTF-8, or as .xlsx"
        raise not_a_sheet(subject, problem) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise not_a_sheet(subject, f"line {line} has a NUL byte")
    return text


def _parsed(text: str, subject: str, place: str = "") -> Any:
    try:
        return json.loads(text, object_pairs_hook=_record)
    except (ValueError, RecursionError) as error:
        raise not_a_sheet(subject, f"{place}the JSON is wrong ({shown_text(str(error))})") from None


def _record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; the parser alone would keep the last of two equal names, and drop a text."""
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{one_line(twice, 40)} is there twice in one row")
    return record


def _csv_rows(text: str, subject: str) -> Iterable[tuple[int, list[str]]]:
    """Yield the number and the cells of each row. Quotation marks that do not match are an error.

    Otherwise a missing quotation mark would make one cell of hundreds of rows.
    """
    count, line = 0, 1
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        for number, row in enumerate(rows, 1):
            count += any(row)
            if count > MAX_ROWS + 1:  # with the names of the columns
                raise too_many_rows(subject)
            if any(row[MAX_COLUMNS:]):
                raise not_a_sheet(subject, f"line {line} has more than {MAX_COLUMNS} columns")
            line = rows.line_num + 1
            yield number, row[:MAX_COLUMNS]
    except csv.Error as error:
        problem = f"a quotation mark or a cell at line {rows.line_num} is wrong ({error})"
        if line < rows.line_num:
            problem += f"; is a quotation mark missing in line {line}, where the row begins?"
        raise not_a_sheet(subject, problem) from None


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first line into the most names; often ``;`` in a file of Excel."""
    names = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]
    bare = re.sub(r'"[^"]*"', "", names)
    return max(_DELIMITERS, key=bare.count)


def _from_table(
    rows: Iterable[tuple[int, Sequence[Any]]], bad: dict[tuple[int, int], str], subject: str
) -> Sheet:
    """Return the sheet of a table, where the first row with a cell has the names of the columns.

    :param bad: the reason of each cell that cannot be read, by row and column from 0.
    """
    keys: dict[int, str] = {}
    names: dict[str, str] = {}
    found: list[SheetRow] = []
    bad_of: dict[int, dict[int, str]] = {}
    for (at, column), reason in bad.items():
        bad_of.setdefault(at + 1, {})[column] = reason
    for number, row in rows:
        texts, reasons = _texts(enumerate(row))
        reasons.update(bad_of.get(number, {}))
        texts = {column: text for column, text in texts.items() if column not in reasons}
        if not texts and not reasons:
            continue
        if not keys:
            if reasons:
                column, reason = min(reasons.items())
                raise not_a_sheet(
                    subject, f"{column_letter(column)}{number} should name its column, and {reason}"
                )
            keys, names = _named(texts, subject)
            continue
        stray = sorted({*texts, *reasons} - keys.keys())
        cells = {keys[column]: text for column, text in texts.items() if column in keys}
        broken = {keys[column]: reason for column, reason in reasons.items() if column in keys}
        if stray:
            broken[""] = (
                f"{column_letter(stray[0])}{number} has a value, and its column has no name: name the column "
                "in the first row, or put quotation marks around a text with a comma"
            )
        found.append(SheetRow(number, cells, broken))
    if not keys:
        raise UsageError(f"TS164 {subject} is empty: its first row should have the names of the columns.")
    return Sheet(names, found, {key: column_letter(column) for column, key in keys.items()})


def _named(texts: dict[int, str], subject: str) -> tuple[dict[int, str], dict[str, str]]:
    """Return the keys of the columns, and the name of each key."""
    keys = {column: column_key(name) for column, name in texts.items()}
    names: dict[str, str] = {}
    for column, key in keys.items():
        if key in names:
            raise _twice(subject, names[key], texts[column])
        names[key] = texts[column]
    return keys, names


def _twice(subject: str, one: str, other: str) -> UsageError:
    return UsageError(
        f"TS164 {subject} has a column twice: {shown_text(one)} and {shown_text(other)}. Rename one."
    )


def _texts(values: Iterable[tuple[Any, Any]]) -> tuple[dict[Any, str], dict[Any, str]]:
    """Return the texts of cells that are not empty, and the reasons of those that cannot be read."""
    texts, reasons = {}, {}
    for key, value in values:
        try:
            if text := cell_text(value):
                texts[key] = text
        except ValueError as error:
            reasons[key] = str(error)
    return texts, reasons


def _from_records(records: list[tuple[int, Any]], subject: str) -> Sheet:
    names: dict[str, str] = {}
    rows = []
    for number, record in records:
        if not isinstance(record, dict) or not all(isinstance(name, str) for name in record):
            raise not_a_sheet(subject, f"row {number} is {shown_text(record)}, and should have named columns")
        keys = {name: column_key(name) for name in record}
        if len(set(keys.values())) < len(keys):
            one, other = sorted(keys, key=lambda name: list(keys.values()).count(keys[name]))[-2:]
            raise _twice(subject, one, other)
        for name, key in keys.items():
            names.setdefault(key, name)
        texts, reasons = _texts((keys[name], value) for name, value in record.items())
        if texts or reasons:
            rows.append(SheetRow(number, texts, reasons))
    return Sheet(names, rows)
