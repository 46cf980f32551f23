"""Files that are no good video, and limits that are no limits."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.films import make
from support.scenes import Scene, film

from airflow_provider_twinsync._content.finished.checking import check_video
from airflow_provider_twinsync._content.finished.video_check import VideoCheck
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, UsageError, VideoRejectedError


def refused(path):
    with pytest.raises(VideoRejectedError) as caught:
        check_video(path, VideoCheck(), words=None, pronouncer=None)
    return caught.value


def noise(data):
    start = data.index(b"mdat") + 4
    return data[:start] + random.Random(7).randbytes(len(data) - start)


def some_noise(data):
    at = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    return data[:at] + random.Random(7).randbytes(300) + data[at + 300 :]


@pytest.mark.parametrize(
    "broken",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: random.Random(7).randbytes(5000),
        noise,
        some_noise,
    ],
    ids=["empty", "cut", "noise alone", "noise in it", "some noise in it"],
)
def test_a_file_that_cannot_be_decoded_is_refused(tmp_path, broken):
    """It is no part of a text, so no message counts it; and no number of it is known."""
    path = film(tmp_path / "a.mp4", [Scene(2)])
    path.write_bytes(broken(path.read_bytes()))
    error = refused(path)
    assert error.code == "TS531"
    assert "Part" not in str(error)
    assert error.checks == {}


def test_damaged_bytes_are_a_video_or_an_error_of_this_package(tmp_path):
    """Anywhere in the file, in its index too; no error of a library comes out."""
    path = film(tmp_path / "a.mp4", [Scene(1)])
    whole, outcomes = path.read_bytes(), set()
    for seed in range(60):
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(chance.choice([1, 5, 40])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            check_video(path, VideoCheck(), words=None, pronouncer=None)
            outcomes.add("")
        except VideoRejectedError as error:
            outcomes.add(error.code)
    assert {"", "TS531"} <= outcomes <= {"", "TS530", "TS531"}


def test_pictures_and_sound_of_noise_are_a_good_video(tmp_path):
    """The check does not know what a person is."""
    path = film(tmp_path / "a.mp4", [Scene(3)], contrast=200, mouth=(96, 128), options={"crf": "18"})
    assert check_video(path, VideoCheck(), words=None, pronouncer=None)["length_s"] > 2.9


@pytest.mark.parametrize(
    "times", [[0, 0.1, 90_000], [i / 5000 for i in range(2000)]], ids=["years", "a flood"]
)
def test_a_video_of_odd_times_is_refused(tmp_path, times):
    """A decoder would work for hours."""
    assert refused(make(tmp_path / "a.mp4", times=times, sound_s=1)).code == "TS531"


def test_a_file_that_cannot_be_read_is_to_retry(tmp_path):
    """The video may be good."""
    with pytest.raises(DownloadInterruptedError) as caught:
        check_video(tmp_path / "a.mp4", VideoCheck(), words=None, pronouncer=None)
    assert caught.value.code == "TS532"
    assert caught.value.retryable
    assert "Part" not in str(caught.value)


# --------------------------------------------------------------------------------------------- the limits

NAMES = ["max_black_s", "max_frozen_s", "max_silent_s", "max_end_gap_s"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-1, -0.1, float("nan"), float("inf"), True, None, "2", [2]])
def test_a_limit_is_a_finite_number(name, value):
    """The message names it."""
    with pytest.raises(UsageError, match=name) as caught:
        VideoCheck(**{name: value})
    assert caught.value.code == "TS190"


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_keep_rejected_is_a_bool(value):
    """``"false"`` of a sheet would be true."""
    with pytest.raises(ValueError, match="TS190 keep_rejected"):
        VideoCheck(keep_rejected=value)


@given(st.builds(VideoCheck, *[st.floats(0, 1e9) for _ in NAMES], st.booleans()))
def test_the_limits_have_a_repr_that_makes_them(limits):
    """A log and a rendered argument show it."""
    assert eval(repr(limits)) == limits
    assert hash(limits) == hash(eval(repr(limits)))
