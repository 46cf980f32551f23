"""The check of the name of a voice."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from support.arguments import EXAMPLE, LIMIT_WORDS, refused
from support.once import ONCE

from airflow_provider_twinsync import voices
from airflow_provider_twinsync._api.submit import build_submit
from airflow_provider_twinsync._api.validation import checked_pronouncer, warnings_of
from airflow_provider_twinsync._api.voice_check import refuse_misspelt
from airflow_provider_twinsync.exceptions import UsageError

VOICES = [voice.name for voice in voices.all_voices()]


def nearest(message: str) -> list[str]:
    """Return the known voices that a message names."""
    return [name for name in re.findall(r"'([^']+)'", message) if name in VOICES]


def test_the_names_of_microsofts_voices_are_accepted_without_a_warning() -> None:
    """All names of its lists of November 2026; white space around a name is removed."""
    assert len(set(VOICES)) == len(VOICES) == 706
    for voice in VOICES:
        build_submit(**{**EXAMPLE, "pronouncer": voice}, key="k")
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
        "zh-CN-Xiaoxiao9:DragonHDFlashLatestNeural",  # digits are no letters
        f"en-US-{'A' * 188}Neural",  # of the greatest length that is sent
    ],
)
def test_each_family_of_voices_has_a_known_shape(voice: str) -> None:
    """Multi-talkers, a lower-case locale, letters outside ASCII, and a dot in a version."""
    assert checked_pronouncer(voice) == voice
    codes = [warning[:5] for warning in warnings_of("Hello", voice, LIMIT_WORDS)]
    assert codes == ([] if voice in VOICES else ["TS142"])
    build_submit(**{**EXAMPLE, "pronouncer": voice}, key="k")


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
    """It may be newer than this package; the warning shows it and the nearest names."""
    assert checked_pronouncer(voice) == voice
    build_submit(**{**EXAMPLE, "pronouncer": voice}, key="k", any_voice=True)
    (warning,) = warnings_of("Hello", voice, LIMIT_WORDS)
    assert warning.startswith(f"TS107 The voice {voice!r} ")
    assert len(nearest(warning)) == 3


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


@pytest.mark.parametrize(
    ("voice", "right"),
    [
        ("en-US-JenyNeural", "en-US-JennyNeural"),
        ("en-US-JennnyNeural", "en-US-JennyNeural"),
        ("en-US-JnenyNeural", "en-US-JennyNeural"),
        ("en-US-JemnyNeural", "en-US-JennyNeural"),
        ("en-US-jennyNeural", "en-US-JennyNeural"),
        ("em-US-JennyNeural", "en-US-JennyNeural"),
        ("en-US-JennyNeura", "en-US-JennyNeural"),
        ("hu-HU-Reka:MAI-Voice-2-Flash", "hu-HU-Réka:MAI-Voice-2-Flash"),
    ],
)
def test_a_name_one_letter_away_is_refused(voice: str, right: str) -> None:
    """A letter missing, too much, swapped, wrong or of the other case; a connection may allow it."""
    error = refused(pronouncer=voice)
    assert error.code == "TS141"
    assert right in nearest(str(error))
    assert len(nearest(str(error))) == 3
    build_submit(**{**EXAMPLE, "pronouncer": voice}, key="k", any_voice=True)
    (warning,) = warnings_of("Hello", voice, LIMIT_WORDS)
    assert warning[:5] in ("TS142", "TS107")
    assert right in nearest(warning)


@pytest.mark.parametrize(
    "voice", ["en-US-JeyNeural", "en-us-JennyNeural", "enUS-JennyNeural", "en-US-Jenny2Neural"]
)
def test_a_name_further_away_is_sent_with_one_warning(voice: str) -> None:
    """Two letters, a hyphen and a digit are not one letter."""
    build_submit(**{**EXAMPLE, "pronouncer": voice}, key="k")
    (warning,) = warnings_of("Hello", voice, LIMIT_WORDS)
    assert "en-US-JennyNeural" in nearest(warning)


def test_few_names_of_next_year_are_refused() -> None:
    """Each name, as if the table did not have it yet."""
    table = voices.all_voices()
    taken_out = []
    for voice in table:
        rest = tuple(one for one in table if one is not voice)
        try:
            refuse_misspelt(checked_pronouncer(voice.name), rest)
        except UsageError as error:
            taken_out.append((error.code, voice.name))
    assert {code for code, _ in taken_out} == {"TS141"}
    assert len(taken_out) <= 0.04 * len(table), f"{len(taken_out)} of {len(table)}: {taken_out}"


def misspelt(name: str, rnd: random.Random) -> str:
    """Return a name with one letter missing, too much, swapped, wrong, or of the other case."""
    at = rnd.choice([at for at, letter in enumerate(name) if letter.isalpha()])
    letter, other = name[at], rnd.choice("abcdefghijklmnopqrstuvwxyz")
    follows = name[at + 1 : at + 2]
    changed = [
        "",
        letter + other,
        follows + letter if follows.isalpha() else "",
        other.upper() if letter.isupper() else other,
        letter.swapcase(),
    ]
    kind = rnd.randrange(5)
    after = at + 2 if kind == 2 and follows.isalpha() else at + 1
    return name[:at] + changed[kind] + name[after:]


@pytest.mark.parametrize("count", [50, pytest.param(500, marks=[pytest.mark.slow, ONCE])])
def test_misspellings_are_refused_with_the_right_name(count: int) -> None:
    """Of all kinds; those that make another known name are none."""
    rnd = random.Random(14)
    caught, missed = 0, []
    while caught + len(missed) < count:
        name = rnd.choice(VOICES)
        wrong = misspelt(name, rnd)
        if wrong in VOICES:
            continue
        try:
            build_submit(**{**EXAMPLE, "pronouncer": wrong}, key="k")
        except UsageError as error:
            if error.code == "TS141" and name in nearest(str(error)):
                caught += 1
                continue
        missed.append(wrong)
    assert caught >= 0.95 * count, f"{caught} of {count}, and not {missed}"


@pytest.mark.parametrize(
    ("voice", "text", "is_foreign"),
    [
        ("de-DE-KatjaNeural", "人人生而自由，在尊严和权利上一律平等。", True),
        ("de-DE-KatjaNeural", "すべての人間は、生まれながらにして自由である。", True),
        ("en-US-JennyNeural", "Все люди рождаются свободными", True),
        ("zh-CN-XiaohanNeural", "모든 인간은 자유롭다", True),
        ("zh-CN-XiaohanNeural", "これはひらがなのぶんしょうです", True),
        ("ru-RU-DmitryNeural", "Όλοι οι άνθρωποι", True),
        ("hi-IN-MadhurNeural", "மனிதப் பிறவியினர் சகலரும்", True),
        ("ar-EG-SalmaNeural", "כל בני אדם נולדו בני חורין", True),
        ("de-DE-KatjaNeural", "Das Zeichen 人 heißt Mensch.", False),
        ("de-DE-KatjaNeural", "人 Mensch", False),
        ("zh-CN-XiaohanNeural", "All human beings are born free – naïve", False),
        ("zh-CN-XiaohanNeural", "iPhone 15 Pro Max 的售价是 9999 元", False),
        ("hi-IN-MadhurNeural", "Namaste duniyā, āp kaise hain?", False),
        ("ru-RU-DmitryNeural", "Vsë lyudi rozhdayutsya svobodnymi", False),
        ("sr-RS-NicholasNeural", "Сва људска бића рађају се слободна", False),
        ("sr-Latn-RS-NicholasNeural", "Сва људска бића рађају се слободна", False),
        ("kk-KZ-AigulNeural", "بارلىق ادامدار تۋمىسىنان ازات", False),
        ("uz-UZ-MadinaNeural", "Барча одамлар эркин", False),
        ("ja-JP-NanamiNeural", "人間は自由であり、テレビを見る。", False),
        ("ko-KR-SunHiNeural", "大韓民國 憲法", False),
        ("mr-IN-AarohiNeural", "सर्व मानव जन्मतः स्वतंत्र", False),
        ("en-US-AvaMultilingualNeural", "人人生而自由", False),
        ("en-us-ava:DragonHDOmniLatestNeural", "人人生而自由", False),
        ("de-DE-Mia:MAI-Voice-2", "人人生而自由", False),
        ("de-DE-KatjaNeural", "😀 → 5 €", False),
        ("de-DE-KatjaNeural", "ᎦᏓ ᎠᏂᏴᏫ ᏂᎨᎫᏓᎸᎾ", False),
        ("be-BY-SomebodyNeural", "Усе людзі нараджаюцца свабоднымі", False),
    ],
)
def test_a_text_in_letters_that_the_voice_does_not_speak_is_a_warning(
    voice: str, text: str, is_foreign: bool
) -> None:
    """Only where there is no doubt: mixed texts, Latin letters and voices of many languages pass."""
    codes = [warning[:5] for warning in warnings_of(text, voice, LIMIT_WORDS)]
    assert ("TS143" in codes) is is_foreign


def test_a_text_passes_with_each_voice_of_its_language() -> None:
    """The texts of tests/data/texts.tsv, by the beginning of their names."""
    rows = (Path(__file__).parents[1] / "data" / "texts.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [
        (voice.name, text)
        for kind, _, text in (row.split("\t") for row in rows if not row.startswith("#"))
        for voice in voices.voices(kind.partition("-")[0])
    ]
    assert len(pairs) > 700
    assert [pair for pair in pairs if warnings_of(pair[1], pair[0], 1_000)] == []
