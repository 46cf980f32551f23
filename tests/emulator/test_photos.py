"""The photo of a job: its source, and the failure of a job without a usable photo."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from airflow_provider_twinsync.emulator import Emulator
from airflow_provider_twinsync.emulator.picture import MAX_PHOTO_BYTES
from airflow_provider_twinsync.emulator.reach import Reach, reach
from airflow_provider_twinsync.emulator.world import MAX_PHOTOS

from .conftest import Client


@contextmanager
def photo_host(answer):
    """A web server on loopback that answers every request as ``answer(handler)`` does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/photo"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def respond(handler, body, status=200, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def settle(client, task_id):
    """Ask until the job is at its end; the photo comes from loopback, so that is soon."""
    for _ in range(5000):
        if (answer := client.status(task_id))["result_code"] not in (101, 102):
            return answer
    raise AssertionError(answer)


def test_a_photo_on_loopback_is_fetched_and_shown(client, png):
    """Another photo makes another video."""
    with photo_host(lambda handler: respond(handler, png)) as url:
        task_id = client.submit(text="短", image_url=url)
        assert settle(client, task_id)["result_code"] == 100
    assert client.emulator.world.tasks[task_id].photo is not None
    assert client.video(task_id).content != client.video(client.submit(text="短")).content


def test_the_job_runs_while_its_photo_is_under_way(client, png):
    """102 until it is there."""
    go_on = threading.Event()

    def answer(handler):
        go_on.wait(10)
        respond(handler, png)

    with photo_host(answer) as url:
        task_id = client.submit(image_url=url)
        assert client.status(task_id)["result_code"] == 102
        go_on.set()
        assert settle(client, task_id)["result_code"] == 100


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda handler: respond(handler, b"<html>no photo</html>"), "not an image"),
        (lambda handler: respond(handler, b"", 404), "404"),
        (lambda handler: respond(handler, b"", 302, Location="http://photos.example/a.jpg"), "redirects"),
        (lambda handler: respond(handler, b"", 302, Location="/photo"), "more than 5 times"),
        (lambda handler: respond(handler, b"x" * (MAX_PHOTO_BYTES + 1)), "bytes"),
    ],
)
def test_a_photo_that_cannot_be_used_fails_the_job(client, answer, reason):
    """104, with the reason in the message."""
    with photo_host(answer) as url:
        status = settle(client, client.submit(image_url=url))
    assert status["result_code"] == 104
    assert reason in status["msg"]


@pytest.mark.parametrize("photos", ["local", "any"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "0x7f000001", "0.0.0.0", "[::ffff:127.0.0.1]", "localhost", "x" * 64]
)
def test_a_photo_whose_local_host_does_not_answer_fails_the_job(client, host, photos):
    """104, in any notation of the host, with the reason and TwinSync's behaviour in the message. (A label of
    64 letters has no address anywhere, and no name server is asked for one.)
    """
    client.emulator.world.photos = photos
    with photo_host(respond) as url:
        pass
    url = url.replace("127.0.0.1", host) + "?signature=5ec4e7"
    status = settle(client, client.submit(image_url=url))
    assert status["result_code"] == 104
    assert "the photo cannot be opened" in status["msg"]
    assert "needs one on the public internet" in status["msg"]
    assert "5ec4e7" not in status["msg"]


@pytest.mark.parametrize("host", ["0.0.0.0", "[::ffff:127.0.0.1]", "localhost"])
def test_a_photo_in_the_local_network_is_opened(client, png, host):
    """Its host may be written in many ways."""
    with photo_host(lambda handler: respond(handler, png)) as url:
        task_id = client.submit(image_url=url.replace("127.0.0.1", host))
        assert settle(client, task_id)["result_code"] == 100
    assert client.emulator.world.tasks[task_id].photo is not None


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/a.jpg",
        "http://[::ffff:169.254.169.254]/a.jpg",
        "http://0xa9fea9fe/a.jpg",
        "http://224.0.0.1/a.jpg",
        "http://255.255.255.255/a.jpg",
        "photo.jpg",
        "/opt/photos/anna.jpg",
        "file:///opt/photos/anna.jpg",
        "s3://photos/anna.jpg",
        "",
    ],
)
def test_an_address_that_can_have_no_photo_is_refused_at_the_submit(client, address):
    """202, with the reason: the address alone shows it, and there is no job."""
    answer = client.post(image_url=address).json()
    assert answer["result_code"] == 202
    assert len(answer["msg"]) > len("Invalid or missing cloud address of audio or video file: ")
    assert not client.emulator.world.tasks


