"""A workbook that was made to harm: small as a file, and large in memory or in time."""

from __future__ import annotations

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from support.workbooks import archive, ods, read, refused, xlsx

from airflow_provider_twinsync._content.sheet import workbook
from airflow_provider_twinsync._content.sheet.workbook_scan import scan_xlsx

SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}'
FAR = SHEET.format('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>')


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="XFD1048576" t="str"><v></v></c>',
        '<c r="XFD1048576" t="inlineStr"><is><t/></is></c>',
        '<c r="XFD1048576" t="inlineStr"><is/></c>',
        '<c r="xfd1048576"><v>1</v></c>',
        '<c r="XFD01048576"><v>1</v></c>',
    ],
    ids=range(5),
)
def test_a_cell_far_away_is_seen_in_each_spelling(cell):
    """The reader would ask for 400 GB of memory, and the worker's process would end without an error."""
    assert refused(xlsx([["id"], [cell]])) == "TS163"


PLACES = st.sampled_from(["", ' r="A1"', ' r="b3"', ' r="D2"', ' r="C7"'])
CELL = st.builds(
    "<c{}{}>{}</c>".format,
    PLACES,
    st.sampled_from(["", ' t="str"', ' t="inlineStr"', ' t="b"', ' s="1"']),
    st.sampled_from(["", "<v>1</v>", "<v/>", "<is><t>x</t></is>", "<is/>", "<f>A1</f>", "<f>A1</f><v>1</v>"]),
)
ROW = st.builds(
    "<row{}>{}</row>".format,
    st.sampled_from(["", ' r="2"', ' r="9"', ' spans="1:3"']),
    st.lists(CELL, max_size=3).map("".join),
)


@given(rows=st.lists(ROW, max_size=4).map("".join))
def test_the_reader_has_no_cell_beyond_those_of_the_scan(rows):
    xml = SHEET.format(rows) + "</sheetData></worksheet>"
    scan = scan_xlsx(xml.encode())
    book = CalamineWorkbook.from_filelike(io.BytesIO(xlsx([], more={"xl/worksheets/sheet1.xml": xml})))
    cells = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert len(cells) <= scan.rows
    assert max(map(len, cells), default=0) <= scan.columns


def test_the_reader_gets_the_sheet_that_was_scanned():
    """Of two ids, and of two names that differ in case."""
    good = xlsx([["id"], ["x"]], others=[("Far", "", [])], more={"xl/worksheets/sheet2.xml": FAR})
    assert read(good).rows[0].cells == {"id": "x"}
    two_ids = _with(good, "xl/workbook.xml", b'r:id="rId1"', b'id="rId1" r:id="rId2"')
    assert refused(two_ids) == "TS163"
    assert refused(xlsx([["id"], ["x"]], more={"xl/worksheets/Sheet1.xml": FAR})) == "TS163"


def _with(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    parts = workbook._unpacked(data, "news")
    assert old in parts[part]
    names = {"xl/sharedstrings.xml": "xl/sharedStrings.xml"}
    changed = {names.get(name, name): xml for name, xml in parts.items()}
    return archive(changed | {part: parts[part].replace(old, new)})


REPEATED = (
    '<table:table-row table:number-rows-repeated="{}"><table:table-cell {} '
    'table:number-columns-repeated="{}"><text:p>x</text:p></table:table-cell></table:table-row>'
)
TYPED = 'office:value-type="string"'


@pytest.mark.parametrize(
    "data",
    [
        ods([["id"], ["x"]], [REPEATED.format(1_048_576, TYPED, 16_384)]),
        ods([["id"], REPEATED.format(1_048_576, TYPED, 16_384)]),
        ods([["id"], REPEATED.format("99999999999", TYPED, 1)]),
        ods([["id"], REPEATED.format("+1048576", TYPED, 100)]),
        ods([["id"], REPEATED.format("01048576", TYPED, 100)]),
        ods([["id"], REPEATED.format("1e6", TYPED, 100)]),
        ods([["id"], REPEATED.format(1_048_576, 'office:string-value="x"', 100).replace("x</", "</")]),
        ods([["id"], ['<table:table-cell><table:table table:name="in"/></table:table-cell>']]),
    ],
    ids=range(8),
)  # fmt: skip
def test_an_ods_is_bounded_before_the_reader_has_it(data):
    """It reads all sheets at once, and takes more numbers than Python's `int` has digits for."""
    started = time.monotonic()
    assert refused(data) == "TS162"
    assert time.monotonic() - started < 2


def test_the_time_is_in_proportion_to_the_size():
    """Each of these took minutes: a long cell, merged areas over each other, errors in each row."""
    ids = [[number] for number in range(5_000)]
    merged = '<mergeCells>{}</mergeCells>'.format('<mergeCell ref="A2:A5000"/>' * 100_000)  # fmt: skip
    errors = [[1, f'<c r="B{number}" t="e"><v>#REF!</v></c>'] for number in range(2, 10_002)]
    started = time.monotonic()
    assert read(xlsx([["id"], [f'<c r="A2" t="str"><v>{"x" * 20_000_000}</v></c>']])).rows[0].bad
    assert read(xlsx([["id"], *ids], after=merged)).rows[0].bad
    assert len(read(xlsx([["id", "text"], *errors])).rows) == 10_000
    assert time.monotonic() - started < 20


def test_a_list_of_sheets_has_a_bound(monkeypatch):
    """Its tree takes twenty times its size in memory."""
    monkeypatch.setattr(workbook, "_MAX_LISTING", 2_000)
    data = xlsx([["id"], [1]])
    assert read(data).rows
    assert refused(_with(data, "xl/workbook.xml", b"</sheets>", b"</sheets>" + b"<a/>" * 500)) == "TS162"


def test_a_formula_that_was_never_computed_is_no_zero():
    """XlsxWriter writes 0 as the value of each formula, and asks the next program to compute it."""
    cells = [1, '<c r="B2"><f>"Hello"</f><v>0</v></c>', '<c r="C2"><v>0</v></c>']
    data = xlsx([["id", "text", "note"], cells])
    assert read(data).rows[0].cells == {"id": "1", "text": "0", "note": "0"}
    stale = _with(data, "xl/workbook.xml", b"</sheets>", b'</sheets><calcPr fullCalcOnLoad="1"/>')
    [row] = read(stale).rows
    assert (row.cells, set(row.bad)) == ({"id": "1", "note": "0"}, {"text"})
