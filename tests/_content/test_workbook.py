"""A sheet of the kind xlsx or ods: the first visible sheet, without surprises."""

from __future__ import annotations

import builtins
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.workbooks import archive, code, ods, read, refused, xlsx

from airflow_provider_twinsync._content.sheet import workbook
from airflow_provider_twinsync._content.sheet.reader import read_sheet


def typed(kind: str, value: str, shown: str) -> str:
    """Return the XML of a cell of an ods."""
    return (
        f'<table:table-cell office:value-type="{kind}" office:{value}><text:p>{shown}</text:p>'
        "</table:table-cell>"
    )


TABLE = [["id", "Text", "Image URL"], [7, "Grüße, 你好", None], [None], ["8a", " b ", "c"]]
BOTH = pytest.mark.parametrize("kind", [xlsx, ods])


@BOTH
def test_the_rows_of_a_workbook(kind):
    """A number as an id has no point, and an empty row counts."""
    sheet = read(kind(TABLE))
    assert [(row.number, row.cells) for row in sheet.rows] == [
        (2, {"id": "7", "text": "Grüße, 你好"}),
        (4, {"id": "8a", "text": "b", "image_url": "c"}),
    ]
    assert sheet.place(4, "image_url") == "C4"
    assert sheet.notes == []


def test_a_date_of_an_xlsx_is_a_date():
    [row] = read(xlsx([["id", "day"], [1, '<c r="B2" s="1"><v>46354</v></c>']])).rows
    assert row.cells["day"] == "2026-11-28"


def test_the_values_of_an_ods():
    cells = [
        typed("date", 'date-value="2026-11-28"', "28/11/26"),
        typed("percentage", 'value="0.5"', "50 %"),
        True,
    ]
    [row] = read(ods([["day", "part", "poster"], cells])).rows
    assert row.cells == {"day": "2026-11-28", "part": "0.5", "poster": "true"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (xlsx([["id", "text"], [1, '<c r="B2" t="e"><v>#REF!</v></c>']]), "#REF!"),
        (xlsx([["id", "text"], [1, '<c r="B2" t="e"><f>A9</f><v>#NAME?</v></c>']]), "#NAME?"),
        (xlsx([["id", "text"], [1, '<c r="B2"><f>A1&amp;"!"</f></c>']]), "formula"),
        (xlsx([["id", "text"], [1, '<c r="B2" t="s"><f>A1</f><v></v></c>']]), "formula"),
        (
            ods([["id", "text"], [1, '<table:table-cell table:formula="of:=[.A9]"/>']]),
            "formula",
        ),
        (
            ods(
                [
                    ["id", "text"],
                    [
                        1,
                        '<table:table-cell table:formula="of:=1/0" office:value-type="string" '
                        'calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>',
                    ],
                ]
            ),
            "#DIV/0!",
        ),
        (
            xlsx(
                [["id", "text"], [1, "both"], [2, None]],
                after='<mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells>',
            ),
            "merged",
        ),
        (
            ods(
                [
                    ["id", "text"],
                    [
                        1,
                        '<table:table-cell office:value-type="string" table:number-rows-spanned="2">'
                        "<text:p>both</text:p></table:table-cell>",
                    ],
                    [2, "<table:covered-table-cell/>"],
                ]
            ),
            "merged",
        ),
    ],
)
def test_a_cell_that_cannot_be_read_is_no_empty_cell(data, words):
    """The reader returns an empty text for an error and for a formula without a value."""
    row = read(data).rows[0]
    assert set(row.bad) == {"text"}
    assert words in row.bad["text"]
    assert "text" not in row.cells


def test_a_name_of_a_column_that_cannot_be_read_is_the_error():
    """And not each cell below it."""
    merged = '<mergeCells count="1"><mergeCell ref="B1:B2"/></mergeCells>'
    assert refused(xlsx([["id", "text"], [None, None], [1, "a"]], after=merged)) == "TS162"


def test_a_formula_with_a_value_is_its_value():
    cells = [1, '<c r="B2" t="str"><f>A1</f><v>Hello</v></c>', '<c r="C2" t="str"><f>A9</f><v></v></c>']
    [row] = read(xlsx([["id", "text", "note"], cells])).rows
    assert (row.cells, row.bad) == ({"id": "1", "text": "Hello"}, {})


def test_cells_that_are_merged_in_one_row_are_one_cell():
    merged = '<mergeCells count="1"><mergeCell ref="B2:C2"/></mergeCells>'
    [row] = read(xlsx([["id", "text", "note"], [1, "Hello", None]], after=merged)).rows
    assert (row.cells, row.bad) == ({"id": "1", "text": "Hello"}, {})


@pytest.mark.parametrize(
    "data",
    [
        xlsx([["id"], ["first"]], others=[("Second", "", [["id"], ["second"]])]),
        ods([["id"], ["first"]], [["id"], ["second"]]),
    ],
)
def test_the_first_of_several_sheets_is_read(data):
    sheet = read(data)
    assert sheet.rows[0].cells == {"id": "first"}
    assert [note[:5] for note in sheet.notes] == ["TS178"]


