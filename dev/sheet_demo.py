"""`make demo SHEET=FILE`: the videos of a sheet, with a plan before and a report after.

A second run pays for the rows that changed: the emulator keeps its jobs, its port and its key between runs,
as the service does, in a hidden folder beside the videos.
"""

from __future__ import annotations

import json
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dev.demo import Clock, Demo, DemoError, follow, short

if TYPE_CHECKING:
    from pathlib import Path

    from dev.airflow.world import AirflowWorld

DAG_ID = "twinsync_sheet"


@dataclass(frozen=True)
class SheetDemo:
    """The arguments of the command.

    :param sheet: the file with a row for each video.
    :param demo: the photo, and the folders.
    """

    sheet: Path
    demo: Demo

    def run(self) -> None:
        """Make the videos of the rows that are new or changed, and show the counts and the report.

        :raises DemoError: the run fails.
        """
        if not self.sheet.is_file():
            raise DemoError(f"there is no sheet {self.sheet} (SHEET is a csv, jsonl, xlsx or ods file)")
        clock = Clock()
        folder = self.demo.output / self.sheet.stem
        folder.mkdir(parents=True, exist_ok=True)
        print(f"A video for each row, in Airflow.\n\n  sheet  {short(str(self.sheet))}", flush=True)
        print(f"  photo  {short(self.demo.photo)}\n", flush=True)
        with self.demo.world(clock, DAG_ID, **_emulated(folder / ".emulator")) as (airflow, emulator, photo):
            conf = {"sheet": str(self.sheet.resolve()), "photo": photo, "folder": str(folder)}
            run_id = follow(airflow, DAG_ID, conf, clock)
            counts, report = self._results(airflow, run_id)
            paid = sum(entry["call"] == "submit" for entry in emulator.journal())
            clock.say("stopping Airflow and the emulator")
        clock.say("stopped")
        print(f"\nRows     {counts['rows']}: {counts['new']} new, {counts['unchanged']} unchanged, ", end="")
        print(f"{counts['retry']} to retry\nPaid     {_jobs(paid)}")
        print(f"Videos   {short(str(folder))}/\nReport   {short(report)}", flush=True)

    def _results(self, airflow: AirflowWorld, run_id: str) -> tuple[dict[str, int], str]:
        counts = airflow.api.xcom(DAG_ID, run_id, "plan", "counts")
        return counts, str(airflow.api.xcom(DAG_ID, run_id, "report")["path"])


def _jobs(number: int) -> str:
    if not number:
        return "nothing: no row is new or changed"
    return "1 job" if number == 1 else f"{number} jobs"


def _emulated(folder: Path) -> dict[str, Any]:
    """Return the options of an emulator that continues with its jobs under its old address and key."""
    folder.mkdir(exist_ok=True)
    file = folder / "address.json"
    if not file.exists():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        file.write_text(json.dumps({"port": port, "key": f"demo-{secrets.token_hex(8)}"}))
    return {**json.loads(file.read_text()), "state": folder / "jobs"}
