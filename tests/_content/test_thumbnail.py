"""The small posters of a report."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from airflow_provider_twinsync._content.report.thumbnail import MAX_BYTES, thumbnail


def jpeg(image: Image.Image) -> bytes:
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=95)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 512), (160, 160)),
        ((1920, 1080), (160, 90)),
        ((1080, 1920), (112, 200)),
        ((20, 30), (20, 30)),
        ((1, 3000), (1, 200)),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(size, expected, mode) -> None:
    image = Image.open(io.BytesIO(thumbnail(jpeg(Image.new(mode, size, "#aa3366")))))
    assert (image.format, image.size) == ("JPEG", expected)


@pytest.mark.parametrize("size", [(160, 200), (320, 400)])
def test_the_worst_picture_has_a_bound(size) -> None:
    """Noise, which no JPEG packs well."""
    noise = Image.frombytes("RGB", size, random.Random(7).randbytes(3 * size[0] * size[1]))
    small = thumbnail(jpeg(noise))
    assert len(small) <= MAX_BYTES
    assert Image.open(io.BytesIO(small)).size == (160, 200)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", jpeg(Image.new("RGB", (9, 9)))[:200]], ids=["empty", "gif", "cut"]
)
def test_another_file_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="no JPEG"):
        thumbnail(data)
