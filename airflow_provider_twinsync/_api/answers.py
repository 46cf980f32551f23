"""Read the body of an answer: its text, its JSON, the jobs that it names, and its text for a message.

Pure. :mod:`~airflow_provider_twinsync._api.submit` and :mod:`~airflow_provider_twinsync._api.status` decide
the meaning of an answer.
"""

from __future__ import annotations

import html
import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_plus

from airflow_provider_twinsync._api.redaction import hide
from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._api.signatures import signature_values

#: An answer has some hundred bytes; reading ends at this size.
MAX_ANSWER_BYTES = 1_000_000
#: A text of the service is read this far for a message, which shows the first 300 characters.
_MAX_READ_CHARACTERS = 6_000


def decode(body: bytes) -> str:
    """Return a body as text.

    A wrong character in `msg` must not hide a code and an id, which are plain ASCII.
    """
    return body.decode(json.detect_encoding(body), errors="replace")


def read_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    :raises ValueError: there is none; the message is the reason.
    """
    if len(body) >= MAX_ANSWER_BYTES:
        raise ValueError("the answer is too large")
    try:
        payload = _JSON.decode(decode(body))
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON that can be read") from None
    if not isinstance(payload, dict):
        raise ValueError("the answer is not a JSON object")
    return payload


def is_damaged(body: bytes) -> bool:
    """Return True for a body that was cut or is compressed: it is not text, or not complete JSON."""
    text = decode(body)
    begins_as_json = text.lstrip()[:1] in ("{", "[")
    if begins_as_json:
        with suppress(ValueError, RecursionError):
            json.loads(text)
            begins_as_json = False
    return begins_as_json or bool(re.search(r"[\x00-\x08\x0e-\x1f]", text))


def secrets_of(url: str) -> list[str]:
    """Return the parts of an address that may be secret: its query, its login and its signature.

    >>> secrets_of("https://user:pw@example.com/a.jpg?sig=x")
    ['sig=x', 'user:pw']
    """
    rest, _, query = url.partition("?")
    login = rest.partition("://")[2].partition("/")[0].rpartition("@")[0]
    return [secret for secret in (query.partition("#")[0], login, *signature_values(url)) if secret]


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with two different values of one name: there would be two codes."""
    unique = dict(pairs)
    if len(unique) != len(pairs) and any(unique[name] != value for name, value in pairs):
        raise ValueError("duplicate keys")
    return unique


_JSON = json.JSONDecoder(object_pairs_hook=_unique_keys)


def read_code(payload: dict[str, Any]) -> int:
    """Return ``result_code`` as a number; a text of digits, with white space around, counts (our reading).

    >>> read_code({"result_code": " 101 "})
    101

    :raises ValueError: there is none.
    """
    code = payload.get("result_code")
    if isinstance(code, str) and re.fullmatch(r"[0-9]{1,9}", code.strip()):
        return int(code)
    if isinstance(code, int) and not isinstance(code, bool):
        return code
    raise ValueError("the answer has no result_code that is a number")


def shown(text: str, key: str, limit: int = 300, photo: str = "") -> str:
    """Return a text of the service, or of a proxy on the way, for a message, an event or a log.

    The result is bounded and on one line, without the access key, and without the logins and queries of
    addresses, which may be signatures. The text may repeat the address of the photo in any form.

    >>> shown("key Sesame-7 cannot open https://example.com/a.jpg?sig=x", "Sesame-7")
    'key *** cannot open https://example.com/a.jpg?…'
    """
    for secret in secrets_of(photo):
        text = hide(text, secret, MAX_ANSWER_BYTES)
    text = hide(text, key, _MAX_READ_CHARACTERS)
    if "//" in text or r"\/\/" in text:
        text = _WORD.sub(_without_query, _LOGIN.sub(r"\1", text))
    return one_line(_SIGNATURE.sub(r"\1…", text), limit)


#: The signature of an address, in a text that need not have the address, such as a form that is repeated.
_SIGNATURE = re.compile(
    r"""((?:signature|credential|security-token|(?:\b|3f|26)(?:sig|token))(?:=|%(?:25){0,3}3d|\\{1,8}u003d|&#61;))[^\s"'<>&]+""",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"""(//|\\/\\/)[^\s/\\"'<>?#@]*@""")
_WORD = re.compile(r"""[^\s"'<>]+""")


def _without_query(word: re.Match[str]) -> str:
    start = max(word[0].find("//"), word[0].find(r"\/\/"))
    if start < 0:
        return word[0]
    address, mark, _ = word[0][start:].partition("?")
    return f"{word[0][:start]}{address}{mark and '?…'}"


# ------------------------------------------------------------------------------------------ the jobs it names

#: The name of an id (``task_id``, ``taskID``) in a text, JSON or XML, escaped or not, the marks after it, and
#: the id; brackets before the id are no part of the id.
_NAMED = re.compile(
    r"""task[\s_-]?id(["'\\\s]{0,9}[:=>：]+["'\\\s\[({]*)([^\s"'\\,;:&<>\[\](){}]+)""", re.IGNORECASE
)
#: The documented form of an id, under any name: ``20230423_11_23_05_10279``.
_DOCUMENTED = re.compile(r"(?<![0-9])20[0-9]{6}_[0-9]{1,2}_[0-9]{1,2}_[0-9]{1,2}_[0-9]+")
_NOTHING = ("none", "null", "undefined", "nil", "false", "na", "n/a")
#: A possible name of a job, in the words of any service; it prevents another submit.
_MENTIONED = re.compile(
    r"""(?:task|job|任务)(?:[\s_#-]|%5f){0,9}(?:ids?(?![a-z])|编号|号)|["'](?:task|job|id)["']\s*:""",
    re.IGNORECASE,
)
#: The same name without an id: an empty field, or a sentence about a missing id.
_EMPTY = re.compile(
    r"""["']?(?:task|job)?[\s_-]?ids?["']?\s*(?:[:=]\s*(?:null|none|false|\[\]|\{\}|(?:0+|-\d+)(?!\w)"""
    r"""|(["'])\s*(?:-|n/?a|none|null|undefined|0+|-\d+)?\s*\1)|:?\s+(?:is\s+)?(?:missing|not|the|invalid)\b)""",
    re.IGNORECASE,
)


