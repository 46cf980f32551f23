"""Each fault's effect on a client, such as a reset, and on the world."""

from __future__ import annotations

import gzip
import json
import socket
import time
from http.client import HTTPConnection

import pytest
import requests

from airflow_provider_twinsync.emulator import (
    FRONT_ENDS,
    AcceptThenHang,
    AcceptThenReset,
    AnotherJob,
    Body,
    Emulator,
    GzipBomb,
    Hang,
    HttpError,
    InterimResponse,
    KeyInMessage,
    NoAddress,
    NotJson,
    Padded,
    Redirect,
    ResetBefore,
    ResultCode,
    Slow,
    Truncated,
    WrongVideo,
)

from .conftest import EXAMPLE, Client


def test_an_http_error_is_no_job(client, emulator):
    """Its status, Retry-After and body come as they are; the next request is fine."""
    emulator.world.faults.add("submit", HttpError(503, retry_after_s=1, body='{"result_code": 203}'))
    response = client.post()
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json() == {"result_code": 203}
    assert not emulator.world.tasks
    assert client.post().json()["result_code"] == 100


@pytest.mark.parametrize(
    ("fault", "jobs"), [(ResetBefore(), 0), (AcceptThenReset(), 1), (Hang(), 0), (AcceptThenHang(), 1)]
)
def test_no_answer(emulator, fault, jobs):
    """The client cannot know if there is a job; the world and the journal show it."""
    emulator.world.faults.add("submit", fault)
    form = {**EXAMPLE, "key": emulator.key}
    error = requests.ReadTimeout if "hang" in fault.name else requests.ConnectionError
    with pytest.raises(error) as caught:
        requests.post(f"{emulator.url}/phototalking", data=form, timeout=0.2)
    if "reset" in fault.name:
        assert "Connection reset by peer" in str(caught.value)  # a RST, not an orderly end
    assert len(emulator.world.tasks) == jobs
    (entry,) = emulator.world.journal
    assert (entry.fault, entry.status, entry.form) == (fault.name, None, EXAMPLE)
    assert (entry.taskID is not None) == bool(jobs)


@pytest.mark.parametrize(
    ("retry_after_s", "header"), [(0, "0"), (0.5, "1"), (1.0, "1"), (1_000_000, "1000000")]
)
def test_retry_after_is_a_whole_number_of_seconds(client, emulator, retry_after_s, header):
    """Rounded up: the header knows no others."""
    emulator.world.faults.add("status", HttpError(503, retry_after_s=retry_after_s))
    assert client.get("x").headers["Retry-After"] == header


def test_slow_has_made_its_job_when_the_client_gives_up(client, emulator):
    """It is processed at once, only the answer is late."""
    emulator.world.faults.add("submit", Slow(delay_s=30))
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{emulator.url}/phototalking", data={**EXAMPLE, "key": emulator.key}, timeout=0.2)
    (entry,) = emulator.world.journal
    assert list(emulator.world.tasks) == [entry.taskID]


def test_slow_is_late_and_else_as_always(client, emulator):
    """Answered after its delay."""
    emulator.world.faults.add("status", Slow(delay_s=0.1))
    task_id = client.submit()
    before = time.monotonic()
    assert client.status(task_id)["result_code"] == 100
    assert time.monotonic() - before >= 0.1


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (NotJson("<html>"), "<html>"),
        (Body([1, None]), "[1, null]"),
        (Body({"task_id": "字"}), '{"task_id": "字"}'),
    ],
)
def test_another_body(client, emulator, fault, text):
    """HTTP 200 with something else, and no job."""
    emulator.world.faults.add("submit", fault)
    response = client.post()
    assert (response.status_code, response.text) == (200, text)
    assert not emulator.world.tasks


@pytest.mark.parametrize("code", [103, "100", 999, 1.5, True, None, [100]])
def test_another_code(client, emulator, code):
    """On both calls the answer is otherwise the normal one, and the job is there."""
    emulator.world.faults.add("submit", ResultCode(code))
    emulator.world.faults.add("status", ResultCode(code))
    answer = client.post().json()
    assert answer["result_code"] == code
    status = client.status(answer["task_id"])
    assert status["result_code"] == code
    assert status["result_url"].endswith(".mp4")


