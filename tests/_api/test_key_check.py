"""The check of an access key by the Test button, which makes no job."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Sent
from airflow_provider_twinsync._api.key_check import describe_transport
from airflow_provider_twinsync._api.settings import parse_connection

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
