"""The access key is hidden in every escape that servers and proxies use."""

from __future__ import annotations

import html
import json
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airflow_provider_twinsync._api.answers import shown
from airflow_provider_twinsync._api.exchange import Answered
from airflow_provider_twinsync._api.redaction import hide, holds
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._api.submit import build_submit, parse_submit
from airflow_provider_twinsync.exceptions import TwinSyncError

if TYPE_CHECKING:
    from collections.abc import Callable

#: Keys with characters that are escaped, and one without, such as most keys.
KEYS = [
    "Sesame-7b1f9c",
    "a+b&c<d>e'f\"g/h\\i=j%k#l?m",
    "clé-þ-ÿ/1",
    "钥匙-sésame",
    "镕基-sésame",  # in GB18030 with a letter as a second byte
    "open  sesame now",
    "𝒦ey+𝒦ey",
    "\\\\a\\b",
]


def by_character(write: Callable[[str], str]) -> Callable[[str], str]:
    return lambda key: "".join(map(write, key))


def in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def utf_16(character: str, form: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(form + units[n : n + 4] for n in range(0, len(units), 4))


def marks(escape: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function that escapes all characters but letters and digits, as most servers do."""
    return by_character(lambda one: one if one.isascii() and one.isalnum() else escape(one))


ESCAPES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "JSON": lambda key: in_json(key),
    "JSON, not ASCII": lambda key: json.dumps(key, ensure_ascii=False)[1:-1],
    "JSON twice": lambda key: in_json(in_json(key)),
    "JSON, three times": lambda key: in_json(in_json(in_json(key))),
    "JSON, every character": by_character(lambda one: utf_16(one, r"\u")),
    "JSON, every character, upper case": by_character(
        lambda one: utf_16(one, r"\u").upper().replace("U", "u")
    ),
    "PHP": lambda key: in_json(key).replace("/", r"\/"),
    "Go": marks(
        lambda one: utf_16(one, r"\u") if one in "<>&" else json.dumps(one, ensure_ascii=False)[1:-1]
    ),
    "Rails": marks(lambda one: utf_16(one, r"\u") if one in "<>&\u2028" else json.dumps(one)[1:-1]),
    ".NET": marks(lambda one: utf_16(one, r"\u").upper().replace("U", "u")),
    "JavaScript": marks(lambda one: f"\\u{{{ord(one):x}}}"),
    "bytes": marks(lambda one: f"\\x{ord(one):02x}" if ord(one) < 256 else f"\\U{ord(one):08x}"),
    "HTML": html.escape,
    "HTML twice": lambda key: html.escape(html.escape(key)),
    "HTML, decimal": by_character(lambda one: f"&#{ord(one)};"),
    "HTML, decimal with zeros": by_character(lambda one: f"&#{ord(one):07};"),
    "HTML, hexadecimal": by_character(lambda one: f"&#x{ord(one):x};"),
    "HTML, hexadecimal, upper case": by_character(lambda one: f"&#X{ord(one):04X};"),
    "HTML, by name": lambda key: (
        key.replace("&", "&amp;")
        .replace("<", "&LT;")
        .replace("'", "&apos;")
        .replace("/", "&sol;")
        .replace("+", "&plus;")
        .replace("é", "&eacute;")
    ),
    "in an address": quote,
    "in an address, lower case": marks(lambda one: quote(one, safe="").lower()),
    "in a form": quote_plus,
    "in an address twice": lambda key: quote(quote(key, safe=""), safe=""),
    "in an address, every character": by_character(
        lambda one: "".join(f"%{byte:02x}" for byte in one.encode())
    ),
    "in an address, Latin-1": lambda key: (
        quote(key, safe="", encoding="latin-1", errors="ignore")
        if key.isascii() or key.startswith("cl")
        else quote(key)
    ),
    "in an address, Chinese": lambda key: quote(key, safe="", encoding="gb18030"),
    "in an address, JavaScript's escape": marks(lambda one: utf_16(one, "%u")),
    "JSON in an address": lambda key: quote(in_json(key), safe=""),
    "mixed": lambda key: "".join(
        [str, lambda one: utf_16(one, r"\u"), lambda one: f"&#{ord(one)};"][n % 3](one)
        for n, one in enumerate(key)
    ),
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_a_key_is_hidden_in_every_escape(escape: Callable[[str], str], key: str) -> None:
    """Alone, in a sentence, and several times."""
    written = escape(key)
    assert hide(written, key, 6_000) == "***"
    assert hide(f"<{written}> [{written}]", key, 6_000) == "<***> [***]"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "gb18030"])
@pytest.mark.parametrize("key", ["clé-sésame", "ßÿé", "sésame-钥匙钥"])
def test_a_key_that_is_not_ascii_is_hidden_in_another_encoding(key: str, encoding: str) -> None:
    """Each body is read as UTF-8."""
    body = b"the key " + key.encode(encoding, "replace") + b" is wrong"
    assert shown(body.decode("utf-8", "replace"), key) == "the key *** is wrong"
    if encoding != "gb18030":  # and the other way round
        assert (
            shown(f"the key {key.encode().decode(encoding, 'replace')} is wrong", key)
            == "the key *** is wrong"
        )


#: All characters that a person can type, and more.
PRINTABLE = st.characters(exclude_categories=["Cc", "Cs"])
ANY_KEY = st.text(PRINTABLE, min_size=4, max_size=30).map(str.strip).filter(lambda key: len(key) > 3)
FOR_ANY_KEY = [
    "as it is",
    "JSON",
    "JSON, every character",
    "PHP",
    ".NET",
    "HTML",
    "HTML, decimal",
    "in a form",
]


@hypothesis_settings(deadline=None)
@given(ANY_KEY, st.sampled_from(FOR_ANY_KEY), st.text(PRINTABLE, max_size=20))
def test_any_key_is_hidden(key: str, name: str, around: str) -> None:
    """For any characters in it and around it."""
    written = ESCAPES[name](key)
    assert written not in hide(f"{around}|{written}|{around}", key, 6_000).replace(around, "")


@pytest.mark.parametrize(
    ("key", "text", "hidden"),
    [
        ("abc", "abc xabc abcx (abc) x-abc", "*** xabc abcx (***) x-***"),
        ("1", "result_code: 1, 10279 1", "result_code: ***, 10279 ***"),
        ("abcd", "xabcdx", "x***x"),
        ("", "anything", "anything"),
    ],
)
def test_a_key_of_one_to_three_characters_is_hidden_where_it_stands_alone(
    key: str, text: str, hidden: str
) -> None:
    """It is a part of many words, and a message without them would have no meaning."""
    assert hide(text, key, 6_000) == hidden


@pytest.mark.parametrize(
    ("key", "text", "hidden"),
    [
        ("next-1234", r"C:\next-1234", r"C:\***"),  # a backslash before a letter is no part of an escape
        ("open sesame", "open\r\n\tsesame", "***"),
        ("open sesame", "open     sesame", "open     sesame"),
        ("open \tsesame", r"open\u0020&#9;sesame", "***"),
        ("a[b]-sesame", "a&lbrack;b&rsqb;-sesame", "***"),
        ("a[b]-sesame", "a&lsqb;b&rbrack;-sesame", "***"),
        ("\\sesame", "\\" * 8 + "sesame", "***"),
        ("\\sesame", "\\" * 9 + "sesame", "\\" * 9 + "sesame"),
        ("钥匙-sesame", "?" * 20 + "-sesame", "?" * 12 + "***"),
        ("\ud800钥-sesame", "key \ud800钥-sesame", "key ***"),
        ("\ud800钥-sesame", r"key \ud800\u94a5-sesame", "key ***"),
    ],
    ids=repr,
)
def test_an_escape_has_a_length(key: str, text: str, hidden: str) -> None:
    """The characters around it are shown; half of a surrogate pair breaks nothing."""
    assert hide(text, key, 6_000) == hidden


def test_a_text_without_the_key_is_as_it_was() -> None:
    """Chinese, with percent signs, with backslashes."""
    for text in ["处理 50% taskID:1", r"C:\new\table", "100% & more + more", "", "x" * 6_000]:
        assert hide(text, KEYS[0], 6_000) == text


@pytest.mark.parametrize("before", [5_990, 5_995, 5_999, 6_000])
def test_a_key_across_the_end_of_what_is_read_is_hidden(before: int) -> None:
    """Its first characters are not shown either."""
    for written in (KEYS[0], ESCAPES["JSON, every character"](KEYS[0])):
        read = hide("." * before + written + "." * 100, KEYS[0], 6_000)
        assert read.strip(".") in ("", "***")
        assert len(read) <= 6_003
        assert before < 6_000 or read == "." * 6_000


@pytest.mark.parametrize("length", [41, 200, 1_000])
def test_a_long_key_is_hidden_whole(length: int) -> None:
    """A token may have a thousand characters; the text behind a space is shown."""
    token = ("eyJhbGciOiJIUzI1NiJ9." * 50)[:length]
    assert hide(f"key {token} is wrong", token, 6_000) == "key *** is wrong"
    assert (
        hide(f"key {ESCAPES['JSON, every character'](token)} is wrong", token, 60_000) == "key *** is wrong"
    )
    with_spaces = ("four words of it " * 60)[:length].strip()
    assert hide(f"key {with_spaces} is wrong", with_spaces, 6_000) == "key *** is wrong"


#: Keys and texts that a careless pattern matches in very many ways.
HARD = [
    ("\\" * 20 + "x", "\\" * 6_000),
    ("a\\" * 20 + "x", "a\\\\\\" * 2_000),
    ("éa" * 20 + "x", "éa" * 3_000),
    ("钥匙" * 10 + "x", "?" * 6_000),
    ("a" + " " * 20 + "x", "a" + " " * 6_000),
    ("&" * 20 + "x", "&amp;" * 2_000),
    ("&amp;" * 8 + "x", "&amp;amp;" * 1_000),
    ("%" * 20 + "x", "%25" * 2_000),
    ('"' * 20 + "x", '\\\\\\"' * 1_500),
    ("0" * 20 + "x", "&#00000048" * 900),
]


@pytest.mark.parametrize(("key", "text"), HARD, ids=[repr(key[:4]) for key, _ in HARD])
def test_no_text_takes_long(key: str, text: str) -> None:
    """The triggerer reads answers in its event loop; a careless pattern would take years."""
    began = time.process_time()
    hide(text + "x%", key, 6_000)
    hide("x%" + text * 200, key, 6_000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("key", "text", "found"),
    [
        ("Sesame-7b1f9c", "http://h/a.mp4?key=Sesame-7b1f9c", True),
        ("Sesame-7b1f9c", "http://h/a.mp4?key=%53esame%2D7b1f9c", True),
        ("Sesame-7b1f9c", "http://h/a.mp4", False),
        ("example", "http://h/example/a.mp4", False),
        ("examples", "http://h/examples/a.mp4", True),
    ],
)
def test_a_key_of_eight_characters_is_in_no_address_by_chance(key: str, text: str, found: bool) -> None:
    """A shorter key may be a word, and must not lose a video that is paid for."""
    assert holds(text, key) is found


KEY = KEYS[0]
ID = "20230423_11_23_05_10279"
NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_no_answer_brings_the_key_into_anything_that_is_kept(escape: Callable[[str], str]) -> None:
    """A job's repr and message, an error of a status, and an error of a submit; from JSON and from a page."""
    written = escape(KEY)
    for code in (101, 104):
        job = parse_job(
            ID,
            Answered(200, json.dumps({"result_code": code, "msg": f"account of key {written}"}).encode()),
            key=KEY,
        )
        assert job.message == "account of key ***"
        assert KEY not in repr(job)
    for body in (json.dumps({"result_code": 200, "msg": written}), f"<p>key {written}</p>"):
        for read in (
            lambda answer: parse_job(ID, answer, key=KEY),
            lambda answer: parse_submit(
                build_submit(text="Hi", image_url="http://h/a.jpg", pronouncer="en-US-JennyNeural", key=KEY),
                answer,
                sent_at=NOW,
            ),
        ):
            with pytest.raises(TwinSyncError) as caught:
                read(Answered(200, body.encode()))
            assert "***" in str(caught.value)
            assert written not in f"{caught.value} {caught.value!r}"
            assert KEY.casefold() not in str(caught.value).casefold()
