"""The source of a plan: a file on a disk or in a store, a list, or the output of a task."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from support.buckets import BUCKET, keys, photo_bucket
from support.drive import Run, attach
from support.environment import CHECKOUT
from support.plans import CONTEXT, plan_in, rows
from support.submits import code_of
from support.workbooks import xlsx

from airflow_provider_twinsync.operators import TwinSyncPlanOperator

if TYPE_CHECKING:
    from collections.abc import Callable

attach("memory", fs=MemoryFileSystem())
PORTRAIT = CHECKOUT / "example_dags" / "portrait.jpg"


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Run]:
    return partial(plan_in, tmp_path)


def test_the_page_is_beside_the_file(plan, tmp_path):
    (tmp_path / "night.xlsx").write_bytes(xlsx([["id", "text"], [7.0, "Hello"]]))
    run = plan(str(tmp_path / "night.xlsx"), report_destination=None)
    assert [row["row_id"] for row in run.result] == ["7"]
    assert run.xcoms["plan"] == f"{tmp_path}/night.plan.json"
    assert {path.name for path in tmp_path.glob("night.*")} == {
        *("night.xlsx", "night.plan.html", "night.plan.json")
    }


def test_a_list_has_no_page_of_its_own(plan, tmp_path):
    run = plan(rows("Hello"), report_destination=None)
    assert run.ended == "success"
    assert run.xcoms["plan"] == ""


@pytest.mark.parametrize(
    "address", ["s3://anna:hush@b/a.csv", "s3://anna:hu/sh@b/a.csv", "file://anna:hush@b/c"]
)
def test_a_source_with_a_login_is_refused_before_the_store_quotes_it(plan, address, caplog):
    """Airflow takes a login for the id of a connection, and logs it."""
    run = plan(address)
    assert code_of(run.error) == "TS160"
    assert "anna" not in f"{run.error}{caplog.text}"


def test_a_sheet_that_changes_after_its_plan(plan, tmp_path):
    """The rows travel in the XCom."""
    sheet = tmp_path / "night.csv"
    sheet.write_text("id,text\n1,Hello\n", encoding="utf-8")
    run = plan(Path(sheet))
    before = json.dumps(run.result)
    sheet.write_text("id,text\n1,Bye\n2,Bye\n", encoding="utf-8")
    assert json.dumps(run.result) == before
    assert [row["text"] for row in run.result] == ["Hello"]


def test_a_night_without_rows(plan):
    run = plan([])
    assert (run.ended, run.result, run.xcoms["counts"]["rows"]) == ("success", [], 0)


@pytest.mark.parametrize(
    "source", ["", "/no/such/file.csv", "/", "nowhere://bucket/a.csv", None, 7, {"id": 1}]
)
def test_a_source_that_is_no_sheet(plan, source):
    run = plan(source)
    assert run.ended == "AirflowFailException"
    assert code_of(run.error) in ("TS160", "TS162")


def test_a_store_that_does_not_answer_is_tried_again(plan, folders, monkeypatch):
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *_, **__: 1 / 0)
    run = plan("memory://sheets/night.csv")
    assert (run.ended, code_of(run.error)) == ("AirflowException", "TS160")


def test_a_file_in_a_store(plan, folders):
    ObjectStoragePath("memory://sheets/night.csv").write_text("id,text\n1,Hello\n")
    run = plan(ObjectStoragePath("memory://sheets/night.csv"), report_destination=None)
    assert run.ended == "success", run.error
    assert ObjectStoragePath("memory://sheets/night.plan.json").exists()
    ObjectStoragePath("memory://sheets/night.csv").write_text("")
    assert code_of(plan("memory://sheets/night.csv").error) == "TS164"


def test_the_texts_of_a_list_are_not_rendered():
    """They may be templates over the row."""
    source = [{"id": 1, "text": "Hello {{ row.name }}", "name": "{{ ds }}"}]
    operator = TwinSyncPlanOperator(task_id="plan", source=source)
    assert operator.render_template(operator.source, CONTEXT) == source


def test_a_path_is_rendered():
    operator = TwinSyncPlanOperator(task_id="plan", source="/in/{{ ds }}.csv")
    assert (
        operator.render_template(operator.source, CONTEXT, operator.get_template_env())
        == "/in/2026-11-28.csv"
    )


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
