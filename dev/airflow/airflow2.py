"""One real Airflow 2 in a folder of its own, as `dev/airflow/world.py` has it for Airflow 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dev.airflow.api import Airflow2Api
from dev.airflow.world import SCHEDULER, START_TIMEOUT_S, USER, AirflowWorld

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Airflow2World(AirflowWorld):
    """A context manager; in it, `start` brings Airflow up."""

    api_type = Airflow2Api
    services: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "webserver": ("webserver", "--workers", "1"),
        "scheduler": SCHEDULER,  # it reads the DAG files too
    }

    def make_user(self) -> None:
        """Create the user: Airflow 2 has its users in the database."""
        fields = {"username": USER, "password": self.password, "role": "Admin", "email": "admin@example.com"}
        fields |= {"firstname": "Ada", "lastname": "Admin"}
        options = [part for name, value in fields.items() for part in (f"--{name}", value)]
        self.processes.start_airflow("user", "users", "create", *options)
        self.processes.wait_for_end("user", START_TIMEOUT_S)

    def _settings(
        self, port: int, worker_log_port: int, trigger_log_port: int
    ) -> dict[str, dict[str, object]]:
        settings = super()._settings(port, worker_log_port, trigger_log_port)
        for name in ("execution_api_server_url", "simple_auth_manager_users"):
            del settings["core"][name]
        if not self.database:  # Airflow 2 refuses more than one task at a time on SQLite
            settings["core"]["executor"] = "SequentialExecutor"
        return settings | {
            "webserver": {
                "web_server_host": "127.0.0.1",
                "web_server_port": port,
                "base_url": self.url,
                "workers": 1,
                "secret_key": settings["api"]["secret_key"],
            },
            "api": {
                "auth_backends": "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth,"
                "airflow.providers.fab.auth_manager.api.auth.backend.session",
                "maximum_page_limit": Airflow2Api.page["limit"],
            },
            "database": settings["database"] | {"load_default_connections": False},
        }
