"""The start and the end of an emulator, for example during a request."""

from __future__ import annotations

import threading
import time

import pytest
import requests

from airflow_provider_twinsync.emulator import (
    Emulator,
    Hang,
)

from .conftest import Client


def test_an_emulator_can_be_stopped_and_started_again():
    """On its port and with its jobs, as a service that was down for a while."""
    emulator = Emulator()
    with emulator:
        url, task_id = emulator.url, Client(emulator).submit()
    with pytest.raises(requests.ConnectionError):
        Client(emulator).status(task_id)
    with emulator:
        assert emulator.url == url
        assert Client(emulator).status(task_id)["result_code"] == 100


def test_the_end_comes_at_once_though_a_video_is_being_rendered():
    """A client that leaves too early to get a long video does not keep anything alive."""
    with Emulator() as emulator:
        client = Client(emulator)
        task_id = client.submit(text="word " * 150)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{emulator.url}/example/{task_id}.mp4", timeout=0.05)
        before = time.monotonic()
    assert time.monotonic() - before < 2


def test_the_end_comes_at_once_though_requests_hang():
    """Nobody waits for a client that waits for an answer."""
    with Emulator() as emulator:
        emulator.world.faults.add("status", Hang())
        left = threading.Event()

        def wait_for_ever() -> None:
            with pytest.raises(requests.ConnectionError):
                Client(emulator).get("x")
            left.set()

        threading.Thread(target=wait_for_ever, daemon=True).start()
        while not emulator.world.journal:
            threading.Event().wait(0.01)
        before = time.monotonic()
    assert time.monotonic() - before < 2
    assert left.wait(5)
