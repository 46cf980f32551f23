"""The check of a video: each number is right, and a good video passes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.films import make
from support.scenes import TALK, Scene, film

from airflow_provider_twinsync._content.finished.checking import check_video
from airflow_provider_twinsync._content.finished.video_check import VideoCheck
from airflow_provider_twinsync.exceptions import (
    VideoRejectedError,
)

#: The time of a sound's packet, and of a picture.
NEAR_S = 0.15
LIMITS = VideoCheck()


def measured(path, limits=LIMITS, **text):
    """Return the numbers, of a good video or of a bad one, and the error."""
    text = {"words": None, "pronouncer": None, **text}
    try:
        return check_video(path, limits, **text), None
    except VideoRejectedError as error:
        return error.checks, error


BLACK = {"picture": "black"}
STILL = {"picture": "still"}
SILENT = {"level": None}


@pytest.mark.parametrize(
    ("number", "state"),
    [("longest_black_s", BLACK), ("longest_frozen_s", STILL), ("longest_silent_s", SILENT)],
)
@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize("lasts_s", [1.75, 2.25])
def test_a_state_over_its_limit_is_refused(tmp_path, number, state, place, lasts_s):
    """At each place of the video; with the number; and that alone."""
    scene = Scene(lasts_s, **state)
    scenes = {"start": [scene, TALK], "middle": [TALK, scene, TALK], "end": [TALK, scene]}[place]
    checks, error = measured(film(tmp_path / "a.mp4", scenes))
    assert checks[number] == pytest.approx(lasts_s, abs=NEAR_S)
    assert (error is not None) == (lasts_s > 2)
    if error:
        assert error.code == "TS530"
        assert not error.retryable
        assert f"{checks[number]:g} s (limit 2 s)" in str(error)
        # A black picture stands still as well.
        assert str(error).count("(limit") == (2 if state is BLACK else 1)


def test_the_message_has_each_failed_number(tmp_path):
    """And no other."""
    scenes = [TALK, Scene(4, picture="black", level=None)]
    checks, error = measured(film(tmp_path / "a.mp4", scenes, sound_s=4))
    assert error.code == "TS530"
    assert str(error).count("(limit") == 4  # black, frozen, silent, and the end of the sound
    for number in (value for name, value in checks.items() if name != "length_s"):
        assert f"{number:g} s" in str(error)
    assert json.loads(json.dumps(checks)) == checks


@settings(max_examples=8, deadline=None)
@given(
    scenes=st.lists(
        st.builds(
            Scene,
            lasts_s=st.integers(3, 12).map(lambda quarters: quarters / 4),
            picture=st.sampled_from(["moves", "still", "black"]),
            level=st.sampled_from([None, -20.0, -45.0, -60.0]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_numbers_are_those_of_the_longest_scenes(tmp_path_factory, scenes):
    """Whatever comes before and after."""
    scenes = [TALK, *scenes, TALK]
    checks, _ = measured(film(tmp_path_factory.mktemp("scenes") / "a.mp4", scenes))

    def longest(holds) -> float:
        run = best = 0.0
        for scene in scenes:
            run = run + scene.lasts_s if holds(scene) else 0.0
            best = max(best, run)
        return best

    assert checks["length_s"] == pytest.approx(sum(scene.lasts_s for scene in scenes), abs=NEAR_S)
    silent_s = longest(lambda scene: scene.level in (None, -60.0))
    assert checks["longest_silent_s"] == pytest.approx(silent_s, abs=NEAR_S)
    assert checks["longest_black_s"] == pytest.approx(longest(lambda s: s.picture == "black"), abs=NEAR_S)
    # A cut from a still picture to black is a movement; two still scenes have the same picture.
    still = [
        scene.lasts_s if scene.picture == "still" else 0.0
        for scene, before in zip(scenes, [None, *scenes], strict=False)
        if scene is not before
    ]
    assert (
        checks["longest_frozen_s"]
        >= max(longest(lambda s: s.picture == "still"), longest(lambda s: s.picture == "black"), *still)
        - NEAR_S
    )
    assert checks["longest_frozen_s"] <= longest(lambda s: s.picture != "moves") + 2 * NEAR_S


@pytest.mark.parametrize("crf", ["23", "30"])
@pytest.mark.parametrize(("mouth", "contrast"), [((12, 10), 60), ((60, 40), 9)])
@pytest.mark.parametrize("brightness", [35, 110])
def test_a_small_mouth_and_a_dark_photo_are_no_defect(tmp_path, crf, mouth, contrast, brightness):
    """A talking photo: a thousandth of the picture moves, or a dim part of it; and the photo may be dark."""
    path = film(
        tmp_path / "a.mp4",
        [Scene(4)],
        size=(352, 448),
        mouth=mouth,
        contrast=contrast if brightness > 100 else min(contrast, 12),
        brightness=brightness,
        options={"crf": crf},
    )
    checks, error = measured(path)
    assert error is None
    assert checks["longest_frozen_s"] < 1


@pytest.mark.parametrize(
    "options",
    [{"crf": "20"}, {"crf": "35"}, {"g": "250"}, {"tune": "zerolatency"}, {"g": "24", "b": "200000"}],
)
def test_the_noise_of_an_encoder_is_no_movement(tmp_path, options):
    """A key frame differs from the picture before it."""
    checks, error = measured(film(tmp_path / "a.mp4", [TALK, Scene(5, picture="still")], options=options))
    assert error.code == "TS530"
    assert checks["longest_frozen_s"] > 4.5


def test_a_picture_that_is_shown_for_long_stands_still(tmp_path):
    """Its time counts, and not the number of pictures: few pictures need no more."""
    times = [0.0, 0.1, 0.2, 3.0, 3.04, 3.08, 3.12, 6.0]
    checks, error = measured(make(tmp_path / "a.mp4", times=times))
    assert error.code == "TS530"
    assert checks["longest_frozen_s"] == pytest.approx(2.88, abs=0.01)


@pytest.mark.parametrize(
    ("audio_codec", "layout"),
    [("aac", "stereo"), ("flac", "mono"), ("alac", "stereo"), ("libmp3lame", "mono")],
)
def test_the_sound_of_any_codec_and_of_one_channel_is_heard(tmp_path, audio_codec, layout):
    """Of stereo, the first channel here is silent."""
    scenes = [TALK, Scene(2.5, level=None), TALK]
    checks, _ = measured(film(tmp_path / "a.mp4", scenes, audio_codec=audio_codec, layout=layout))
    assert checks["longest_silent_s"] == pytest.approx(2.5, abs=0.35)  # FLAC has packets of 0.3 s
    _, error = measured(film(tmp_path / "b.mp4", [Scene(4)], audio_codec=audio_codec, layout=layout))
    assert error is None


def test_a_video_without_sound_is_refused(tmp_path):
    """A person who does not speak is no video of a text."""
    checks, error = measured(film(tmp_path / "a.mp4", [Scene(1.5)], audio_codec=None))
    assert error.code == "TS530"
    assert "no stream of sound" in str(error)
    assert checks["longest_silent_s"] == checks["length_s"] == 1.5


@pytest.mark.parametrize("state", [BLACK, SILENT])
def test_a_short_video_that_is_all_black_or_silent_is_refused(tmp_path, state):
    """It is shorter than the limit. No limit lets it pass: nobody sees or hears anything."""
    path = film(tmp_path / "a.mp4", [Scene(1, **state)])
    for limits in (LIMITS, VideoCheck(max_black_s=1e9, max_silent_s=1e9, max_frozen_s=1e9)):
        _, error = measured(path, limits)
        assert error.code == "TS530"
        assert "from start to end" in str(error)


def test_a_text_of_symbols_may_be_silent(tmp_path):
    """A voice may pass over ``∑ ∫ √``, which has no word; but not for longer than the limit."""
    path = film(tmp_path / "a.mp4", [Scene(1, level=None)])
    assert measured(path, words=0, pronouncer="en-US-JennyNeural")[1] is None
    path = film(tmp_path / "a.mp4", [Scene(3, level=None)])
    assert measured(path, words=0, pronouncer="en-US-JennyNeural")[1].code == "TS530"


@pytest.mark.parametrize(
    ("state", "off"),
    [
        (BLACK, {"max_black_s": 1e9, "max_frozen_s": 1e9}),
        (STILL, {"max_frozen_s": 3.2}),
        (SILENT, {"max_silent_s": 3.2}),
    ],
)
def test_a_limit_is_the_users(tmp_path, state, off):
    """Three seconds pass."""
    _, error = measured(film(tmp_path / "a.mp4", [TALK, Scene(3, **state)]), VideoCheck(**off))
    assert error is None


@pytest.mark.parametrize(("sound_s", "is_refused"), [(2.2, True), (2.7, False), (3.4, False), (3.9, True)])
def test_pictures_and_sound_end_together(tmp_path, sound_s, is_refused):
    """Within half a second; whichever ends first."""
    checks, error = measured(film(tmp_path / "a.mp4", [Scene(3)], sound_s=sound_s))
    assert checks["end_gap_s"] == pytest.approx(abs(sound_s - 3), abs=NEAR_S)
    assert checks["length_s"] == pytest.approx(max(sound_s, 3), abs=NEAR_S)
    assert (error is not None) == is_refused


@pytest.mark.parametrize(
    ("words", "pronouncer", "is_refused"),
    [
        (10, "en-US-JennyNeural", False),
        (60, "en-US-JennyNeural", True),
        (60, "en-US-AvaMultilingualNeural", True),
        (40, "en-US-AvaMultilingualNeural", False),
        (40, "zh-CN-XiaohanNeural", False),
        (60, "zh-CN-XiaohanNeural", True),
        (60, "th-TH-PremwadeeNeural", False),
        (None, "en-US-JennyNeural", False),
        (60, None, False),
    ],
)
def test_the_length_is_that_of_the_words(tmp_path, words, pronouncer, is_refused):
    """A video of three seconds."""
    _, error = measured(film(tmp_path / "a.mp4", [Scene(3)]), words=words, pronouncer=pronouncer)
    assert (error is not None) == is_refused
    if error:
        assert error.code == "TS530"
        assert f"{words} words" in str(error)


def test_a_video_of_another_text_is_refused(tmp_path):
    """A minute for one word."""
    _, error = measured(
        film(tmp_path / "a.mp4", [Scene(20)], size=(32, 32)), words=1, pronouncer="de-DE-Katja"
    )
    assert error.code == "TS530"
    assert "1 word)" in str(error)
