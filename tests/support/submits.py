"""A submit task, the number of its POSTs, and the code of its message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._records.submit_record import SubmitRecord
from airflow_provider_twinsync._records.task_state_store import STORE_KEY
from airflow_provider_twinsync.emulator import AcceptThenHang, Hang
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator

if TYPE_CHECKING:
    from support.drive import Store

INPUTS = {
    "text": "你好，我是会说话的照片数字人",
    "image_url": "https://example.com/portrait.jpeg",
    "pronouncer": "zh-CN-XiaohanNeural",
}
#: The arguments of a submit task that waits.
WAITING = {"wait_for_completion": True, "poke_interval": 0}


def submit(**arguments: Any) -> TwinSyncSubmitOperator:
    return TwinSyncSubmitOperator(**{"task_id": "submit", **INPUTS, **arguments})


def posts(emulator) -> int:
    return sum(entry.call == "submit" for entry in emulator.world.journal)


def code_of(message: object) -> str:
    """Return the code that a message or an error begins with, for example `TS309`, or an empty text."""
    found = re.match(r"TS\d{3}(?= )", str(message))
    return found[0] if found else ""


def short_time_for(fault: Any) -> dict[str, float]:
    """Return a short time limit for a fault that hangs; elsewhere a busy machine needs the usual limit."""
    return {"request_timeout_s": 1.0} if isinstance(fault, (Hang, AcceptThenHang)) else {}


def has_no_job(store: Store) -> bool:
    """Return True if the record has a try that is over, and made no job."""
    record = SubmitRecord.read(store.rows.get(STORE_KEY))
    return record.made_no_job and not record.is_damaged and not record.twinsync_task_id
