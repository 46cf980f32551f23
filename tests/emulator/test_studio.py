"""Videos that are requested at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from .conftest import Client

LONG = "word " * 60


def test_a_short_video_does_not_wait_behind_a_long_one(client, emulator):
    """Two threads render: the short one, requested later, is there first."""
    long, short = client.submit(text=LONG), client.submit(text="短")
    done = []

    def get(task_id):
        assert client.video(task_id).status_code == 200
        done.append(task_id)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get, long)
        while not any(entry.call == "result" for entry in emulator.world.journal):
            threading.Event().wait(0.01)
        pool.submit(get, short).result()
        first.result()
    assert done == [short, long]


@pytest.mark.slow
def test_videos_that_are_rendered_at_once_have_the_same_bytes_as_one_by_one(emulator):
    """Two threads do not mix shared objects, such as fonts."""
    client = Client(emulator)
    voices = ["zh-CN-XiaohanNeural", "ja-JP-NanamiNeural", "en-US-JennyNeural"]
    jobs = [client.submit(text=f"{n} 你好，我是会说话的照片", pronouncer=voices[n % 3]) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        at_once = [response.content for response in pool.map(client.video, jobs)]
    with type(emulator)() as again:
        other = Client(again)
        for number, data in enumerate(at_once):
            task = emulator.world.tasks[jobs[number]]
            assert other.video(other.submit(text=task.text, pronouncer=task.pronouncer)).content == data


def test_a_client_that_leaves_does_not_end_the_video_of_another(client, emulator):
    """Both requested the same video; it is rendered once, for the client that is left."""
    task_id = client.submit(text=LONG)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{emulator.url}/example/{task_id}.mp4", timeout=0.2)
        assert pool.submit(client.video, task_id).result().content[4:8] == b"ftyp"
