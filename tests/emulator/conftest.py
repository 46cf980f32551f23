"""An emulator and a bare client for its tests: nothing of Airflow, nothing of the package's own client."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
from PIL import Image

from airflow_provider_twinsync.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "airflow_provider_twinsync.emulator"

# The document's own example.
EXAMPLE = {
    "text": "你好，我是会说话的照片数字人",
    "image_url": "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
    "pronouncer": "zh-CN-XiaohanNeural",
}


class Client:
    """Send the documented requests and control requests; each over a new connection."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def post(self, **changes: str | None) -> requests.Response:
        """Submit the example, with some fields changed; ``None`` leaves a field out."""
        form = {**EXAMPLE, "key": self.emulator.key, **changes}
        fields = {name: value for name, value in form.items() if value is not None}
        return requests.post(f"{self.emulator.url}/phototalking", data=fields, timeout=10)

    def submit(self, **changes: str | None) -> str:
        """Submit a job that is accepted, and give its id."""
        return str(self.post(**changes).json()["task_id"])

    def get(self, task_id: str | None, **kwargs: Any) -> requests.Response:
        params = {} if task_id is None else {"taskID": task_id}
        return requests.get(f"{self.emulator.url}/phototalking", params=params, **{"timeout": 10, **kwargs})

    def status(self, task_id: str | None) -> dict[str, Any]:
        return dict(self.get(task_id).json())

    def video(self, task_id: str, **kwargs: Any) -> requests.Response:
        url = f"{self.emulator.url}/example/{task_id}.mp4"
        return requests.request(kwargs.pop("method", "GET"), url, timeout=20, **kwargs)

    def control(self, method: str, name: str, **kwargs: Any) -> requests.Response:
        return requests.request(method, f"{self.emulator.url}/_emulator/{name}", timeout=10, **kwargs)


@contextmanager
def running(*args):
    """The command as a process, and its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def run(*args):
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Client:
    return Client(emulator)


@pytest.fixture(scope="session")
def png() -> bytes:
    """A small image file."""
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "#aa3366").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.jsonl"
