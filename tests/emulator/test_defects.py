"""The faults that give a video a defect: silent, black, frozen, short, garbled."""

from __future__ import annotations

import io

import av
import pytest

from airflow_provider_twinsync.emulator import Emulator
from airflow_provider_twinsync.emulator.faults import DEFECTS, FAULTS

from .conftest import Client

TEXT = "All human beings are born free, and equal in dignity."


def decoded(data):
    """Return the pictures, as bytes of their brightness, and the loudest sample."""
    pictures, loudest = [], 0.0
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                pictures.append(bytes(frame.planes[0]))
            else:
                loudest = max(loudest, *memoryview(frame.planes[0]).cast("f")[: frame.samples])
    return pictures, loudest


def spread(pictures):
    """Return the largest change of a pixel, of each fifth pixel and each fourth picture."""
    first, *others = (picture[::5] for picture in pictures[::4])
    return max(max(map(abs, map(int.__sub__, one, first))) for one in others)


@pytest.fixture(scope="module")
def videos():
    """Return the video of each defect, and a good one of the same text."""
    with Emulator() as emulator:
        client = Client(emulator)
        jobs = {}
        for defect in (*DEFECTS, "good"):
            if defect != "good":
                added = client.control("POST", "faults", json={"call": "submit", "fault": defect})
                assert added.status_code < 300
            jobs[defect] = client.submit(text=TEXT, pronouncer="en-US-JennyNeural")
        assert [entry.fault for entry in emulator.world.journal] == [*DEFECTS, None]
        return {defect: client.video(job).content for defect, job in jobs.items()}


def test_a_good_video_of_the_same_text_is_another_one(videos):
    """The cache has a place for each."""
    assert len(set(videos.values())) == 6
    pictures, loudest = decoded(videos["good"])
    assert loudest > 0.1
    assert spread(pictures) > 100


def test_a_silent_video_has_pictures_alone(videos):
    """The stream of sound is there."""
    pictures, loudest = decoded(videos["silent_video"])
    good, _ = decoded(videos["good"])
    assert loudest < 0.001
    assert pictures == good


def test_a_black_video_has_sound_alone(videos):
    """Each picture is black, in the range of video."""
    pictures, loudest = decoded(videos["black_video"])
    assert {level for picture in pictures for level in picture} <= {15, 16, 17}
    assert loudest > 0.1


def test_a_frozen_video_stands_still(videos):
    """The sound continues; the encoder adds no more than a little noise."""
    pictures, loudest = decoded(videos["frozen_video"])
    assert spread(pictures) < 50
    assert loudest > 0.1


def test_a_short_video_has_a_twentieth(videos):
    """Of the pictures."""
    short, good = (len(decoded(videos[name])[0]) for name in ("short_video", "good"))
    assert short == good // 20


def test_a_garbled_video_cannot_be_decoded(videos):
    """It is as long as a good one, and has its index."""
    garbled, good = videos["garbled_video"], videos["good"]
    assert len(garbled) == len(good)
    assert garbled[: garbled.index(b"mdat")] == good[: good.index(b"mdat")]
    with pytest.raises(av.error.InvalidDataError):
        decoded(garbled)


def test_a_frozen_video_is_long_enough_to_be_seen():
    """Also that of one word; and it is no quieter at its end."""
    with Emulator() as emulator:
        emulator.world.faults.add("submit", FAULTS["frozen_video"]())
        client = Client(emulator)
        data = client.video(client.submit(text="Yes.")).content
    with av.open(io.BytesIO(data)) as container:
        levels = [
            (frame.time, max(memoryview(frame.planes[0]).cast("f")[: frame.samples]))
            for frame in container.decode(audio=0)
        ]
    assert 3.9 < levels[-1][0] < 4.1
    assert max(level for at_s, level in levels if at_s > 3) > 0.1


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_outlives_the_emulator(path, defect):
    """And only that of the job that has it."""
    with Emulator(state=path) as emulator:
        emulator.world.faults.add("submit", FAULTS[defect]())
        client = Client(emulator)
        jobs = [client.submit(), client.submit()]
    with Emulator(state=path) as emulator:
        assert [emulator.world.tasks[job].defect for job in jobs] == [defect, None]


@pytest.mark.parametrize("call", ["status", "result"])
def test_a_defect_is_of_a_submit(client, call):
    """As the job has it."""
    answer = client.control("POST", "faults", json={"call": call, "fault": "silent_video"})
    assert answer.status_code == 400
