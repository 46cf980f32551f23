"""A status request, the state in its answer, and the `Retry-After` header."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.answers import KEY, NOW, TASK_ID, VIDEO, answer, status_error

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Sent
from airflow_provider_twinsync._api.status import (
    JobState,
    build_status,
    describe,
    outage_of,
    parse_job,
    read_retry_after,
)


def test_a_status_request_holds_no_key() -> None:
    """The document asks for none, and an address is not secret."""
    asked = build_status(TASK_ID)
    assert (asked.method, asked.params, asked.form) == ("GET", {"taskID": TASK_ID}, None)


def test_a_status_request_wants_no_answer_from_a_cache() -> None:
    """An old status, or another job's, would be believed."""
    assert build_status(TASK_ID).headers == {"Cache-Control": "no-cache"}


@pytest.mark.parametrize("status", [200, 404, 429, 500, 503])
@pytest.mark.parametrize(
    ("code", "state", "url"),
    [
        (100, JobState.SUCCEEDED, VIDEO),
        (103, JobState.SUCCEEDED, VIDEO),
        ("103", JobState.SUCCEEDED, VIDEO),
        (101, JobState.WAITING, None),
        (102, JobState.RUNNING, None),
        ("102", JobState.RUNNING, None),
        (104, JobState.FAILED, None),
        ("104", JobState.FAILED, None),
    ],
)
def test_a_code_is_a_state(code: Any, state: JobState, url: str | None, status: int) -> None:
    """Whatever the HTTP status is; an address counts for success only."""
    task = parse_job(
        TASK_ID, answer({"result_code": code, "result_url": VIDEO, "msg": "words"}, status), key=KEY
    )
    assert (task.id, task.state, task.code, task.message) == (TASK_ID, state, int(code), "words")
    assert task.result_url == url


@pytest.mark.parametrize(
    ("state", "terminal"),
    [
        (JobState.WAITING, False),
        (JobState.RUNNING, False),
        (JobState.SUCCEEDED, True),
        (JobState.FAILED, True),
    ],
)
def test_two_states_are_terminal(state: JobState, terminal: bool) -> None:
    """A job that succeeded or failed stays so."""
    assert state.is_terminal is terminal
    assert len(JobState) == 4


@pytest.mark.parametrize("code", [0, -100, 99, 105, 199, 200, 201, 203, 1000, "200", "999999999"])
@pytest.mark.parametrize("status", [200, 500])
def test_a_status_code_in_no_table_is_no_status(code: Any, status: int) -> None:
    """It is never success; the error shows the payload, and keeps the ``Retry-After``."""
    error = status_error(answer({"result_code": code, "result_url": VIDEO}, status, retry_after_s=9.0))
    assert error.code == "TS404"
    assert TASK_ID in str(error)
    assert VIDEO in str(error)
    assert error.retry_after_s == 9.0
    assert error.retryable is True
    assert ("does not know this id" in str(error)) is (int(code) == 200)


@pytest.mark.parametrize("message", [None, 5, [], {}, True])
def test_a_msg_that_is_no_text_is_left_out(message: Any) -> None:
    """It is for persons only, and nothing depends on it."""
    assert parse_job(TASK_ID, answer({"result_code": 101, "msg": message}), key=KEY).message == ""


@pytest.mark.parametrize("status", [200, 301, 403, 404, 408, 429, 500, 502, 503, 504])
def test_an_answer_without_a_code_is_no_status(status: int) -> None:
    """The HTTP status does not matter. The job may go on: a wait polls again."""
    error = status_error(Answered(status, b"<html>", retry_after_s=4.0))
    assert error.retry_after_s == 4.0
    assert error.code == "TS404"
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize("sent", [True, False])
def test_no_answer_is_no_status(sent: bool) -> None:
    """Asking costs nothing, so whether it was sent does not matter."""
    error = status_error((Sent if sent else NotSent)("ConnectTimeout: 30 s"))
    assert error.code == "TS404"
    assert "ConnectTimeout: 30 s" in str(error)


