"""Arguments, addresses, durations and foreign text in a message."""

from __future__ import annotations

import json

import pytest

from airflow_provider_twinsync._api.answers import shown
from airflow_provider_twinsync._api.exchange import Answered
from airflow_provider_twinsync._api.photo import http_photo
from airflow_provider_twinsync._api.shown import (
    one_line,
    sentence,
    shown_address,
    shown_destination,
    shown_duration,
    shown_text,
    shown_url,
)
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._api.submit import shown_job
from airflow_provider_twinsync._api.validation import is_http_url


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.05, "0.1 s"),
        (0.25, "0.2 s"),
        (1, "1 s"),
        (1.5, "2 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (86_581, "24.1 h"),
        (172_799, "48.0 h"),
        (172_800, "2.0 days"),
        (609_121, "7.1 days"),
    ],
)
def test_a_duration_is_shown_in_the_unit_of_a_person(seconds: float, shown: str) -> None:
    """Seconds, minutes, hours or days."""
    assert shown_duration(seconds) == shown


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("HTTP 500", "HTTP 500."),
        ("No.", "No."),
        ("No!", "No!"),
        ("Why? ", "Why?"),
        ("完成。", "完成。"),
        ("a long answer…", "a long answer…"),
        ("{}", "{}."),
    ],
)
def test_another_sentence_can_follow(text: str, wanted: str) -> None:
    """Two sentences do not become one in a log."""
    assert sentence(text) == wanted


