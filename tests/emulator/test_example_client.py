"""The service's own example client, with its address and key changed and nothing else."""

from __future__ import annotations

import io
import math

import av
import pytest
import requests

from airflow_provider_twinsync.emulator import Emulator
from airflow_provider_twinsync.emulator.speech import CLAUSE_PAUSE_S

from .conftest import EXAMPLE, Client


def example_client(address: str, key: str, pause) -> str:
    """As the document has it, but for the pause, which is five seconds there."""
    url = f"{address}/phototalking"
    data = {**EXAMPLE, "key": key}
    response = requests.post(url, data=data, timeout=10).json()
    assert response["result_code"] == 100
    task_id = response["task_id"]
    while True:
        response = requests.get(url, params={"taskID": task_id}, timeout=10).json()
        if response["result_code"] == 100:
            return response["result_url"]
        pause()


def test_the_documents_example_client_gets_its_video(emulator):
    """Submit, wait through 101 and 102, fetch: and the video is one."""
    emulator.world.waiting_s, emulator.world.duration_s = 7, 12
    result_url = example_client(emulator.url, emulator.key, lambda: emulator.world.advance(5))
    codes = [entry.result_code for entry in emulator.world.journal]
    assert codes == [100, 101, 101, 102, 102, 100]
    response = requests.get(result_url, timeout=20)
    assert response.headers["Content-Type"] == "video/mp4"
    with av.open(io.BytesIO(response.content)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert container.streams.video[0].pix_fmt == "yuv420p"
        length_s = 13 / 4.5 + CLAUSE_PAUSE_S
        assert container.duration / 1e6 == pytest.approx(length_s, abs=0.2)
        assert sum(1 for _ in container.decode(video=0)) == math.ceil(12 * length_s)


def test_the_answers_are_the_documents(emulator, client):
    """Field by field, and an id of the documented form."""
    emulator.world.photos = "placeholder"  # else msg adds that the photo is not opened
    answer = client.post().json()
    task_id = answer["task_id"]
    assert answer == {
        "task_id": task_id,
        "result_code": 100,
        "msg": "SUCCESS! The video is currently in the queue waiting to be processed.",
    }
    date, hour, minute, second, number = task_id.split("_")
    assert [len(part) for part in (date, hour, minute, second, number)] == [8, 2, 2, 2, 5]
    url = f"{emulator.url}/example/{task_id}.mp4"
    assert client.status(task_id) == {
        "result_url": url,
        "result_code": 100,
        "msg": f"taskID:{task_id} has been completed, and the output video url is: {url}",
    }


def test_the_video_has_the_address_that_the_client_used():
    """The emulator may be reached by any name that it was given: the Host header decides."""
    with Emulator(allowed_hosts=["emulator.example"]) as emulator:
        client = Client(emulator)
        answer = client.get(client.submit(), headers={"Host": "emulator.example:81"}).json()
    assert answer["result_url"].startswith("http://emulator.example:81/example/")


def test_a_multipart_form_is_a_form(emulator, client):
    """Both ways to send form fields are read."""
    form = {**EXAMPLE, "key": emulator.key}
    files = {name: (None, value) for name, value in form.items()}
    response = requests.post(f"{emulator.url}/phototalking", files=files, timeout=10)
    assert response.json()["result_code"] == 100
    assert emulator.world.journal[0].form == EXAMPLE


def test_ids_are_never_used_twice(emulator):
    """Not even within a second, nor after a reset."""
    client = Client(emulator)
    ids = [client.submit() for _ in range(5)]
    emulator.world.reset()
    ids += [client.submit() for _ in range(5)]
    assert len({task_id.rpartition("_")[2] for task_id in ids}) == 10
