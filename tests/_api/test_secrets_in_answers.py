"""Errors about an answer: bounded, on one line, without the key and the login of a photo."""

from __future__ import annotations

import html
import json
import re
import time
from urllib.parse import quote, unquote

import pytest
from support.answers import (
    KEY,
    MAX_MESSAGE_CHARACTERS,
    NOW,
    PHOTO,
    TASK_ID,
    TEXT,
    VOICE,
    answer,
    status_error,
    submit_error,
)

from airflow_provider_twinsync._api.answers import secrets_of, shown
from airflow_provider_twinsync._api.exchange import Answered, NotSent, Sent
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._api.submit import build_submit, parse_submit
from airflow_provider_twinsync.exceptions import RejectedError, TwinSyncError


@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize("code", [None, 7, 100, 200, 201, 202, 203])
@pytest.mark.parametrize("before", [0, 280, 297, 1_000], ids="after {} characters".format)
def test_an_answer_that_repeats_the_key_does_not_bring_it_into_an_error(
    before: int, code: int | None, status: int
) -> None:
    """A server that echoes the form, in JSON or not: the key is hidden, and so is a part of it at the cut."""
    for body in (
        json.dumps({"msg": "x" * before + f"got key={KEY}", "result_code": code}),
        "x" * before + f"<p>key={KEY}</p>",
    ):
        error = submit_error(Answered(status, body.encode()))
        assert KEY[:4] not in f"{error} {error!r}"


@pytest.mark.parametrize(
    ("key", "body", "unwanted"),
    [
        pytest.param(KEY, (KEY * 200).encode(), [KEY[:4]], id="many times"),
        pytest.param("钥匙", '{"msg": "钥匙"}'.encode(), ["钥匙"], id="Chinese in JSON"),
        pytest.param(
            "钥匙",
            json.dumps({"msg": "钥匙"}).encode(),
            ["\\u94a5"],
            id="Chinese in escaped JSON",
        ),
        pytest.param(
            'open"se/same',
            rb'{"msg": "open\"se/same"}',
            ["same"],
            id="a quote in JSON",
        ),
        pytest.param(
            "open/same",
            rb'{"msg": "open\/same"}',
            ["same"],
            id="a slash in PHP's JSON",
        ),
        pytest.param("open  same", b"key=open  same", ["same"], id="two spaces"),
        pytest.param(
            KEY,
            b" " * 2_395 + KEY.encode(),
            [KEY[:4]],
            id="at the end of what is looked at",
        ),
        pytest.param(
            KEY,
            f'{{"msg": "{KEY}"}}'.encode("utf-16"),
            [KEY[:4]],
            id="UTF-16",
        ),
    ],
)
def test_a_key_that_an_answer_repeats_in_another_form_is_hidden(
    key: str, body: bytes, unwanted: list[str]
) -> None:
    """As JSON writes it, with white space in it, in another encoding, cut off."""
    request = build_submit(text=TEXT, image_url=PHOTO, pronouncer=VOICE, key=key)
    with pytest.raises(TwinSyncError) as caught:
        parse_submit(request, Answered(200, body), sent_at=NOW)
    shown = str(caught.value).replace("\N{REPLACEMENT CHARACTER}", "")
    assert not [part for part in unwanted if part in shown]


@pytest.mark.parametrize(
    "written",
    ["{photo}", "{quoted}", "a.jpg?{query}", "{query}", "the photo of {login}"],
)
def test_an_answer_that_repeats_the_photo_shows_no_secret(written: str) -> None:
    """In any notation of the address."""
    photo = "https://anna:pass-9183@h.example.com/a.jpg?fn='a.jpg'&sig=SIG-48151"
    request = build_submit(text=TEXT, image_url=photo, pronouncer=VOICE, key=KEY)
    query, login = photo.partition("?")[2], "anna:pass-9183"
    msg = written.format(photo=photo, quoted=quote(photo, safe=""), query=query, login=login)
    with pytest.raises(RejectedError) as caught:
        parse_submit(request, answer({"result_code": 202, "msg": msg}), sent_at=NOW)
    assert "SIG-48151" not in str(caught.value)
    assert "pass-9183" not in str(caught.value)


SIGNED = (
    "https://photos.s3.eu-west-1.amazonaws.com/a.jpg?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIA-48151%2Fs3%2Faws4_request&X-Amz-Expires=86400&X-Amz-Signature=51627384f00d"
)