def mentions_job(body: bytes, photo: str = "") -> bool:
    """Return True if the answer to a submit may name a job, in any words.

    This is for an answer after which the submit would be repeated: a word too many costs a check of the
    account, and a word too few a second payment.

    >>> mentions_job(b"video conversion of taskID 8f3a21 failed")
    True

    :param photo: the address of the photo, which the answer may repeat.
    """
    return bool(_MENTIONED.search(_EMPTY.sub("", _unescaped(body, photo))))


def named_job(body: bytes, photo: str = "") -> str | None:
    """Return the id of a job that the answer to a submit names anywhere, or None if it names none.

    Money depends on it, so this reads more than JSON: an answer with two codes, a cut answer, a page of a
    proxy with the service's answer in it, and a text in any field.

    >>> named_job(b'<p>{"result_code": 500, "task_id": "8f3a21"')
    '8f3a21'

    :param photo: the address of the photo, which the answer may repeat, and which names no job.
    """
    text = _unescaped(body, photo)
    for found in _NAMED.finditer(text):
        # As in "task id: the photo is missing".
        is_word = re.fullmatch(r"\s*[:：]\s+", found[1]) and not re.search("[0-9]", found[2])
        if not is_word and not _is_nothing(found[2]):
            return found[2]
    documented = _DOCUMENTED.search(text)
    return documented[0] if documented else None


def _unescaped(body: bytes, photo: str) -> str:
    text = re.sub(r"\\u00([2-7][0-9a-fA-F])", lambda escape: chr(int(escape[1], 16)), decode(body))
    text = html.unescape(text.replace(r"\/", "/"))
    return text.replace(photo, "") if photo else text


#: As in the documented `msg`: ``taskID:20230423_11_23_05_10279 has been completed``.
_IN_MSG = re.compile(r"""task[\s_]?id\s*[:=：](\s*)["'\[({]*""", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9_.%+-]*[A-Za-z0-9_]")


def other_job(payload: dict[str, Any], twinsync_task_id: str) -> str | None:
    """Return the other job that the answer to a status request names, or None.

    An answer without an id is about the requested job. So is an answer that writes the id in another form:
    with white space, as a number, in another case, percent-encoded, or cut at the end of `msg`.

    >>> other_job({"task_id": "7"}, "8"), other_job({"task_id": " 8"}, "8")
    ('7', None)
    """
    for name, value in payload.items():
        if name.replace("_", "").replace("-", "").strip().casefold() != "taskid":
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and not _is_nothing(value) and not _is_same(value, twinsync_task_id):
            return value
    message = payload.get("msg")
    other = None
    for found in _IN_MSG.finditer(message[:_MAX_READ_CHARACTERS]) if isinstance(message, str) else ():
        assert isinstance(message, str)  # noqa: S101  # for the type checker
        rest = message[found.end() : found.end() + _MAX_READ_CHARACTERS]
        after = rest[len(twinsync_task_id) :]
        if _is_same(rest[: len(twinsync_task_id)], twinsync_task_id) and not re.match(r"[A-Za-z0-9_]", after):
            return None
        token = _TOKEN.match(rest)
        if token is None or _is_nothing(token[0]) or _is_same(token[0], twinsync_task_id):
            continue
        is_cut = twinsync_task_id.startswith(token[0]) and rest[token.end() :].strip(" .…") == ""
        is_word = found[1] and not re.search("[0-9]", token[0])  # as in "taskID: not found"
        if not is_cut and not is_word:
            other = other or token[0]
    return other or _other_documented(payload, twinsync_task_id)


def _other_documented(payload: dict[str, Any], twinsync_task_id: str) -> str | None:
    """Return an id of the documented form if the answer has one, and nowhere the requested id.

    The address of the video does not count: a file need not have the name of its job.
    """
    if not _DOCUMENTED.fullmatch(twinsync_task_id):
        return None
    rest = {name: value for name, value in payload.items() if name != "result_url"}
    found = _DOCUMENTED.findall(re.sub(r"https?://\S+", "", str(rest)))
    return found[0] if found and twinsync_task_id not in found else None


def _is_nothing(value: str) -> bool:
    """Return True for a text that is not an id: a number up to 0, a word for nothing, or only punctuation."""
    bare = value.strip().casefold()
    return bare in _NOTHING or not re.search(r"\w", bare) or bool(re.fullmatch(r"0+|-[0-9]+", bare))


def _is_same(value: str, twinsync_task_id: str) -> bool:
    """Return True if a text is another form of an id."""
    if len(value) > 10 * len(twinsync_task_id) + 100:
        return False
    value, wanted = value.strip().casefold(), twinsync_task_id.casefold()
    bare = value.strip("\"'").strip()
    if bare.isdecimal() and wanted.isdecimal():
        return bare.lstrip("0") == wanted.lstrip("0")
    return wanted in (value, bare, unquote_plus(bare))
