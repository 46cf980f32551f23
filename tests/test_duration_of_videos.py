"""How long a video plays, from its own boxes: read within bounds, and never an error."""

from __future__ import annotations

import io
import random

import pytest

from airflow_provider_twinsync._download.mp4 import duration_s

FTYP = b"\0\0\0\x18ftypisom" + bytes(12)


def box(name: bytes, body: bytes = b"", *, is_long: bool = False) -> bytes:
    if is_long:
        return b"\0\0\0\1" + name + (len(body) + 16).to_bytes(8, "big") + body
    return (len(body) + 8).to_bytes(4, "big") + name + body


def header(name: bytes, duration: int, timescale: int = 1000, *, version: int = 0) -> bytes:
    width = 8 if version else 4
    times = b"" if name == b"mehd" else bytes(2 * width) + timescale.to_bytes(4, "big")
    return box(name, bytes([version, 0, 0, 0]) + times + duration.to_bytes(width, "big") + bytes(80))


def read(content: bytes) -> float | None:
    return duration_s(io.BytesIO(content), len(content))


TRACK = box(b"trak", box(b"mdia", header(b"mdhd", 90_000, 30_000)))
CASES = {
    "mvhd": (FTYP + box(b"moov", header(b"mvhd", 12_345)), 12.345),
    "64 bits": (FTYP + box(b"moov", header(b"mvhd", 12_345, version=1)), 12.345),
    "behind the pictures": (
        FTYP + box(b"mdat", bytes(5000), is_long=True) + box(b"moov", header(b"mvhd", 500)),
        0.5,
    ),
    "fragmented": (FTYP + box(b"moov", header(b"mvhd", 0) + box(b"mvex", header(b"mehd", 7000))), 7.0),
    "fragmented, and silent": (FTYP + box(b"moov", header(b"mvhd", 0)) + box(b"moof") + box(b"mdat"), None),
    "unknown": (FTYP + box(b"moov", header(b"mvhd", 2**32 - 1)), None),
    "unknown, but that of a track": (FTYP + box(b"moov", header(b"mvhd", 2**32 - 1) + TRACK), 3.0),
    "no timescale": (FTYP + box(b"moov", header(b"mvhd", 5, 0)), None),
    "cut in the header": ((FTYP + box(b"moov", header(b"mvhd", 500)))[:50], None),
    "no boxes": (b"this is no MP4\n" * 64, None),
    "empty": (b"", None),
    "deeper than any video": (
        FTYP + b"".join((8 * n).to_bytes(4, "big") + b"moov" for n in range(5000, 0, -1)),
        None,
    ),
    "more boxes than any video": (box(b"free") * 10_000 + box(b"moov", header(b"mvhd", 500)), None),
}


@pytest.mark.parametrize(("content", "wanted"), CASES.values(), ids=CASES)
def test_the_duration_of(content, wanted):
    """Each form of a duration in a file, for example a long header, or none."""
    assert read(content) == wanted


def test_it_is_that_of_the_emulator_s_video(emulator, hook, tmp_path):
    """The duration of the encoder, compared with the duration that PyAV reads."""
    import av

    job = hook.submit(
        text="Hello, you.", image_url="https://example.com/a.jpg", pronouncer="en-US-JennyNeural"
    )
    got = hook.download(hook.get_job(job).result_url, tmp_path / "v.mp4")
    with av.open(str(tmp_path / "v.mp4")) as video:
        assert got["duration_s"] == pytest.approx(video.duration / 1_000_000, abs=0.05)


def test_no_file_makes_it_fail():
    """For any bytes, in bounded time."""
    whole = FTYP + box(b"moov", header(b"mvhd", 12_345) + TRACK + box(b"mvex", header(b"mehd", 5)))
    dice = random.Random(11)
    for _ in range(3000):
        broken = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        found = read(bytes(broken[: dice.randint(0, len(broken))]))
        assert found is None or found >= 0


def test_a_disk_that_fails_costs_the_number_alone():
    """The video is there."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("Input/output error")

    assert duration_s(Failing(FTYP), len(FTYP)) is None
