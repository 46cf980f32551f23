"""A PostgreSQL of its own for one world: Debian's package, a new cluster, a free port of loopback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dev.airflow.world import free_ports

if TYPE_CHECKING:
    from typing_extensions import Self

    from dev.airflow.processes import Processes

NAME = "postgres"
START_TIMEOUT_S = 60.0


class PostgresError(Exception):
    """There is no PostgreSQL, or it does not start; the message has the next step."""


class Postgres:
    """A context manager that makes the cluster; `start` runs it as one of a world's processes."""

    def __enter__(self) -> Self:
        self._bin = _binaries()
        [self.port] = free_ports(1)
        # Not in the world's home: PostgreSQL refuses to run as root, and another user may not look in there.
        self._folder = Path(tempfile.mkdtemp(prefix="twinsync-postgres-"))
        try:
            if _is_root():
                shutil.chown(self._folder, user=NAME)
            self._run("initdb", "--username=airflow", "--auth=trust", "--encoding=UTF8", "--no-sync")
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        shutil.rmtree(self._folder)

    @staticmethod
    def address(port: int) -> str:
        """Return the value of Airflow's `[database] sql_alchemy_conn`, over a port that leads to it."""
        return f"postgresql+psycopg2://airflow@127.0.0.1:{port}/postgres"

    @property
    def files(self) -> list[Path]:
        """All that it has on the disk."""
        return [path for path in self._folder.rglob("*") if path.is_file()]

    def start(self, processes: Processes) -> None:
        """Run it, and wait until it can be connected to.

        :raises PostgresError: if it cannot, in time.
        """
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "max_connections": 300,
            "fsync": "off",  # the machine does not lose power here
        }
        command = [str(self._bin / "postgres"), "-D", str(self._folder / "data")]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        as_user = ["setpriv", f"--reuid={NAME}", f"--regid={NAME}", "--init-groups"] if _is_root() else []
        processes.start(NAME, [*as_user, *command])
        deadline = time.monotonic() + START_TIMEOUT_S
        ready = [str(self._bin / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        while subprocess.run([*ready, "--username=airflow", "--dbname=postgres"]).returncode != 0:
            if NAME in processes.ended or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL does not come up:\n{processes.log_tail(NAME)}")
            time.sleep(0.1)

    def stop(self, processes: Processes) -> None:
        """End it at once: all that are connected lose their connection."""
        processes.kill(NAME, signal.SIGINT)

    def _run(self, program: str, *arguments: str) -> None:
        # Run by root, it becomes the user that Debian's package makes.
        user = NAME if _is_root() else None
        done = subprocess.run(
            [self._bin / program, "-D", self._folder / "data", *arguments],
            capture_output=True,
            text=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=self._folder,
        )
        if done.returncode:
            raise PostgresError(f"{program} failed:\n{done.stdout}{done.stderr}")


def _binaries() -> Path:
    """The folder of the newest PostgreSQL's programs: Debian keeps them out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    in_path = shutil.which("postgres")
    if not found and not in_path:
        raise PostgresError("there is no PostgreSQL here: on Debian, apt-get install postgresql")
    return found[-1].parent if found else Path(str(in_path)).parent


def _is_root() -> bool:
    return os.geteuid() == 0
