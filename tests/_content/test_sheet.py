"""A sheet of comma-separated values or JSON: each file works, or has one clear error."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.workbooks import code

from airflow_provider_twinsync._content.sheet.reader import Sheet, column_key, read_records, read_sheet
from airflow_provider_twinsync.exceptions import UsageError


def read(data: str | bytes) -> Sheet:
    return read_sheet(data if isinstance(data, bytes) else data.encode(), "news")


def cells(data: str | bytes) -> list[dict[str, str]]:
    return [row.cells for row in read(data).rows]


def refused(data: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(data) if isinstance(data, (str, bytes)) else read_records(data, "news")
    return caught.value


ROW = {"id": "7", "text": "Grüße, 你好"}
TABLE = 'id,text\n7,"Grüße, 你好"\n'


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        b"\xef\xbb\xbf" + TABLE.encode(),
        TABLE.encode("utf-16"),
        b"\xfe\xff" + TABLE.encode("utf-16-be"),
        'id,text,more\n7,"Grüße, 你好",a\n'.encode("utf-16-le"),
        'id;Text\r\n7;"Grüße, 你好"\r\n',
        "ID\tText\r7\tGrüße, 你好",
        'id,text\r\n\n7,"Grüße, 你好"\r',
        "\n\nid|TEXT\n7|Grüße, 你好\n||\n",
        'id,text\n 7 , "Grüße, 你好" \n'.replace(' "', '"').replace('" ', '"'),
        json.dumps([ROW]),
        "\n" + json.dumps(ROW) + "\r\n\r\n",
        json.dumps([{"Id": 7.0, "Text": "Grüße, 你好", "note": None}]).encode("utf-16"),
        '[{"id": 7, "text": "Grüße, 你好"}]',
    ],
)
def test_a_file_of_any_kind_has_its_row(data):
    """The content decides: delimiter, encoding, line ends and kind."""
    [row] = read(data).rows
    assert {name: row.cells[name] for name in ROW} == ROW


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "TS164"),
        ("\n\n ,\n", "TS164"),
        ("id,text,Text\n", "TS164"),
        ("id,image url,image_url\n", "TS164"),
        ([{"Image URL": "a", "image_url": "b"}], "TS164"),
        ("id,text\n7,Gr\xfc\xdfe\n".encode("latin-1"), "TS162"),
        ("id,text\n7,a\0b\n", "TS162"),
        ('id,text\n7,"never closed\n8,b\n', "TS162"),
        ('id,text\n7,"closed" too early\n', "TS162"),
        ("id,text\n7," + "a" * 200_000, "TS162"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "TS162"),
        ("<!doctype html><html>Log in</html>", "TS162"),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "TS162"),
        (b"\x1f\x8b\x08\x00\x00", "TS162"),
        (b"\0" * 100, "TS162"),
        ('{"id": 1}\n{"id": ', "TS162"),
        ("[1, 2]", "TS162"),
        ('[{"id": 1}', "TS162"),
        ("[" * 100_000, "TS162"),
        ('{"rows": ' + "9" * 5_000 + "}", "TS162"),
        ('[{"id": 1, "text": "Hello", "text": "Bye"}]', "TS162"),
        ("id\n" + "," * 256 + "x", "TS162"),
        ("id\n" + "\n" * 1_048_576, "TS163"),
        ('{"id": 1}' + "\r" * 1_048_577, "TS163"),
        ({"id": 1}, "TS162"),
        ("id\n" + "x" * 50_000_001, "TS162"),
        ("id\n" + "1\n" * 10_001, "TS163"),
        ('{"id": 1}\n' * 10_001, "TS163"),
        ([{"id": 1}] * 10_001, "TS163"),
    ],
    ids=range(29),
)
def test_a_file_that_is_no_sheet_has_one_clear_error(data, code):
    error = refused(data)
    assert error.code == code
    assert len(str(error)) < 400


@pytest.mark.parametrize("end", ["", '9,"b"\n'])
def test_a_missing_quotation_mark_is_searched_where_its_row_begins(end):
    """And not at the end of the file."""
    assert "line 3," in str(refused('id,text\n1,a\n2,"b\n' + "3,c\n" * 500 + end))


def test_ten_thousand_rows_are_read():
    assert len(read("id\n" + "1\n\n" * 10_000).rows) == 10_000
    assert len(read('{"id": 1}\n' * 10_000).rows) == 10_000


@pytest.mark.parametrize("data", ["id,text\n", "id,text\n,\n\n", "[]"])
def test_a_night_without_rows_works(data):
    assert read(data).rows == []


def test_a_row_has_the_number_that_a_person_sees():
    """Empty rows count; a cell with line ends is in one row."""
    table = read('id,text\n\n1,"a\nb"\n,\n2,c\n')
    assert [row.number for row in table.rows] == [3, 5]
    assert [table.place(row.number, "text") for row in table.rows] == ["B3", "B5"]
    assert [row.number for row in read('{"id": 1}\n\n{"id": 2}').rows] == [1, 3]
    assert read_records([{"id": 1}, {}, {"id": 2}], "source").rows[1].number == 3


def test_a_text_with_a_comma_and_no_quotation_marks_is_no_shorter_text():
    """It would be spoken without its end, and paid."""
    [row, other] = read("id,text\n1,Hello, world\n2,Hello\n").rows
    assert "C2" in row.bad[""]
    assert other.bad == {}


def test_a_row_that_ends_early_has_empty_cells():
    assert cells("id,text,note\n1,Hello\n") == [{"id": "1", "text": "Hello"}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (-0.0, "0"),
        (1e300, "1e+300"),
        (0.1 + 0.2, "0.3"),
        (True, "true"),
        (None, ""),
        (["srt", "vtt"], "srt,vtt"),
        (dt.date(2026, 11, 28), "2026-11-28"),
        (dt.datetime(2026, 11, 28), "2026-11-28"),
        (dt.datetime(2026, 11, 28, 9, 30), "2026-11-28 09:30:00"),
        (dt.time(9, 30), "09:30:00"),
        (float("nan"), ""),  # of pandas, for an empty cell
    ],
)
def test_a_value_of_another_type_has_a_text(value, text):
    [row] = read_records([{"id": 1, "text": value}], "source").rows
    assert row.cells.get("text", "") == text
    assert row.bad == {}


@pytest.mark.parametrize(
    "value",
    [{"de": "Hallo"}, [1, 2], (1,), b"text", "\ud800", "a" * 131_073, float("inf"), 10**5_000],
    ids=range(8),
)
def test_a_value_that_is_no_text_is_bad(value):
    [row] = read_records([{"id": 1, "text": value}], "source").rows
    assert set(row.bad) == {"text"}
    assert "text" not in row.cells


def test_a_formula_in_a_csv_is_a_text():
    """There it is nothing else."""
    assert cells("id,text\n1,=A1\n") == [{"id": "1", "text": "=A1"}]


@pytest.mark.parametrize("name", ["Image URL", "image-url", " IMAGE_URL", "image url ", "Image_Url:"])
def test_the_name_of_a_column_may_be_written_as_people_do(name):
    assert column_key(name) == "image_url"


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30) | st.sampled_from(
    ["a,b", 'say "hi"', "two\nlines", "tab\there", ";", "|", "=1+1", "'", '"', ""]
)


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=5),
    delimiter=st.sampled_from(",;\t|"),
    lineterminator=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_table_that_the_csv_module_writes_is_read(rows, delimiter, lineterminator, quoting, encoding):
    """Of three columns, in any dialect and encoding."""
    text = io.StringIO(newline="")
    # The module writes no quotation marks around a line end of another kind.
    quoting = csv.QUOTE_ALL if lineterminator == "\r" else quoting
    writer = csv.writer(text, delimiter=delimiter, lineterminator=lineterminator, quoting=quoting)
    writer.writerow(["id", "text", "Image URL"])
    writer.writerows(rows)
    wanted = [
        {
            key: value.strip()
            for key, value in zip(("id", "text", "image_url"), row, strict=True)
            if value.strip()
        }
        for row in rows
    ]
    assert cells(text.getvalue().encode(encoding)) == [row for row in wanted if row]


@given(rows=st.lists(st.dictionaries(st.sampled_from(["id", "text", "name"]), TEXTS | st.integers())))
def test_a_list_a_json_file_and_json_lines_are_equal(rows):
    wanted = [row.cells for row in read_records(rows, "source").rows]
    assert cells(json.dumps(rows)) == wanted
    if any(rows) and rows[0]:
        assert cells("\n".join(json.dumps(row, ensure_ascii=False) for row in rows)) == wanted


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_sheet_or_one_error(data):
    assert code(data) in ("", "TS162", "TS163", "TS164")