@pytest.mark.parametrize(
    ("destination", "shown"),
    [
        ("/data/a?b#c.mp4", "'/data/a?b#c.mp4'"),
        ("a@b:c.mp4", "'a@b:c.mp4'"),
        ("s3://key:s3cret@bucket/a.mp4?sig=s3cret", "'s3://bucket/a.mp4'"),
    ],
)
def test_only_the_address_of_a_destination_has_secrets(destination: str, shown: str) -> None:
    """The path of a file is shown unchanged."""
    assert shown_destination(destination) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/a.jpg?X-Amz-Signature=s3cret", "https://h.example/a.jpg"),
        ("https://h.example/a.jpg?x=1#s3cret", "https://h.example/a.jpg"),
        ("https://user:s3cret@h.example/a.jpg?s3cret#s3cret", "https://h.example/a.jpg"),
        ("https://s3cret@h.example:444/a.jpg", "https://h.example:444/a.jpg"),
        ("https://user:s3cret@[::1]:81/a", "https://[::1]:81/a"),
        ("HTTPS://user:s3cret@H.example/a", "HTTPS://H.example/a"),
        ("//user:s3cret@h.example/a?s3cret", "//h.example/a"),
        ("https:/user:s3cret@h.example/a", "https:/h.example/a"),
        ("https://user:s3cret@h.example:port/a", "https://***"),
        ("https://user:s3cret@[::1", "https://***"),
        ("https://user:s3cret%40h.example/a", "https://***"),
        ("https://user:a/s3cret@h.example/a", "https://***"),
        ("https://user:a?s3cret@h.example/a", "https://***"),
        ("https://user:a#s3cret@h.example/a", "https://***"),
        ("https://user:1?s3cret@h.example/a", "https://***"),
        ("https://user:a@b#s3cret@h.example/a", "https://***"),
        ("https://user:s3cret\\@h.example/a", "https://***"),
        ("https:user:s3cret@h.example/a", "***"),
        ("user:s3cret@h.example/a", "***"),
        (" https://user:s3cret@h.example/a", "***"),
        ("see https://h.example/a?s3cret", "see https://h.example/a"),
        ("s3://AKIA1:s3cret@bucket/a.jpg", "s3://bucket/a.jpg"),
        ("s3://AKIA1:x/s3cret@bucket/a.jpg", "s3://***"),
        ("s3://aws_default@bucket/a.jpg?versionId=s3cret", "s3://aws_default@bucket/a.jpg"),
        ("abfs://photos@account.example/a.jpg?sig=s3cret", "abfs://photos@account.example/a.jpg"),
        ("socks5://user:s3cret@h.example", "socks5://h.example"),
        ("https://h.example:port/a.jpg?s3cret", "https://h.example:port/a.jpg"),
        ("https://h.example/anna@2x.jpg", "https://h.example/anna@2x.jpg"),
        ("https://h.example:81/anna@2x.jpg", "https://h.example:81/anna@2x.jpg"),
        ("https://例子.测试/照片.jpg", "https://例子.测试/照片.jpg"),
        ("//s3cret@h.example/a", "//h.example/a"),
        ("http://s3cret@h.example/a", "http://h.example/a"),
        ("HTTP://s3cret@h.example/a", "HTTP://h.example/a"),
        ("https://user:s3@cret@h.example/a", "https://h.example/a"),
        ("https://user:a@b/s3cret@h.example/a", "https://***"),
        ("user:\ns3cret@h.example/a", "***"),
        ("https://cdn/fetch/https://user:s3cret@h.example/a?s3cret", "https://cdn/fetch/https://h.example/a"),
        ("https://[::1]:8/@anna", "https://[::1]:8/@anna"),
        ("http://[::1", "http://[::1"),
        ("a.jpg#s3cret", "a.jpg"),
        ("/data/anna.jpg", "/data/anna.jpg"),
        ("anna@2x.jpg", "anna@2x.jpg"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_login_and_query(url: str, shown: str) -> None:
    """A parser need not accept it; the end of the login is not guessed."""
    assert shown_url(url) == shown
    assert shown_address(url) == repr(shown)
    assert shown_url(shown) == shown


def test_a_job_is_shown_without_the_secrets_of_its_photo() -> None:
    """An error about an uncertain submit has it."""
    assert "s3cret" not in shown_job(
        "Hello", http_photo("https://user:s3cret@h.example/a.jpg?sig=s3cret").shown
    )


KEY = "Sesame-7b1f9c"
ID = "20230423_11_23_05_10279"
#: Texts that must not be shown unchanged.
STRANGE = {
    "newlines": "a\r\nb\n\nc",
    "separators": "a\u2028b\u2029c\x85d\x1cd",
    "C0": "a\x00\x07\x1b[31mb",
    "C1": "a\x80\x9b31mb\x9f",
    "bidi": "a\u202e\u2066\u2069\u200fb\u061c",
    "zero width": "a\u200b\u200c\u200d\u2060\ufeffb\u00ad",
    "unseen letters": "a\u3164\u115f\u1160\uffa0\u2800b",
    "tags": "a\U000e0041b",
    "selectors": "a\ufe00\ufe01\U000e0100b",
    "half a pair": "a\ud800b",
    "private": "a\ue000b\U0010ffff",
    "marks": "a" + "\u0301" * 1_000 + "b",
    "enclosing marks": "a" + "\u20dd" * 1_000 + "b",
    "long": "x" * 900_000,
    "long in Chinese": "字" * 90_000,
}
UNSEEN = set("\u3164\u115f\u1160\uffa0\u2800\ufe00\ufe01\U000e0100")


def is_harmless(text: str) -> bool:
    floods = any(mark * 5 in text for mark in "\u0301\u20dd")
    return text.isprintable() and not floods and not UNSEEN & set(text)


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_strange_text_is_bounded_printable_and_on_one_line(text: str) -> None:
    """In each text that is logged, stored, put into an event or shown."""
    for made in (one_line(text), shown(text, KEY), shown_url(f"http://h/{text}")):
        assert is_harmless(made)
        assert len(made) <= 301
    assert is_harmless(shown_text(text))
    assert len(shown_text(text)) <= 83
    body = json.dumps({"result_code": 104, "msg": text}).encode()
    assert is_harmless(repr(parse_job(ID, Answered(200, body), key=KEY)))
    assert not is_http_url(f"http://h/{text}") or text.startswith("a\u0301") or "\u20dd" in text


@pytest.mark.parametrize(
    "text",
    ["完成了", "Việt Nam", "नमस्ते दुनिया", "สวัสดีครับทั้งหลาย", "שָׁלוֹם", "👩‍💻".replace("\u200d", ""), "👍🏽 ok ❤️"],
)
def test_text_of_any_script_is_shown_as_it_is(text: str) -> None:
    """With its marks."""
    assert one_line(text) == text
    assert shown_text(text) == f"'{text}'"


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("a" * 80, f"'{'a' * 80}'"),
        ("a" * 81, f"'{'a' * 80}…'"),
        ("'" * 81, '"' + "'" * 80 + '…"'),
        ("\n" * 41, "'" + r"\n" * 40 + "…'"),
        ("a" + "\n" * 41, "'a" + r"\n" * 39 + "…'"),
        ("\u202e" * 14, "'" + r"\u202e" * 13 + "…'"),
        ("\\" * 41, "'" + "\\\\" * 40 + "…'"),
        ("a" + "\\" * 40, "'a" + "\\\\" * 39 + "…'"),
    ],
)
def test_a_text_that_is_cut_keeps_its_quotes_and_whole_escapes(value: str, made: str) -> None:
    """A message can continue after it."""
    assert shown_text(value) == made


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("\u0301" * 5, "\u0301" * 4),
        # Only its start is read.
        (" " * 6_000 + "a", ""),
        (" " * 5_999 + "a", "a"),
    ],
)
def test_a_text_is_made_printable_character_by_character(text: str, shown: str) -> None:
    """The printable characters around a control character stay."""
    assert one_line(text) == shown


def test_a_text_of_marks_is_shown_with_four() -> None:
    """Marks without a letter cover other lines too."""
    assert shown_text("\u0301" * 5) == "'" + "\u0301" * 4 + "'"
