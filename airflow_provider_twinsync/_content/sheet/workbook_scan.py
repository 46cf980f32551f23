"""Scan the XML of a workbook before its reader opens it. Pure.

The reader (calamine) returns an empty cell for an error such as ``#REF!``, and for a formula that nobody has
computed. It also allocates the whole rectangle up to the last cell, which ends the process for one stray cell
in the last row and column. The scan finds such cells first, and counts rows, columns and characters.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from airflow_provider_twinsync._api.shown import shown_text

#: A sheet has a few; more are not worth the memory.
_MOST_BAD = 10_000
_UNCOMPUTED = "it is a formula without a value: open the sheet in a spreadsheet program, and save it"
_MERGED = "it is merged with other cells: give each row its own"


@dataclass(slots=True)
class Scan:
    """The size of a sheet, and its cells that cannot be read.

    :ivar bad: the reason of each such cell, by row and column from 0.
    :ivar rows: the number of rows up to the last cell with a value.
    :ivar columns: the number of columns up to the last cell with a value.
    :ivar characters: the characters of all cells.
    :ivar shared: the number of cells with each shared text (xlsx).
    """

    bad: dict[tuple[int, int], str] = field(default_factory=dict)
    rows: int = 0
    columns: int = 0
    characters: int = 0
    shared: Counter[int] = field(default_factory=Counter)
    _room: int = _MOST_BAD

    def add(self, row: int, column: int, *, rows: int = 1, columns: int = 1, reason: str = "") -> None:
        """Count a cell with a value, or several equal ones."""
        self.rows = max(self.rows, row + rows)
        self.columns = max(self.columns, column + columns)
        if reason:
            count = min(rows * columns, self._room)
            self._room -= count  # also for a cell that has a reason: areas of merged cells may overlap
            for number in range(count):
                self.bad.setdefault((row + number // columns, column + number % columns), reason)


def _parse(xml: bytes, start: Any, end: Any, characters: Any) -> None:
    """Parse XML; ``ValueError`` if it is wrong, or has entities of its own."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: start(_local(name), attributes)
    parser.EndElementHandler = lambda name: end(_local(name))
    parser.CharacterDataHandler = characters

    def refuse(*_: Any) -> None:
        raise ValueError("it has a document type")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise ValueError(f"its XML is wrong ({error})") from None


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _Xlsx:
    def __init__(self, is_stale: bool) -> None:
        self.scan = Scan()
        self._is_stale = is_stale
        self._row, self._cell_row, self._column = -1, -1, -1
        self._kind, self._text, self._length = "", "", 0
        self._has_content = self._has_formula = self._is_value = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            place = attributes.get("r", str(self._row + 2))
            self._row, self._column = _place(f"A{place}")[0], -1
        elif name == "c":
            self._cell_row, self._column = self._row, self._column + 1
            if place := attributes.get("r", ""):
                self._cell_row, self._column = _place(place)
            self._kind, self._text, self._length = attributes.get("t", "n"), "", 0
            self._has_content = self._has_formula = False
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))
        self._has_formula |= name == "f"
        self._is_value = name in ("v", "t")
        # The reader makes a cell of an empty text too.
        self._has_content |= self._is_value or name in ("f", "is")

    def characters(self, text: str) -> None:
        if self._is_value:
            self._length += len(text)
            self._text = (self._text + text)[:20]

    def end(self, name: str) -> None:
        self._is_value = False
        if name != "c" or not self._has_content:
            return
        reason = ""
        if self._kind == "e":
            reason = f"it has the error {self._text}"
        elif self._has_formula and self._is_uncomputed():
            reason = _UNCOMPUTED
        if self._kind == "s" and self._text.isdecimal():
            self.scan.shared[int(self._text)] += 1
        self.scan.characters += self._length
        self.scan.add(self._cell_row, self._column, reason=reason)

    def _is_uncomputed(self) -> bool:
        if not self._text:
            return self._kind != "str"  # a formula may have an empty text
        # XlsxWriter writes 0 for the value of each formula.
        return self._is_stale and self._text == "0" and self._kind == "n"

    def _merge(self, area: str) -> None:
        found = re.fullmatch(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})", area)
        if found and found[2] != found[4]:
            row, column = int(found[2]) - 1, _index(found[1])
            rows = min(int(found[4]) - row, self.scan.rows - row)
            columns = min(_index(found[3]) + 1 - column, self.scan.columns - column)
            if rows > 0 and columns > 0:
                self.scan.add(row, column, rows=rows, columns=columns, reason=_MERGED)


