"""The example DAGs of the one-operator form, run by `dag.test()`, to a video that plays."""

from __future__ import annotations

import av
import pytest
from support.buckets import BUCKET, photo_bucket
from support.dags import load, module
from support.environment import CHECKOUT
from support.example_runs import is_whole, links, xcoms

from airflow_provider_twinsync.emulator.faults import FailJob
from airflow_provider_twinsync.emulator.speech import duration_s, syllables
from airflow_provider_twinsync.text import count_words

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_jobs")]


def plays(video: dict) -> bool:
    """Decode each picture and sample of a video, and compare its length with the XCom."""
    with av.open(video["path"]) as container:
        pictures = sum(1 for _ in container.decode(video=0))
        length_s = pictures / float(container.streams.video[0].average_rate)
    with av.open(video["path"]) as container:
        heard_s = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    return is_whole(video) and {round(length_s), round(heard_s)} == {round(video["duration_s"])}


def test_the_main_example_makes_a_video(emulator, tmp_path):
    """One task, one POST; its link leads to the video."""
    path = tmp_path / "out" / "video.mp4"
    run = load("talking_photo").test(run_conf={"destination": str(path)})
    assert run.state == "success"
    [(name, job)] = emulator.world.tasks.items()
    [video] = xcoms(run, "video")
    assert (video["path"], video["parts"], video["twinsync_task_ids"]) == (str(path), 1, [name])
    assert plays(video)
    assert [entry.call for entry in emulator.world.journal].count("submit") == 1
    assert job.text == "你好，我是会说话的照片数字人"
    assert links(run, "video") == [f"{emulator.url}/example/{name}.mp4"]


def test_the_long_talk_is_one_video(emulator, tmp_path):
    """Of 600 words in a file beside the DAG, nothing is lost."""
    run = load("long_talk").test(run_conf={"destination": str(tmp_path / "talk.mp4")})
    assert run.state == "success"
    talk = (CHECKOUT / "example_dags" / "talk.txt").read_text(encoding="utf-8")
    assert count_words(talk) == 600
    [video] = xcoms(run, "talk")
    jobs = [emulator.world.tasks[name] for name in video["twinsync_task_ids"]]
    assert "".join(job.text for job in jobs).split() == talk.split()
    assert video["parts"] == len(jobs) == len(emulator.world.tasks) > 3
    spoken_s = sum(duration_s(syllables(job.text)) for job in jobs)
    assert video["duration_s"] == pytest.approx(spoken_s, abs=1)
    assert spoken_s > 600 / 2.5
    assert plays(video)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mp4"]


def test_the_course_has_a_video_for_each_language(emulator, tmp_path):
    """Spoken by a voice of that language, in a file with its name."""
    run = load("course").test(run_conf={"folder": str(tmp_path)})
    assert run.state == "success"
    videos = xcoms(run, "video")
    made = {}
    for video in videos:
        [name] = video["twinsync_task_ids"]
        made[video["path"]] = (emulator.world.tasks[name].pronouncer, emulator.world.tasks[name].text)
    lessons = module("course").LESSON
    assert len(lessons) == 5
    assert made == {f"{tmp_path}/lesson-1-{language}.mp4": row for language, row in lessons.items()}
    assert all(voice.startswith(f"{language}-") for language, (voice, _) in lessons.items())
    assert all(map(plays, videos))


def test_a_language_that_fails_delays_no_other(emulator, tmp_path):
    """Four of the five files are there."""
    emulator.world.faults.add("submit", FailJob())
    run = load("course").test(run_conf={"folder": str(tmp_path)})
    assert run.state == "failed"
    states = sorted(ti.state for ti in run.get_task_instances() if ti.task_id == "video")
    assert states == ["failed", *4 * ["success"]]
    assert len(list(tmp_path.iterdir())) == 4


def test_every_morning_has_its_text_and_its_file(emulator, tmp_path, moto_port):
    """Both have the date of the run; the photo is in a bucket, and one run makes one job."""
    photo = (CHECKOUT / "example_dags" / "portrait.jpg").read_bytes()
    with photo_bucket(moto_port, "morning_example") as bucket:
        bucket.put_object(Bucket=BUCKET, Key="anna.jpg", Body=photo)
        conf = {"photo": f"s3://morning_example@{BUCKET}/anna.jpg", "folder": str(tmp_path)}
        run = load("every_morning").test(run_conf=conf)
    assert run.state == "success"
    morning = run.data_interval_end
    [job] = emulator.world.tasks.values()
    assert xcoms(run, "news") == [job.text] == [f"Good morning! It is {morning:%A, %d %B}."]
    assert job.image_url.startswith(f"http://127.0.0.1:{moto_port}/{BUCKET}/anna.jpg?X-Amz-")
    [video] = xcoms(run, "video")
    assert video["path"] == f"{tmp_path}/{morning:%Y-%m-%d}.mp4"
    assert plays(video)
