"""Where the photo of a job comes from, and what becomes of a job whose photo cannot be had."""

from __future__ import annotations

import io
import random
import struct
import threading
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from airflow_provider_twinsync.emulator.picture import MAX_PHOTO_BYTES, PhotoError, prepare_photo


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
    """104, and the message says why."""
    with photo_host(answer) as url:
        status = settle(client, client.submit(image_url=url))
    assert status["result_code"] == 104
    assert reason in status["msg"]


def test_a_host_that_is_not_there_fails_the_job(client):
    """104."""
    with photo_host(respond) as url:
        pass
    assert settle(client, client.submit(image_url=url))["result_code"] == 104


def test_a_photo_elsewhere_is_a_placeholder(client):
    """Nothing leaves the machine unless it may: done at once, without a photo."""
    task_id = client.submit(image_url="http://photos.example/a.jpg")
    assert client.status(task_id)["result_code"] == 100
    assert client.emulator.world.tasks[task_id].photo is None


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
    assert client.emulator.world.tasks[task_id].photo == served.content
    client.emulator.world.reset()
    assert client.control("GET", f"photos/{name}").status_code == 404
    assert client.status(client.submit(image_url=url))["result_code"] == 104


@pytest.mark.parametrize(
    "data", [b"", b"no image", b"\xff\xd8\xff\xe0 cut off", b"x" * (MAX_PHOTO_BYTES + 1)]
)
def test_an_upload_that_is_no_image(client, data):
    """HTTP 400."""
    response = client.control("POST", "photos", data=data)
    assert response.status_code == 400
    assert response.json()["error"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1"])
def test_any_kind_of_image_is_kept_small_and_upright(mode):
    """With the photo's turn applied, as phones write it."""
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image = Image.new(mode, (3000, 1000))
    image.save(file, "TIFF" if mode in ("CMYK", "1") else "PNG", exif=exif)
    with Image.open(io.BytesIO(prepare_photo(file.getvalue()))) as kept:
        assert (kept.format, kept.mode, kept.size) == ("JPEG", "RGB", (171, 512))


def test_an_image_of_too_many_pixels_is_refused():
    """By its header, before it fills the memory."""
    file = io.BytesIO()
    Image.new("1", (10_000, 6_000)).save(file, "PNG")
    with pytest.raises(PhotoError, match="10000x6000"):
        prepare_photo(file.getvalue())


def test_a_photo_of_the_worst_kind_takes_little_memory():
    """Noise, which no JPEG makes small: a thousand jobs have one each."""
    file = io.BytesIO()
    Image.frombytes("RGB", (1500, 1500), random.Random(1).randbytes(3 * 1500 * 1500)).save(file, "BMP")
    assert len(prepare_photo(file.getvalue())) < 300_000


def test_an_image_that_is_a_bomb_is_too_large():
    """Pillow itself refuses it, which does not make it something else than an image."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    with pytest.raises(PhotoError, match="too large"):
        prepare_photo(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def test_an_image_of_another_format_is_none():
    """Pillow knows many, and starts another program for some; the message says which are read."""
    file = io.BytesIO()
    Image.new("RGB", (60, 40)).save(file, "PPM")
    with pytest.raises(PhotoError, match=r"not an image .*JPEG, PNG, WebP"):
        prepare_photo(file.getvalue())
