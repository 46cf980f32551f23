"""Metrics, as a StatsD server on loopback receives them, or as they come to Airflow's stats."""

from __future__ import annotations

import importlib
import os
import re
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._airflow import stats
from support.environment import AIRFLOW_VERSION

if TYPE_CHECKING:
    import pytest

#: The module with Airflow's own stats.
STATS = "airflow.sdk.observability.stats" if AIRFLOW_VERSION >= (3, 2) else "airflow.stats"
#: The metrics that this package sends; Airflow has others.
_OURS = ("twinsync.", "resumable_job.")


def shown(name: str, tags: dict[str, Any] | None) -> str:
    """Return a metric as InfluxDB writes it, such as `twinsync.submits,outcome=accepted`."""
    return ",".join([name, *(f"{tag}={value}" for tag, value in (tags or {}).items())])


class Recorder:
    """Stands in for Airflow's stats, and adds up the values of each metric."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._totals: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        patch.setattr(importlib.import_module(STATS), "Stats", self)

    def incr(self, name: str, count: int = 1, *, tags: dict[str, Any] | None = None) -> None:
        self._totals[shown(name, tags)] += count
        self._sent[shown(name, tags)] += 1

    def timing(self, name: str, dt: Any, *, tags: dict[str, Any] | None = None) -> None:
        self._totals[shown(name, tags)] += dt.total_seconds()
        self._sent[shown(name, tags)] += 1

    @property
    def totals(self) -> dict[str, float]:
        """Return the sum of each metric so far, once the thread of an event loop has sent all."""
        stats._thread(os.getpid()).submit(lambda: None).result(10)
        return dict(self._totals)

    @property
    def sent(self) -> dict[str, int]:
        """Return how often each metric was sent so far."""
        assert self.totals is not None
        return dict(self._sent)


class Receiver:
    """A StatsD server on loopback, which keeps each packet."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.packets: list[str] = []

    def settings(self) -> dict[str, str]:
        """Return the environment of an Airflow that sends its metrics here, with their tags."""
        port = self._socket.getsockname()[1]
        settings = {"on": True, "host": "127.0.0.1", "port": port, "influxdb_enabled": True}
        return {f"AIRFLOW__METRICS__STATSD_{name.upper()}": str(value) for name, value in settings.items()}

    def ours(self) -> dict[str, list[str]]:
        """Return the values of each metric of this package, after all senders have ended."""
        self._socket.settimeout(0.5)
        give_up_s = time.monotonic() + 10
        while time.monotonic() < give_up_s:
            try:
                self.packets.append(self._socket.recv(65_535).decode())
            except TimeoutError:
                break
        found: dict[str, list[str]] = {}
        for packet in self.packets:
            name, _, value = packet.removeprefix("airflow.").rpartition(":")
            if name.startswith(_OURS):
                found.setdefault(name, []).append(re.sub(r"\.0+(?=\|)", "", value))
        return found

    def close(self) -> None:
        self._socket.close()
