"""Check the arguments of a DAG author before anything is sent. Pure."""

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
from airflow_provider_twinsync._api.unrendered import is_constant, is_unrendered, refuse_unrendered
from airflow_provider_twinsync._api.voice_check import checked_pronouncer, voice_warnings
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.text import MAX_CHARACTERS_PER_WORD, is_silent, word_count
from airflow_provider_twinsync.voices import all_voices

if TYPE_CHECKING:
    from collections.abc import Callable

#: Ten times the length of the documented ids.
_MAX_ID_CHARACTERS = 250


def checked_task_id(value: Any) -> str:
    """Return the id of a job without surrounding white space.

    The answer to a submit and the argument of a wait pass the same check, so a wait accepts each id that a
    submit returns.

    >>> checked_task_id(" 20230423_11_23_05_10279 ")
    '20230423_11_23_05_10279'

    :raises UsageError: the value is not a text, is empty, was not rendered, has more than 250 characters, or
        cannot be shown on one line.
    """
    # The start of a megabyte is enough to refuse it.
    task_id = value[: 2 * _MAX_ID_CHARACTERS].strip() if isinstance(value, str) else ""
    if (
        not task_id
        or is_unrendered(task_id)
        or len(task_id) > _MAX_ID_CHARACTERS
        or one_line(task_id, _MAX_ID_CHARACTERS) != task_id
    ):
        raise UsageError(
            f"TS113 twinsync_task_id is {shown_text(value)}: it should be the id that TwinSyncSubmitOperator "
            "returned, such as '20230423_11_23_05_10279'. Did the submit task succeed, and push its XCom?"
        )
    return task_id


def checked_url(argument: str, value: Any, wanted: str) -> str:
    """Return an http(s) address without surrounding white space.

    :param argument: the name of the argument, for the message.
    :param wanted: the right value, for the message.
    :raises UsageError: the value is not such an address, or was not rendered.
    """
    url = value.strip() if isinstance(value, str) else ""
    if not is_http_url(url):
        raise UsageError(f"TS111 {argument} is {shown_address(value)}: it should be {wanted}.")
    refuse_unrendered(argument, url)
    return url


def checked_photo(value: Any) -> str:
    """Return the address of a photo, or the path of a file, as a text without surrounding white space.

    This reads neither the store nor the file.

    :raises UsageError: the value is no address, or no absolute path.
    """
    is_path = hasattr(value, "__fspath__") or hasattr(value, "sign")  # a Path, or an ObjectStoragePath
    place = str(value).strip() if is_path or isinstance(value, str) else ""
    refuse_unrendered("image_url", place if is_path else value)
    scheme, colon, rest = place.partition("://")
    if colon and scheme.lower() in ("http", "https"):
        return checked_url("image_url", place, "the address of a photo")
    is_local = not colon or scheme in ("file", "local")
    is_place = re.match("/(?!/)", rest or place) if is_local else re.fullmatch(r"\w[\w+.-]*", scheme) and rest
    if not is_place or place.endswith("/") or "\0" in place:
        raise UsageError(
            f"TS111 image_url is {shown_address(place or value)}: it should be the http or https address of "
            "a photo, the address of one in a store, such as 's3://aws_default@photos/anna.jpg', or the "
            "absolute path of a file."
        )
    if not is_local and has_login(place):
        raise UsageError(
            f"TS105 image_url {shown_address(place)} has a login in it: define a connection with the login, "
            "and give its id instead, such as 's3://aws_default@photos/anna.jpg'."
        )
    return place


def checked_destination(value: Any) -> str:
    """Return a destination as a text, without surrounding white space.

    This checks the text alone, and neither the store nor its content.

    :raises UsageError: it is empty, a folder, has a login in it, or cannot be the name of a file.
    """
    is_path = isinstance(value, str) or hasattr(value, "__fspath__") or hasattr(value, "sign")
    target = str(value).strip() if is_path else ""
    refuse_unrendered("destination", target)
    if not target:
        raise UsageError(
            f"TS124 destination is {shown_address(value)}: it should be the path or address of a file to "
            "write."
        )
    shown = shown_destination(target)
    if "\0" in target:
        raise UsageError(f"TS126 destination {shown} cannot be the name of a file.")
    if target.endswith("/"):
        raise UsageError(f"TS125 destination {shown} is a folder: give the name of the file too.")
    if re.match(r"[a-z][a-z0-9+.-]+:/[^/]", target):
        raise UsageError(
            f"TS127 destination {shown_address(target)} is an address with one slash, as pathlib.Path writes "
            "it: give the address as a text, or as an ObjectStoragePath."
        )
    scheme, colon, rest = target.partition("://")
    if colon and scheme in ("file", "local"):
        if not rest.startswith("/"):
            raise UsageError(
                f"TS128 destination {shown} names a host: the address of a file begins with file:///."
            )
    elif colon and has_login(target):
        raise UsageError(
            f"TS123 destination {shown} has a login in it: define a connection with the login, and give "
            "its id instead, such as 's3://aws_default@bucket/video.mp4'."
        )
    return target


