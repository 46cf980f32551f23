"""Answers in any encoding, and answers without a code that can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.answers import KEY, NOW, SUBMIT, TASK_ID, VIDEO, answer, status_error, submit_error

from airflow_provider_twinsync._api.answers import MAX_ANSWER_BYTES
from airflow_provider_twinsync._api.exchange import Answered
from airflow_provider_twinsync._api.status import JobState, parse_job
from airflow_provider_twinsync._api.submit import parse_submit
from airflow_provider_twinsync.exceptions import StatusError, UncertainSubmitError

#: Values that are no `result_code`.
NO_CODES = [
    pytest.param(value, id=repr(value))
    for value in [
        None,
        True,
        False,
        100.0,
        1e2,
        [],
        [100],
        {},
        {"code": 100},
        "",
        "+100",
        "-100",
        "1e2",
        "0x64",
        "100.0",
        "1_00",
        "１００",  # full-width digits
        "١٠٠",
        "one hundred",
        "0" * 10 + "100",
    ]
]


@pytest.mark.parametrize("code", NO_CODES)
def test_a_value_that_is_no_code_is_not_read_as_one(code: Any) -> None:
    """Neither a job nor a video comes out of a guess."""
    body = {"result_code": code, "task_id": TASK_ID, "result_url": VIDEO}
    assert type(submit_error(answer(body))) is UncertainSubmitError
    assert "has no result_code that is a number" in str(status_error(answer(body)))


NO_PAYLOADS = [
    pytest.param(b"", id="empty"),
    pytest.param(b" ", id="a space"),
    pytest.param(b"OK", id="a word"),
    pytest.param(b"<html><h1>Bad gateway</h1></html>", id="HTML"),
    pytest.param(b"100", id="a number"),
    pytest.param(b"null", id="null"),
    pytest.param(b"true", id="true"),
    pytest.param(b'"100"', id="a text"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'[{"result_code": 100}]', id="a list of objects"),
    pytest.param(b"{}", id="an empty object"),
    pytest.param(b'{"result_code": 100', id="cut off"),
    pytest.param(b'{"result_code": 100}}', id="more than JSON"),
    pytest.param(b"{'result_code': 100}", id="single quotes"),
    pytest.param(b'{"RESULT_CODE": 100}', id="upper case"),
    pytest.param(b'{"result_code": NaN}', id="NaN"),
    pytest.param(b'{"result_code": 1' + b"0" * 5_000 + b"}", id="a number of 5000 digits"),
    pytest.param(b'{"result_code": 100, "result_code": 200}', id="two codes"),
    pytest.param(b'{"result_code": 104, "result_code": 100}', id="two codes, the other way"),
    pytest.param(b"[" * 100_000, id="deep lists"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep lists that end"),
    pytest.param(b'{"result_code": 100, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep in a code"),
    pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep objects"),
    pytest.param(b"\xff", id="a wrong byte"),
    pytest.param(b"\x00\x00\x00\x00", id="zeros"),
    pytest.param(b"\x1f\x8b\x08\x00", id="gzip"),
    pytest.param(b'{"result_code": 100}' + b" " * MAX_ANSWER_BYTES, id="too large"),
]


@pytest.mark.parametrize("body", NO_PAYLOADS)
def test_an_unreadable_answer_is_uncertain_for_a_submit_and_no_status(body: bytes) -> None:
    """A 200 with rubbish: the POST arrived somewhere."""
    assert type(submit_error(Answered(200, body))) is UncertainSubmitError
    assert type(status_error(Answered(200, body, retry_after_s=3.0))) is StatusError


def test_an_answer_of_almost_the_largest_size_is_read() -> None:
    """The limit is not a byte lower than the size from which an answer is not read."""
    body = json.dumps({"result_code": 100, "task_id": TASK_ID}).encode()
    assert parse_submit(SUBMIT, Answered(200, body.ljust(MAX_ANSWER_BYTES - 1)), sent_at=NOW) == TASK_ID
    assert type(submit_error(Answered(200, body.ljust(MAX_ANSWER_BYTES)))) is UncertainSubmitError


PAYLOAD = {"result_code": 100, "task_id": TASK_ID, "result_url": VIDEO, "msg": "完成"}


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-32-le",
        "utf-32-be",
        "gbk",
        "big5",
    ],
)
@pytest.mark.parametrize("ascii_", [True, False], ids=["escaped", "as it is"])
def test_an_answer_is_read_in_any_encoding(encoding: str, ascii_: bool) -> None:
    """A code and an id are plain ASCII: a `msg` in GBK must not hide them."""
    response = Answered(200, json.dumps(PAYLOAD, ensure_ascii=ascii_).encode(encoding))
    assert parse_submit(SUBMIT, response, sent_at=NOW) == TASK_ID
    task = parse_job(TASK_ID, response, key=KEY)
    assert (task.state, task.result_url) == (JobState.SUCCEEDED, VIDEO)
    if ascii_ or encoding.startswith("utf"):
        assert task.message == "完成"


def test_a_wrong_byte_in_the_msg_does_not_hide_a_paid_job() -> None:
    """It is shown as a replacement character."""
    body = f'{{"result_code": 104, "task_id": "{TASK_ID}", "msg": "a'.encode() + b'\xff"}'
    assert parse_job(TASK_ID, Answered(200, body), key=KEY).message == "a\N{REPLACEMENT CHARACTER}"
