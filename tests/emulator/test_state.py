"""The state file: an emulator knows the jobs of the previous emulator, for example after a kill."""

from __future__ import annotations

import json
import re
import resource
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from airflow_provider_twinsync.emulator import AcceptThenHang, Emulator, FailJob, Hang
from airflow_provider_twinsync.emulator.world import MAX_TASKS, World

from .conftest import EXAMPLE, Client, running
from .test_photos import photo_host, respond, settle


@contextmanager
def process(path, *args, port="0"):
    """The command on a state file: the process, and a client of it. At the end it is killed."""
    with running("--state", str(path), "--port", port, *args) as (process, line):
        match = re.match(r"TwinSync emulator at (http://127\.0\.0\.1:(\d+)) ", line)
        assert match is not None, process.communicate()
        yield process, Client(SimpleNamespace(url=match[1], port=match[2], key="emulator-key"))


@contextmanager
def emulator(path, **settings):
    with Emulator(state=path, **settings) as running:
        yield running, Client(running)


JOB = {
    "id": "20230423_11_23_05_10279",
    "text": "a",
    "image_url": "http://b.example",
    "pronouncer": "c",
    "created_at_s": 1.5,
    "failure": None,
}


def number(task_id):
    return int(task_id.rpartition("_")[2])


def submit_in_process(world):
    return world.accept(text="a", image_url="http://b.example", pronouncer="c").id


def test_an_emulator_that_was_killed_goes_on(path):
    """SIGKILL; the same jobs, states and bytes, and a download goes on in the middle."""
    settings = ("--waiting", "1000", "--duration", "1000")
    with process(path, *settings) as (_, client):
        port = client.emulator.port
        done = client.submit()
        fault = {"call": "submit", "fault": FailJob().name, "reason": "no face"}
        client.control("POST", "faults", json=fault).raise_for_status()
        failed = client.submit()
        client.control("POST", "clock", json={"advance_s": 1000}).raise_for_status()
        running = client.submit()
        client.control("POST", "clock", json={"advance_s": 1000}).raise_for_status()
        waiting = client.submit()
        ids = [done, failed, running, waiting]
        before = [client.status(task_id) for task_id in ids]
        assert [answer["result_code"] for answer in before] == [100, 104, 102, 101]
        video = client.video(done)
        assert video.status_code == 200
        client.control("POST", "faults", json={"call": "status", "fault": Hang().name}).raise_for_status()
    with process(path, *settings, port=port) as (_, client):
        assert client.control("GET", "journal").json() == []
        assert [client.status(task_id) for task_id in ids] == before  # the fault is gone
        for validator in ("ETag", "Last-Modified"):
            headers = {"Range": "bytes=1000-", "If-Range": video.headers[validator]}
            rest = client.video(done, headers=headers)
            assert (rest.status_code, rest.content) == (206, video.content[1000:])
        assert client.video(done).content == video.content
        assert number(client.submit()) == number(waiting) + 1


def test_what_was_answered_is_never_forgotten(path):
    """Killed at any moment under submits: each id that a client was given is known."""
    answered, enough = [], threading.Event()
    with process(path, "--waiting", "1000") as (emulator, client):

        def submit():
            try:
                while True:
                    answered.append(client.submit())
                    if len(answered) >= 30:
                        enough.set()
            except requests.ConnectionError:
                enough.set()

        threads = [threading.Thread(target=submit) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert enough.wait(30)
        emulator.kill()
        for thread in threads:
            thread.join()
    assert len(answered) >= 30
    with process(path, "--waiting", "1000") as (_, client):
        assert {client.status(task_id)["result_code"] for task_id in answered} == {101}


def test_a_job_whose_answer_was_lost_is_a_job(path):
    """As with the service: it is there, though its client does not know."""
    with process(path) as (_, client):
        fault = {"call": "submit", "fault": AcceptThenHang().name}
        client.control("POST", "faults", json=fault).raise_for_status()
        with pytest.raises(requests.ReadTimeout):
            requests.post(
                f"{client.emulator.url}/phototalking", data={**EXAMPLE, "key": "emulator-key"}, timeout=0.5
            )
    with emulator(path) as (again, _):
        assert [task.text for task in again.world.tasks.values()] == [EXAMPLE["text"]]


def test_the_clock_and_a_reset_are_kept(path):
    """And no id is used twice, though the file no longer has the job that had it."""
    with emulator(path) as (first, client):
        submitted = client.submit()
        first.world.advance(10**9)
    with emulator(path) as (second, client):
        assert second.world.now_s() - first.world.now_s() == pytest.approx(0, abs=5)
        assert client.status(submitted)["result_code"] == 100
        last = client.submit()
        client.control("POST", "reset").raise_for_status()
    for _ in range(2):
        with emulator(path) as (third, client):
            assert third.world.offset_s == 0
            assert not third.world.tasks
    assert submitted not in path.read_text()
    with emulator(path) as (_, client):
        assert number(client.submit()) == number(last) + 1


@pytest.mark.parametrize("missing", [1, 2, 100, -1])
def test_a_torn_last_line_is_cut_off(path, missing):
    """After a kill during the write: nobody got an answer, and the next line replaces the torn one."""
    with emulator(path) as (_, client):
        first, second = client.submit(), client.submit()
    *whole, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole) + (last[:1] if missing < 0 else last[:-missing]))
    with emulator(path) as (_, client):
        assert client.status(second)["result_code"] == 200
        third = client.submit()
    with emulator(path) as (again, _):
        assert list(again.world.tasks) == [first, third]