@pytest.mark.parametrize(
    "data",
    [
        xlsx([["id"], ["hidden"]], state="hidden", others=[("Second", "", [["id"], ["seen"]])]),
        xlsx([["id"], ["hidden"]], state="veryHidden", others=[("Second", "", [["id"], ["seen"]])]),
        ods([["id"], ["hidden"]], [["id"], ["seen"]], hidden=[0]),
    ],
)
def test_a_hidden_sheet_is_not_read(data):
    sheet = read(data)
    assert (sheet.rows[0].cells, sheet.notes) == ({"id": "seen"}, [])


def far(place: str) -> bytes:
    return xlsx([["id"], [f'<c r="{place}"><v>1</v></c>']])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (xlsx([]), "TS164"),
        (ods([]), "TS164"),
        (xlsx([["id"]], state="hidden"), "TS162"),
        (far("XFD1048576"), "TS163"),  # the reader would ask for 400 GB, and end the process
        (far("XFD2"), "TS162"),
        (xlsx([["id"], *([1] for _ in range(10_001))]), "TS163"),
        (
            ods([["id"], '<table:table-row table:number-rows-repeated="1048575"><table:table-cell '
                 'office:value-type="string"><text:p>x</text:p></table:table-cell></table:table-row>']),
            "TS163",
        ),
        (
            ods([["id"], ['<table:table-cell table:number-columns-repeated="16384" office:value-type='
                          '"string"><text:p>x</text:p></table:table-cell>']]),
            "TS162",
        ),
        (ods([["id"]], manifest="<manifest:encryption-data/>"), "TS162"),
        (archive({"word/document.xml": "<w/>"}), "TS162"),
        (archive({"xl/workbook.xml": "<workbook/>"}), "TS162"),
        (b"PK\x03\x04 no archive", "TS162"),
        (xlsx([["id"]])[:-40], "TS162"),
        (xlsx([["id"], ['<c r="A2" t="s"><v>99</v></c>']]), "TS162"),
        (xlsx([["id"], ['<c r="A2"><v>1</v>']]), "TS162"),
        (xlsx([["id"]], more={"xl/worksheets/sheet1.xml": "<!DOCTYPE x []><x/>"}), "TS162"),
    ],
    ids=range(16),
)  # fmt: skip
def test_a_workbook_that_cannot_be_read_has_one_clear_error(data, code):
    assert refused(data) == code


def test_a_zip_bomb_is_not_expanded(monkeypatch):
    """Neither one that states its size, nor one that states another."""
    monkeypatch.setattr(workbook, "_MAX_UNPACKED", 1_000_000)
    bomb = xlsx([["id"]], more={"xl/other.xml": b"<a>" + b" " * 2_000_000})
    assert refused(bomb) == "TS162"
    size = (2_000_003).to_bytes(4, "little")
    assert bomb.count(size) == 2
    assert refused(bomb.replace(size, (100).to_bytes(4, "little"))) == "TS162"


def test_one_shared_text_in_many_cells_is_counted(monkeypatch):
    """Each cell is a copy of it in memory."""
    monkeypatch.setattr(workbook, "_MAX_CHARACTERS", 100)
    shared = '<c r="{}" t="s"><v>0</v></c>'
    rows = [["id"], *([shared.format(f"A{number}")] for number in range(2, 12))]
    assert len(read(xlsx(rows)).rows) == 10
    assert refused(xlsx([*rows, *([shared.format(f"A{number}")] for number in range(12, 30))])) == "TS162"


def test_pictures_in_a_workbook_do_not_count(monkeypatch):
    monkeypatch.setattr(workbook, "_MAX_UNPACKED", 100_000)
    assert read(xlsx([["id"], [1]], more={"xl/media/anna.png": bytes(200_000)})).rows


@pytest.mark.parametrize("kind", [xlsx, ods])
def test_a_formatted_cell_without_a_value_is_none(kind):
    """Spreadsheet programs format whole columns, down to the last row."""
    empty = '<table:table-row table:number-rows-repeated="1048574"><table:table-cell/></table:table-row>'
    rows = [["id"], [1]]
    data = ods([*rows, empty]) if kind is ods else xlsx([*rows, ['<c r="A1048576" s="1"/>']])
    assert len(read(data).rows) == 1


def test_without_the_library(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name == "python_calamine":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert refused(xlsx(TABLE)) == "TS140"


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20),
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.none(),
)


@BOTH
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_a_workbook_has_the_rows_of_the_list(kind, rows):
    """What a list of the same values has."""
    sheet = read(kind([["id", "text"], *rows]))
    wanted = read_sheet(b"id,text\n", "news").rows
    for row in rows:
        texts = {
            key: " ".join(str(value).split()) if not isinstance(value, bool) else str(value).lower()
            for key, value in zip(("id", "text"), row, strict=True)
            if value is not None and str(value).strip()
        }
        wanted += [texts] if texts else []  # type: ignore[list-item]
    got = [{key: " ".join(text.split()) for key, text in row.cells.items()} for row in sheet.rows]
    assert got == wanted


@given(data=st.data())
def test_a_damaged_workbook_is_a_sheet_or_one_error(data):
    """Any byte of it may be another one."""
    found = bytearray(xlsx(TABLE))
    for _ in range(data.draw(st.integers(1, 4))):
        found[data.draw(st.integers(0, len(found) - 1))] = data.draw(st.integers(0, 255))
    assert code(bytes(found)) in ("", "TS162", "TS163", "TS164")


def test_the_archive_of_the_helper_is_one():
    with zipfile.ZipFile(io.BytesIO(xlsx(TABLE))) as file:
        assert file.testzip() is None
