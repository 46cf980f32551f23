"""Measure the time of a plan: 500 rows of a sheet, compared with a ledger that has all of them.

The ledger and the videos are in a folder. Each record, each video and the sheet are as a night leaves them.
One row in a hundred has changed. This checks the target: 500 rows in at most 3 s.

    python benchmarks/bench_plan.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

TARGET_S = 3.0
KEY = "bench-key"
PHOTO = "https://example.com/anna.jpg"
VOICE = "en-US-JennyNeural"


def text_of(number: int, change: str = "") -> str:
    """Return the text of a row."""
    return f"Good morning, Anna {number}{change}! The sun shines, and this is the news of today."


def write_night(folder: Path, rows: int) -> Path:
    """Write a sheet, and the ledger and the videos of its rows; return the sheet."""
    from airflow_provider_twinsync._api.submit import fingerprint
    from airflow_provider_twinsync._records.ledger import account, record_name
    from airflow_provider_twinsync.hooks import TwinSyncHook

    settings = TwinSyncHook().settings()
    of_account = account(settings.url, settings.key)
    (folder / "ledger").mkdir()
    (folder / "videos").mkdir()
    lines = ["id,text,note"]
    for number in range(rows):
        inputs = fingerprint(settings.url, text_of(number), PHOTO, VOICE)
        video = folder / "videos" / f"{number}.mp4"
        video.write_bytes(b"video")
        record = {
            "v": 1,
            "inputs": inputs,
            "shown": "the text 'Good morning' and the photo",
            "marked_at": "2026-11-28T06:00:00+00:00",
            "twinsync_task_id": f"20261128_06_00_{number}",
            "reuse": "runs",
            "stored": {"path": str(video), "bytes": 5, "sha256": "0" * 64},
        }
        name = f"{record_name(inputs, of_account, None)}.json"
        (folder / "ledger" / name).write_text(json.dumps(record), encoding="utf-8")
        lines.append(f'{number},"{text_of(number, "" if number % 100 else " B")}",a note')
    sheet = folder / "night.csv"
    sheet.write_text("\n".join(lines), encoding="utf-8")
    return sheet


def plan(sheet: Path) -> tuple[float, dict[str, int]]:
    """Return the seconds of a plan, and its counts."""
    from airflow_provider_twinsync.operators import TwinSyncPlanOperator

    pushed: dict[str, dict[str, int]] = {}

    class Instance:
        map_index = -1

        def xcom_push(self, key: str, value: dict[str, int]) -> None:
            pushed[key] = value

    operator = TwinSyncPlanOperator(
        task_id="plan",
        source=str(sheet),
        defaults={
            "image_url": PHOTO,
            "pronouncer": VOICE,
            "destination": f"{sheet.parent}/videos/{{{{ row.id }}}}.mp4",
        },
        max_jobs=10_000,
        ledger=str(sheet.parent / "ledger"),
    )
    began = time.perf_counter()
    operator.execute({"ti": Instance(), "params": {}})  # type: ignore[typeddict-item, typeddict-unknown-key]
    return time.perf_counter() - began, pushed["counts"]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="plans of each size (default: 5)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="twinsync-bench-") as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "AIRFLOW_CONN_TWINSYNC_DEFAULT": json.dumps({"conn_type": "twinsync", "password": KEY}),
        }
        print(f"Seconds of a plan, {rounds} each (Python {sys.version.split()[0]})")
        medians = {}
        for rows in (500, 2_000):
            folder = Path(home) / str(rows)
            folder.mkdir()
            sheet = write_night(folder, rows)
            found = [plan(sheet) for _ in range(rounds)]
            seconds = [one[0] for one in found]
            medians[rows] = statistics.median(seconds)
            print(
                f"{rows:>6,} rows: median {medians[rows]:.2f}, fastest {min(seconds):.2f}, slowest "
                f"{max(seconds):.2f}; {found[0][1]['new']} new, {found[0][1]['unchanged']} unchanged"
            )
    judged = "reached" if medians[500] <= TARGET_S else "NOT reached"
    print(f"Target: 500 rows in at most {TARGET_S:.0f} s: {judged}.")


if __name__ == "__main__":
    main()
