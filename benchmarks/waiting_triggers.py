"""The two triggers that the others are held against: one only sleeps, and one is bare ``aiohttp``."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import aiohttp
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WARM_UP_JOB = 0
FOREVER_S = 1_000_000.0


class SleepingTrigger(BaseTrigger):
    """A trigger that does nothing: its cost is that of the triggerer."""

    def __init__(self, job: int) -> None:
        super().__init__()
        self.job = job

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path and the arguments of this trigger."""
        return "waiting_triggers.SleepingTrigger", {"job": self.job}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep; the one that warms up does not."""
        await asyncio.sleep(0.0 if self.job == WARM_UP_JOB else FOREVER_S)
        yield TriggerEvent(self.job)


class BareTrigger(BaseTrigger):
    """The least that a polling trigger can do: a GET over one session for all of them, read and decoded.

    Its first delay is of one to two intervals, as TwinSyncTrigger's is: requests that come in one burst, a
    hundred in each turn of the loop, cost half of the same requests one by one.
    """

    session: aiohttp.ClientSession | None = None  # the class's

    def __init__(self, url: str, poke_interval_s: float) -> None:
        super().__init__()
        self.url = url
        self.poke_interval_s = poke_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path and the arguments of this trigger."""
        return "waiting_triggers.BareTrigger", {"url": self.url, "poke_interval_s": self.poke_interval_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until the job has ended."""
        if BareTrigger.session is None:
            BareTrigger.session = aiohttp.ClientSession()
        await asyncio.sleep(self.poke_interval_s * (1 + random.random()))
        while True:
            async with BareTrigger.session.get(self.url) as response:
                answer = json.loads(await response.read())
            if answer["result_code"] == 100:
                yield TriggerEvent(answer)
                return
            await asyncio.sleep(self.poke_interval_s)