def test_the_problem_of_a_status_is_shown_without_the_key() -> None:
    """The error has it apart from the message, for the messages of a wait."""
    lost = status_error(Sent(f"bad line {KEY}"))
    assert lost.problem == "no answer: bad line ***"
    other = status_error(answer({"result_code": 101, "task_id": f"job {KEY}"}))
    assert "'job ***'" in other.problem
    for error in (lost, other):
        assert TASK_ID in str(error)
        assert error.problem in str(error)


def test_the_reason_why_an_address_is_not_usable_is_named() -> None:
    """An address with the key in it differs from none."""
    urls = (None, f"http://h.example/{KEY}.mp4")
    errors = [status_error(answer({"result_code": 103, "result_url": url})) for url in urls]
    reasons = {error.problem.partition(": ")[0] for error in errors}
    assert len(reasons - {"None", ""}) == 2


@pytest.mark.parametrize(
    ("response", "sign"),
    [
        *[(Answered(status, b""), f"HTTP {status}") for status in (429, 500, 502, 503, 504)],
        *[(Answered(status, b""), None) for status in (200, 404, 501)],
        *[(answer({"result_code": code}, 503), None) for code in (100, 101, 102, 103, 104)],
        (answer({"result_code": 203}, 503), "HTTP 503"),
        (answer({"result_code": 102}, 200), None),
        (NotSent("refused"), "refused"),
        (Sent("timeout"), "timeout"),
    ],
)
def test_an_answer_without_a_state_may_be_a_sign_of_an_outage(response: Outcome, sign: str | None) -> None:
    """By its HTTP status; no answer is a sign too."""
    assert outage_of(response) == sign


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", "HTTP 418, empty body"),
        (b" \r\n ", "HTTP 418, empty body"),
        (b"a\r\n\t b", "HTTP 418, a b"),
        (b"x" * 301, f"HTTP 418, {'x' * 300}…"),
        (b"x" * 300, f"HTTP 418, {'x' * 300}"),
        ("你好".encode(), "HTTP 418, 你好"),
    ],
)
def test_an_answer_is_shown_in_short(body: bytes, shown: str) -> None:
    """The HTTP status and the start of the body."""
    assert describe(Answered(418, body), KEY) == shown


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("007", 7.0),
        ("999999999", 999_999_999.0),
        ("9999999999", None),
        ("9" * 5_000, None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("５", None),
        ("soon", None),
        ("\x00", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW, usegmt=True), 0.0),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 0.0),
        ("Mon, 23 Nov 2026 14:01:00 +0200", 60.0),
        ("Mon, 23 Nov 2026 12:01:00", None),
        ("Mon, 23 Nov 2026 12:01:00 -0000", None),
        ("Mon, 99 Nov 2026 12:01:00 GMT", None),
        ("2026-11-23T12:01:00Z", None),
        pytest.param(*("Mon, 23 Nov 99999999999999999999 12:01:00 GMT", None)),
        pytest.param(*("Mon, 23 Nov 2026 12:01:00 +99999999999999999999", None)),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """What makes no sense counts as not there; what is past counts as now."""
    assert read_retry_after(header, NOW) == seconds


# Longer numbers than these are in the table above.
# A busy machine is slow, and that is no failure.
@hypothesis_settings(deadline=None)
@given(
    st.text()
    | st.from_regex(
        r"Mon, \d{1,4} (Jan|Nov) \d{1,6} \d{1,4}:\d{1,4}:\d{1,4} ([+-]\d{1,6}|GMT)", fullmatch=True
    )
)
def test_no_header_breaks_anything(header: str) -> None:
    """It is a number of seconds that is not negative, or nothing."""
    seconds = read_retry_after(header, NOW)
    assert seconds is None or 0 <= seconds < float("inf")
