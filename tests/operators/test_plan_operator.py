"""The operator that plans the videos of a sheet: it checks all rows, and pays nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from support.buckets import BUCKET, keys, photo_bucket
from support.drive import Run, attach, run_task
from support.environment import CHECKOUT
from support.submits import code_of, posts
from support.workbooks import xlsx

from airflow_provider_twinsync.operators import TwinSyncPlanOperator

attach("memory", fs=MemoryFileSystem())
PORTRAIT = CHECKOUT / "example_dags" / "portrait.jpg"
PHOTO = "https://example.com/anna.jpg"
CONTEXT = {"ds": "2026-11-28", "params": {}}


@pytest.fixture
def defaults(tmp_path: Path) -> dict[str, Any]:
    return {
        "image_url": PHOTO,
        "pronouncer": "en-US-JennyNeural",
        "destination": f"{tmp_path}/videos/{{{{ row.id }}}}.mp4",
    }


@pytest.fixture
def plan(defaults, tmp_path):
    """Plan rows with the defaults; the page is in a folder of its own."""

    def plan(source: Any, *, more: dict[str, Any] | None = None, **arguments: Any) -> Run:
        given = {"report_destination": str(tmp_path / "plan"), **arguments}
        operator = TwinSyncPlanOperator(
            task_id="plan", source=source, defaults={**defaults, **(more or {})}, **given
        )
        return run_task(operator, task_id="plan", context=CONTEXT)

    return plan


def rows(*texts: str) -> list[dict[str, Any]]:
    return [{"id": f"r{number}", "text": text} for number, text in enumerate(texts, 1)]


def written(folder: Path) -> dict[str, Any]:
    assert (folder / "plan.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    found: dict[str, Any] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    return found


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
    found = written(tmp_path / "plan")
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
        for row in written(tmp_path / "plan")["rows"]
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
    assert sum(len(row["errors"]) for row in written(tmp_path / "plan")["rows"]) == 120


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
    found = [
        (row["row_id"], error["code"])
        for row in written(tmp_path / "plan")["rows"]
        for error in row["errors"]
    ]
    assert found == [("r2", "TS125"), ("r3", "TS522"), ("e", "TS522")]
    assert [path.name for path in (tmp_path / "videos").iterdir()] == ["r2.mp4"]


class TestLimits:
    """The plan fails before anything is paid, and names the way out."""

    def test_more_jobs_than_max_jobs(self, emulator, plan, tmp_path):
        run = plan(rows("a", "b", "c"), max_jobs=2)
        assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS173")
        assert "max_jobs=3" in str(run.error)
        assert written(tmp_path / "plan")["counts"]["jobs"] == 3
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
        assert [row["jobs"] for row in written(tmp_path / "plan")["rows"]] == [1, 0, 1]
        assert len(run.result) == 3


class TestSources:
    """A file, a list, the output of a task."""

    def test_the_page_is_beside_the_file(self, plan, tmp_path):
        (tmp_path / "night.xlsx").write_bytes(xlsx([["id", "text"], [7.0, "Hello"]]))
        run = plan(str(tmp_path / "night.xlsx"), report_destination=None)
        assert [row["row_id"] for row in run.result] == ["7"]
        assert run.xcoms["plan"] == f"{tmp_path}/night.plan.json"
        assert {path.name for path in tmp_path.glob("night.*")} == {
            *("night.xlsx", "night.plan.html", "night.plan.json")
        }

    def test_a_list_has_no_page_of_its_own(self, plan, tmp_path):
        run = plan(rows("Hello"), report_destination=None)
        assert run.ended == "success"
        assert "plan" not in run.xcoms

    def test_a_sheet_that_changes_after_its_plan(self, plan, tmp_path):
        """The rows travel in the XCom."""
        sheet = tmp_path / "night.csv"
        sheet.write_text("id,text\n1,Hello\n", encoding="utf-8")
        run = plan(Path(sheet))
        before = json.dumps(run.result)
        sheet.write_text("id,text\n1,Bye\n2,Bye\n", encoding="utf-8")
        assert json.dumps(run.result) == before
        assert [row["text"] for row in run.result] == ["Hello"]

    def test_a_night_without_rows(self, plan):
        run = plan([])
        assert (run.ended, run.result, run.xcoms["counts"]["rows"]) == ("success", [], 0)

    @pytest.mark.parametrize(
        "source", ["", "/no/such/file.csv", "/", "nowhere://bucket/a.csv", None, 7, {"id": 1}]
    )
    def test_a_source_that_is_none(self, plan, source):
        run = plan(source)
        assert run.ended == "AirflowFailException"
        assert code_of(run.error) in ("TS160", "TS162")

    def test_a_store_that_does_not_answer_is_tried_again(self, plan, folders, monkeypatch):
        monkeypatch.setattr(MemoryFileSystem, "info", lambda *_, **__: 1 / 0)
        run = plan("memory://sheets/night.csv")
        assert (run.ended, code_of(run.error)) == ("AirflowException", "TS161")

    def test_a_file_in_a_store(self, plan, folders):
        ObjectStoragePath("memory://sheets/night.csv").write_text("id,text\n1,Hello\n")
        run = plan(ObjectStoragePath("memory://sheets/night.csv"), report_destination=None)
        assert run.ended == "success", run.error
        assert ObjectStoragePath("memory://sheets/night.plan.json").exists()
        ObjectStoragePath("memory://sheets/night.csv").write_text("")
        assert code_of(plan("memory://sheets/night.csv").error) == "TS164"

    def test_the_texts_of_a_list_are_not_rendered(self, defaults):
        """They may be templates over the row."""
        source = [{"id": 1, "text": "Hello {{ row.name }}", "name": "{{ ds }}"}]
        operator = TwinSyncPlanOperator(task_id="plan", source=source, defaults=defaults)
        assert operator.render_template(operator.source, CONTEXT) == source

    def test_a_path_is_rendered(self, defaults):
        operator = TwinSyncPlanOperator(task_id="plan", source="/in/{{ ds }}.csv", defaults=defaults)
        assert (
            operator.render_template(operator.source, CONTEXT, operator.get_template_env())
            == "/in/2026-11-28.csv"
        )


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
        assert "plan" not in run.xcoms


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
    def test_a_connection_that_is_none(self, plan, tmp_path, monkeypatch, uri, code):
        """The password of a database is no access key."""
        if uri:
            monkeypatch.setenv("AIRFLOW_CONN_OTHER", uri)
        run = plan([{"id": 1, "text": "Hello", "twinsync_conn_id": "other"}])
        assert code_of(run.error) == "TS172"
        [row] = written(tmp_path / "plan")["rows"]
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


def test_a_stored_photo_is_read_once(connect, plan, moto_port):
    """Sheet, photo, ledger, page and destinations may be in one bucket."""
    with photo_bucket(moto_port, "aws_plan") as client:
        place = f"s3://aws_plan@{BUCKET}"
        client.put_object(Bucket=BUCKET, Key="anna.jpg", Body=PORTRAIT.read_bytes())
        client.put_object(Bucket=BUCKET, Key="night.csv", Body=b"id,text\n1,Hello\n2,Bye\n3,Hello\n")
        more = {"image_url": f"{place}/anna.jpg", "destination": f"{place}/{{{{ ds }}}}/{{{{ row.id }}}}.mp4"}
        run = plan(f"{place}/night.csv", more=more, ledger=f"{place}/ledger", report_destination=None)
        assert run.ended == "success", run.error
        assert [row["image_url"] for row in run.result] == [f"{place}/anna.jpg"] * 3
        assert {(row["ledger"], row["reuse"]) for row in run.result} == {(f"{place}/ledger", "runs")}
        assert run.xcoms["counts"]["jobs"] == 2
        assert keys(client) == ["anna.jpg", "night.csv", "night.plan.html", "night.plan.json"]
        missing = plan(f"{place}/night.csv", more={**more, "image_url": f"{place}/bob.png"})
        assert str(missing.error).count("TS153") == 3
