"""Check the voice of a submit against the known voices. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync._api.unrendered import refuse_unrendered
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_twinsync.voices import Voice

_MAX_VOICE_CHARACTERS = 200  # the longest known name has 50
#: The shapes of all names that Microsoft's lists had in November 2026: language, perhaps a script, region,
#: perhaps a subregion, a name and "Neural", or a name, a colon and a model. ``zh-CN-XiaohanNeural``,
#: ``sr-Latn-RS-NicholasNeural``, ``zh-CN-liaoning-XiaobeiNeural``, ``en-us-ava:DragonHDOmniLatestNeural``,
#: ``en-US-MultiTalker-Ava-Andrew:DragonHDLatestNeural``, ``tr-TR-Aydın:MAI-Voice-2``.
_KNOWN_VOICE_SHAPE = re.compile(
    r"[a-z]{2,3}(-[A-Z][a-z]{3})?-([A-Z]{2}|[a-z]{2}|\d{3})(-[a-z]+)?"
    r"(-[A-Z]\w*Neural|(-[Mm]ulti[Tt]alker(-\w+)?)?-\w+:\w[\w.-]*)"
)


def checked_pronouncer(value: Any) -> str:
    """Return the name of a voice without surrounding white space.

    Microsoft adds voices of new shapes, so this refuses only names that are certainly wrong.

    :raises UsageError: the name is empty, has no hyphen, or has white space, braces or invisible characters.
    """
    refuse_unrendered("pronouncer", value)
    voice = value.strip() if isinstance(value, str) else ""
    if "-" not in voice or not _is_name(voice) or len(voice) > _MAX_VOICE_CHARACTERS:
        raise UsageError(
            f"TS112 pronouncer is {shown_text(value)}: it should be the full name of a Microsoft "
            "text-to-speech voice, such as 'zh-CN-XiaohanNeural'."
        )
    return voice


def _is_name(text: str) -> bool:
    return text.isprintable() and not re.search(r"[\s{}<>]", text)


def refuse_misspelt(voice: str, known: Sequence[Voice]) -> None:
    """Refuse a name that is one letter away from a known one: it is a misspelling, and not a new voice.

    :param voice: the result of :func:`checked_pronouncer`.
    :param known: all known voices.
    :raises UsageError: a letter is missing, too much, wrong, of the other case, or swapped with the next one.
    """
    if not _is_known(voice, known) and _neighbours(voice, known):
        raise UsageError(
            f"TS141 pronouncer is {shown_text(voice)}, one letter away from a known voice. The nearest ones: "
            f"{_nearest(voice, known)}. If the name is right, set voices to 'any' in the connection's extra."
        )


def voice_warnings(voice: str, text: str, known: Sequence[Voice]) -> list[str]:
    """Return warnings about a voice that is not known, and about a text that it may not speak.

    :param voice: the result of :func:`checked_pronouncer`.
    """
    found = []
    if _is_known(voice, known):
        pass
    elif _KNOWN_VOICE_SHAPE.fullmatch(voice):
        found.append(
            f"TS142 The voice {shown_text(voice)} is not known; the nearest known ones are "
            f"{_nearest(voice, known)}. It is submitted as it is; if the job fails, check the name."
        )
    else:
        found.append(
            f"TS107 The voice {shown_text(voice)} has an unknown shape; the nearest known ones are "
            f"{_nearest(voice, known)}. It is submitted as it is; if the job fails, check the name."
        )
    if script := _foreign_script(voice, text, known):
        found.append(
            f"TS143 The voice {shown_text(voice)} may not speak the text, which is mostly in {script} "
            "letters. It is submitted; if the video is silent or wrong, choose a voice of that language."
        )
    return found


def _is_known(voice: str, known: Sequence[Voice]) -> bool:
    return any(voice == one.name for one in known)


def _nearest(voice: str, known: Sequence[Voice]) -> str:
    """Return the three known names that are nearest, for a message."""
    by_folded = {one.name.casefold(): one.name for one in known}
    others = get_close_matches(voice.casefold(), by_folded, n=3, cutoff=0)
    names = dict.fromkeys([*_neighbours(voice, known), *(by_folded[folded] for folded in others)])
    return ", ".join(repr(name) for name in list(names)[:3])


def _neighbours(voice: str, known: Sequence[Voice]) -> list[str]:
    """Return the known names that are one letter away."""
    return [
        one.name
        for one in known
        if abs(len(one.name) - len(voice)) < 2 and _is_one_letter_away(voice, one.name)
    ]


def _is_one_letter_away(one: str, other: str) -> bool:
    """Return True if a letter is missing, too much, wrong, of the other case, or swapped with the next one.

    >>> _is_one_letter_away("en-US-JenyNeural", "en-US-JennyNeural"), _is_one_letter_away("Set1", "Set2")
    (True, False)
    """
    shorter = min(len(one), len(other))
    start = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    rest = shorter - start
    end = next((at for at in range(rest) if one[-1 - at] != other[-1 - at]), rest)
    mine, theirs = one[start : len(one) - end], other[start : len(other) - end]
    if not (mine + theirs).isalpha():
        return False
    return (len(mine) < 2 and len(theirs) < 2) or (len(mine) == 2 and mine == theirs[::-1])


# ---------------------------------------------------------------------------------------------------- scripts

#: The languages of each script, among those of the voices. Every voice may get Latin letters: names,
#: loanwords, and languages that are also typed so. A script that is not here causes no warning; nor
#: does a language that has ever used the script: Kazakh in Arabic letters, Korean in Chinese ones.
_USERS = {
    script: frozenset(languages.split())
    for script, languages in {
        "CYRILLIC": "ru uk bg mk sr bs kk uz az mn ro",
        "GREEK": "el",
        "ARMENIAN": "hy",
        "GEORGIAN": "ka",
        "HEBREW": "he",
        "ARABIC": "ar fa ur ps pa kk uz az ms id jv su so sw tr zh",
        "DEVANAGARI": "hi mr ne",
        "BENGALI": "bn as",
        "GURMUKHI": "pa",
        "GUJARATI": "gu",
        "ORIYA": "or",
        "TAMIL": "ta",
        "TELUGU": "te",
        "KANNADA": "kn",
        "MALAYALAM": "ml",
        "SINHALA": "si",
        "THAI": "th",
        "LAO": "lo",
        "MYANMAR": "my",
        "KHMER": "km",
        "ETHIOPIC": "am",
        "HANGUL": "ko",
        "HIRAGANA": "ja",
        "KATAKANA": "ja",
        "CJK": "zh wuu yue ja ko",
    }.items()
}


def _foreign_script(voice: str, text: str, known: Sequence[Voice]) -> str | None:
    """Return the name of the script of most letters of a text, if the voice's language never uses it."""
    language = voice.partition("-")[0].casefold()
    # Multilingual ones, HD ones and those of MAI find the language in the text.
    if ":" in voice or "multilingual" in voice.casefold() or text.isascii():
        return None
    if not any(one.locale.partition("-")[0] == language for one in known):
        return None
    scripts = Counter(unicodedata.name(letter, "?").partition(" ")[0] for letter in text if letter.isalpha())
    foreign = Counter(
        {
            script: count
            for script, count in scripts.items()
            if language not in _USERS.get(script, (language,))
        }
    )
    if foreign.total() * 2 <= scripts.total():
        return None
    ((script, _),) = foreign.most_common(1)
    return {"CJK": "Chinese", "HANGUL": "Korean"}.get(script, script.capitalize())