@pytest.mark.parametrize(
    "written",
    [
        SIGNED,
        quote(SIGNED, safe=""),
        quote(quote(SIGNED, safe=""), safe=""),
        unquote(SIGNED),
        html.escape(SIGNED),
        SIGNED.replace("/", r"\/").replace("&", r"\u0026").replace("=", r"\u003d"),
        "51627384f00d",
        "AKIA-48151/s3/aws4_request",
        "the signature 51627384F00D is not known",
        "x" * 290 + SIGNED,
    ],
)
def test_no_error_of_a_submit_shows_the_signature_of_its_photo(written: str) -> None:
    """It opens the photo: in any answer, as the id of the job, in an error of the transport."""
    request = build_submit(text=TEXT, image_url=SIGNED, pronouncer=VOICE, key=KEY)
    outcomes = [
        *(answer({"result_code": code, "msg": written}) for code in (100, 101, 200, 202, 203, 999)),
        answer({"result_code": 100, "task_id": written}),
        answer({"result_code": 203, "task_id": written}),
        Answered(500, f"<p>{written}</p>".encode()),
        Answered(200, f'{{"result_code": 100, "task_id": "{written}'.encode()),
        Sent(written),
        NotSent(written),
    ]
    for outcome in outcomes:
        with pytest.raises(TwinSyncError) as caught:
            parse_submit(request, outcome, sent_at=NOW)
        assert not re.search("51627384f00d|AKIA-48151", str(caught.value), re.IGNORECASE)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<p>line</p>\r\n" * 10_000, id="HTML"),
        pytest.param(b"\x1b[2J\x07\x00" * 1_000, id="terminal codes"),
        pytest.param("\u202e\u2028\u200b".encode() * 1_000, id="invisible characters"),
        pytest.param(json.dumps({"result_code": 5, "msg": "好" * 10_000}).encode(), id="a long msg"),
        pytest.param(b"\xff" * 10_000, id="wrong bytes"),
    ],
)
def test_an_error_is_one_line_of_bounded_length(body: bytes) -> None:
    """For any answer of the service, and any length of the text."""
    request = build_submit(
        text="字" * 10_000, image_url=PHOTO + "x" * 8_000, pronouncer=VOICE, key=KEY, text_limit_words=10_000
    )
    errors: list[TwinSyncError] = [status_error(Answered(200, body))]
    for status in (200, 301, 404, 503):
        with pytest.raises(TwinSyncError) as caught:
            parse_submit(request, Answered(status, body), sent_at=NOW)
        errors.append(caught.value)
    for error in errors:
        assert str(error).isprintable()
        assert len(str(error)) <= MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize("kind", [Sent, NotSent])
def test_an_error_without_an_answer_does_not_show_the_key(kind: type[Sent | NotSent]) -> None:
    """The message of a transport may repeat the request."""
    for error in (submit_error(kind(f"bad line {KEY}")), status_error(kind(f"bad line {KEY}"))):
        assert "bad line ***" in str(error)


@pytest.mark.parametrize("sent", [True, False])
def test_an_error_without_an_answer_is_one_line_of_bounded_length(sent: bool) -> None:
    """A server that does not speak HTTP comes in through the transport's own message."""
    response = (Sent if sent else NotSent)("BadStatusLine: " + "x" * 60_000)
    assert len(str(status_error(response))) <= MAX_MESSAGE_CHARACTERS
    assert len(str(submit_error(response))) <= MAX_MESSAGE_CHARACTERS


def test_a_message_of_the_service_is_bounded() -> None:
    """It goes into errors, logs and the event of a trigger."""
    task = parse_job(TASK_ID, answer({"result_code": 104, "msg": "no face\n" * 10_000}), key=KEY)
    assert len(task.message) <= MAX_MESSAGE_CHARACTERS
    assert task.message.isprintable()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("see http://h/a.mp4?Signature=secret now", "see http://h/a.mp4?… now"),
        (r'{"u": "http:\/\/h\/a.mp4?Signature=secret", "b": 1}', r'{"u": "http:\/\/h\/a.mp4?…", "b": 1}'),
        ("proxy http://user:secret@h:8/ is down", "proxy http://h:8/ is down"),
        ("is it there? // yes", "is it there? // yes"),
        ("see //h/a?sig=secret now", "see //h/a?… now"),
        (r"see \/\/h\/a?sig=secret now", r"see \/\/h\/a?… now"),
        ("http://h/a?next=//h&sig=secret", "http://h/a?…"),
        (r"http:\/\/h\/a?next=\/\/h&sig=secret", r"http:\/\/h\/a?…"),
        ("a.jpg?X-Amz-Date=2026&X-Amz-Signature=secret now", "a.jpg?X-Amz-Date=2026&X-Amz-Signature=… now"),
        (
            "image_url=https%3A%2F%2Fh%2Fa.jpg%3Fsig%3Dsecret&key=k",
            "image_url=https%3A%2F%2Fh%2Fa.jpg%3Fsig%3D…&key=k",
        ),
        (r'"a.jpg?token\u003dsecret"', r'"a.jpg?token\u003d…"'),
        ("no token, no signature: is that right?", "no token, no signature: is that right?"),
    ],
)
def test_addresses_in_a_text_of_the_service_are_shown_without_signatures(text: str, made: str) -> None:
    """In a msg, in a page, in an error of a transport."""
    assert shown(text, KEY) == made


def test_a_text_of_the_service_is_cut_at_a_limit() -> None:
    """At 300 characters, or fewer."""
    assert shown("x" * 301, KEY) == "x" * 300 + "…"
    assert shown("x" * 301, KEY, 10) == "x" * 10 + "…"


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://h/a.jpg", []),
        ("https://user:pw@h/a.jpg?a=1?b#c", ["a=1?b", "user:pw"]),
        ("https://user:pw@h/fetch/http://h/a.jpg", ["user:pw"]),
        ("https://h/@anna/a@2x.jpg", []),
        ("https://a@b@h/", ["a@b"]),
    ],
)
def test_the_secrets_of_an_address_are_its_query_and_its_login(url: str, secrets: list[str]) -> None:
    """An answer may repeat one of them alone."""
    assert secrets_of(url) == secrets


@pytest.mark.parametrize("text", ["/" * 6_000, "//a" * 2_000, r"\/\/" * 1_500, "//a?" * 1_500])
def test_slashes_cost_no_time(text: str) -> None:
    """A poll reads the text in the loop that all waits share: 6,000 slashes cost 176 ms once."""
    began = time.process_time()
    for _ in range(10):
        shown(text, KEY)
    assert time.process_time() - began < 1
