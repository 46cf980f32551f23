"""The check of an access key by the Test button, which makes no job."""

from __future__ import annotations

from typing import Any

import pytest
from support.answers import KEY, TASK_ID, answer
from support.submits import code_of

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._api.key_check import build_key_check, describe_transport, parse_key_check
from airflow_provider_twinsync._api.settings import parse_connection


def test_a_key_check_sends_only_the_key() -> None:
    """Without a text no job can be made of it."""
    assert build_key_check(KEY) == Request("POST", params={}, form={"key": KEY})


@pytest.mark.parametrize(
    ("response", "code", "shown"),
    [
        (answer({"result_code": 200}), "", ""),
        (answer({"result_code": 201}), "TS302", ""),
        (answer({"result_code": 202}), "TS303", ""),
        (answer({"result_code": 203}), "TS304", ""),
        (answer({"result_code": 100, "task_id": TASK_ID}), "TS326", ""),
        (answer({"result_code": 7}), "TS325", "HTTP 200"),
        (Answered(404, b"<html>"), "TS307", "HTTP 404"),
        (Answered(301, b""), "TS306", "HTTP 301"),
        (Answered(302, b""), "TS325", "HTTP 302"),
        (Answered(503, f"bad key {KEY}".encode()), "TS325", "HTTP 503, bad key ***"),
        (Sent(f"bad line {KEY}"), "TS325", "bad line ***"),
        (Answered(500, b""), "TS325", "HTTP 500"),
        (NotSent("refused"), "TS305", "refused"),
        (Sent("timeout"), "TS325", "timeout"),
    ],
)
def test_a_key_check_returns_whether_the_key_works(response: Outcome, code: str, shown: str) -> None:
    """Only code 200, for the missing text, means that the service accepts the key."""
    works, message = parse_key_check(build_key_check(KEY), response)
    assert works is not bool(code)
    assert code_of(message) == code
    assert shown in message
    assert KEY not in message


ANSWER = Answered(200, b"")
NO_ANSWER = NotSent("refused")
#: The facts that the sentence on the way of the key may have.
FACTS = ["travels", "would travel", "unencrypted", "within this machine", "verify is false", "schema to http"]


@pytest.mark.parametrize(
    ("host", "extra", "answer", "facts"),
    [
        ("http://h.example", None, ANSWER, ["travels", "unencrypted"]),
        ("http://h.example", None, NO_ANSWER, ["would travel", "unencrypted"]),
        ("http://127.0.0.1", None, ANSWER, ["within this machine"]),
        ("http://127.0.0.1", None, NO_ANSWER, ["within this machine"]),
        ("https://h.example", None, ANSWER, ["travels"]),
        ("https://h.example", None, NO_ANSWER, ["would travel"]),
        ("https://h.example", '{"verify": false}', ANSWER, ["travels", "verify is false"]),
        ("https://h.example", None, Sent("SSLError"), ["would travel", "schema to http"]),
        ("https://h.example", None, Sent("SSLError: CERT"), ["would travel"]),
        ("https://h.example", None, Sent("CERT"), ["would travel"]),
    ],
)
def test_a_person_reads_how_the_key_travels(host: str, extra: Any, answer: Outcome, facts: list[str]) -> None:
    """By the address of the connection, its certificate check, and the error of the transport."""
    settings = parse_connection("c", host=host, port=None, schema=None, password="key", extra=extra)
    sentence = describe_transport(settings, answer)
    assert [fact for fact in FACTS if fact in sentence] == facts
    assert sentence.startswith("By https: the key " if host.startswith("https") else "By http")
    assert sentence.endswith(".")
    assert sentence.isascii()