def has_login(address: str) -> bool:
    """Return True for an address with a login: Airflow takes that for an id, and its errors quote it."""
    login = address.partition("://")[2].partition("/")[0].rpartition("@")[0]
    return ":" in login or bare_url(address).endswith("://***")


def is_http_url(value: Any) -> TypeGuard[str]:
    """Return True for the text of an http(s) address that a message may show unchanged.

    It has at most 8,192 characters, and none of them is white space, a control character, invisible, or
    changes the direction of the text.

    >>> is_http_url("https://example.com/anna.jpg"), is_http_url("s3://bucket/anna.jpg")
    (True, False)
    """
    if not isinstance(value, str) or len(value) > MAX_URL_CHARACTERS:
        return False
    # Some parsers end the host at a backslash and others do not: the checked host must be the requested one.
    if re.search(r"[\s\\]", value) or not value.isprintable() or UNSEEN.search(value):
        return False
    try:
        parts = urlsplit(value)
        # Both raise a ValueError: the first for a wrong port, the second for a wrong host.
        parts.port  # noqa: B018
        (parts.hostname or "").encode("idna")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def is_encodable(text: str) -> bool:
    """Return True if a text can be sent; half of a surrogate pair, as in a broken file, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_text(value: Any, limit_words: int) -> str:
    """Return the text unchanged.

    Characters of Thai, Lao, Khmer and Burmese do not count here: their words are a guess, for a warning.

    :param limit_words: the longest text, in words.
    :raises UsageError: the text is silent or too long, was not rendered, or is the name of a file.
    """
    # The length comes first, because the other checks read the complete text.
    limit_characters = limit_words * MAX_CHARACTERS_PER_WORD
    if isinstance(value, str) and len(value) > limit_characters:
        raise UsageError(
            f"TS102 text has {len(value)} characters: no text of {limit_words} words has more than "
            f"{limit_characters}. Shorten it or split it over several videos."
        )
    text = _speakable(value)
    if re.fullmatch(r"\S+\.txt", text.strip()):
        raise UsageError(
            f"TS110 text is {shown_text(text)}, the name of a file, from a template, an XCom or another "
            "task. Airflow reads a file only if the DAG file itself has the name: give the content of the "
            "file as the text. (To have the name spoken, add a full stop.)"
        )
    words = word_count(text).certain
    if words > limit_words:
        raise UsageError(
            f"TS109 text has {words} words, and the limit is {limit_words}: {shown_text(text)}. Each Chinese "
            "or Japanese character counts as a word. Shorten it or split it over several videos; if your "
            "account has another limit, set text_limit_words in the connection's extra."
        )
    return text


def _speakable(value: Any) -> str:
    refuse_unrendered("text", value)
    if not isinstance(value, str) or not is_encodable(value) or is_silent(value):
        raise UsageError(f"TS101 text is {shown_text(value)}: it should be a text with something to speak.")
    return value


def check_constants(**arguments: Any) -> None:
    """Check the constant arguments of an operator, when the DAG file is parsed.

    Templates and XComs are checked when the task runs. So are the length of a text, as its limit is a setting
    of the connection, and the content of a text file.

    :param arguments: any of ``text``, ``image_url``, ``pronouncer`` and ``destination``.
    :raises UsageError: an argument is wrong, whatever the connection is.
    """
    for name, value in arguments.items():
        constant = str(value) if hasattr(value, "__fspath__") and name == "destination" else value
        if is_constant(constant):
            _CONSTANT_CHECKS[name](constant)


_CONSTANT_CHECKS: dict[str, Callable[[Any], object]] = {
    "text": _speakable,
    "image_url": checked_photo,
    "pronouncer": checked_pronouncer,
    "destination": checked_destination,
}


def warnings_of(text: str, pronouncer: str, limit_words: int) -> list[str]:
    """Return warnings about a submit that passed the checks, and that the service may still refuse.

    :param text: the result of :func:`checked_text`.
    :param pronouncer: the result of :func:`checked_pronouncer`.
    :param limit_words: the longest text, in words.
    """
    found = []
    count = word_count(text)
    if count.guessed and sum(count) > limit_words:
        found.append(
            f"TS106 The text may be too long: it has {count.guessed} characters of Thai, Lao, Khmer or "
            f"Burmese, where the number of words is a guess, and the limit is {limit_words} words. It is "
            "submitted; if TwinSync refuses it, split it over several videos."
        )
    return [*found, *voice_warnings(pronouncer, text, all_voices())]
