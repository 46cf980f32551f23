"""The text-to-speech voices of Microsoft, from a table with a date in the first line of ``voices.tsv``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from airflow_provider_twinsync.exceptions import UsageError

_GENDERS = ("female", "male", "neutral")


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of Microsoft's lists.

    >>> voices("de-AT", gender="female")[0].language
    'German (Austria)'

    :param name: the value of ``pronouncer``, such as ``en-US-JennyNeural``.
    :param locale: the language and its region, such as ``en-US``.
    :param language: both in English, such as ``English (United States)``.
    :param gender: ``female``, ``male`` or ``neutral``.
    :param kind: ``neural``, ``multilingual``, ``hd``, ``multitalker`` or ``other``.
    :param styles: the styles that Microsoft lists for the voice, such as ``cheerful``.
    """

    name: str
    locale: str
    language: str
    gender: str
    kind: str
    styles: tuple[str, ...]


def voices(language: str | None = None, gender: str | None = None, style: str | None = None) -> list[Voice]:
    """Return the voices of a language, a gender and a style, in the order of their names.

    Upper and lower case are the same. For an unknown language or style, the list is empty.

    >>> [voice.name for voice in voices("Welsh", gender="male")]
    ['cy-GB-AledNeural']

    :param language: a language, such as ``de`` or ``German``, or a locale, such as ``de-AT``.
    :param gender: ``female``, ``male`` or ``neutral``.
    :param style: a style, such as ``cheerful``.
    :raises UsageError: the gender is none of the three.
    """
    if gender is not None and str(gender).casefold() not in _GENDERS:
        raise UsageError(f"TS146 gender is {gender!r:.80}: it should be one of {', '.join(_GENDERS)}.")
    return [
        voice
        for voice in all_voices()
        if (language is None or _has_language(voice, str(language).casefold().replace("_", "-")))
        and (gender is None or voice.gender == str(gender).casefold())
        and (style is None or str(style).casefold() in voice.styles)
    ]


def _has_language(voice: Voice, language: str) -> bool:
    in_english = voice.language.casefold()
    return f"{voice.locale.casefold()}-".startswith(f"{language}-") or language in (
        in_english,
        in_english.partition(" (")[0],
    )


@cache
def all_voices() -> tuple[Voice, ...]:
    """Return all voices; the first call reads the table.

    >>> len(all_voices()) > 700
    True
    """
    table = (files(__package__) / "voices.tsv").read_text(encoding="utf-8")
    _, *rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return tuple(
        Voice(name, locale, language, gender, kind, tuple(styles.split(",") if styles else ()))
        for name, locale, language, gender, kind, styles in rows
    )
