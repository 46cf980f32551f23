"""What may be sent: the checks on what a DAG author gives, made before anything is sent.

Pure, as :mod:`~airflow_provider_twinsync.protocol` is, which uses them.
"""

from __future__ import annotations

import re
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from airflow_provider_twinsync.exceptions import UsageError

DEFAULT_TEXT_LIMIT_WORDS = 150
#: Ten times what the documented ids have.
_MAX_ID_CHARACTERS = 250


def checked_task_id(value: Any) -> str:
    """Return the id without surrounding white space.

    :raises UsageError: it is empty, not a text, or the word that an empty template renders to.
    """
    task_id = value.strip() if isinstance(value, str) else ""
    if task_id in ("", "None") or len(task_id) > _MAX_ID_CHARACTERS or not task_id.isprintable():
        raise UsageError(
            f"twinsync_task_id is {shown_text(value)}: it should be the id that TwinSyncSubmitOperator "
            "returned, such as '20230423_11_23_05_10279'. Did the submit task succeed, and push its XCom?"
        )
    return task_id


def checked_url(argument: str, value: Any, wanted: str) -> str:
    """Return an http(s) address without surrounding white space.

    :param argument: the name to complain about.
    :param wanted: what it should be, for the message.
    :raises UsageError: it is no such address.
    """
    url = value.strip() if isinstance(value, str) else ""
    if not is_http_url(url):
        raise UsageError(f"{argument} is {shown_text(value)}: it should be {wanted}.")
    return url


def is_http_url(value: Any) -> TypeGuard[str]:
    """Whether the value is a text that names a host by http or https, and holds no white space."""
    # A backslash is part of the host to some and its end to others: what is checked must be what is asked.
    if not isinstance(value, str) or re.search(r"[\s\x00-\x1f\x7f\\]", value) or not is_encodable(value):
        return False
    try:
        parts = urlsplit(value)
        # Both raise a ValueError: for a port that is none, and for a host that cannot be a name.
        parts.port  # noqa: B018
        (parts.hostname or "").encode("idna")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def is_encodable(text: str) -> bool:
    """Whether a text can be sent: half of a surrogate pair, as a broken file may hold, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


#: Language, perhaps a script, region, perhaps a subregion, and a name: ``zh-CN-XiaohanNeural``,
#: ``sr-Latn-RS-NicholasNeural``, ``zh-CN-liaoning-XiaobeiNeural``, ``en-US-Ava:DragonHDLatestNeural``.
_VOICE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?-([A-Z]{2}|\d{3})(-[a-z]+)?-[A-Z]\w+(:[\w-]+)?", re.ASCII)


def checked_pronouncer(value: Any) -> str:
    """Return the voice without surrounding white space.

    :raises UsageError: it does not look like one.
    """
    voice = value.strip() if isinstance(value, str) else ""
    if not _VOICE.fullmatch(voice):
        raise UsageError(
            f"pronouncer is {shown_text(value)}: it should be the full name of a Microsoft text-to-speech "
            "voice, such as 'zh-CN-XiaohanNeural'."
        )
    return voice


def checked_text(value: Any, limit_words: int) -> str:
    """Return the text as it is.

    :raises UsageError: it has nothing to speak, or too much.
    """
    words = count_words(value) if isinstance(value, str) else 0
    if words == 0 or not is_encodable(value):
        raise UsageError(f"text is {shown_text(value)}: it should be a text with something to speak.")
    if words > limit_words:
        raise UsageError(
            f"text has {words} words, and the limit is {limit_words}: {shown_text(value)}. Each Chinese, "
            "Japanese, Korean or Thai character counts as a word. Shorten it or split it over several "
            "videos; if your account has another limit, set text_limit_words in the connection's extra."
        )
    assert isinstance(value, str)  # noqa: S101  # for the type checker: only a str has words
    return value


#: Scripts that are written without spaces, by code point, first and last.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul Jamo
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK radicals
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3040, 0x318F),  # Hiragana, Katakana, Bopomofo, Hangul compatibility Jamo
    (0x31A0, 0x31BF),  # Bopomofo extended
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK unified
    (0xA960, 0xA97F),  # Hangul Jamo extended A
    (0xAC00, 0xD7FF),  # Hangul syllables, Jamo extended B
    (0xF900, 0xFAFF),  # CJK compatibility
    (0xFF66, 0xFF9F),  # halfwidth Katakana
    (0x20000, 0x3FFFF),  # CJK extensions B and later
)


def count_words(text: str) -> int:
    """Count the words of a text as the limit counts them (our reading).

    Each character of a script written without spaces counts as one word; elsewhere a run between spaces
    that has a letter or a digit in it does; punctuation counts nothing.
    """
    words = 0
    in_word = False
    for character in text:
        if character.isspace():
            in_word = False
        elif character.isalnum():
            unspaced = any(first <= ord(character) <= last for first, last in _UNSPACED)
            if unspaced or not in_word:
                words += 1
            in_word = not unspaced
    return words


def shown_url(url: str) -> str:
    """Give an address without what may be a secret: a password, and a query, which may be a signature."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def shown_text(value: Any) -> str:
    """Show an argument to a person: on one line, shortened, and with its type if it is no text."""
    shown = repr(value)
    if isinstance(value, str):
        return shown if len(shown) <= 80 else shown[:80] + "…"
    return f"{one_line(shown, 80)} ({type(value).__name__})"


def one_line(text: str, limit: int = 300) -> str:
    """Make a text fit for a message: on one line, printable, and no longer than a limit of characters."""
    # Looking at some more than the limit is enough, and a text may be a megabyte.
    text = " ".join(text[: 20 * limit].split())
    if not text.isprintable():  # few are not, and this is called at every look
        text = "".join(
            character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
        )
    return text if len(text) <= limit else text[:limit] + "…"
