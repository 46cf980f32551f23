"""A StatsD server on loopback sees each metric once, from a run with a worker and a triggerer's loop."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support.environment import AIRFLOW_VERSION, KEY
from support.metrics import Receiver

from airflow_provider_twinsync.text import count_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_twinsync.emulator import Emulator

TEXT = "Good evening from the studio."
PHOTO = "https://photos.example/anna.jpg?signature=5d41"

DAG_FILE = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_twinsync.operators import TwinSyncVideoOperator

with DAG("counted", schedule=None) as dag:
    TwinSyncVideoOperator(
        task_id="video",
        text={text!r},
        image_url={photo!r},
        pronouncer="en-US-JennyNeural",
        destination={destination!r},
        poke_interval=0.2,
    )

if __name__ == "__main__":
    print("THE RUN ENDED:", dag.test().state)
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_run_sends_each_metric_once(
    migrated: None, emulator: Emulator, connection: str, receiver: Receiver, tmp_path: Path
) -> None:
    """The worker submits, polls once and defers; the trigger polls and ends; the worker downloads."""
    emulator.world.waiting_s = 2.0  # from the submit; the wait begins later
    destination = tmp_path / "video.mp4"
    file = tmp_path / "counted.py"
    file.write_text(DAG_FILE.format(text=TEXT, photo=PHOTO, destination=str(destination)))
    env = {**os.environ, "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path), **receiver.settings()}
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, env=env, timeout=300)
    printed = done.stdout + done.stderr
    assert "THE RUN ENDED: success" in printed, printed
    assert re.search(r"running trigger in ?line", printed, flags=re.I), printed
    assert "Could not configure StatsClient" not in printed, "the tests need the package statsd"

    found = receiver.ours()
    [waited] = found.pop("twinsync.wait_seconds,outcome=succeeded")
    assert 1_000 <= float(waited.removesuffix("|ms")) < 60_000
    polls = [int(value.removesuffix("|c")) for value in found.pop("twinsync.polls")]
    assert sum(polls) == sum(entry.call == "status" for entry in emulator.world.journal) > 1
    counted: dict[str, Any] = {
        "twinsync.submits,outcome=accepted": ["1|c"],
        "twinsync.words": [f"{count_words(TEXT)}|c"],
        "twinsync.downloaded_bytes": [f"{destination.stat().st_size}|c"],
    }
    if AIRFLOW_VERSION >= (3, 3):  # below there is no record without a ledger
        counted["resumable_job.fresh_submit,operator=TwinSyncVideoOperator"] = ["1|c"]
    assert found == counted

    sent = "\n".join(receiver.packets)
    assert "twinsync" in sent
    [job] = emulator.world.tasks
    for secret in (KEY, *TEXT.split(), "photos.example", "5d41", emulator.host, str(emulator.port), job):
        assert secret not in sent
