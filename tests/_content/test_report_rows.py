"""The rows of a report: each row of a plan, with the video that a run made of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twinsync._content.report.page import page_of
from airflow_provider_twinsync._content.report.rows import (
    STATES,
    checked_plan,
    checked_videos,
    counts_of,
    headline,
    rows_of,
)
from airflow_provider_twinsync.exceptions import UsageError

STORED = {"path": "/videos/old.mp4", "duration_s": 3.0, "poster": "/videos/old.jpg"}


def planned(row_id: str, state: str = "new", **fields: Any) -> dict[str, Any]:
    given = {
        "row_id": row_id,
        "state": state,
        "text": "Hello.",
        "words": 1,
        "pronouncer": "en-US-JennyNeural",
    }
    return {**given, "expected_s": 2.0, "errors": [], "map_index": 4, "stored": None, **fields}


def made(row_id: str | None, **fields: Any) -> dict[str, Any]:
    return {"path": f"/videos/{row_id}.mp4", "row_id": row_id, **fields}


def rows(*videos: Any, rejected: Any = (), plan: Any = None) -> dict[str, Any]:
    plan = plan and {"version": 1, "rows": plan}
    found = rows_of(videos, rejected, plan, lambda task, index: f"https://a/{task}/{index}", "make")
    return {row.name: row for row in found}


def test_videos_without_an_id_are_rows_of_their_own():
    """Their files may have one name, and rejected ones have none."""
    paths = ["/videos/a/news.mp4", "/videos/b/news.mp4"]
    rejected = [{"message": "a"}, {"message": "b"}]
    rows = rows_of([{"path": path} for path in paths], rejected, None, lambda *_: None)
    assert [row.video for row in rows if row.state == "made"] == paths
    assert [row.problems for row in rows if row.state == "rejected"] == [("a",), ("b",)]


HUGE = [10**400, 10**5_000, float("inf"), float("nan"), [[[1]]], True, "x"]


@pytest.mark.parametrize("value", HUGE, ids=range(len(HUGE)))
@pytest.mark.parametrize("name", ["duration_s", "expected_s", "words", "row_id", "checks"])
def test_a_number_that_no_float_has_does_not_break_the_page(name, value):
    """Such a number is valid JSON."""
    one = {"path": "/videos/a.mp4", name: {"length_s": value} if name == "checks" else value}
    [row] = rows_of([one], [], None, lambda *_: None)
    page = page_of([row], {}, report="/videos/report.html", title="News", facts={})
    assert "nan s" not in page
    assert "inf s" not in page
    assert "inf days" not in page


def test_each_row_of_the_plan_is_there() -> None:
    """Rows without a video come first; a row of the sheet that is retried is made or missing."""
    found = rows(
        made("a"),
        made("r"),
        rejected=[{"row_id": "x", "message": "It is silent.", "checks": {"longest_silent_s": 9.5}}],
        plan=[
            planned("a"),
            planned("r", "retry"),
            planned("gone", "retry"),
            planned("x"),
            planned("same", "unchanged", stored=STORED),
            planned(
                "bad", "refused", errors=[{"code": "TS109", "column": "text", "message": "text is long"}]
            ),
        ],
    )
    assert [(row.name, row.state) for row in found.values()] == [
        ("x", "rejected"),
        ("gone", "missing"),
        ("bad", "refused"),
        ("a", "made"),
        ("r", "made"),
        ("same", "unchanged"),
    ]
    assert found["same"].video == STORED["path"]
    assert found["same"].poster == STORED["poster"]
    assert found["bad"].problems == ("text is long",)
    assert found["x"].problems == ("It is silent.",)
    assert found["x"].checks == {"longest_silent_s": 9.5}
    assert found["x"].text == found["a"].text == "Hello."
    assert found["gone"].task_url == found["a"].task_url == "https://a/make/4"


def test_the_own_fields_of_a_video_come_first() -> None:
    video = made("a", text="Hi.", duration_s=2.5, task_url="https://own", captions={"srt": "/a.srt"})
    row = rows(video, plan=[planned("a")])["a"]
    assert (row.text, row.duration_s, row.expected_s, row.task_url) == ("Hi.", 2.5, 2.0, "https://own")
    assert row.captions == {"srt": "/a.srt"}


def test_a_video_that_passed_later_is_not_rejected() -> None:
    assert rows(made("a"), rejected=[{"row_id": "a", "message": "silent"}])["a"].state == "made"


def test_the_video_of_another_task_is_a_row_too() -> None:
    """A download has no row id; the plan may lack the row."""
    found = rows({"path": "s3://b/x.mp4"}, made("z"), plan=[planned("a")])
    assert {name: row.state for name, row in found.items()} == {
        "x.mp4": "made",
        "z": "made",
        "a": "missing",
    }
    assert found["x.mp4"].task_url is None


@pytest.mark.parametrize(
    "plan", [None, [], {}, {"version": 2, "rows": []}, {"version": 1}, {"version": 1, "rows": [7]}], ids=repr
)
def test_another_file_is_no_plan(plan: Any) -> None:
    with pytest.raises(UsageError) as caught:
        checked_plan(plan, "'a.json'")
    assert caught.value.code == "TS150"


@pytest.mark.parametrize("videos", ["/a.mp4", 7, [7], ["/a.mp4"], [{"bytes": 1}], [{"path": None}]], ids=repr)
def test_another_value_is_no_video(videos: Any) -> None:
    with pytest.raises(UsageError) as caught:
        checked_videos(videos)
    assert caught.value.code == "TS151"


def test_a_task_without_a_result_has_no_video() -> None:
    assert checked_videos(None) == checked_videos([None, None]) == checked_videos(()) == []
    assert checked_videos((None, made("a"))) == [made("a")]


SIMPLE = st.sampled_from([None, True, 7, -1, 0.5, float("nan"), "", "a", "unchanged", "refused"])
ANYTHING = SIMPLE | st.lists(SIMPLE, max_size=2) | st.dictionaries(st.just("path"), SIMPLE)
FIELDS = [
    "row_id",
    "number",
    "state",
    "text",
    "words",
    "pronouncer",
    "poster",
    "captions",
    "checks",
    "stored",
]
ROW = st.dictionaries(st.sampled_from([*FIELDS, "errors", "map_index", "task_id", "duration_s"]), ANYTHING)


@given(plan=st.lists(ROW, max_size=4), videos=st.lists(ROW, max_size=3), rejected=st.lists(ROW, max_size=2))
def test_rows_of_any_content_have_a_state(plan: Any, videos: Any, rejected: Any) -> None:
    """A plan is a file, which anybody may have changed."""
    videos = [{**video, "path": "/v.mp4"} for video in videos]
    found = rows_of(videos, rejected, {"rows": plan}, lambda *_: None)
    assert sum(counts_of(found).values()) == len(found)
    assert [STATES.index(row.state) for row in found] == sorted(STATES.index(row.state) for row in found)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, "There are no videos."),
        ({"unchanged": 1}, "Nothing new: 1 row unchanged, nothing was paid."),
        ({"made": 1}, "The video is there. New: 1. Unchanged: 0."),
        ({"made": 1, "missing": 1}, "1 of 2 videos is missing. New: 1. Unchanged: 0."),
        ({"refused": 1_500}, "1,500 of 1,500 videos are missing. New: 0. Unchanged: 0."),
    ],
)
def test_the_headline(counts: dict[str, int], expected: str) -> None:
    assert headline(dict.fromkeys(STATES, 0) | counts) == expected


def test_two_refused_rows_with_one_id_are_two_rows():
    """That they have one id is the error."""
    error = {"code": "TS167", "column": "id", "message": "id is 'a', as in row 2"}
    rows = [planned("a", "new"), planned("a", "refused", errors=[error])]
    found = rows_of([], [], {"version": 1, "rows": rows}, lambda *_: None)
    assert [row.state for row in found] == ["missing", "refused"]
