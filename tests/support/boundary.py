"""All that the hook can do, in which only our own errors may be raised, and no secret shown."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from airflow_provider_twinsync.exceptions import TwinSyncError
from airflow_provider_twinsync.hooks import TwinSyncHook
from support.environment import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


JOB = {"text": "Hello", "image_url": "https://host.invalid/a.jpg", "pronouncer": "en-US-AriaNeural"}
PASSWORD, SIGNATURE = "proxy-pass-77aa", "signature-88bb"
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def boundary() -> Iterator[None]:
    """The block may raise only our own errors, without a secret."""
    try:
        yield
    except TwinSyncError as error:
        shown(str(error) + repr(error))


def shown(text: str) -> None:
    for secret in (KEY, PASSWORD, SIGNATURE):
        assert secret not in text
    assert "\n" not in text


def use_everything(url: str, destination: Path) -> None:
    """Each verb of the hook, and each sender, once."""
    hook = TwinSyncHook()
    with boundary():
        hook.submit(**JOB)
    with boundary():
        hook.get_job("1")
    with boundary():
        asyncio.run(hook.aget_job("1"))
    with boundary():
        hook.download(url, destination)
    works, message = hook.test_connection()
    assert isinstance(works, bool)
    shown(message)
