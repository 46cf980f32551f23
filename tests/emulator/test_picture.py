"""Pictures, such as PNG files, become small JPEG files."""

from __future__ import annotations

import io
import random
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from PIL import Image

from airflow_provider_twinsync.emulator.picture import MAX_PHOTO_BYTES, PhotoError, prepare_photo

from .conftest import running


def test_photos_are_decoded_two_at_a_time():
    """Eight uploads at once, each small as a file and 130 MB while it is decoded, in a process of its own."""
    file = io.BytesIO()
    Image.new("RGBA", (4000, 4000), "#aa3366").save(file, "PNG")

    def peak_mb():
        return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1000

    with running("--port", "0") as (process, line):
        url = re.search(r"http://\S+", line)[0] + "/_emulator/photos"
        before = peak_mb()
        with ThreadPoolExecutor(8) as pool:
            sent = pool.map(lambda _: requests.post(url, data=file.getvalue(), timeout=60), range(8))
        assert {response.status_code for response in sent} == {200}
        assert peak_mb() - before < 400


def test_an_image_with_a_side_that_no_camera_has_is_refused():
    """Few pixels, but not a shape that a decoder should have to survive."""
    file = io.BytesIO()
    Image.new("1", (100_000, 1)).save(file, "PNG")
    with pytest.raises(PhotoError, match="100000x1"):
        prepare_photo(file.getvalue())


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
    """Pillow knows many, and starts another program for some; the message lists the known formats."""
    file = io.BytesIO()
    Image.new("RGB", (60, 40)).save(file, "PPM")
    with pytest.raises(PhotoError, match=r"not an image .*JPEG, PNG, WebP"):
        prepare_photo(file.getvalue())
