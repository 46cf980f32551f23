"""One real Airflow 2 in a folder of its own, as `dev/airflow/world.py` has it for Airflow 3."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from dev.airflow.world import START_TIMEOUT_S, AirflowWorld, AirflowWorldError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMPONENTS = ("metadatabase", "scheduler", "triggerer")


@dataclass
class Airflow2World(AirflowWorld):
    """A context manager; in it, `start` brings Airflow up and sets `password`. Its `api` speaks to Airflow 3.

    :param programs: the folder of the `airflow` that has Airflow 2.
    """

    programs: Path = field(kw_only=True)

    def prepare(self) -> None:
        """Do nothing: `airflow standalone` makes the database and the user."""

    def start(self, env: Mapping[str, str] | None = None, timeout_s: float = START_TIMEOUT_S) -> None:
        """Bring Airflow up and wait until its parts are healthy; as `AirflowWorld.start`."""
        deadline = time.monotonic() + timeout_s
        # It calls `airflow`, which is that of the path.
        path = f"{self.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        command = [str(self.programs / "airflow"), "standalone"]
        self.processes.start("standalone", command, {**(env or {}), "PATH": path})
        while unhealthy := self._unhealthy():
            self.processes.check()
            if time.monotonic() > deadline:
                raise AirflowWorldError(
                    f"Airflow is not healthy after {timeout_s:.0f} s ({', '.join(unhealthy)}).\n"
                    f"The last lines of {self.processes.log('standalone')}:\n"
                    f"{self.processes.log_tail('standalone')}"
                )
            time.sleep(0.2)
        self.password = (self.home / "standalone_admin_password.txt").read_text().strip()

    def _unhealthy(self) -> list[str]:
        with requests.Session() as session:
            session.trust_env = False
            try:
                health = session.get(f"{self.url}/health", timeout=10).json()
            except (requests.RequestException, ValueError):
                health = {}
        return [name for name in COMPONENTS if (health.get(name) or {}).get("status") != "healthy"]

    def _settings(
        self, port: int, worker_log_port: int, trigger_log_port: int
    ) -> dict[str, dict[str, object]]:
        settings = super()._settings(port, worker_log_port, trigger_log_port)
        for name in ("execution_api_server_url", "simple_auth_manager_users", "executor"):
            del settings["core"][name]
        return settings | {
            "webserver": {
                "web_server_host": "127.0.0.1",
                "web_server_port": port,
                "base_url": self.url,
                "workers": 1,
                "secret_key": settings["api"]["secret_key"],
            },
            "api": {},
            "database": settings["database"] | {"load_default_connections": False},
        }
