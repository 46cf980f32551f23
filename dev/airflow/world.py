"""One real Airflow in a folder of its own: scheduler, DAG processor, triggerer and API server on loopback.

    with AirflowWorld(home=Path(".airflow/mine"), dags_folder=Path("example_dags")) as airflow:
        airflow.start(env={"AIRFLOW_CONN_TWINSYNC_DEFAULT": "..."})
        run_id = airflow.api.trigger("twinsync_talking_photo", conf={...})

Nothing outlives the `with`, also if the keeper is killed, nor this process if that is killed.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import random
import secrets
import shutil
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar

from dev.airflow.api import AirflowApi
from dev.airflow.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

USER = "admin"
START_TIMEOUT_S = 300.0
DAG_TIMEOUT_S = 180.0
LOCK_TIMEOUT_S = 15.0  # a world that was killed needs some seconds to end its processes

# Log servers listen on all addresses of the machine. Here nobody needs them: the API server reads the files.
SCHEDULER = ("scheduler", "--skip-serve-logs")
TRIGGERER = ("triggerer", "--skip-serve-logs")
HOST_NAME = "TWINSYNC_DEV_HOST_NAME"


class AirflowWorldError(Exception):
    """Airflow did not start; the message has the reason and the log."""


@dataclass
class AirflowWorld:
    """A context manager; in it, `start` brings Airflow up.

    :param home: the folder of this world (its AIRFLOW_HOME). Files of an earlier world there are removed.
    :param dags_folder: where its DAG files are.
    :param python: the Python that has Airflow.
    """

    api_type: ClassVar[type[AirflowApi]] = AirflowApi
    #: The subcommands of `airflow` beside the triggerers; the first one has the REST API.
    services: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "api-server": ("api-server",),
        "dag-processor": ("dag-processor",),
        "scheduler": SCHEDULER,
    }

    home: Path
    dags_folder: Path
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9), repr=False)
    parallelism: int = 4  # each is a process of the LocalExecutor
    database: str = ""  # the address of one that is there, for SQLAlchemy; SQLite in the home if empty
    triggerers: int = 1
    python: Path = Path(sys.executable)
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # beside those of `_settings`

    def __enter__(self) -> Self:
        self.home = self.home.resolve()
        self._lock = self._claim()
        try:
            if self.home.exists():
                shutil.rmtree(self.home)
            self.home.mkdir(mode=0o700)
            port, worker_log_port, trigger_log_port = free_ports(3)
            self.url = f"http://127.0.0.1:{port}"
            self._write_password()
            settings = _as_environment(self._settings(port, worker_log_port, trigger_log_port))
            env = clean_environment() | {"AIRFLOW_HOME": str(self.home)} | settings
            env |= _as_environment(self.settings)
            # The web server of Airflow 2 starts gunicorn, which is that of the path.
            env["PATH"] = f"{self.python.parent}{os.pathsep}{env.get('PATH', os.defpath)}"
            self.processes = Processes(self.python, self.home / "logs", env, keep_open=[self._lock.fileno()])
        except BaseException:
            self._lock.close()
            raise
        self.api = self.api_type(self.url, user=USER, password=self.password)
        self._prepared = False
        self._env: dict[str, str] = {}
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.api.close()
        self.processes.close()
        self._lock.close()

    def prepare(self) -> None:
        """Begin the longest steps, which need nothing else: import Airflow, and create the database."""
        if not self._prepared:
            self.processes.start_airflow("database", "db", "migrate")
            self._prepared = True

    def start(self, env: Mapping[str, str] | None = None, timeout_s: float = START_TIMEOUT_S) -> None:
        """Bring the components up and wait until all are healthy.

        :param env: variables for all of them, such as connections.
        :raises ProcessDiedError: if one of them ends.
        :raises AirflowWorldError: if they are not healthy in time.
        """
        deadline = time.monotonic() + timeout_s
        self._env = dict(env or {})
        self.prepare()
        self.processes.wait_for_end("database", timeout_s)
        self.make_user()
        for name in self.components:
            self.start_component(name)
        while unhealthy := self.api.unhealthy():
            self.processes.check()
            if time.monotonic() > deadline:
                first = self.components[0]
                suspect = first if "metadatabase" in unhealthy else unhealthy[-1].replace("_", "-")
                suspect = suspect if suspect in self.components else self.components[-1]
                raise AirflowWorldError(
                    f"Airflow is not healthy after {timeout_s:.0f} s ({', '.join(unhealthy)}).\n"
                    f"The last lines of {self.processes.log(suspect)}:\n{self.processes.log_tail(suspect)}"
                )
            time.sleep(0.1)
        self.api.log_in()
        self.api.warm_up()

    @property
    def components(self) -> list[str]:
        """The names of the processes that make up this Airflow."""
        triggerers = [f"triggerer-{number}" for number in range(1, self.triggerers + 1)]
        return [*self.services, *(triggerers if self.triggerers > 1 else ["triggerer"])]

    def start_component(self, name: str) -> None:
        """Start one of them, for the first time or again."""
        env = self._env
        if name.startswith("triggerer"):
            # Airflow distinguishes two triggerers by their hosts' names.
            env = env | {"AIRFLOW__CORE__HOSTNAME_CALLABLE": "dev.airflow.world.host_name", HOST_NAME: name}
        self.processes.start_airflow(name, *self.services.get(name, TRIGGERER), env=env)

    def make_user(self) -> None:
        """Do nothing: the user is in the settings."""

    def wait_for_dag(self, dag_id: str, timeout_s: float = DAG_TIMEOUT_S) -> None:
        """Wait until a DAG can be triggered.

        :raises AirflowWorldError: if its file cannot be imported, or has no such DAG.
        """
        deadline = time.monotonic() + timeout_s
        while not self.api.dag_exists(dag_id):
            self.processes.check()
            errors = self.api.import_errors()
            if errors or time.monotonic() > deadline:
                reason = errors or "No file has import errors."
                raise AirflowWorldError(f"there is no DAG {dag_id!r} in {self.dags_folder}. {reason}")
            time.sleep(0.1)

    def _claim(self) -> IO[str]:
        """Lock the folder. The keeper and all components hold the lock: it is free when the last is gone."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        lock = self.home.with_suffix(".lock").open("a")
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.close()
                    raise AirflowWorldError(
                        f"another Airflow is running in {self.home}: stop it first, or wait for its end"
                    ) from None
                time.sleep(0.2)
            else:
                return lock

    def _write_password(self) -> None:
        path = self.home / "passwords.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({USER: self.password}))

    def _settings(
        self, port: int, worker_log_port: int, trigger_log_port: int
    ) -> dict[str, dict[str, object]]:
        return {
            "core": {
                "dags_folder": self.dags_folder.resolve(),
                "plugins_folder": self.home / "plugins",
                "load_examples": False,
                "executor": "LocalExecutor",
                "parallelism": self.parallelism,
                "execution_api_server_url": f"{self.url}/execution/",
                "simple_auth_manager_users": f"{USER}:admin",
                "simple_auth_manager_passwords_file": self.home / "passwords.json",
                "hostname_callable": "socket.gethostname",  # no look-up of names
                "test_connection": "Enabled",
                # Components that start at once would each make up keys of their own.
                "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            },
            "api": {
                "host": "127.0.0.1",
                "port": port,
                "base_url": self.url,
                "secret_key": secrets.token_hex(16),
            },
            "api_auth": {"jwt_secret": secrets.token_hex(32)},
            "database": {"sql_alchemy_conn": self.database or f"sqlite:///{self.home}/airflow.db"},
            # Nobody listens there: see SCHEDULER. The defaults could belong to another Airflow.
            "logging": {
                "worker_log_server_port": worker_log_port,
                "trigger_log_server_port": trigger_log_port,
                "colored_console_log": False,
            },
            # For one run on one machine: look often. The defaults are for thousands of tasks.
            "scheduler": {"scheduler_idle_sleep_time": 0.1},
            "dag_processor": {"parsing_processes": 1, "refresh_interval": 10},
            # A task's supervisor may notice its end only at its next heartbeat.
            "workers": {"min_heartbeat_interval": 1},
        }


def _as_environment(settings: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    return {
        f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
        for section, values in settings.items()
        for key, value in values.items()
    }


def host_name() -> str:
    """The name that a component goes by (Airflow's `[core] hostname_callable`)."""
    return os.environ[HOST_NAME]


def clean_environment() -> dict[str, str]:
    """The environment of this process without the user's own Airflow; loopback is reached directly."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "_AIRFLOW", "OPENLINEAGE"))}
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(filter(None, [env.get(name), "127.0.0.1,localhost"]))
    return env | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody uses now.

    They are below 32768. Linux picks free ports for other programs from there on, so no other program gets
    one of them while Airflow starts.
    """
    sockets: list[socket.socket] = []
    try:
        for port in random.SystemRandom().sample(range(20_000, 32_768), 1_000):
            s = socket.socket()
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                s.close()
                continue
            sockets.append(s)
            if len(sockets) == count:
                return [s.getsockname()[1] for s in sockets]
        raise AirflowWorldError(f"No {count} free ports from 20000 to 32767 on 127.0.0.1")
    finally:
        for s in sockets:
            s.close()
