"""The example of a sheet, run by `dag.test()` for two nights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.dags import load
from support.environment import CHECKOUT
from support.example_runs import xcoms

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_jobs")]


def test_a_sheet_is_paid_for_once(emulator, tmp_path):
    """Another night pays for the one row that changed. The report has all rows."""
    sheet = Path(shutil.copy(CHECKOUT / "example_dags" / "scripts.csv", tmp_path))
    conf = {"sheet": str(sheet), "folder": str(tmp_path / "videos")}
    paid = []
    for night in range(2):
        if night:
            text = sheet.read_text(encoding="utf-8")
            sheet.write_text(text.replace("Monday at nine", "Tuesday at ten"), encoding="utf-8")
        run = load("sheet").test(run_conf=conf)
        assert run.state == "success"
        paid.append(len(emulator.world.tasks))
        [report] = xcoms(run, "report")
        assert report["missing"] == 0
    assert paid == [5, 6]
    made = xcoms(run, "make")
    assert [(video["row_id"], video["text"][-40:]) for video in made] == [
        ("anna", "ten. Please bring your card. See you then."[-40:])
    ]
    assert {path.name for path in (tmp_path / "videos").iterdir()} >= {
        f"{row}.{kind}"
        for row in ("anna", "bela", "carmen", "denis", "lin")
        for kind in ("mp4", "jpg", "srt", "vtt")
    }
    page = Path(report["path"]).read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 5
