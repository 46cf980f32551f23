"""The check of the emulator's videos: each defect is found, and no good video is refused."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from PIL import Image, ImageFilter
from support.scenes import Scene, film
from support.submits import INPUTS

from airflow_provider_twinsync._content.finished.checking import check_video
from airflow_provider_twinsync._content.finished.video_check import VideoCheck
from airflow_provider_twinsync._content.joined.join import join
from airflow_provider_twinsync.emulator.faults import DEFECTS, FAULTS
from airflow_provider_twinsync.emulator.video import render
from airflow_provider_twinsync.exceptions import VideoRejectedError
from airflow_provider_twinsync.text import count_words

TEXTS = [
    line.split("\t")
    for line in (Path(__file__).parents[1] / "data" / "texts.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
JENNY = "en-US-JennyNeural"
CHOICE = random.Random(15)


@pytest.mark.parametrize("text", ["Yes.", "Good morning. Here is the news of the day, and of the night."])
def test_each_defect_is_found(emulator, hook, tmp_path, text):
    """Over a socket, as a task gets it; the number that is wrong is the reason."""
    reasons = {}
    for defect in DEFECTS:
        emulator.world.faults.add("submit", FAULTS[defect]())
        job = hook.submit(text=text, image_url=INPUTS["image_url"], pronouncer=JENNY)
        path = tmp_path / f"{defect}.mp4"
        hook.download(hook.get_job(job).result_url, path, twinsync_task_id=job)
        with pytest.raises(VideoRejectedError) as caught:
            check_video(path, VideoCheck(), words=count_words(text), pronouncer=JENNY)
        reasons[defect] = caught.value
    assert [error.code for error in reasons.values()] == ["TS530"] * 4 + ["TS531"]
    for defect, words in {
        "silent_video": "silent from start to end",
        "black_video": "black from start to end",
        "frozen_video": "frozen for ",
        "short_video": "it lasts ",
    }.items():
        assert words in str(reasons[defect])


def photo(kind: str) -> bytes | None:
    """Return a photo as JPEG: a light one, one at night, or one without any structure."""
    if kind == "placeholder":
        return None
    noise = Image.effect_noise((300, 400), 80).filter(ImageFilter.GaussianBlur(2)).convert("RGB")
    image = {
        "light": noise,
        "night": noise.point(lambda level: level // 8),
        "black": Image.new("RGB", (300, 400)),
    }[kind]
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (number, ("placeholder", "light", "night", "black")[place % 4])
        for place, number in enumerate(CHOICE.sample(range(len(TEXTS)), 14))
    ],
)
def test_a_good_video_passes(tmp_path, number, kind):
    """Of each script; `benchmarks/bench_check.py` has 500."""
    name, _, text = TEXTS[number]
    text = text[:40]
    pronouncer = f"{name.partition('-')[0]}-XX-SomeNeural"
    path = tmp_path / "a.mp4"
    path.write_bytes(render(text=text, pronouncer=pronouncer, photo=photo(kind), should_stop=lambda: False))
    checks = check_video(path, VideoCheck(), words=count_words(text), pronouncer=pronouncer)
    assert checks["longest_black_s"] == 0


@pytest.mark.parametrize("second", [JENNY, "other size"])
def test_a_joined_video_passes(tmp_path, second):
    """Copied, or encoded again."""
    parts = []
    for number, text in enumerate(("The first part of a talk.", "And a second one, which is longer.")):
        parts.append(tmp_path / f"{number}.mp4")
        parts[-1].write_bytes(render(text=text, pronouncer=JENNY, photo=None, should_stop=lambda: False))
    if second == "other size":
        film(parts[1], [Scene(3)])
    join(parts, tmp_path / "joined.mp4")
    check_video(tmp_path / "joined.mp4", VideoCheck(), words=13, pronouncer=JENNY)