def test_a_success_code_before_the_end_has_no_video(client, emulator):
    """The answer is otherwise normal: no address yet."""
    emulator.world.duration_s = 60
    emulator.world.faults.add("status", ResultCode(103))
    answer = client.status(client.submit())
    assert answer["result_code"] == 103
    assert "result_url" not in answer


@pytest.mark.parametrize("code", [200, 201, 202, 203, "203"])
def test_a_submission_answered_with_a_documented_error_is_no_job(client, emulator, code):
    """As with the service."""
    emulator.world.faults.add("submit", ResultCode(code))
    answer = client.post().json()
    assert answer["result_code"] == code
    assert "task_id" not in answer
    assert not emulator.world.tasks


@pytest.mark.parametrize("front_end", sorted(FRONT_ENDS))
def test_a_front_end_answers_for_a_job_that_was_accepted(client, emulator, front_end):
    """Its page instead of the answer, and the job is there."""
    fault = FRONT_ENDS[front_end]
    emulator.world.faults.add("submit", fault)
    response = client.post()
    assert (response.status_code, response.text) == (fault.status, fault.body)
    assert response.headers["Content-Type"].startswith("text/html")
    (entry,) = emulator.world.journal
    assert (list(emulator.world.tasks), entry.status) == ([entry.taskID], fault.status)


@pytest.mark.parametrize("status", [429, 503])
def test_an_http_error_that_names_the_job(client, emulator, status):
    """As JSON; over HTTP the fault is the same."""
    body = '{"task_id": "{task_id}", "msg": "busy"}'
    fault = {"fault": "accept_then_http_error", "status": status, "retry_after_s": 1, "body": body}
    client.control("POST", "faults", json={"call": "submit", **fault}).raise_for_status()
    response = client.post()
    assert (response.status_code, response.headers["Retry-After"]) == (status, "1")
    assert [response.json()["task_id"]] == list(emulator.world.tasks)


def test_an_answer_about_another_job(client, emulator):
    """All of it is the other's: as from a cache that mixes them up."""
    task_id = client.submit()
    emulator.world.faults.add("status", AnotherJob("20230423_11_23_05_10001"))
    answer = client.status(task_id)
    assert answer["result_code"] == 100
    assert answer["result_url"] == f"{emulator.url}/example/20230423_11_23_05_10001.mp4"
    assert "taskID:20230423_11_23_05_10001 " in answer["msg"]
    assert task_id not in str(answer)


def test_success_without_an_address(client, emulator):
    """In any state of the job."""
    task_id = client.submit()
    for duration_s in (0, 60):
        emulator.world.duration_s = duration_s
        emulator.world.faults.add("status", NoAddress())
        assert client.status(task_id) == {"result_code": 100, "msg": f"taskID:{task_id} has been completed"}


def test_white_space_around_what_is_answered(client, emulator):
    """On both calls, and around the code as well, which is a text then."""
    for call in ("submit", "status"):
        emulator.world.faults.add(call, Padded("\t \n"))
    submitted = client.post().json()
    task_id = submitted["task_id"].strip()
    answer = client.status(task_id)
    assert submitted["task_id"] == f"\t \n{task_id}\t \n"
    assert submitted["result_code"] == answer["result_code"] == "\t \n100\t \n"
    assert answer["result_url"] == f"\t \n{emulator.url}/example/{task_id}.mp4\t \n"
    assert list(emulator.world.tasks) == [task_id]


KEY = "k<&>\"'+/ é字😀"


