"""The TwinSync emulator as one of a world's processes, and photos for it."""

from __future__ import annotations

import json
import re
import secrets
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from dev.processes import ProcessDiedError, Processes

if TYPE_CHECKING:
    from pathlib import Path

START_TIMEOUT_S = 60.0
_READY = re.compile(r"^TwinSync emulator at (?P<url>http://\S+) with key (?P<key>\S+)$", re.MULTILINE)


class PhotoError(Exception):
    """The photo cannot be used; the message says which and why."""


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

    def upload(self, photo: Path) -> str:
        """Give the emulator a photo; gives the address to use in a job.

        :raises PhotoError: if it is no image the emulator can read, or does not reach it.
        """
        image = photo.read_bytes()
        session = requests.Session()
        session.trust_env = False
        try:
            response = session.post(f"{self.url}/_emulator/photos", data=image, timeout=60)
        except requests.RequestException as e:
            raise PhotoError(f"{photo} did not reach the emulator: {e}") from e
        if response.ok:
            return str(response.json()["image_url"])
        try:
            reason = response.json()["error"]
        except (ValueError, KeyError):
            reason = f"HTTP {response.status_code}"
        raise PhotoError(f"{photo} cannot be used as a photo: {reason}")


def order_emulator(processes: Processes, *, waiting_s: float, duration_s: float, fetch_images: bool) -> None:
    """Have an emulator started on a free port, with a new key.

    :param waiting_s: how long a job waits before it runs.
    :param duration_s: how long it runs.
    :param fetch_images: whether it may fetch photos from addresses beyond this machine.
    """
    command = [
        sys.executable,
        "-m",
        "airflow_provider_twinsync.emulator",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    command += ["--key", f"demo-{secrets.token_hex(8)}"]
    command += ["--waiting", str(waiting_s), "--duration", str(duration_s)]
    processes.start("emulator", [*command, "--fetch-images"] if fetch_images else command)


def wait_for_emulator(processes: Processes) -> EmulatedTwinSync:
    """Wait until the ordered emulator says where it is.

    :raises ProcessDiedError: if it ends, or says nothing in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        if found := _READY.search(processes.log_tail("emulator")):
            return EmulatedTwinSync(found["url"], found["key"])
        processes.check()
        if time.monotonic() > deadline:
            raise ProcessDiedError(f"the emulator did not start:\n{processes.log_tail('emulator')}")
        time.sleep(0.05)
