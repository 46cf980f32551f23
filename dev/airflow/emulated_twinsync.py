"""The TwinSync emulator as one of a world's processes, and photos for it."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from dev.airflow.processes import ProcessDiedError, Processes

if TYPE_CHECKING:
    from pathlib import Path

START_TIMEOUT_S = 60.0
_READY = re.compile(r"^TwinSync emulator at (?P<url>http://\S+) with key (?P<key>\S+)$", re.MULTILINE)


class PhotoError(Exception):
    """The photo cannot be used; the message names it, and has the reason."""


@dataclass(frozen=True, slots=True)
class EmulatedTwinSync:
    """A running emulator.

    :param url: where it listens.
    :param key: the access key that it wants.
    """

    url: str
    key: str

    @property
    def connection(self) -> dict[str, str]:
        """The variable that makes it Airflow's `twinsync_default` connection."""
        address = urlsplit(self.url)
        fields = {
            "conn_type": "twinsync",
            "schema": address.scheme,
            "host": address.hostname,
            "port": address.port,
            "password": self.key,
        }
        return {"AIRFLOW_CONN_TWINSYNC_DEFAULT": json.dumps(fields)}

    def faults(self) -> list[dict[str, Any]]:
        """The faults that still wait."""
        return list(self._control("GET", "faults"))

    def add_fault(self, fault: dict[str, Any]) -> None:
        """Let something go wrong."""
        self._control("POST", "faults", json=fault)

    def advance(self, seconds: float) -> None:
        """Set its clock forward."""
        self._control("POST", "clock", json={"advance_s": seconds})

    def journal(self) -> list[dict[str, Any]]:
        """The requests so far."""
        return list(self._control("GET", "journal"))

    def wait(self) -> None:
        """Wait until it answers, after it was ordered again."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self._control("GET", "health")
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def video(self, twinsync_task_id: str) -> bytes:
        """Return the video of a job, also if faults still wait."""
        while True:
            with contextlib.suppress(requests.RequestException):
                response = self._send("GET", f"/example/{twinsync_task_id}.mp4")
                if response.status_code == 200:
                    return response.content

    def _control(self, method: str, name: str, **options: Any) -> Any:
        response = self._send(method, f"/_emulator/{name}", **options)
        response.raise_for_status()
        return response.json()

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.url + path, timeout=60, **options)

    def upload(self, photo: Path) -> str:
        """Upload a photo to the emulator; return the address to use in a job.

        :raises PhotoError: if it is no image the emulator can read, or does not reach it.
        """
        try:
            response = self._send("POST", "/_emulator/photos", data=photo.read_bytes())
        except requests.RequestException as e:
            raise PhotoError(f"{photo} did not reach the emulator: {e}") from e
        if response.ok:
            return str(response.json()["image_url"])
        try:
            reason = response.json()["error"]
        except (ValueError, KeyError):
            reason = f"HTTP {response.status_code}"
        raise PhotoError(f"{photo} cannot be used as a photo: {reason}")


def order_emulator(
    processes: Processes,
    *,
    waiting_s: float,
    duration_s: float,
    photos: str = "local",
    port: int = 0,
    key: str = "",
    state: Path | None = None,
) -> None:
    """Have an emulator started.

    :param waiting_s: how long a job waits before it runs.
    :param duration_s: how long it runs.
    :param photos: which photos it opens, as its `--photos`.
    :param port: 0 picks a free one.
    :param key: a new one is made if it is empty.
    :param state: the file where it keeps its jobs.
    """
    command = [
        sys.executable,
        "-m",
        "airflow_provider_twinsync.emulator",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--key", key or f"demo-{secrets.token_hex(8)}"]
    command += ["--waiting", str(waiting_s), "--duration", str(duration_s)]
    command += ["--photos", photos]
    command += ["--state", str(state)] if state else []
    processes.start("emulator", command)


def wait_for_emulator(processes: Processes) -> EmulatedTwinSync:
    """Wait until the ordered emulator prints its address.

    :raises ProcessDiedError: if it ends, or prints nothing in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        if found := _READY.search(processes.log_tail("emulator")):
            return EmulatedTwinSync(found["url"], found["key"])
        processes.check()
        if time.monotonic() > deadline:
            raise ProcessDiedError(f"the emulator did not start:\n{processes.log_tail('emulator')}")
        time.sleep(0.05)
