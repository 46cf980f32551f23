"""What may be sent: the checks on what a DAG author gives, made before anything is sent.

Pure, as :mod:`~airflow_provider_twinsync._api.submit` is, which uses them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlsplit

from airflow_provider_twinsync._api.shown import (
    MAX_URL_CHARACTERS,
    UNSEEN,
    bare_url,
    one_line,
    shown_address,
    shown_destination,
    shown_text,
)
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.text import is_silent, word_count

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_TEXT_LIMIT_WORDS = 150
#: A longer text is refused unread, per word of the limit. The longest words of any language have about 200
#: characters and the words of a text 5 to 15 on average, with markup about 30: no text that the service takes
#: comes near.
_MAX_CHARACTERS_PER_WORD = 200
#: Ten times what the documented ids have.
_MAX_ID_CHARACTERS = 250


#: What Jinja, JSON, JavaScript and pandas write for a missing value, as they write it: "None", and not
#: "none", which may be a word of a text. ("Null" is German for zero.)
_MISSING = frozenset(("None", "null", "undefined", "nan", "NaN"))


def unrendered(value: Any) -> str | None:
    """Return why a value must come from a template that found nothing, or was not rendered; else None.

    Such a text would be spoken and paid. Single braces are no sign of a template.
    """
    if not isinstance(value, str):
        return None
    if value.strip() in _MISSING:
        return (
            "a template renders to this when its XCom, parameter or variable is missing. Check what the "
            "template reads, and whether the task that should push it succeeded"
        )
    for opening, closing in (("{{", ""), ("{%", ""), ("{#", "#}")):
        if opening in value and closing in value:
            return (
                f"{opening!r} in it belongs to a template that was not rendered. Airflow does not render "
                "what comes out of a template, an XCom or a parameter once more: render it where it is made. "
                f"(If the braces are meant, put a space between them: {' '.join(opening)!r}.)"
            )
    return None


def refuse_unrendered(argument: str, value: Any) -> None:
    """Raise for a value that must come from a template that found nothing or was not rendered.

    :param argument: the name for the message.
    :raises UsageError: the value is ``None``, ``null`` or the like as a text, or holds ``{{``, ``{%`` or
        ``{# #}``.
    """
    if cause := unrendered(value):
        shown = shown_text(value) if argument == "text" else shown_address(value)
        raise UsageError(f"{argument} is {shown}: {cause}.")


def checked_task_id(value: Any) -> str:
    """Return the id without surrounding white space.

    Both the answer to a submit and the argument of a wait pass this check: so an id that a submit returns can
    be waited for, stored and shown as it is.

    :raises UsageError: it is no text, empty, the word that an empty template renders to, a template, longer
        than 250 characters, or cannot be shown on one line.
    """
    # Its beginning is enough to refuse one of a megabyte.
    task_id = value[: 2 * _MAX_ID_CHARACTERS].strip() if isinstance(value, str) else ""
    if (
        not task_id
        or unrendered(task_id)
        or len(task_id) > _MAX_ID_CHARACTERS
        or one_line(task_id, _MAX_ID_CHARACTERS) != task_id
    ):
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
        raise UsageError(f"{argument} is {shown_address(value)}: it should be {wanted}.")
    refuse_unrendered(argument, url)
    return url


def checked_photo(value: Any) -> str:
    """Return the address of a photo without surrounding white space.

    :raises UsageError: it is no http(s) address; for a file or an object in a store the message says how to
        make one.
    """
    refuse_unrendered("image_url", value)
    if _is_file_or_object(value):
        raise UsageError(
            f"image_url is {shown_address(value)}: TwinSync opens photos by http or https only. Put the "
            "photo into an object store, and sign an address for it in an upstream task, with "
            "ObjectStoragePath(...).sign(...): see 'Photos' in the docs (docs/howto/photos.md)."
        )
    return checked_url("image_url", value, "the http or https address of a photo")


def _is_file_or_object(value: Any) -> bool:
    """Check for a path, or an address of another scheme than http(s), such as ``file://`` or ``s3://``."""
    if hasattr(value, "__fspath__") or hasattr(value, "sign"):  # a Path, or an ObjectStoragePath
        return True
    if not isinstance(value, str):
        return False
    place = value.strip()
    scheme = re.match(r"([a-z][a-z0-9+.-]*):", place, re.IGNORECASE | re.ASCII)
    if scheme and len(scheme[1]) > 1:  # one letter is a drive of Windows
        return scheme[1].lower() not in ("http", "https", "data") and "/" in place
    return bool(re.match(r"(/(?!/)|\.{1,2}/|~|[a-z]:\\|\\\\)", place, re.IGNORECASE)) or _is_file_name(place)


def _is_file_name(place: str) -> bool:
    """Check for a relative path such as ``photos/anna.jpg``, and not ``example.com/anna.jpg``."""
    folder, _, name = place.rpartition("/")
    return (
        bool(re.fullmatch(r"[^/?#:]+\.(jpe?g|png|webp|gif|bmp)", name, re.IGNORECASE)) and "." not in folder
    )


def checked_destination(value: Any) -> str:
    """Return a destination as a text, without surrounding white space.

    Only what can be told from the words is checked: not the store, nor what is there.

    :raises UsageError: it is empty, a folder, has a login in it, or cannot be the name of a file.
    """
    is_path = isinstance(value, str) or hasattr(value, "__fspath__") or hasattr(value, "sign")
    target = str(value).strip() if is_path else ""
    refuse_unrendered("destination", target)
    if not target:
        raise UsageError(
            f"destination is {shown_address(value)}: it should be the path or address of a file to write."
        )
    shown = shown_destination(target)
    if "\0" in target:
        raise UsageError(f"destination {shown} cannot be the name of a file.")
    if target.endswith("/"):
        raise UsageError(f"destination {shown} is a folder: give the name of the file too.")
    if re.match(r"[a-z][a-z0-9+.-]+:/[^/]", target):
        raise UsageError(
            f"destination {shown_address(target)} is what a Path makes of an address: give the address as a "
            "text, or as an ObjectStoragePath."
        )
    scheme, colon, rest = target.partition("://")
    if colon and scheme in ("file", "local"):
        if not rest.startswith("/"):
            raise UsageError(f"destination {shown} names a host: a file's address begins file:///.")
    elif colon:
        # Airflow takes a login for the id of a connection, and repeats it in its errors.
        login = rest.partition("/")[0].rpartition("@")[0]
        if ":" in login or bare_url(target).endswith("://***"):
            raise UsageError(
                f"destination {shown} has a login in it: define a connection with it, and give the "
                "connection's id instead, such as 's3://aws_default@bucket/video.mp4'."
            )
    return target


def is_http_url(value: Any) -> TypeGuard[str]:
    """Return whether the value is a text that names a host by http or https, and can be shown as it is.

    An address of more than 8,192 characters is none, nor is one with white space, control characters, or
    characters that cannot be seen or turn the direction of what follows.
    """
    if not isinstance(value, str) or len(value) > MAX_URL_CHARACTERS:
        return False
    # A backslash is part of the host to some and its end to others: what is checked must be what is asked.
    if re.search(r"[\s\\]", value) or not value.isprintable() or UNSEEN.search(value):
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


#: The longest known name has 50 characters.
_MAX_VOICE_CHARACTERS = 200
#: The shapes of all names that Microsoft's lists had in November 2026: language, perhaps a script, region,
#: perhaps a subregion, a name and "Neural", or a name, a colon and a model. ``zh-CN-XiaohanNeural``,
#: ``sr-Latn-RS-NicholasNeural``, ``zh-CN-liaoning-XiaobeiNeural``, ``en-us-ava:DragonHDOmniLatestNeural``,
#: ``en-US-MultiTalker-Ava-Andrew:DragonHDLatestNeural``, ``tr-TR-Aydın:MAI-Voice-2``.
_KNOWN_VOICE_SHAPE = re.compile(
    r"[a-z]{2,3}(-[A-Z][a-z]{3})?-([A-Z]{2}|[a-z]{2}|\d{3})(-[a-z]+)?"
    r"(-[A-Z]\w*Neural|(-[Mm]ulti[Tt]alker(-\w+)?)?-\w+:\w[\w.-]*)"
)


def checked_pronouncer(value: Any) -> str:
    """Return the voice without surrounding white space.

    Only what certainly is no name of a voice is refused: Microsoft adds voices of new shapes.

    :raises UsageError: it is empty, has no hyphen, or has white space, braces or invisible characters.
    """
    refuse_unrendered("pronouncer", value)
    voice = value.strip() if isinstance(value, str) else ""
    if "-" not in voice or not _is_name(voice) or len(voice) > _MAX_VOICE_CHARACTERS:
        raise UsageError(
            f"pronouncer is {shown_text(value)}: it should be the full name of a Microsoft text-to-speech "
            "voice, such as 'zh-CN-XiaohanNeural'."
        )
    return voice


def _is_name(text: str) -> bool:
    return text.isprintable() and not re.search(r"[\s{}<>]", text)


def checked_text(value: Any, limit_words: int) -> str:
    """Return the text as it is.

    Characters of Thai, Lao, Khmer and Burmese do not count here: their words are a guess, for a warning.

    :param limit_words: the longest text, in words.
    :raises UsageError: it has nothing to speak, or too much.
    """
    # The length comes first: all else reads the whole of the text.
    limit_characters = limit_words * _MAX_CHARACTERS_PER_WORD
    if isinstance(value, str) and len(value) > limit_characters:
        raise UsageError(
            f"text has {len(value)} characters: no text of {limit_words} words has more than "
            f"{limit_characters}. Shorten it or split it over several videos."
        )
    text = _speakable(value)
    if re.fullmatch(r"\S+\.txt", text.strip()):
        raise UsageError(
            f"text is {shown_text(text)}, the name of a file, which came out of a template, an XCom or a "
            "task of your own: Airflow reads a file only where its name is written in the DAG. Give the "
            "words of the file. (If the name is to be spoken, put a full stop behind it.)"
        )
    words = word_count(text).certain
    if words > limit_words:
        raise UsageError(
            f"text has {words} words, and the limit is {limit_words}: {shown_text(text)}. Each Chinese or "
            "Japanese character counts as a word. Shorten it or split it over several videos; if your "
            "account has another limit, set text_limit_words in the connection's extra."
        )
    return text


def _speakable(value: Any) -> str:
    refuse_unrendered("text", value)
    if not isinstance(value, str) or not is_encodable(value) or is_silent(value):
        raise UsageError(f"text is {shown_text(value)}: it should be a text with something to speak.")
    return value


def check_constants(**arguments: Any) -> None:
    """Check the constant arguments of an operator, when the DAG file is parsed.

    The value of an XCom or a template is known when the task runs. A text that ends with ``.txt``
    is the name of a file. How long a text may be depends on the connection, so it is checked then, too.

    :param arguments: any of ``text``, ``image_url``, ``pronouncer`` and ``destination``.
    :raises UsageError: an argument is not what the service, or the download, could accept.
    """
    for name, value in arguments.items():
        constant = str(value) if hasattr(value, "__fspath__") and name == "destination" else value
        if _is_constant(constant) and not (name == "text" and constant.endswith(".txt")):
            _CONSTANT_CHECKS[name](constant)


_CONSTANT_CHECKS: dict[str, Callable[[Any], object]] = {
    "text": _speakable,
    "image_url": checked_photo,
    "pronouncer": checked_pronouncer,
    "destination": checked_destination,
}


def _is_constant(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and not any(opening in value for opening in ("{{", "{%", "{#"))


def warnings_of(text: str, pronouncer: str, limit_words: int) -> list[str]:
    """Return warnings about a submit that passed the checks, and that the service may still refuse.

    :param text: as :func:`checked_text` returned it.
    :param pronouncer: as :func:`checked_pronouncer` returned it.
    :param limit_words: the longest text, in words.
    """
    found = []
    count = word_count(text)
    if count.guessed and sum(count) > limit_words:
        found.append(
            f"The text may be too long: it has {count.guessed} characters of Thai, Lao, Khmer or Burmese, "
            f"whose words are a guess, and the limit is {limit_words} words. It is submitted; if TwinSync "
            "refuses it, split it over several videos."
        )
    if not _KNOWN_VOICE_SHAPE.fullmatch(pronouncer):
        found.append(
            f"The voice {shown_text(pronouncer)} has another shape than the known ones, such as "
            "'zh-CN-XiaohanNeural'. It is submitted as it is; if the job fails, check the name."
        )
    return found
