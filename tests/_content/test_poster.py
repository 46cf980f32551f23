"""The poster: the sharpest picture of the first second, upright."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from struct import pack
from typing import TYPE_CHECKING

import av
import pytest
from PIL import Image
from support.films import make, numbered, sounds

from airflow_provider_twinsync._content.finished.poster import poster
from airflow_provider_twinsync.emulator.video import render
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, DownloadRefusedError

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (128, 96)


def shown(video: Path) -> Image.Image:
    return Image.open(io.BytesIO(poster(video))).convert("L")


def number_of(picture: Image.Image) -> int:
    """Read the bars of a picture of `films.numbered`."""
    width, height = picture.size
    return sum(
        1 << bit for bit in range(8) if picture.getpixel(((2 * bit + 1) * width // 16, height // 2)) > 150
    )


def written(
    path: Path, pictures: list[av.VideoFrame], frames_per_s: int = 4, ratio: Fraction | None = None
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=frames_per_s)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        if ratio:
            stream.codec_context.sample_aspect_ratio = ratio
        for number, picture in enumerate(pictures):
            picture.pts, picture.time_base = number, Fraction(1, frames_per_s)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def blurred(number: int) -> av.VideoFrame:
    """A picture whose bars have soft edges."""
    picture = numbered(number, SIZE)
    plane = picture.planes[0]
    row = bytes(plane)[: plane.line_size]
    soft = bytes(sum(row[max(0, x - 8) : x + 8]) // len(row[max(0, x - 8) : x + 8]) for x in range(len(row)))
    plane.update(soft * plane.height)
    return picture


def black() -> av.VideoFrame:
    picture = numbered(0, SIZE)
    picture.planes[0].update(b"\x10" * picture.planes[0].buffer_size)
    return picture


SHARP = 0b01010101


@pytest.mark.parametrize("place", [0, 1, 3])
def test_the_sharpest_picture_of_the_first_second_is_chosen(tmp_path, place):
    """Neither a black one, nor a blurred one, nor one that comes later."""
    pictures = [black(), blurred(SHARP), black(), blurred(0b1111)]
    pictures[place] = numbered(SHARP, SIZE)
    later = [numbered(0b00110011, SIZE)] * 4
    picture = shown(written(tmp_path / "a.mp4", pictures + later))
    assert picture.size == SIZE
    assert number_of(picture) == SHARP
    rows = [picture.getpixel((x, 48)) for x in range(128)]
    assert max(abs(one - other) for one, other in pairwise(rows)) > 60


def test_the_poster_of_a_short_video_is_its_picture(tmp_path):
    assert number_of(shown(written(tmp_path / "a.mp4", [numbered(SHARP, SIZE)]))) == SHARP


def test_the_poster_of_a_video_of_the_emulator_has_its_size(tmp_path):
    """In colour, and with the brightness of the video."""
    path = tmp_path / "a.mp4"
    path.write_bytes(
        render(text="Hello", pronouncer="en-US-GuyNeural", photo=None, should_stop=lambda: False)
    )
    picture = Image.open(io.BytesIO(poster(path)))
    with av.open(str(path)) as container:
        first = next(container.decode(video=0)).to_image()
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (512, 672))
    for at in ((5, 5), (256, 250), (5, 660)):
        assert max(abs(a - b) for a, b in zip(picture.getpixel(at), first.getpixel(at), strict=True)) < 12


def test_pixels_that_are_not_square_become_square(tmp_path):
    video = written(tmp_path / "a.mp4", [numbered(SHARP, SIZE)] * 3, ratio=Fraction(3, 2))
    assert shown(video).size == (192, 96)


@pytest.mark.parametrize(
    ("turn", "matrix"), [(90, (0, 1, -1, 0)), (180, (-1, 0, 0, -1)), (270, (0, -1, 1, 0))]
)
def test_a_turned_video_has_an_upright_poster(tmp_path, turn, matrix):
    """As the cameras of phones write it: the pictures lie on a side, and a matrix turns them clockwise."""
    video = written(tmp_path / "a.mp4", [numbered(0b00001111, SIZE)] * 3)
    a, b, c, d = (one * 0x10000 for one in matrix)
    upright = pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    content = video.read_bytes()
    at = content.index(upright, content.index(b"tkhd"))
    video.write_bytes(content[:at] + pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000) + content[at + 36 :])
    with av.open(str(video)) as container:
        if not hasattr(next(container.decode(video=0)), "rotation"):
            pytest.skip("this version of av reads no rotation")
    picture = shown(video)
    bright = {90: (0.5, 0.2), 180: (0.8, 0.5), 270: (0.5, 0.8)}[turn]  # the left half of the lying picture
    dark = 1 - bright[0], 1 - bright[1]
    levels = [picture.getpixel((int(x * picture.width), int(y * picture.height))) for x, y in (bright, dark)]
    assert picture.size == (SIZE if turn == 180 else SIZE[::-1])
    assert levels[0] > 150 > 100 > levels[1]


@pytest.mark.parametrize("content", [b"", b"no video", b"\0\0\0\x18ftypisom\0\0\0\0isommp41\0\0\0\x08moov"])
def test_a_file_that_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DownloadRefusedError) as raised:
        poster(tmp_path / "a.mp4")
    assert raised.value.code == "TS536"


def test_a_file_without_pictures_is_refused(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        for frame in sounds(16_000, "mono", 0.2, 0.0):
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(DownloadRefusedError) as raised:
        poster(tmp_path / "a.mp4")
    assert raised.value.code == "TS536"


def test_a_file_that_is_not_there_may_be_there_later(tmp_path):
    with pytest.raises(DownloadInterruptedError) as raised:
        poster(tmp_path / "a.mp4")
    assert raised.value.code == "TS537"


def test_pictures_that_cannot_be_decoded_are_refused(tmp_path):
    """The index is right, and the data is noise."""
    video = make(tmp_path / "a.mp4")
    content = video.read_bytes()
    at = content.index(b"mdat") + 4
    video.write_bytes(content[:at] + b"\xa5" * (len(content) - at))
    with pytest.raises(DownloadRefusedError) as raised:
        poster(video)
    assert raised.value.code == "TS536"


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path):
    """One of 4,096 x 5,000 pixels; the size is in the set-up of the encoder."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 4_096, 5_000, "yuv420p"
        picture = numbered(SHARP, (4_096, 5_000))
        picture.pts, picture.time_base = 0, Fraction(1, 4)
        container.mux(stream.encode(picture))
        container.mux(stream.encode())
    with pytest.raises(DownloadRefusedError) as raised:
        poster(tmp_path / "a.mp4")
    assert raised.value.code == "TS536"
    assert "4096x5000" in str(raised.value)


def test_pixels_of_an_absurd_shape_make_no_huge_poster(tmp_path):
    video = written(tmp_path / "a.mp4", [numbered(SHARP, SIZE)] * 3, ratio=Fraction(500, 1))
    assert shown(video).size == SIZE
