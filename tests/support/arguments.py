"""The arguments of a submit, their checks, and the errors of wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_twinsync._api.submit import build_submit
from airflow_provider_twinsync._api.validation import (
    checked_photo,
    checked_pronouncer,
    checked_task_id,
    checked_text,
)
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_WORDS = 150
EXAMPLE: dict[str, Any] = {
    "text": "你好，我是会说话的照片数字人",
    "image_url": "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
    "pronouncer": "zh-CN-XiaohanNeural",
}


def refused(**changes: Any) -> UsageError:
    """Return the error of a submit with changed arguments, such as ``text=""``."""
    with pytest.raises(UsageError) as caught:
        build_submit(**{**EXAMPLE, **changes}, key="secret-key")
    assert str(caught.value).startswith(f"{caught.value.code} ")
    return caught.value


CHECKS: dict[str, Callable[[Any], object]] = {
    "text": lambda value: checked_text(value, LIMIT_WORDS),
    "image_url": checked_photo,
    "pronouncer": checked_pronouncer,
    "twinsync_task_id": checked_task_id,
}