def _place(place: str) -> tuple[int, int]:
    """Return the row and the column of a place such as ``B7``, from 0; the reader takes lower case too."""
    found = re.fullmatch(r"([A-Z]{1,4})([0-9]{1,12})", place.upper(), re.ASCII)
    if not found:
        raise ValueError(f"it has a cell at {shown_text(place, 20)}")
    return int(found[2]) - 1, _index(found[1])


def _index(letters: str) -> int:
    """Return the number of a column, from 0.

    >>> _index("A"), _index("XFD")
    (0, 16383)
    """
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def scan_xlsx(xml: bytes, *, is_stale: bool = False) -> Scan:
    """Scan the XML of a sheet of an xlsx.

    >>> scan_xlsx(b'<sheetData><row r="2"><c r="B2" t="e"><v>#REF!</v></c></row></sheetData>').bad
    {(1, 1): 'it has the error #REF!'}

    :param is_stale: the workbook asks the program that opens it to compute all formulas.
    :raises ValueError: the XML is wrong.
    """
    found = _Xlsx(is_stale)
    _parse(xml, found.start, found.end, found.characters)
    return found.scan


def shared_lengths(xml: bytes) -> list[int]:
    """Return the characters of each shared text of an xlsx.

    :raises ValueError: the XML is wrong.
    """
    lengths: list[int] = []

    def start(name: str, _: dict[str, str]) -> None:
        if name == "si":
            lengths.append(0)

    def characters(text: str) -> None:
        if lengths:
            lengths[-1] += len(text)

    _parse(xml, start, lambda _: None, characters)
    return lengths


class _Ods:
    def __init__(self) -> None:
        self.scans: list[Scan] = []
        self._is_in_table = False
        self._row = self._rows = self._column = self._columns = 0
        self._cell: dict[str, str] | None = None
        self._length, self._text = 0, ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            if self._is_in_table:
                raise ValueError("it has a table in a cell")
            self._is_in_table = True
            self.scans.append(Scan())
            self._row = self._rows = 0
        elif name == "table-row":
            self._row += self._rows
            self._rows = _count(attributes, "number-rows-repeated")
            self._column = self._columns = 0
        elif name in ("table-cell", "covered-table-cell"):
            self._column += self._columns
            self._columns = _count(attributes, "number-columns-repeated")
            self._cell = {_local(key): value for key, value in attributes.items()}
            self._length, self._text = len(self._cell.get("string-value", "")), ""

    def characters(self, text: str) -> None:
        if self._cell is not None:
            self._length += len(text)
            self._text = (self._text + text)[:20]

    def end(self, name: str) -> None:
        self._is_in_table &= name != "table"
        cell = self._cell
        if cell is None or name not in ("table-cell", "covered-table-cell"):
            return
        self._cell = None
        if not self._is_in_table:
            return
        kinds = {value for key, value in cell.items() if key == "value-type"}
        reason = ""
        if "error" in kinds or (cell.get("formula") and re.match(r"#[A-Z/0!?]+|Err:\d", self._text)):
            reason = f"it has the error {self._text}"
        elif cell.get("formula") and not kinds:
            reason = _UNCOMPUTED
        elif _count(cell, "number-rows-spanned") > 1:
            reason = _MERGED
        if self._length or reason or any(key.endswith(("value", "value-type", "formula")) for key in cell):
            scan = self.scans[-1]
            scan.characters += self._length * self._rows * self._columns
            scan.add(self._row, self._column, rows=self._rows, columns=self._columns, reason=reason)


def _count(attributes: dict[str, str], wanted: str) -> int:
    """Return a number of equal cells. The reader takes signs, leading zeros and any number of digits."""
    found = [value for name, value in attributes.items() if _local(name) == wanted]
    if not all(re.fullmatch(r"\+?[0-9]{1,20}", value, re.ASCII) for value in found):
        raise ValueError(f"it has {shown_text(found[0], 20)} equal cells")
    return max([1, *map(int, found)])


def scan_ods(xml: bytes) -> list[Scan]:
    """Scan the XML of an ods, and return the scan of each of its sheets.

    :raises ValueError: the XML is wrong.
    """
    found = _Ods()
    _parse(xml, found.start, found.end, found.characters)
    return found.scans
