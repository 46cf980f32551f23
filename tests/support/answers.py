"""Answers of the service, and the errors that they become."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_twinsync._api.exchange import Answered, Outcome
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._api.submit import build_submit, parse_submit
from airflow_provider_twinsync.exceptions import StatusError, TwinSyncError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "Sesame-7b1f9c"
TASK_ID = "20230423_11_23_05_10279"
VIDEO = f"http://api.twinsync.xyz:27323/example/{TASK_ID}.mp4"
TEXT, PHOTO, VOICE = "Hello there", "https://example.com/a.jpg", "zh-CN-XiaohanNeural"
SUBMIT = build_submit(text=TEXT, image_url=PHOTO, pronouncer=VOICE, key=KEY)
MAX_MESSAGE_CHARACTERS = 1_000
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


def answer(payload: Any, status: int = 200, **kwargs: Any) -> Answered:
    return Answered(status, json.dumps(payload).encode(), **kwargs)


def submit_error(response: Outcome) -> TwinSyncError:
    with pytest.raises(TwinSyncError) as caught:
        parse_submit(SUBMIT, response, sent_at=NOW)
    return caught.value


def status_error(response: Outcome) -> StatusError:
    with pytest.raises(StatusError) as caught:
        parse_job(TASK_ID, response, key=KEY)
    return caught.value


def outcome(parse: Callable[[], Any]) -> Any:
    """Return the result or the error of this package; any other error fails the test."""
    try:
        return parse()
    except TwinSyncError as error:
        return error