@pytest.mark.parametrize(
    "escaped",
    [
        KEY,
        "k\\u003c\\u0026\\u003e\"'+/ é字😀",  # Go, Rails
        "k\\u003C\\u0026\\u003E\\u0022\\u0027\\u002B/ \\u00E9\\u5B57\\uD83D\\uDE00",  # .NET
        "k<&>\"'+\\/ \\u00e9\\u5b57\\ud83d\\ude00",  # PHP
        "k&lt;&amp;&gt;&quot;&#x27;+/ é字😀",
        "k&#60;&#38;&#62;&#34;&#39;&#43;&#47;&#32;&#233;&#23383;&#128512;",
        "k&#x3c;&#x26;&#x3e;&#x22;&#x27;&#x2b;&#x2f;&#x20;&#xe9;&#x5b57;&#x1f600;",
        "k%3C%26%3E%22%27%2B%2F%20%C3%A9%E5%AD%97%F0%9F%98%80",
        "k%3c%26%3e%22%27%2b%2f%20%c3%a9%e5%ad%97%f0%9f%98%80",
        "k%3C%26%3E%22%27%2B%2F+%C3%A9%E5%AD%97%F0%9F%98%80",
        "k<&>\"'+/ Ã©å\xad\x97ð\x9f\x98\x80",
    ],
)
def test_the_key_in_a_message(escaped):
    """In each of the escapes, in the answers to both calls; the submit makes no job."""
    with Emulator(key=KEY) as emulator:
        client = Client(emulator)
        emulator.world.faults.add("submit", KeyInMessage())
        submitted = client.post().json()
        assert (submitted["result_code"], emulator.world.tasks) == (201, {})
        emulator.world.faults.add("status", KeyInMessage())
        answer = client.status(client.submit())
        assert answer["result_code"] == 104
        for msg in (submitted["msg"], answer["msg"]):
            assert f" {escaped}," in f"{msg},".replace(" has no credit", ",")


@pytest.mark.parametrize("call", ["submit", "status", "result"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_gzip_bomb(client, emulator, call, layers):
    """Small on the wire, though nobody asked for gzip; large when it is unpacked."""
    task_id = client.submit()
    emulator.world.faults.add(call, GzipBomb(mebibytes=8, layers=layers))
    method, path = {
        "submit": ("POST", "/phototalking"),
        "status": ("GET", "/phototalking"),
        "result": ("GET", f"/example/{task_id}.mp4"),
    }[call]
    connection = HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    connection.request(method, path, headers={"Accept-Encoding": "identity"})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    assert response.headers["Content-Encoding"] == ", ".join(["gzip"] * layers)
    assert len(data) < 10_000
    for _ in range(layers):
        data = gzip.decompress(data)
    assert data == bytes(8 << 20)


@pytest.mark.parametrize(("status", "count"), [(102, 1), (103, 1), (103, 20)])
def test_interim_responses(client, emulator, status, count):
    """They come before the answer, which is the normal one."""
    task_id = client.submit()
    emulator.world.faults.add("status", InterimResponse(status, count=count))
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=10) as raw:
        request = (
            f"GET /phototalking?taskID={task_id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        raw.sendall(request.encode())
        *interim, head, body = raw.makefile("rb").read().split(b"\r\n\r\n")
    assert [part.split()[1] for part in interim] == [b"%d" % status] * count
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body)["result_code"] == 100


def test_a_truncated_video(client, emulator):
    """The answer promises the complete video and ends early; a range request gets the rest."""
    task_id = client.submit()
    whole = client.video(task_id).content
    emulator.world.faults.add("result", Truncated(after_bytes=1000))
    response = client.video(task_id, stream=True)
    assert response.headers["Content-Length"] == str(len(whole))
    start = response.raw.read(1000)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(response.iter_content(1000))
    rest = client.video(task_id, headers={"Range": "bytes=1000-", "If-Range": response.headers["ETag"]})
    assert rest.status_code == 206
    assert start + rest.content == whole


def test_a_wrong_video(client, emulator):
    """Its headers are those of a video, its bytes are not."""
    task_id = client.submit()
    emulator.world.faults.add("result", WrongVideo())
    response = client.video(task_id)
    assert response.headers["Content-Type"] == "video/mp4"
    assert b"ftyp" not in response.content


def test_a_redirect(client, emulator):
    """To the location of the fault."""
    task_id = client.submit()
    emulator.world.faults.add("result", Redirect("http://other.example/a.mp4"))
    response = client.video(task_id, allow_redirects=False)
    assert (response.status_code, response.headers["Location"]) == (302, "http://other.example/a.mp4")