@pytest.mark.slow
def test_100000_jobs_are_known_and_take_little_memory(path):
    """Of ordinary length, by a process that starts with them; the next one displaces the first."""
    text = "A text of one hundred words or so. " * 16
    jobs = (
        json.dumps({"job": {**JOB, "text": text, "id": f"20230423_11_23_05_{100_000 + number}"}}).encode()
        for number in range(MAX_TASKS)
    )
    path.write_bytes(b'{"reset": 10000}\n' + b"".join(job + b"\n" for job in jobs))
    with process(path, "--waiting", "0", "--duration", "0") as (emulator, client):
        first, last = "20230423_11_23_05_100000", "20230423_11_23_05_199999"
        assert [client.status(task_id)["result_code"] for task_id in (first, last)] == [100, 100]
        new = client.submit()
        assert number(new) == 200_000
        codes = [client.status(task_id)["result_code"] for task_id in (first, last, new)]
        assert codes == [200, 100, 100]
        peak_kb = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{emulator.pid}/status").read_text())
    assert int(peak_kb[1]) < 400_000


def test_a_job_that_cannot_be_kept_is_not_accepted(path):
    """A full disk: HTTP 500, no job, and no part of its line in the file."""
    with process(path) as (emulator, client):
        client.submit()
        size = path.stat().st_size
        resource.prlimit(emulator.pid, resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))
        assert client.post().status_code == 500
        assert path.stat().st_size == size
        resource.prlimit(emulator.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        task_id = client.submit()
    with process(path, "--waiting", "0", "--duration", "0") as (_, client):
        assert client.status(task_id)["result_code"] == 100


def test_what_cannot_be_kept_is_not_done():
    """No job in memory that is in no file, and the same for the clock and a reset."""
    world = World()
    task_id = submit_in_process(world)

    def full(kind, value):
        raise OSError("No space left on device")

    world.keep = full
    for change in (lambda: submit_in_process(world), lambda: world.advance(60), world.reset):
        with pytest.raises(OSError, match="No space"):
            change()
        assert (list(world.tasks), world.offset_s) == ([task_id], 0)


def test_a_photo_is_got_again_from_its_address(path, png):
    """Once, when the video is asked for; the job is done all the while, and its bytes are the same."""
    asked = []

    def answer(handler):
        asked.append(handler.path)
        respond(handler, png)

    with photo_host(answer) as url:
        with emulator(path) as (_, client):
            task_id = client.submit(text="短", image_url=url)
            settle(client, task_id)
            video = client.video(task_id)
        with emulator(path) as (_, client):
            assert client.status(task_id)["result_code"] == 100
            again = client.video(task_id, headers={"Range": "bytes=9-", "If-Range": video.headers["ETag"]})
            assert (again.status_code, again.content) == (206, video.content[9:])
            assert client.video(task_id).content == video.content
    assert len(asked) == 2  # one by each emulator


def test_a_photo_that_is_gone_is_the_placeholder(path, png):
    """Its host has ended, or it was an upload: a job that is done stays done."""
    with emulator(path) as (_, client):
        placeholder = client.video(client.submit(text="短")).content
        with photo_host(lambda handler: respond(handler, png)) as url:
            fetched = client.submit(text="短", image_url=url)
            settle(client, fetched)
        upload = client.control("POST", "photos", data=png).json()["image_url"]
        uploaded = client.submit(text="短", image_url=upload)
        assert client.video(uploaded).content != placeholder
    with emulator(path, port=int(upload.split("/")[2].partition(":")[2])) as (_, client):
        for task_id in (fetched, uploaded):
            assert client.status(task_id)["result_code"] == 100
            assert client.video(task_id).content == placeholder


def test_a_job_that_failed_for_its_photo_stays_failed(path, png):
    """Also if the photo is there by now."""
    found = threading.Event()
    with photo_host(lambda handler: respond(handler, png, 200 if found.is_set() else 404)) as url:
        with emulator(path) as (_, client):
            fetched = client.submit(image_url=url)
            settle(client, fetched)
            before = client.status(fetched)
        found.set()
        with emulator(path) as (_, client):
            assert client.status(fetched) == before
            assert before["result_code"] == 104
            assert client.video(fetched).status_code == 404


def test_the_same_emulator_again(path):
    """Entered twice: the file was left in between, and has its job."""
    with Emulator(state=path) as once:
        task_id = Client(once).submit()
    with once:
        assert list(once.world.tasks) == [task_id]
