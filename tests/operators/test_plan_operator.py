"""The operator that plans the videos of a sheet: it checks all rows, and pays nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from support.plans import PHOTO, plan_in, rows, written
from support.submits import code_of, posts

from airflow_provider_twinsync.operators import TwinSyncPlanOperator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.drive import Run


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Run]:
    return partial(plan_in, tmp_path)


def test_the_rows_to_make_are_arguments_of_the_video_operator(emulator, plan, tmp_path):
    run = plan(rows("Hello", "Bye"))
    assert run.ended == "success", run.error
    assert run.result == [
        {
            "row_id": row_id,
            "text": text,
            "image_url": PHOTO,
            "pronouncer": "en-US-JennyNeural",
            "destination": f"{tmp_path}/videos/{row_id}.mp4",
            "twinsync_conn_id": "twinsync_default",
        }
        for row_id, text in (("r1", "Hello"), ("r2", "Bye"))
    ]
    assert run.xcoms["plan"] == f"{tmp_path}/plan/plan.json"
    assert run.xcoms["counts"]["jobs"] == 2
    found = written(tmp_path)
    assert [row["map_index"] for row in found["rows"]] == [0, 1]
    assert found["counts"] == run.xcoms["counts"]
    assert posts(emulator) == 0


def test_all_errors_of_all_rows_come_at_once(emulator, plan, tmp_path):
    """Before anything is paid; the page and the JSON are there."""
    sheet = tmp_path / "news.csv"
    sheet.write_text(
        "id,text,pronouncer,image_url,destination\n"
        "a,,en-US-JenyNeural,,\n"
        "b,Hello,,/etc/passwd,../b.mp4\n"
        "b,?!,,not a photo,\n"
        f"d,Hello,,,{tmp_path}/x/../videos/e.mp4\n"
        f"e,Hello,,,\nf,Hello,,,{tmp_path}/videos/./e.mp4\n",
        encoding="utf-8",
    )
    run = plan(str(sheet))
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS172")
    found = [
        (row["number"], error["code"], error["column"])
        for row in written(tmp_path)["rows"]
        for error in row["errors"]
    ]
    assert (
        found
        == [
            (2, "TS165", "text"),
            (2, "TS141", "pronouncer"),
            (3, "TS152", "image_url"),
            (3, "TS179", "destination"),
            (4, "TS167", "id"),
            (4, "TS111", "image_url"),
            (4, "TS101", "text"),
            (4, "TS168", "destination"),
            (5, "TS179", "destination"),
            (7, "TS168", "destination"),
        ]
        or found
    )
    lines = str(run.error).splitlines()[1:]
    assert len(lines) == len(found)
    assert lines[0].startswith("B2 (text): TS165 ")
    assert posts(emulator) == 0


def test_fifty_errors_are_in_the_message_and_all_on_the_page(plan, tmp_path):
    run = plan(rows(*["?"] * 120))
    assert len(str(run.error).splitlines()) == 52
    assert sum(len(row["errors"]) for row in written(tmp_path)["rows"]) == 120


def test_no_message_has_the_key_or_a_signature(plan, tmp_path, logged):
    """Neither the page nor the log."""
    signed = "https://example.com/a.jpg?X-Amz-Signature=0123456789abcdef"
    run = plan([{"id": 1, "text": "Hello", "image_url": signed}, {"id": 2, "text": "?", "image_url": signed}])
    pages = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "plan").iterdir())
    assert "0123456789abcdef" not in pages + logged() + str(run.error)


def test_each_destination_is_checked_in_a_folder_that_is(plan, tmp_path):
    """A folder is checked once, and a file each."""
    (tmp_path / "videos" / "r2.mp4").mkdir(parents=True)
    (tmp_path / "file").touch()
    night = [*rows("a", "b", "c", "d"), {"id": "e", "text": "e", "destination": f"{tmp_path}/file/e.mp4"}]
    night[2]["destination"] = f"{tmp_path}/videos/{'x' * 300}.mp4"
    plan(night)
    found = [(row["row_id"], error["code"]) for row in written(tmp_path)["rows"] for error in row["errors"]]
    assert found == [("r2", "TS125"), ("r3", "TS522"), ("e", "TS522")]
    assert [path.name for path in (tmp_path / "videos").iterdir()] == ["r2.mp4"]


class TestLimits:
    """The plan fails before anything is paid, and names the way out."""

    def test_more_jobs_than_max_jobs(self, emulator, plan, tmp_path):
        run = plan(rows("a", "b", "c"), max_jobs=2)
        assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS173")
        assert "max_jobs=3" in str(run.error)
        assert written(tmp_path)["counts"]["jobs"] == 3
        assert plan(rows("a", "b", "c"), max_jobs=3).ended == "success"

    def test_more_rows_than_airflow_maps(self, plan, monkeypatch):
        monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
        assert code_of(plan(rows("a", "b", "c")).error) == "TS174"
        assert plan(rows("a", "b")).ended == "success"

    def test_a_long_text_counts_its_parts(self, connect, plan):
        connect(text_limit_words=10)
        text = " ".join(f"One two three four five six seven {number}." for number in ("a", "b", "c"))
        run = plan(rows(text, "Hello"))
        assert run.xcoms["counts"]["jobs"] == 4
        assert code_of(plan(rows(text), max_jobs=2).error) == "TS173"

    def test_equal_jobs_of_two_rows_count_once(self, plan, tmp_path):
        run = plan(rows("Hello", "Hello", "Bye"))
        assert run.xcoms["counts"]["jobs"] == 2
        assert [row["jobs"] for row in written(tmp_path)["rows"]] == [1, 0, 1]
        assert len(run.result) == 3


class TestPage:
    """It is written, or the log has the reason."""

    def test_a_folder_that_cannot_be_written_fails_if_it_was_given(self, plan, tmp_path):
        (tmp_path / "file").touch()
        run = plan(rows("Hello"), report_destination=str(tmp_path / "file"))
        assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS175")

    def test_the_folder_of_the_sheet_need_not_be_writable(self, plan, tmp_path, logged):
        sheet = tmp_path / "night.csv"
        sheet.write_text("id,text\n1,Hello\n", encoding="utf-8")
        (tmp_path / "night.plan.html").mkdir()
        run = plan(str(sheet), report_destination=None)
        assert run.ended == "success"
        assert "TS175 " in logged()
        assert run.xcoms["plan"] == ""


class TestConnections:
    """A row may have a connection of its own, of the type TwinSync."""

    def test_another_account(self, emulator, plan, monkeypatch):
        uri = f"twinsync://:{'other-key'}@{emulator.host}:{emulator.port}"
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", uri)
        run = plan([{"id": 1, "text": "Hello", "twinsync_conn_id": "other"}, {"id": 2, "text": "Hello"}])
        assert run.ended == "success", run.error
        assert [row["twinsync_conn_id"] for row in run.result] == ["other", "twinsync_default"]
        assert run.xcoms["counts"]["jobs"] == 2

    @pytest.mark.parametrize(
        ("uri", "code"), [("postgres://user:password@host/db", "TS182"), (None, "TS201")]
    )
    def test_a_cell_may_not_name_another_kind_of_connection(self, plan, tmp_path, monkeypatch, uri, code):
        """The password of a database is no access key."""
        if uri:
            monkeypatch.setenv("AIRFLOW_CONN_OTHER", uri)
        run = plan([{"id": 1, "text": "Hello", "twinsync_conn_id": "other"}])
        assert code_of(run.error) == "TS172"
        [row] = written(tmp_path)["rows"]
        assert [(one["code"], one["column"]) for one in row["errors"]] == [(code, "twinsync_conn_id")]


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_jobs": -1},
        {"max_jobs": True},
        {"max_jobs": "200"},
        {"price_per_job": float("nan")},
        {"price_per_job": "1"},
        {"price_per_job": -1},
        {"defaults": ["text"]},
    ],
)
def test_wrong_arguments_of_the_operator(arguments):
    """While the DAG file is parsed."""
    with pytest.raises(ValueError, match="TS176 "):
        TwinSyncPlanOperator(task_id="plan", source="a.csv", **arguments)


def test_wrong_defaults(plan):
    assert code_of(plan(rows("Hello"), more={"ledger": "/l"}).error) == "TS176"