def test_a_photo_on_the_internet_is_not_judged(caplog):
    """Without permission nothing leaves the machine: a placeholder, named in each msg and once in the log."""
    with Emulator() as emulator:
        client = Client(emulator)
        answers = [client.post(image_url=f"http://photos.example/{name}.jpg").json() for name in "ab"]
        for answer in answers:
            assert answer["result_code"] == 100
            assert answer["msg"].startswith("SUCCESS! ")
            assert "--photos any" in answer["msg"]
            assert client.status(answer["task_id"])["result_code"] == 100
            assert emulator.world.tasks[answer["task_id"]].photo is None
    assert [record.message.count("placeholder") for record in caplog.records] == [1]


def test_placeholders_are_an_option(client, png, caplog):
    """No address is opened or refused for its file; an uploaded photo is shown."""
    client.emulator.world.photos = "placeholder"
    with photo_host(respond) as url:
        pass
    for address in (
        url,
        "http://169.254.169.254/",
        "http://minio:9000/a.jpg",
        "https://photos.example/a.jpg",
    ):
        answer = client.post(image_url=address).json()
        assert answer["msg"].endswith("waiting to be processed.")
        assert client.status(answer["task_id"])["result_code"] == 100
    assert client.post(image_url="file:///etc/hostname").json()["result_code"] == 202
    uploaded = client.submit(image_url=client.control("POST", "photos", data=png).json()["image_url"])
    assert client.emulator.world.tasks[uploaded].photo is not None
    assert not caplog.records


def test_a_redirect_to_where_no_photo_may_be_opened_fails_the_job(client):
    """Also where photos on the internet may be opened: a cloud's metadata service may not."""
    client.emulator.world.photos = "any"
    answer = "http://169.254.169.254/latest/"
    with photo_host(lambda handler: respond(handler, b"", 302, Location=answer)) as url:
        status = settle(client, client.submit(image_url=url))
    assert "may not open" in status["msg"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(
            (host, Reach.LOCAL)
            for host in ("10.1.2.3", "192.168.0.1", "172.17.0.2", "100.64.0.1", "::1", "fd00::1")
        ),
        *(
            (host, Reach.LOCAL)
            for host in ("minio", "LOCALHOST", "a.localhost", "nas.local.", "s3.eu.internal")
        ),
        *(
            (host, Reach.NEVER)
            for host in ("169.254.0.1", "fe80::1", "ff02::1", "240.0.0.1", "::ffff:169.254.1.1")
        ),
        *(
            (host, Reach.INTERNET)
            for host in ("8.8.8.8", "2606:4700::1111", "photos.example", "internal.example.com")
        ),
        ("xn--fiqs8s.example", Reach.INTERNET),
    ],
)
def test_how_far_away_a_host_is(host, expected):
    """By its name or address alone."""
    assert reach(host) is expected


def test_a_photo_that_made_room_is_opened_again(client, png):
    """Many photos do not fill the memory; a video still shows a photo that has left it."""
    with photo_host(lambda handler: respond(handler, png)) as url:
        task_id = client.submit(text="短", image_url=url)
        settle(client, task_id)
        world = client.emulator.world
        kept = world.photo(world.tasks[task_id].photo)
        for i in range(MAX_PHOTOS):
            world.keep_photo(b"%d" % i)
        assert kept not in world.kept_photos.values()
        shown = client.video(task_id).content
        assert kept in world.kept_photos.values()
    world.photos = "placeholder"
    assert client.video(client.submit(text="短")).content != shown


def test_an_uploaded_photo_has_an_address(client, png):
    """This is how a local file becomes the photo of a job."""
    url = client.control("POST", "photos", data=png).json()["image_url"]
    name = url.rpartition("/")[2]
    served = client.control("GET", f"photos/{name}")
    assert served.headers["Content-Type"] == "image/jpeg"
    with Image.open(io.BytesIO(served.content)) as image:
        assert (image.format, image.size) == ("JPEG", (60, 40))
    task_id = client.submit(image_url=url)
    assert client.status(task_id)["result_code"] == 100
    world = client.emulator.world
    assert world.photo(world.tasks[task_id].photo) == served.content
    world.reset()
    assert client.control("GET", f"photos/{name}").status_code == 404
    answer = client.post(image_url=url).json()
    assert answer["result_code"] == 202
    assert "not in the emulator" in answer["msg"]
