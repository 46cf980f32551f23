"""A sensor, a job for it, and the two modes in which it is compared."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twinsync.sensors import TwinSyncSensor

IN_BOTH_MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "poke"])


def submit(hook) -> str:
    return hook.submit(text="你好", image_url="https://example.com/a.jpg", pronouncer="zh-CN-XiaohanNeural")


def sensor(**arguments: Any) -> TwinSyncSensor:
    return TwinSyncSensor(**{"task_id": "wait", "poke_interval": 0, **arguments})
