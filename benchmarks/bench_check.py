"""Measure the check of a video: the good videos that it refuses, and its CPU time.

The emulator renders videos of texts of all scripts, each with a voice and a photo: the placeholder, a light
one, one at night, or a grey one. The check must pass all of them. The target is at most 0.1 CPU seconds for a
second of video.

A portrait video of 720x1280 at 25 pictures a second, with stereo sound at 48 kHz, is the emulator's, made
larger; ``grain`` has a noise in each picture as well, as a camera has, and so four times the bytes.

    python benchmarks/bench_check.py [--videos 500] [--seed 1]
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import av
from av.filter import Graph
from av.video.frame import PictureType
from PIL import Image, ImageFilter

from airflow_provider_twinsync._content.finished.checking import check_video
from airflow_provider_twinsync._content.finished.video_check import VideoCheck
from airflow_provider_twinsync.emulator.video import render
from airflow_provider_twinsync.exceptions import VideoRejectedError
from airflow_provider_twinsync.text import count_words, split_text
from airflow_provider_twinsync.voices import voices

TARGET_S = 0.1
TEXTS = [
    line.split("\t")[2]
    for line in (Path(__file__).parents[1] / "tests" / "data" / "texts.tsv").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
LONG = " ".join(["A talk has many sentences, and each of them is spoken slowly."] * 7)


def a_photo(chance: random.Random) -> bytes | None:
    """Return a photo as JPEG, or None for the placeholder."""
    kind = chance.choice(["placeholder", "light", "night", "grey"])
    if kind == "placeholder":
        return None
    size = chance.randrange(200, 900), chance.randrange(200, 900)
    if kind == "grey":
        image = Image.new("RGB", size, (chance.randrange(256),) * 3)
    else:
        image = Image.effect_noise(size, 90).filter(ImageFilter.GaussianBlur(2)).convert("RGB")
        if kind == "night":
            image = image.point(lambda level: level // 8)
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def a_text(chance: random.Random) -> str:
    """Return one to four texts, or a part of one, within the limit of a job."""
    text = " ".join(chance.sample(TEXTS, chance.choice([1, 1, 2, 4])))
    if chance.random() < 0.5:
        text = text[: chance.randrange(12, 120)]
    return text if count_words(text) <= 150 else split_text(text)[0]


def checked(path: Path, words: int, pronouncer: str) -> tuple[float, float, str]:
    """Return the length of a video, the CPU time of its check, and the reason of a refusal."""
    began_s, problem = time.process_time(), ""
    try:
        checks = check_video(path, VideoCheck(), words=words, pronouncer=pronouncer)
    except VideoRejectedError as error:
        checks, problem = error.checks, str(error)
    return checks.get("length_s", 0.0), time.process_time() - began_s, problem


def enlarge(source: Path, path: Path, noise: str) -> None:
    """Write a video again, of 720x1280 at 25 pictures a second."""
    with av.open(str(source)) as part, av.open(str(path), "w") as out:
        graph = Graph()
        links = [
            graph.add_buffer(template=part.streams.video[0]),
            graph.add("scale", "720:1280"),
            graph.add("fps", "25"),
            graph.add("noise", noise),
            graph.add("buffersink"),
        ]
        for one, following in pairwise(links):
            one.link_to(following)
        graph.configure()
        video = out.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "21"})
        video.width, video.height, video.pix_fmt = 720, 1280, "yuv420p"
        audio = out.add_stream("aac", rate=48_000, layout="stereo")
        resampler = av.AudioResampler("fltp", "stereo", 48_000)
        for frame in part.decode(video=0, audio=0):
            if isinstance(frame, av.AudioFrame):
                for resampled in resampler.resample(frame):
                    out.mux(audio.encode(resampled))
                continue
            links[0].push(frame)
            while True:
                try:
                    picture = graph.pull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    break
                picture.pict_type = PictureType.NONE
                out.mux(video.encode(picture))
        out.mux(video.encode())
        out.mux(audio.encode())


def main() -> int:
    """Run the benchmark; return 1 if a good video is refused, or the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    names = [voice.name for voice in voices()]
    refusals, lengths_s, cpu_s, worst = 0, 0.0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mp4")
        for number in range(options.videos):
            text, pronouncer = a_text(chance), chance.choice(names)
            photo = a_photo(chance)
            path.write_bytes(render(text=text, pronouncer=pronouncer, photo=photo, should_stop=lambda: False))
            length_s, took_s, problem = checked(path, count_words(text), pronouncer)
            lengths_s, cpu_s, worst = lengths_s + length_s, cpu_s + took_s, max(worst, took_s / length_s)
            if problem:
                refusals += 1
                print(f"{number}: {pronouncer}, {text!r}: {problem}", flush=True)
        mean = cpu_s / lengths_s
        print(
            f"{options.videos} videos of {lengths_s:,.0f} s: {refusals} refused; {mean:.4f} CPU s a second "
            f"of video, {worst:.4f} at most (target {TARGET_S})"
        )
        path.write_bytes(
            render(text=LONG, pronouncer="en-US-JennyNeural", photo=None, should_stop=lambda: False)
        )
        for name, noise in (("720x1280", "alls=12"), ("720x1280, grain", "alls=6:allf=t")):
            large = Path(folder, "large.mp4")
            enlarge(path, large, noise)
            length_s, took_s, problem = min(
                (checked(large, count_words(LONG), "en-US-JennyNeural") for _ in range(3)),
                key=lambda one: one[1],
            )
            megabits = large.stat().st_size * 8 / length_s / 1e6
            print(f"{name}, {megabits:.1f} Mbit/s: {took_s / length_s:.4f} CPU s a second of video {problem}")
    return 1 if refusals or mean > TARGET_S else 0


if __name__ == "__main__":
    sys.exit(main())
