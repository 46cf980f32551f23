"""The proof that an MP4 is complete: for example real videos, cut at every byte."""

from __future__ import annotations

import io
import struct
import tempfile
import time
import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.servers import answer, box, mp4

from airflow_provider_twinsync._download.mp4 import is_complete
from airflow_provider_twinsync.exceptions import DownloadInterruptedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import Server

    from airflow_provider_twinsync.hooks import TwinSyncHook

VIDEO = mp4(2_000)
FTYP = VIDEO[:24]
LARGE = (1).to_bytes(4, "big")


def encoded(movflags: str) -> bytes:
    """Return a real video of two seconds, with a track of pictures and one of sound."""
    import av

    # Into a file with a name: to put `moov` in front, the muxer opens it again.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
            mux(av, container)
        return path.read_bytes()


def mux(av: Any, container: Any) -> None:
    """Encode and write two seconds."""
    pictures: Any = container.add_stream("mpeg4", rate=10)
    pictures.width, pictures.height, pictures.gop_size, pictures.pix_fmt = 32, 32, 5, "yuv420p"
    sound: Any = container.add_stream("aac", rate=8000)
    for number in range(20):
        picture = av.VideoFrame(32, 32, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([number * 10]) * plane.buffer_size)
        picture.pts, picture.time_base = number, Fraction(1, 10)
        container.mux(pictures.encode(picture))
        heard = av.AudioFrame("fltp", "mono", 800)
        for plane in heard.planes:
            plane.update(struct.pack("f", number / 50) * (plane.buffer_size // 4))
        heard.sample_rate, heard.pts, heard.time_base = 8000, number * 800, Fraction(1, 8000)
        container.mux(sound.encode(heard))
    container.mux(pictures.encode(None))
    container.mux(sound.encode(None))


#: The flags of the muxer; and True if the file proves that it is complete.
REAL = {
    "moov at the end": ("", True),
    "moov in front": ("faststart", True),
    "fragments with mfra": ("frag_keyframe+empty_moov", True),
    "fragments behind a first part, with mfra": ("frag_keyframe", True),
    "fragments without mfra": ("frag_keyframe+empty_moov+skip_trailer", False),
    "fragments with an index each": ("dash+frag_keyframe+empty_moov+skip_trailer", False),
}


@pytest.fixture(scope="module", params=REAL)
def real(request: pytest.FixtureRequest) -> tuple[bytes, bool]:
    movflags, proves = REAL[request.param]
    return encoded(movflags), proves


def complete(data: bytes) -> bool:
    return is_complete(io.BytesIO(data), len(data))


def test_a_real_video_is_complete_if_its_structure_proves_it(real: tuple[bytes, bool]) -> None:
    """A fragmented video without a last box of its own may have more fragments."""
    data, proves = real
    assert complete(data) is proves


def test_no_prefix_of_a_real_video_is_complete(real: tuple[bytes, bool]) -> None:
    """Cut between two boxes, or in a box."""
    data, _ = real
    assert 3_000 < len(data) < 60_000
    assert [size for size in range(len(data)) if is_complete(io.BytesIO(data[:size]), size)] == []


def test_a_last_box_that_extends_to_the_end_is_complete_when_its_samples_are() -> None:
    """A length of 0 (4.2) proves nothing; the table of the samples does."""
    data = encoded("faststart")
    at = data.rindex(b"mdat") - 4
    data = data[:at] + bytes(4) + data[at + 4 :]
    assert complete(data)
    assert [size for size in range(len(data)) if is_complete(io.BytesIO(data[:size]), size)] == []


def movie(*tables: bytes) -> bytes:
    """Return ``moov`` with a track for each table, and 1,000 bytes for the samples behind it."""
    tracks = [box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", one)))) for one in tables]
    return FTYP + box(b"moov", *tracks) + box(b"mdat", bytes(1_000))


def table(sizes: bytes, runs: list[int], chunks: bytes) -> bytes:
    count = len(runs) // 2
    entries = [
        struct.pack(">3I", first, samples, 1) for first, samples in zip(runs[::2], runs[1::2], strict=True)
    ]
    return sizes + box(b"stsc", struct.pack(">2I", 0, count), *entries) + chunks


def sizes_of(*sizes: int, each: int = 0, count: int | None = None) -> bytes:
    count = len(sizes) if count is None else count
    return box(b"stsz", struct.pack(f">3I{len(sizes)}I", 0, each, count, *sizes))


def chunks_at(*offsets: int) -> bytes:
    return box(b"stco", struct.pack(f">2I{len(offsets)}I", 0, len(offsets), *offsets))


def far_chunks_at(*offsets: int) -> bytes:
    return box(b"co64", struct.pack(f">2I{len(offsets)}Q", 0, len(offsets), *offsets))


TWO_BILLION = 2**31


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (VIDEO, True),
        (VIDEO + b"\0", False),
        (VIDEO + bytes(7), False),
        (VIDEO + box(b"free", b"more"), True),
        (VIDEO + bytes(4) + b"free" + b"to the end", True),
        (VIDEO + LARGE + b"free" + (20).to_bytes(8, "big") + b"data", True),
        (VIDEO + LARGE + b"free" + (20).to_bytes(8, "big") + b"dat", False),
        (VIDEO + LARGE + b"free" + (12).to_bytes(8, "big"), False),
        (VIDEO + LARGE + b"free" + (2**63).to_bytes(8, "big"), False),
        (b"", False),
        (FTYP, False),
        (FTYP + box(b"mdat", bytes(100)), False),
        (FTYP + bytes(4) + b"mdat" + bytes(100), False),
        (FTYP + bytes(4) + b"moov" + VIDEO[32:], False),
        (movie(), False),
        # The file has about 1,200 bytes: samples in it, and samples behind it.
        (movie(table(sizes_of(100, 200), [1, 2], chunks_at(300))), True),
        (movie(table(sizes_of(100, 2000), [1, 2], chunks_at(300))), False),
        (movie(table(sizes_of(100, 200, 300), [1, 1, 2, 2], chunks_at(300, 400))), True),
        (movie(table(sizes_of(100, 200, 800), [1, 1, 2, 2], chunks_at(300, 400))), False),
        (movie(table(sizes_of(each=100, count=5), [1, 2], chunks_at(300, 400, 500))), True),
        (movie(table(sizes_of(each=100, count=5), [1, 2], chunks_at(300, 400, 5000))), False),
        (movie(table(sizes_of(10), [1, 1], far_chunks_at(300))), True),
        (movie(table(sizes_of(10), [1, 1], far_chunks_at(2**40))), False),
        # A track may be empty, but not all of them.
        (movie(table(sizes_of(10), [1, 1], chunks_at(300)), table(sizes_of(), [], chunks_at())), True),
        (movie(table(sizes_of(), [], chunks_at())), False),
        (movie(table(sizes_of(), [1, 1], chunks_at(300))), False),
        # Samples in no chunk, tables that are cut or missing, numbers that cannot be.
        (movie(table(sizes_of(10, 10), [1, 1], chunks_at(300))), False),
        (movie(table(sizes_of(10, 10), [2, 2], chunks_at(300))), False),
        (movie(table(sizes_of(10, count=5), [1, 5], chunks_at(300))), False),
        (movie(table(sizes_of(each=1, count=TWO_BILLION), [1, TWO_BILLION], chunks_at(300))), False),
        (movie(table(sizes_of(count=TWO_BILLION), [1, 1], chunks_at(300))), False),
        (movie(table(box(b"stsz"), [1, 1], chunks_at(300))), False),
        (movie(table(sizes_of(10), [1, 1], b"")), False),
        (movie(sizes_of(10) + chunks_at(300)), False),
    ],
)
def test_what_proves_that_a_video_is_complete(data: bytes, wanted: bool) -> None:
    """Its boxes end where it does, and every sample lies in it."""
    assert complete(data) is wanted


FRAGMENTED = FTYP + box(b"moov", box(b"mvex")) + box(b"moof") + box(b"mdat", bytes(9))


@pytest.mark.parametrize(
    ("end", "wanted"),
    [
        (box(b"mfra", box(b"tfra", bytes(9)), box(b"mfro", struct.pack(">2I", 0, 41))), True),
        (box(b"mfra", box(b"tfra", bytes(9)), box(b"mfro", struct.pack(">2I", 0, 40))), False),
        (box(b"mfra", box(b"mfro", struct.pack(">2I", 0, 24))) + box(b"free"), False),
        (box(b"mfra", box(b"tfra", bytes(9))), False),
        (box(b"mfra"), False),
        (box(b"sidx", bytes(40)), False),
        (b"", False),
    ],
)
def test_the_proof_that_fragments_are_complete(end: bytes, wanted: bool) -> None:
    """The last box of a muxer, which ends with its own length."""
    assert complete(FRAGMENTED + end) is wanted


@settings(max_examples=200, deadline=None)
@given(at=st.integers(24, 180), value=st.binary(min_size=1, max_size=8))
def test_a_broken_structure_is_read_to_an_end(at: int, value: bytes) -> None:
    """Any bytes may be in the boxes."""
    data = VIDEO[:at] + value + VIDEO[at + len(value) :]
    assert complete(data) in (True, False)


@pytest.mark.parametrize(
    "data",
    [
        FTYP + box(b"free") * 3_000_000,
        FTYP + box(b"moov", box(b"free") * 3_000_000),
        FTYP + box(b"moov", box(b"free", bytes(30_000_000))),
        FTYP + b"\0\0\0\0moof" * 10,
    ],
    ids=["boxes", "boxes in moov", "a large moov", "without a length"],
)
def test_reading_the_structure_is_bounded(data: bytes) -> None:
    """In time and in memory, for any video."""
    file = io.BytesIO(data)
    began = time.monotonic()
    tracemalloc.start()
    try:
        assert not is_complete(file, len(data))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 5
    assert peak_bytes < 40_000_000


@pytest.mark.parametrize(
    ("data", "framing"),
    [
        (FTYP, {}),
        (VIDEO[: VIDEO.index(b"mdat") - 4], {}),
        (FRAGMENTED, {}),
        (FTYP + bytes(4) + b"mdat" + bytes(100), {}),
        (FRAGMENTED, {"Transfer_Encoding": "chunked"}),
    ],
    ids=["ftyp alone", "ftyp and moov", "between fragments", "mdat to the end", "in chunks that end well"],
)
def test_a_video_that_proves_nothing_is_interrupted(
    hook: TwinSyncHook,
    serve: Callable[..., Server],
    tmp_path: Path,
    sleeps: list[float],
    data: bytes,
    framing: dict[str, str],
) -> None:
    """Without a promised length: a retry may bring all of it, and nothing is stored meanwhile."""
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data) if framing else data
    server = serve(lambda _: [answer(200, body, Content_Type="video/mp4", **framing)])
    with pytest.raises(DownloadInterruptedError, match=rf"TS515 .*{len(data)} of an unknown number"):
        hook.download(server.url, tmp_path / "video.mp4")
    assert list(tmp_path.iterdir()) == []
