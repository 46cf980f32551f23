"""The check of the name of a voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.arguments import LIMIT_WORDS, refused

from airflow_provider_twinsync._api.validation import checked_pronouncer, warnings_of

VOICES = [
    line
    for line in (Path(__file__).parents[1] / "data" / "voices.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def test_the_names_of_microsofts_voices_are_accepted_without_a_warning() -> None:
    """All names of its lists of November 2026; white space around a name is removed."""
    assert len(VOICES) == 706
    for voice in VOICES:
        assert checked_pronouncer(f" {voice}\n") == voice
        assert warnings_of("Hello", voice, LIMIT_WORDS) == []


@pytest.mark.parametrize(
    "voice",
    [
        "en-US-AvaMultilingualNeural",
        "iu-Cans-CA-SiqiniqNeural",
        "es-419-AnaNeural",
        "en-US-MultiTalker-Ava-Andrew:DragonHDLatestNeural",
        "en-us-ava:DragonHDOmniLatestNeural",
        "hu-HU-Réka:MAI-Voice-2-Flash",
        "en-US-Ava:DragonHDv1.1Neural",
        f"en-US-{'A' * 188}Neural",  # of the greatest length that is sent
    ],
)
def test_each_family_of_voices_has_a_known_shape(voice: str) -> None:
    """Multi-talkers, a lower-case locale, letters outside ASCII, and a dot in a version."""
    assert checked_pronouncer(voice) == voice
    assert warnings_of("Hello", voice, LIMIT_WORDS) == []


@pytest.mark.parametrize(
    "voice",
    [
        "en-US-Jenny",
        "en-US-Jenny-Neural",
        "en-US-JessaRUS",
        "en-US-jennyNeural",
        "zh-cn-xiaohanneural",
        "ZH-CN-XiaohanNeural",
        "zh-CN",
        "zh-CN-",
        "zh-CN-晓涵",
        "en-US-Ava:",
        "xxxx-US-JennyNeural",
        "en-US-New(2)Neural",
    ],
)
def test_a_voice_of_an_unknown_shape_is_sent_with_a_warning(voice: str) -> None:
    """It may be newer than this package; the warning shows it and a right name."""
    assert checked_pronouncer(voice) == voice
    (warning,) = warnings_of("Hello", voice, LIMIT_WORDS)
    assert warning.startswith(f"TS107 The voice {voice!r} ")
    assert "'zh-CN-XiaohanNeural'" in warning


@pytest.mark.parametrize(
    "voice",
    [
        None,
        "",
        " \t",
        5,
        b"zh-CN-XiaohanNeural",
        "Xiaohan",
        "XiaohanNeural",
        "zh_CN_XiaohanNeural",
        "zh-CN-Xiaohan Neural",
        "zh-CN-Xiaohan\u3000Neural",
        "zh-CN-XiaohanNeural\nen-US-JennyNeural",
        "zh-CN-Xiaohan\x00Neural",
        "zh-CN-Xiaohan\x85Neural",
        "zh-CN-Xiaohan\u200bNeural",
        "zh-CN-Xiaohan\u202eNeural",
        "zh-CN-Xiaohan\ud800Neural",
        "{voice}-CN-Neural",
        "zh-CN-{name}Neural",
        "<voice-name>",
        f"en-US-{'A' * 189}Neural",
        "Microsoft Server Speech Text to Speech Voice (zh-CN, XiaohanNeural)",
    ],
)
def test_what_certainly_is_no_voice_is_refused(voice: Any) -> None:
    """The error names and shows the argument, with an example that is accepted."""
    message = str(refused(pronouncer=voice))
    assert message.startswith(f"TS112 pronouncer is {repr(voice)[:80]}")
    assert "'zh-CN-XiaohanNeural'" in message
