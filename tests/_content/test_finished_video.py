"""The files beside a video: their names, and their order."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scenes import Scene, film

from airflow_provider_twinsync._content.files import beside
from airflow_provider_twinsync._content.finished.finished_video import store_finished
from airflow_provider_twinsync._content.finished.options import Finishing, Script
from airflow_provider_twinsync.exceptions import DownloadRefusedError
from airflow_provider_twinsync.text import count_words

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = Script(["One two three."], 3, "en-US-JennyNeural")


def without_pictures(path: Path) -> Path:
    """Damage the pictures of a video, and not its sound."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for start, size in places:
        data[start : start + size] = bytes(size)
    path.write_bytes(data)
    return path


def test_a_step_that_fails_leaves_nothing_beside_an_earlier_video(tmp_path):
    """Its captions would be of another text."""
    bad = without_pictures(film(tmp_path / "bad.mp4", [Scene(2.0)]))
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(b"the video of yesterday")

    def fetch(url: str, target: Path, *, twinsync_task_id: str) -> None:
        shutil.copy(bad, target)

    options = Finishing.of(captions=("srt", "vtt", "mov_text"), poster=True)
    with pytest.raises(DownloadRefusedError):
        store_finished(fetch, [("1", "")], videos / "a.mp4", options, SCRIPT, logging.getLogger())
    assert [path.name for path in videos.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("text", [f"https://example.com/{'a1b2' * 20}", "3141592653" * 5])
def test_a_voice_spells_a_number_and_an_address(tmp_path, text):
    """They are one word that takes long."""
    good = film(tmp_path / "good.mp4", [Scene(25.0)])

    def fetch(url: str, target: Path, *, twinsync_task_id: str) -> None:
        shutil.copy(good, target)

    script = Script([text], count_words(text), "en-US-JennyNeural")
    options = Finishing.of(captions=("srt",), check=True)
    made = store_finished(fetch, [("1", "")], tmp_path / "a.mp4", options, script, logging.getLogger())
    assert made["checks"]["length_s"] == pytest.approx(25, abs=0.2)


NAMES = st.lists(st.sampled_from(["v1", ".1", ".2", ".jpg", ".srt", ".mp4"]), min_size=1, max_size=3)


@given(st.lists(NAMES.map("".join), min_size=2, max_size=2, unique=True))
def test_no_file_beside_a_video_is_of_another_one(names):
    """Such as `v1.1` and `v1.2`; only `a` and `a.mp4` share theirs."""
    one, other = names
    files = {beside(f"/videos/{one}", suffix) for suffix in (".srt", ".jpg")}
    assert f"/videos/{one}" not in files
    if {one, other} != {f"{one}.mp4", one} and {one, other} != {f"{other}.mp4", other}:
        assert files.isdisjoint(beside(f"/videos/{other}", suffix) for suffix in (".srt", ".jpg"))


@pytest.mark.parametrize("name", ["v1.1", "a.jpg", "a.mov", ".mp4", "a.", "talk"])
def test_another_ending_than_mp4_stays(name):
    assert beside(f"s3://videos/2026.11/{name}", ".jpg") == f"s3://videos/2026.11/{name}.jpg"
