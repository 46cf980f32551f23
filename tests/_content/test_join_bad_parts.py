"""Parts that cannot be joined: one error each, and nothing of the joined video is left."""

from __future__ import annotations

import random
import resource
import sys
from contextlib import suppress

import av
import pytest
from support.films import RATE, SIZE, make

from airflow_provider_twinsync._content.joined.join import join
from airflow_provider_twinsync.exceptions import (
    DownloadInterruptedError,
    DownloadRefusedError,
    TwinSyncError,
    UsageError,
)


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


BROKEN = {
    "cut": cut,
    "empty": lambda _: b"",
    "text": lambda _: b"No video\n" * 99,
    "a list of other files": lambda _: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
    "the head alone": lambda data: data[:2000],
    "noise": lambda data: data[: len(data) // 3] + b"\xa5" * (len(data) - len(data) // 3),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("odd", [{}, {"size": (64, 64)}], ids=["to copy", "to encode"])
def test_a_part_that_is_no_video_is_named(tmp_path, broken, odd):
    """And nothing is left of the joined video, not even the earlier one."""
    parts = [make(tmp_path / f"{number}.mp4", **(odd if number else {})) for number in range(3)]
    parts[2].write_bytes(broken(parts[2].read_bytes()))
    joined = tmp_path / "joined.mp4"
    if broken is BROKEN["noise"] and not odd:
        join(parts, joined)  # a copy decodes nothing
        return
    with pytest.raises(DownloadRefusedError, match="Part 3 ") as caught:
        join(parts, joined)
    assert caught.value.code == "TS526"
    assert not joined.exists()


def test_sound_alone_is_no_part(tmp_path):
    """A person wants to see somebody."""
    parts = [make(tmp_path / "a.mp4"), tmp_path / "b.mp4"]
    with av.open(str(parts[1]), "w") as container:
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
        frame.sample_rate = RATE
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
    with pytest.raises(DownloadRefusedError, match="Part 2 "):
        join(parts, tmp_path / "joined.mp4")


@pytest.mark.parametrize("size", [SIZE, (64, 64)], ids=["to copy", "to encode"])
def test_a_part_of_years_is_refused(tmp_path, size):
    """A wrong time in a part would fill the disk with silence."""
    parts = [make(tmp_path / "a.mp4"), make(tmp_path / "b.mp4", size=size, times=[0, 0.1, 90_000], sound_s=1)]
    with pytest.raises(DownloadRefusedError, match="Part 2 ") as caught:
        join(parts, tmp_path / "joined.mp4")
    assert caught.value.code == "TS526"


def test_a_missing_part_is_an_error_to_retry(tmp_path):
    """Somebody cleaned the temporary folder."""
    with pytest.raises(DownloadInterruptedError, match="Part 2 ") as caught:
        join([make(tmp_path / "a.mp4"), tmp_path / "b.mp4"], tmp_path / "joined.mp4")
    assert caught.value.code == "TS527"


@pytest.mark.parametrize("again", [False, True], ids=["copied", "encoded again"])
@pytest.mark.parametrize("room", [0, 600, 9_000])
def test_a_full_disk_is_an_error_to_retry(tmp_path, again, room):
    """Nothing is left."""
    parts = [make(tmp_path / f"{n}.mp4", count=60, size=(64, 64) if again and n else SIZE) for n in range(5)]
    joined = tmp_path / "joined.mp4"
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    try:
        with pytest.raises(DownloadInterruptedError) as caught:
            join(parts, joined)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert caught.value.code == "TS520"
    assert not joined.exists()


def test_a_folder_that_is_gone_is_an_error_to_retry(tmp_path):
    """As for a download."""
    with pytest.raises(DownloadInterruptedError) as caught:
        join([make(tmp_path / "a.mp4")], tmp_path / "gone" / "joined.mp4")
    assert caught.value.code == "TS520"


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    """The library is an extra."""
    for name in [name for name in sys.modules if "._content." in name or name.split(".")[0] == "av"]:
        if not name.endswith((".join", ".extra")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"airflow-provider-twinsync\[content\]") as caught:
        join([tmp_path / "a.mp4"], tmp_path / "joined.mp4")
    assert caught.value.code == "TS140"


def test_damaged_bytes_are_a_video_or_an_error_of_this_package(tmp_path):
    """Errors of the library do not pass."""
    dice = random.Random(14)
    good, bad = make(tmp_path / "a.mp4", b_frames=2), tmp_path / "bad.mp4"
    whole = good.read_bytes()
    end_of_index = whole.index(b"mdat")
    for turn in range(150):
        broken = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            broken[dice.randrange(24, end_of_index if turn % 3 else len(broken))] = dice.randrange(256)
        bad.write_bytes(broken)
        with suppress(TwinSyncError):
            join([good, bad], tmp_path / "joined.mp4")
