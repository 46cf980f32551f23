"""The DAGs of `lineage_dags`, and tasks that submit a signed photo and fetch its video."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from airflow_provider_twinsync.operators import (
    TwinSyncDownloadOperator,
    TwinSyncSubmitOperator,
    TwinSyncVideoOperator,
)
from support.drive import activate

DAGS = Path(__file__).parents[1] / "_airflow" / "lineage_dags"
PHOTO = "https://example.com/photos/portrait.jpeg"
VOICE = "en-US-JennyNeural"
SIGNATURE = "5ec4e7"
SIGNED = f"{PHOTO}?X-Amz-Signature={SIGNATURE}"


def run_dag(name: str, **conf: str) -> str:
    spec = importlib.util.spec_from_file_location("lineage", DAGS / "lineage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    activate(module.VIDEO)
    return getattr(module, name).test(run_conf=conf).state


def download(**arguments):
    return TwinSyncDownloadOperator(**{"task_id": "fetch", **arguments})


def submit(**arguments):
    given = {"task_id": "submit", "text": "Hello", "image_url": SIGNED, "pronouncer": VOICE}
    return TwinSyncSubmitOperator(**{**given, **arguments})


def video(**arguments):
    given = {"task_id": "video", "text": "Hello", "image_url": SIGNED, "pronouncer": VOICE}
    return TwinSyncVideoOperator(**{**given, "poke_interval": 0, **arguments})
