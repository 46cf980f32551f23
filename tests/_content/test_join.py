"""Parts become one video: no picture lost, no seam but a pause, sound and pictures together."""

from __future__ import annotations

from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest
from support.films import FLASH_S, FRAMES_PER_S, RATE, SIZE, make, packets, watch

from airflow_provider_twinsync._content.joined.join import join
from airflow_provider_twinsync.emulator.video import render

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The issue's limits: of a seam, and between sound and pictures.
GAP_S, DRIFT_S = 0.3, 0.04
#: A copied part begins at a packet of sound, behind a silent one.
PACKET_S = 1024 / RATE
TEXTS = ("The first part of a talk.", "And a second one, which is longer.", "Third.", "The end is near, now.")


def length_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return container.duration / av.time_base


def last_packet_ends_s(path: Path) -> float:
    """Of the sound; FFmpeg 7 does not know of each last packet that it is a short one."""
    with av.open(str(path)) as container:
        *_, last = (packet for packet in container.demux(audio=0) if packet.size)
    return float((last.pts + last.duration) * last.time_base)


def check_together(joined: Path, parts: int) -> None:
    """Every flash has its click, and the last ones are as close as the first."""
    film = watch(joined)
    flashes, clicks = film.flashes(), film.clicks()
    assert len(flashes) == len(clicks) == parts
    assert max(abs(flash - click) for flash, click in zip(flashes, clicks, strict=True)) < DRIFT_S / 2


def difference(found: Sequence[float], wanted: Sequence[float]) -> float:
    assert len(found) >= len(wanted) - 1
    return max(abs(one - other) for one, other in zip(found, wanted, strict=False))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Twenty videos of the emulator, of four lengths."""
    folder = tmp_path_factory.mktemp("rendered")
    for number, text in enumerate(TEXTS):
        data = render(text=text, pronouncer="en-US-JennyNeural", photo=None, should_stop=lambda: False)
        Path(folder, f"{number}.mp4").write_bytes(data)
    return [folder / f"{number % 4}.mp4" for number in range(20)]


def test_twenty_videos_of_the_emulator_are_copied(rendered, tmp_path):
    """Each packet is there, byte for byte, and a part's sound is as far from its pictures as it was."""
    joined = tmp_path / "joined.mp4"
    result = join(rendered, joined)
    assert result.reencoded == ""
    for kind in ("video", "audio"):
        assert packets(joined, kind) == [packet for part in rendered for packet in packets(part, kind)]
    assert result.duration_s == pytest.approx(length_s(joined), abs=0.001)
    whole = sum(length_s(part) for part in rendered)
    assert whole - 0.05 < result.duration_s < whole + 19 * 2 * PACKET_S
    film = watch(joined)
    assert film.longest_picture_s - 1 / FRAMES_PER_S < GAP_S
    assert abs(film.heard_s - film.times[-1] - 1 / FRAMES_PER_S) < DRIFT_S + PACKET_S
    seen = heard = 0
    for part, begins_s in zip(rendered, result.starts_s, strict=True):
        alone = watch(part)
        start_s = film.times[seen]
        assert begins_s == pytest.approx(start_s, abs=0.001)
        moved = [time - start_s for time in film.times[seen : seen + len(alone.times)]]
        assert moved == pytest.approx(alone.times, abs=0.001)
        # The same samples, where the part begins: the decoder's state of the part before is gone.
        at = round((start_s - film.heard_from_s) * RATE)
        assert 0 <= at - heard <= 2 * PACKET_S * RATE
        wanted = alone.heard[: round(length_s(part) * RATE)]
        # One sample more or less: the times of pictures have another unit. AAC has noise in it.
        assert min(difference(film.heard[at + by :], wanted) for by in (-1, 0, 1) if at + by >= 0) < 0.003
        seen, heard = seen + len(alone.times), at + len(wanted)
    assert seen == len(film.times)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"sound_s": 0.7},
        {"sound_s": 1.25},
        {"delay_s": 0.2},
        {"b_frames": 2},
        {"rate": 44_100, "layout": "stereo"},
        {"times": [0.0, 0.04, 0.3, 0.5, 0.55, 0.9, 1.31]},
    ],
    ids=str,
)
@pytest.mark.parametrize("again", [False, True], ids=["copied", "encoded again"])
def test_sound_and_pictures_stay_together_over_twenty_parts(tmp_path, odd, again):
    """Sound that is shorter, longer or later than the pictures; pictures of other orders and rates."""
    parts = [make(tmp_path / "part.mp4", **odd)] * 19
    parts.append(make(tmp_path / "last.mp4", **odd | ({"size": (96, 96)} if again else {})))
    joined = tmp_path / "joined.mp4"
    result = join(parts, joined)
    assert bool(result.reencoded) is again
    check_together(joined, 20)
    alone = watch(parts[0])
    film = watch(joined)
    last_picture_s = max(alone.longest_picture_s, length_s(parts[0]) - alone.times[-1])
    assert film.longest_picture_s - last_picture_s < GAP_S
    assert film.numbers == alone.numbers * 20
    for number in range(20):
        times = film.times[number * len(alone.times) : (number + 1) * len(alone.times)]
        assert [time - times[0] for time in times] == pytest.approx(alone.times, abs=0.002)
        assert result.starts_s[number] == pytest.approx(times[0] - alone.times[0], abs=0.002)
    with av.open(str(joined)) as container:
        stream = container.streams.video[0]
        shown_s = float(stream.duration * stream.time_base)
    assert shown_s - film.times[-1] > 1 / FRAMES_PER_S - 0.002
    one_s = max(length_s(parts[0]), last_packet_ends_s(parts[0]))
    packet_s = 1024 / alone.rate
    assert 20 * one_s - 0.1 < result.duration_s < 20 * one_s + (0.1 if again else 19 * 2 * packet_s)


