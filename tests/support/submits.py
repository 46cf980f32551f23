"""A submit task, and the number of its POSTs."""

from __future__ import annotations

from typing import Any

from airflow_provider_twinsync.operators import TwinSyncSubmitOperator

INPUTS = {
    "text": "你好，我是会说话的照片数字人",
    "image_url": "https://example.com/portrait.jpeg",
    "pronouncer": "zh-CN-XiaohanNeural",
}


def submit(**arguments: Any) -> TwinSyncSubmitOperator:
    return TwinSyncSubmitOperator(**{"task_id": "submit", **INPUTS, **arguments})


def posts(emulator) -> int:
    return sum(entry.call == "submit" for entry in emulator.world.journal)
