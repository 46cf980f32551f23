"""Plan the videos of rows, with defaults for all but the text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync.operators import TwinSyncPlanOperator
from support.drive import Run, run_task

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = "https://example.com/anna.jpg"
CONTEXT = {"ds": "2026-11-28", "params": {}}


def plan_in(folder: Path, source: Any, *, more: dict[str, Any] | None = None, **arguments: Any) -> Run:
    """Plan the rows of a source; the videos, and the page unless an argument differs, are in a folder.

    :param more: more defaults.
    """
    defaults = {
        "image_url": PHOTO,
        "pronouncer": "en-US-JennyNeural",
        "destination": f"{folder}/videos/{{{{ row.id }}}}.mp4",
        **(more or {}),
    }
    given = {"report_destination": str(folder / "plan"), **arguments}
    operator = TwinSyncPlanOperator(task_id="plan", source=source, defaults=defaults, **given)
    return run_task(operator, task_id="plan", context=CONTEXT)


def rows(*texts: str) -> list[dict[str, Any]]:
    return [{"id": f"r{number}", "text": text} for number, text in enumerate(texts, 1)]


def written(folder: Path) -> dict[str, Any]:
    """Return the JSON of a plan; its page is beside it."""
    assert (folder / "plan" / "plan.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    found: dict[str, Any] = json.loads((folder / "plan" / "plan.json").read_text(encoding="utf-8"))
    return found
