"""The rows of a plan: arguments, ids, defaults, and the errors that the sheet alone has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from airflow_provider_twinsync._content.sheet.plan import COLUMNS, Plan, check_defaults, draft_plan
from airflow_provider_twinsync._content.sheet.reader import read_records, read_sheet

DEFAULTS = {
    "image_url": "https://example.com/anna.jpg",
    "pronouncer": "en-US-JennyNeural",
    "destination": "/videos/{{ ds }}/{{ row.id }}.mp4",
}
RUN = {"ds": "2026-11-28", "params": {}}
ROW = {"id": "a", "text": "Hello"}


def plan(*rows: dict[str, Any], **defaults: Any) -> Plan:
    return draft_plan(read_records(list(rows), "source"), {**DEFAULTS, **defaults}, RUN)


def codes(found: Plan) -> list[tuple[int, str, str]]:
    """Return the row, the code and the column of each error; the row of the sheet is 0."""
    errors = [(0, error.code, error.column) for error in found.errors]
    return errors + [(row.number, one.code, one.column) for row in found.rows for one in row.errors]


def test_a_row_has_the_arguments_of_its_cells_and_of_the_defaults():
    [row] = plan({"id": 7, "Text": "Good morning {{ row.name }}!", "Name": "Anna", "pronouncer": ""}).rows
    assert (row.row_id, row.errors) == ("7", [])
    assert row.arguments == {
        "text": "Good morning Anna!",
        "image_url": "https://example.com/anna.jpg",
        "pronouncer": "en-US-JennyNeural",
        "destination": "/videos/2026-11-28/7.mp4",
    }


def test_a_cell_counts_more_than_a_default():
    [one, other] = plan({**ROW, "pronouncer": "x-Y"}, {**ROW, "id": "b"}, text="Bye").rows
    assert (one.arguments["text"], one.arguments["pronouncer"]) == ("Hello", "x-Y")
    assert other.arguments["pronouncer"] == DEFAULTS["pronouncer"]


def test_a_cell_does_not_reach_the_run():
    assert codes(plan({**ROW, "text": "{{ ds }}"})) == [(1, "TS169", "text")]


def test_the_text_of_a_cell_is_rendered_once():
    """A name with braces is not a template of its own."""
    found = plan({"id": "a", "name": "{{ row.secret }}", "secret": "s"}, text="Hi {{ row.name }}")
    assert codes(found) == [(1, "TS183", "text")]
    assert "text" not in found.rows[0].arguments


class TestIds:
    """They are unique and stable."""

    def test_without_ids_the_number_of_the_row_is_one(self):
        found = draft_plan(read_sheet(b"text\nHello\n\nBye\n", "news"), DEFAULTS, RUN)
        assert [row.row_id for row in found.rows] == ["row-2", "row-4"]
        assert found.rows[1].arguments["destination"] == "/videos/2026-11-28/row-4.mp4"
        assert [note[:5] for note in found.notes] == ["TS180"]

    @pytest.mark.parametrize("row_id", ["", "../a", "a/b", "a\\b", "a\nb", "x" * 251, "\u202ea", "{#"])
    def test_a_wrong_id_is_refused(self, row_id):
        [found] = codes(plan(ROW, {"id": row_id, "text": "Bye"}))
        assert found[0] == 2
        assert found[1] in ("TS167", "TS169", "TS183")

    def test_an_id_may_be_a_template(self):
        [row] = plan({"text": "Hi", "day": "mon"}, id="{{ row.day }}-{{ ds }}").rows
        assert row.row_id == "mon-2026-11-28"
        assert row.arguments["destination"] == "/videos/2026-11-28/mon-2026-11-28.mp4"

    def test_an_id_twice_is_an_error_of_the_second_row(self):
        assert codes(plan(ROW, ROW)) == [(2, "TS167", "id")]
        assert codes(plan({"id": 7, "text": "a"}, {"id": "7", "text": "b"})) == [(2, "TS167", "id")]


class TestColumns:
    """Missing, misspelt and unknown ones."""

    @pytest.mark.parametrize("name", ["Pronuncer", "pronouncers", "caption", "Img URL", "destinaton"])
    def test_a_near_miss_is_an_error(self, name):
        """Its cells would be ignored, and the default used."""
        assert [code for _, code, _ in codes(plan({**ROW, name: "srt"}))] == ["TS166"]

    def test_a_near_miss_is_the_only_error_of_a_missing_column(self):
        found = draft_plan(read_sheet(b"id,txt\n1,Hello\n", "news"), DEFAULTS, RUN)
        assert codes(found) == [(0, "TS166", "txt")]

    @pytest.mark.parametrize("name", ["Image URL", "image-url", "IMAGE_URL"])
    def test_another_spelling_of_the_same_name_is_accepted(self, name):
        [row] = plan({**ROW, name: "https://example.com/b.jpg"}).rows
        assert row.arguments["image_url"] == "https://example.com/b.jpg"

    def test_a_note_column_is_a_note(self):
        found = plan({**ROW, "Remarks": "x", "description": "y", "checked": "z", "name": "n"})
        assert codes(found) == []
        [note] = found.notes
        assert note.startswith("TS177 ")
        assert all(repr(name) in note for name in ("Remarks", "description", "checked", "name"))

    def test_a_column_that_a_template_uses_has_no_note(self):
        assert plan({**ROW, "texts": "x"}, destination="/{{ row.texts }}.mp4").errors == []
        assert plan({**ROW, "text": "{{ row.name }}", "name": "n"}).notes == []

    def test_a_missing_column_is_one_error(self):
        found = draft_plan(read_sheet(b"id\n1\n2\n", "news"), {"text": "Hi"}, RUN)
        names = ["image_url", "pronouncer", "destination"]
        assert codes(found) == [(0, "TS165", name) for name in names]

    def test_an_empty_cell_without_a_default(self):
        assert codes(plan({**ROW, "text": " "})) == [(1, "TS165", "text")]

    def test_a_sheet_without_rows_misses_nothing(self):
        assert codes(draft_plan(read_sheet(b"id\n", "news"), {}, RUN)) == []


class TestTemplates:
    """An unknown name has an error with row and column."""

    def test_in_a_cell(self):
        found = plan(ROW, {"id": "b", "text": "Hi {{ row.nme }}", "name": "n"})
        assert codes(found) == [(2, "TS169", "text")]
        assert "row.name" in found.rows[1].errors[0].message

    @pytest.mark.parametrize("default", ["{{ row.nme }}", "{{ dz }}", "{{ row.name", "{{ conn.x }}"])
    def test_in_a_default_it_is_one_error(self, default):
        found = plan(ROW, {**ROW, "id": "b", "name": "n"}, destination=default)
        assert codes(found) == [(0, "TS169", "destination")]

    def test_an_empty_cell_is_not_spoken(self):
        found = plan({"id": "a", "name": "Anna"}, {"id": "b"}, text="Good morning {{ row.name }}")
        assert codes(found) == [(2, "TS169", "text")]

    def test_a_cell_that_cannot_be_read_is_an_error_of_the_template(self):
        found = plan({"id": "a", "name": [1]}, text="Good morning {{ row.name }}")
        assert codes(found) == [(1, "TS169", "text")]

    def test_a_run_without_a_date(self):
        found = draft_plan(read_records([ROW], "source"), DEFAULTS, {"params": {}})
        assert codes(found) == [(0, "TS169", "destination")]


def test_a_bad_cell_matters_where_it_is_used():
    assert codes(plan({**ROW, "note": [1]})) == []
    assert codes(plan({"id": "a", "text": [1]})) == [(1, "TS170", "text")]
    assert codes(draft_plan(read_sheet(b"id,text\na,b,c\n", "news"), DEFAULTS, RUN)) == [(2, "TS170", "")]


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("captions", "srt, vtt", ["srt", "vtt"]),
        ("captions", ["srt"], ["srt"]),
        ("captions", "SUB", None),
        ("poster", "Yes", True),
        ("poster", False, False),
        ("check", "1", True),
        ("check", "maybe", None),
    ],
)
def test_a_cell_of_another_type(name, cell, value):
    found = plan({**ROW, name: cell})
    if value is None:
        assert codes(found) == [(1, "TS171", name)]
    else:
        assert found.rows[0].arguments[name] == value


def test_defaults_of_another_type():
    [row] = plan(ROW, captions=("srt",), poster=True).rows
    assert (row.arguments["captions"], row.arguments["poster"]) == (["srt"], True)


@pytest.mark.parametrize(
    "defaults",
    [{"ledger": "/l"}, {"txt": "a"}, {"text": 7}, {"destination": Path("/a")}, {"captions": 1}, {1: "a"}],
)
def test_wrong_defaults(defaults):
    assert check_defaults(defaults)


def test_right_defaults():
    assert check_defaults(dict.fromkeys(COLUMNS, "text")) == ""


@given(st.text(st.sampled_from("ab {}%#\n\r\t.x") | st.characters(exclude_categories=["Cs"]), max_size=30))
def test_airflow_renders_a_planned_text_to_itself(text):
    """It renders the values that `expand_kwargs` takes from an XCom."""
    [row] = plan({"id": "a", "text": text}).rows
    if "text" in row.arguments:
        spoken = row.arguments["text"]
        assert Environment().from_string(spoken).render() == spoken
        assert not spoken.endswith(".txt")


def test_a_name_of_a_file_is_not_read():
    assert codes(plan({**ROW, "text": "my notes.txt"})) == [(1, "TS183", "text")]
