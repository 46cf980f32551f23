"""Each documented code, and the requests that get it."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_twinsync.emulator import FailJob


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 100),
        ({"key": None}, 201),
        ({"key": ""}, 201),
        ({"key": "wrong"}, 201),
        ({"key": "wrong", "text": None}, 201),
        ({"text": None}, 200),
        ({"text": ""}, 200),
        ({"text": " \n"}, 200),
        ({"pronouncer": None}, 200),
        ({"pronouncer": ""}, 200),
        ({"image_url": None}, 202),
        ({"image_url": ""}, 202),
        ({"image_url": "photo.jpg"}, 202),
        ({"image_url": "ftp://example.com/a.jpg"}, 202),
        ({"image_url": "file:///etc/hostname"}, 202),
        ({"image_url": "http://"}, 202),
        ({"image_url": "http://[::1"}, 202),
        ({"image_url": "http://xn--/"}, 202),
        ({"image_url": "http://a\\b/"}, 202),
        ({"image_url": "http://é․.com/"}, 202),
        ({"image_url": "http://a\x01b/"}, 202),
        ({"image_url": "http://a\tb/"}, 202),
        ({"image_url": "http://a.example:0/"}, 202),
        ({"image_url": "http://a.example:65536/"}, 202),
        ({"image_url": "http://用户.example/é x.jpg"}, 100),
        ({"text": None, "image_url": None}, 200),
        ({"text": "word " * 150}, 100),
        ({"text": "word " * 151}, 200),
        ({"text": "字，" * 150}, 100),
        ({"text": "字" * 151}, 200),
    ],
)
def test_a_submission(client, emulator, changes, code):
    """Answered with its code under HTTP 200, and a job if and only if it is 100."""
    response = client.post(**changes)
    assert (response.status_code, response.json()["result_code"]) == (200, code)
    assert response.json()["msg"]
    assert ("task_id" in response.json()) == (code == 100) == bool(emulator.world.tasks)


@pytest.mark.parametrize(("key", "code"), [("emulator-key", 200), ("wrong", 201), (None, 201)])
def test_a_post_with_a_key_alone_tells_whether_it_is_valid(client, emulator, key, code):
    """And makes no job."""
    fields = {} if key is None else {"key": key}
    answer = requests.post(f"{emulator.url}/phototalking", data=fields, timeout=10).json()
    assert answer["result_code"] == code
    assert not emulator.world.tasks


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"key": "emulator-key"}'),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("application/x-www-form-urlencoded", b"key=\xff"),
        ("application/x-www-form-urlencoded; charset=klingon", b"key=emulator-key"),
        ("text/plain", b"key=emulator-key"),
    ],
)
def test_a_body_that_is_no_form_has_no_key(emulator, content_type, body):
    """And is answered, not met with an error of the server's."""
    url = f"{emulator.url}/phototalking"
    answer = requests.post(url, data=body, headers={"Content-Type": content_type}, timeout=10)
    assert answer.json()["result_code"] == 201


@pytest.mark.parametrize("task_id", [None, "", "20230423_11_23_05_10279"])
def test_a_status_of_no_job(client, task_id):
    """taskID missing, or not in the service queue."""
    assert client.status(task_id)["result_code"] == 200


def test_the_life_of_a_job(client, emulator):
    """101, 102, 100 by the world's clock, without a key; the video is there at the end and not before."""
    emulator.world.waiting_s, emulator.world.duration_s = 60, 60
    task_id = client.submit()
    for code, http_status in ((101, 404), (102, 404), (100, 200)):
        assert client.status(task_id)["result_code"] == code
        assert client.video(task_id, method="HEAD").status_code == http_status
        emulator.world.advance(60)
    assert ("result_url" in client.status(task_id)) is True


def test_a_job_that_fails(client, emulator):
    """104 at its end, with the reason, and no video."""
    emulator.world.duration_s = 60
    emulator.world.faults.add("submit", FailJob(reason="storage failure"))
    task_id = client.submit()
    assert client.status(task_id)["result_code"] == 102
    emulator.world.advance(60)
    answer = client.status(task_id)
    assert answer["result_code"] == 104
    assert "storage failure" in answer["msg"]
    assert "result_url" not in answer
    assert client.video(task_id).status_code == 404


@pytest.mark.parametrize("name", ["nothing.mp4", "nothing", "..%2f..%2fetc%2fpasswd"])
def test_a_video_of_no_job(emulator, name):
    """HTTP 404."""
    assert requests.get(f"{emulator.url}/example/{name}", timeout=10).status_code == 404
