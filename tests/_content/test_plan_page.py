"""The page and the JSON of a plan."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from airflow_provider_twinsync._content.sheet.page import PlanPage, length_text
from airflow_provider_twinsync._content.sheet.plan import Plan, PlannedRow, RowError

EVIL = "<script>alert(1)</script>\"' &amp; \u202e"


def row(row_id: str, state: str = "new", **fields) -> PlannedRow:
    arguments = {
        "text": "Hello",
        "pronouncer": "en-US-JennyNeural",
        "destination": f"/videos/{row_id}.mp4",
    }
    return PlannedRow(row_id, 2, arguments | fields.pop("arguments", {}), state=state, **fields)


def page(*rows: PlannedRow, **fields) -> PlanPage:
    errors, notes = fields.pop("errors", []), fields.pop("notes", [])
    return PlanPage(
        Plan(list(rows), errors, notes), "s3://news/night.xlsx", "2026-11-28T09:00:00+00:00", **fields
    )


class Text(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_data(self, data):
        self.texts.append(data.strip())


@pytest.mark.parametrize("name", ["ANTIBODY.xlsx", "TITLE.csv"])
def test_the_name_of_a_sheet_is_no_place_of_the_page(name):
    text = Text(PlanPage(Plan([row("a")]), f"s3://news/{name}", "2026").html().decode())
    assert text.texts.count(f"Plan: {name}") == 2
    assert (text.tags.count("main"), text.tags.count("dl")) == (1, 1)


@pytest.mark.parametrize("text", ["می‌خواهم", "👩‍👧", "so­ft", "क्‍ष"])
def test_a_joiner_of_a_script_stays_in_a_text(text):
    """Without it a word of Persian or Hindi is another one, and a family falls apart."""
    assert text in Text(page(row("a", arguments={"text": text})).html().decode()).texts


def test_a_destination_has_no_login_and_no_signature_and_its_end():
    secret = row("a", arguments={"destination": "s3://anna:secret@videos/a.mp4?X-Amz-Signature=secret"})
    long = row("b", arguments={"destination": f"s3://aws@videos/{'x' * 100}/b.mp4"})
    made = page(secret, long)
    assert "secret" not in made.json().decode() + made.html().decode()
    assert long.arguments["destination"] in made.html().decode()


def test_the_json_has_the_schema_that_the_report_reads():
    made = row("a", words=10, expected_s=4.0, jobs=2, map_index=0, photo="https://example.com/a.jpg")
    bad = row("b", "refused", errors=[RowError("TS101", "text", "text is ''")])
    old = row("c", "unchanged", stored={"path": "/videos/c.mp4"})
    found = json.loads(page(made, bad, old, price_per_job=0.25).json())
    assert found["counts"] == {
        "rows": 3,
        "new": 1,
        "unchanged": 1,
        "retry": 0,
        "refused": 1,
        "jobs": 2,
        "words": 10,
    }
    assert (found["version"], found["minutes"], found["cost"]) == (1, 0.07, 0.5)
    assert found["rows"][0] == {
        "row_id": "a",
        "number": 2,
        "state": "new",
        "text": "Hello",
        "words": 10,
        "image_url": "https://example.com/a.jpg",
        "pronouncer": "en-US-JennyNeural",
        "destination": "/videos/a.mp4",
        "jobs": 2,
        "expected_s": 4.0,
        "errors": [],
        "map_index": 0,
        "stored": None,
        "note": "",
    }
    assert found["rows"][1]["errors"] == [{"code": "TS101", "column": "text", "message": "text is ''"}]
    assert found["rows"][2]["stored"] == {"path": "/videos/c.mp4"}


def test_texts_of_strangers_are_escaped():
    """Wherever they are on the page."""
    arguments = dict.fromkeys(("text", "pronouncer", "destination"), EVIL)
    evil = row(EVIL, arguments=arguments, photo=EVIL, note=EVIL, errors=[RowError("TS101", EVIL, EVIL)])
    html = page(evil, errors=[RowError("TS166", EVIL, EVIL)], notes=[EVIL], problem=EVIL).html().decode()
    tags = Text(html).tags
    assert "script" not in tags
    assert html.count("&lt;script&gt;") >= 10
    assert "\u202e" not in html


def test_half_a_character_is_written():
    assert page(row("a", arguments={"text": "\ud800"})).html()
    assert json.loads(page(row("a", arguments={"text": "\ud800"})).json())


def test_errors_come_first_and_then_the_rows_that_cost():
    rows = [row("a", "unchanged"), row("b"), row("c", "refused", errors=[RowError("TS101", "text", "bad")])]
    texts = [text for text in Text(page(*rows).html().decode()).texts if text]
    assert texts.index("bad") < texts.index("3 rows")
    order = [text for text in texts[texts.index("3 rows") :] if text in ("a", "b", "c")]
    assert order == ["c", "b", "a"]


def test_the_page_has_the_cost_with_a_price_only():
    assert "to pay" not in page(row("a", jobs=1)).summary()
    assert "0.40 to pay" in page(row("a", jobs=1), price_per_job=0.4).summary()


def test_a_page_stands_alone():
    """No script, no picture, no address."""
    text = Text(page(row("a")).html().decode())
    assert {"script", "img", "link", "a", "iframe"} & set(text.tags) == set()
    assert "main" in text.tags


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.6, "1 min 0 s"), (165, "2 min 45 s"), (3_600, "1 h 0 min")]
)
def test_a_length_for_a_person(seconds, text):
    assert length_text(seconds) == text
