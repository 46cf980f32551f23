"""The check of a photo's bytes: its kind, its end, its size."""

from __future__ import annotations

import io
import random
import sys
from typing import Any

import pytest
from PIL import Image
from support.environment import CHECKOUT

from airflow_provider_twinsync._content.image import MAX_PIXELS, check_image
from airflow_provider_twinsync.exceptions import UsageError

PORTRAIT = (CHECKOUT / "example_dags" / "portrait.jpg").read_bytes()


def picture(kind: str, size: tuple[int, int] = (200, 160), mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture of noise in a file format of Pillow."""
    made = io.BytesIO()
    Image.effect_noise(size, 80).convert(mode).save(made, kind, **options)
    return made.getvalue()


def problem_of(data: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        check_image(data, "The photo 'a.jpg'")
    assert caught.value.code == "TS154"
    return str(caught.value)


PICTURES = {
    "JPEG": picture("JPEG"),
    "JPEG, progressive": picture("JPEG", progressive=True),
    "JPEG, of a printer": picture("JPEG", mode="CMYK"),
    "JPEG, grey": picture("JPEG", mode="L"),
    "JPEG, with a thumbnail": picture("JPEG", exif=b"Exif\0\0" + picture("JPEG", (160, 128), quality=20)),
    "PNG": picture("PNG"),
    "PNG, with a palette": picture("PNG", mode="P"),
    "PNG, transparent": picture("PNG", mode="RGBA"),
    "WebP": picture("WEBP"),
    "WebP, lossless": picture("WEBP", lossless=True),
    "WebP, transparent": picture("WEBP", mode="RGBA"),
    "JPEG, the smallest": picture("JPEG", (128, 128)),
    "JPEG, of a person": PORTRAIT,
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_photo_is_a_jpeg_a_png_or_a_webp(name: str) -> None:
    """Also of kinds that are rare on the internet."""
    endings = {"J": "jpg", "P": "png", "W": "webp"}
    assert check_image(PICTURES[name], "The photo") == endings[name[0]]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.9, 0.99])
def test_a_photo_that_is_cut_is_refused(name: str, part: float) -> None:
    """A decoder takes a cut JPEG for a photo with a grey end."""
    whole = PICTURES[name]
    assert "'a.jpg' cannot be decoded" in problem_of(whole[: int(len(whole) * part)])


def test_a_phone_may_add_a_film_to_a_photo() -> None:
    """As "motion photos": the end of the picture is in the middle of the file."""
    film = random.Random(7).randbytes(500_000)
    assert check_image(PORTRAIT + film, "The photo") == "jpg"
    assert check_image(PORTRAIT + PORTRAIT, "The photo") == "jpg"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF"),
        (b"GIF89a" + bytes(100), "is no photo"),
        (b"<html>", "is no photo"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no photo"),
        (b"#EXTM3U\n/etc/passwd\n", "is no photo"),
        (b"RIFF\0\0\0\0WAVEfmt ", "is no photo"),
        (b"\xff\xd8\xff", "cannot be decoded"),
        (b"\xff\xd8\xff" + bytes(5_000), "cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n" + bytes(5_000), "cannot be decoded"),
        (b"RIFF\xff\xff\0\0WEBPVP8 " + bytes(5_000), "cannot be decoded"),
    ],
)
def test_other_bytes_are_no_photo(data: bytes, word: str) -> None:
    """The first bytes decide, and not the name; a playlist would have the decoder open other files."""
    assert word in problem_of(data)


@pytest.mark.parametrize("size", [(1, 50_000), (127, 500), (500, 127), (1, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_has_128_pixels_on_each_side(size: tuple[int, int], kind: str) -> None:
    """The message has the size that it has."""
    assert f"has {size[0]:,} x {size[1]:,} pixels" in problem_of(picture(kind, size))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_small_file_of_many_pixels_is_not_decoded(kind: str) -> None:
    """A white PNG of 100 megapixels has 100 kB, and decoded 300 MB."""
    made = io.BytesIO()
    Image.new("L", (10_000, 10_000)).save(made, kind)
    assert f"more than {MAX_PIXELS:,} pixels" in problem_of(made.getvalue())


def test_an_animation_is_no_photo() -> None:
    """FFmpeg cannot decode it."""
    frames = [Image.effect_noise((200, 160), 80) for _ in range(3)]
    made = io.BytesIO()
    frames[0].save(made, "WEBP", save_all=True, append_images=frames[1:])
    assert "animated" in problem_of(made.getvalue())


def test_without_the_extra_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only photos of stores and files need it."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"pip install 'airflow-provider-twinsync\[content\]'") as caught:
        check_image(PORTRAIT, "The photo")
    assert caught.value.code == "TS140"