OTHERS = {
    "size": {"size": (64, 96)},
    "frames": {"frames_per_s": 25, "count": 25},
    "codec": {"codec": "mpeg4"},
    "pixels": {"pix_fmt": "yuv444p"},
    "sample rate": {"rate": 24_000},
    "channels": {"layout": "stereo"},
    "sound in": {"audio_codec": "mp3"},
    "no sound": {"rate": None},
}


@pytest.mark.parametrize("odd", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("place", [0, 1])
def test_parts_that_differ_are_encoded_again_as_the_first(tmp_path, odd, place):
    """The result names the part, has the first one's size, and every picture of all parts."""
    parts = [make(tmp_path / f"{number}.mp4", first=number * 40) for number in range(3)]
    make(parts[place], first=40 * place, **odd)
    result = join(parts, joined := tmp_path / "joined.mp4")
    assert "part 2 " in result.reencoded or place == 0
    film = watch(joined)
    assert film.numbers == [number for part in parts for number in watch(part).numbers]
    starts = list(accumulate((length_s(part) for part in parts), initial=0.0))
    assert film.flashes() == pytest.approx([start + FLASH_S for start in starts[:3]], abs=DRIFT_S)
    assert result.duration_s == pytest.approx(starts[3], abs=0.1)
    silent = odd.get("rate", RATE) is None
    with_sound = [
        start + FLASH_S for number, start in enumerate(starts[:3]) if not (silent and number == place)
    ]
    assert film.clicks() == pytest.approx(with_sound, abs=DRIFT_S)
    with av.open(str(joined)) as container, av.open(str(parts[0])) as first:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.audio[0].codec_context.name == "aac"
        assert container.streams.video[0].width == first.streams.video[0].width
        assert container.streams.video[0].height == first.streams.video[0].height


def test_a_picture_of_another_shape_is_complete_and_in_the_middle(tmp_path):
    """With black beside it, and not distorted."""
    parts = [make(tmp_path / "a.mp4"), make(tmp_path / "b.mp4", size=(48, 96))]
    join(parts, joined := tmp_path / "joined.mp4")
    with av.open(str(joined)) as container:
        *_, last = container.decode(video=0)
    plane = last.planes[0]
    row = bytes(plane)[plane.line_size * 48 :][: SIZE[0]]
    lit = [x for x, value in enumerate(row) if value > 35]
    assert (lit[0], lit[-1]) == (pytest.approx(40, abs=2), pytest.approx(87, abs=2))


def test_parts_without_sound(tmp_path):
    """They are copied too."""
    parts = [make(tmp_path / f"{number}.mp4", rate=None, first=12 * number) for number in range(3)]
    joined = tmp_path / "joined.mp4"
    assert join(parts, joined).reencoded == ""
    assert watch(joined).numbers == [number for part in parts for number in watch(part).numbers]
    assert length_s(joined) == pytest.approx(3.0, abs=0.001)
    with av.open(str(joined)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_times_of_decoding_rise_where_pictures_wait_for_later_ones(tmp_path):
    """Players stop at a time of decoding that goes back."""
    parts = [make(tmp_path / f"{number}.mp4", b_frames=2, count=5 + number) for number in range(4)]
    join(parts, joined := tmp_path / "joined.mp4")
    with av.open(str(joined)) as container:
        found = [(packet.dts, packet.pts) for packet in container.demux(video=0) if packet.size]
    assert all(before < after for (before, _), (after, _) in pairwise(found))
    assert all(dts <= pts for dts, pts in found)
    assert any(dts < pts for dts, pts in found)


def test_one_part_is_a_video_too(tmp_path):
    """And a file that was there is replaced."""
    part, joined = make(tmp_path / "a.mp4"), tmp_path / "joined.mp4"
    joined.write_bytes(b"old")
    assert join([part], joined).duration_s == pytest.approx(length_s(part), abs=0.001)
    assert watch(joined).seen == watch(part).seen
