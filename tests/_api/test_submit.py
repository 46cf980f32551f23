"""A submit: its request, and the meaning of a code, of an HTTP status and of no answer."""

from __future__ import annotations

import re
import time
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from support.answers import KEY, NOW, PHOTO, SUBMIT, TASK_ID, TEXT, VOICE, answer, submit_error

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._api.key_check import build_key_check
from airflow_provider_twinsync._api.submit import given_up, parse_submit
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    TwinSyncError,
    UnavailableError,
    UncertainSubmitError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_submit_is_a_post_of_the_four_documented_fields() -> None:
    """And nothing goes into the query, where a proxy would log it."""
    form = {"text": TEXT, "image_url": PHOTO, "pronouncer": VOICE, "key": KEY}
    assert Request("POST", params={}, form=form) == SUBMIT
    # The transport relies on it: a form that was cut has no complete key, so the service refuses it.
    assert list(SUBMIT.form or {})[-1] == "key"


@pytest.mark.parametrize("request_", [SUBMIT, build_key_check(KEY)], ids=["submit", "key check"])
def test_a_request_does_not_show_its_key(request_: Request) -> None:
    """Not in a log, not in a traceback with local variables."""
    assert KEY not in f"{request_!r} {request_}"


def test_requests_are_small_and_frozen() -> None:
    """A request cannot be changed on its way, for example by a client."""
    assert [field.name for field in fields(Request)] == ["method", "params", "form", "headers", "photo"]
    with pytest.raises(AttributeError):
        SUBMIT.method = "GET"  # type: ignore[misc]


@pytest.mark.parametrize("status", [200, 201, 400, 500, 503])
@pytest.mark.parametrize("code", [100, "100", "0100"])
@pytest.mark.parametrize(
    ("task_id", "read"),
    [(TASK_ID, TASK_ID), (f" {TASK_ID}\n", TASK_ID), (10279, "10279")],
    ids=["text", "space around it", "number"],
)
def test_code_100_with_an_id_is_a_job(status: int, code: Any, task_id: Any, read: str) -> None:
    """With any HTTP status: the body's code decides."""
    assert (
        parse_submit(SUBMIT, answer({"task_id": task_id, "result_code": code}, status), sent_at=NOW) == read
    )


@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
@pytest.mark.parametrize(
    ("result_code", "kind", "code"),
    [
        (200, RejectedError, "TS301"),
        (201, RejectedError, "TS302"),
        (202, RejectedError, "TS303"),
        ("201", RejectedError, "TS302"),
        (203, UnavailableError, "TS304"),
        ("203", UnavailableError, "TS304"),
    ],
)
def test_a_documented_code_decides_over_the_http_status(
    status: int, result_code: Any, kind: type[TwinSyncError], code: str
) -> None:
    """A refused submit is never repeated; a busy service accepted nothing."""
    error = submit_error(answer({"result_code": result_code, "msg": "the service's words"}, status))
    assert (type(error), error.code) == (kind, code)
    assert "the service's words" in str(error)
    assert error.retryable is (kind is UnavailableError)
    if isinstance(error, RejectedError):
        assert error.result_code == int(result_code)


@pytest.mark.parametrize(
    "code", [0, 1, -100, 99, 101, 102, 103, 104, 199, 204, 300, 1000, "103", "999999999"]
)
@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_a_code_in_no_table_is_uncertain(code: Any, status: int) -> None:
    """103 is success for a status, and means nothing here."""
    error = submit_error(answer({"result_code": code, "task_id": TASK_ID}, status))
    assert type(error) is UncertainSubmitError


@pytest.mark.parametrize("code", [100, 101, 102, 103, 104])
def test_a_code_of_a_job_is_no_refusal_with_any_http_status(code: int) -> None:
    """HTTP 429 means that nothing was accepted, and the code means that there is a job."""
    assert type(submit_error(answer({"result_code": code}, 429))) is UncertainSubmitError


#: Pages that front ends give after they passed a request on, as well as before.
FRONT_ENDS = {
    "Envoy": b"upstream connect error or disconnect/reset before headers. reset reason: connection failure",
    "Varnish": b"<title>503 Backend fetch failed</title> <h1>Error 503 Backend fetch failed</h1> Guru",
    "Fastly": b"<title>503 first byte timeout</title>",
    "Heroku": b"<title>Application error</title>",
    "Azure Front Door": b"Our services aren't available right now",
    "Cloud Run": b"upstream connect error or disconnect/reset before headers",
    "nginx": b"<center><h1>503 Service Temporarily Unavailable</h1></center>",
    "an empty page": b"",
}


@pytest.mark.parametrize("retry_after_s", [None, 0.0, 7.0])
@pytest.mark.parametrize("body", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_the_503_of_a_front_end_may_hide_a_job(body: bytes, retry_after_s: float | None) -> None:
    """It may have passed the request on, and lost the answer."""
    error = submit_error(Answered(503, body, retry_after_s))
    assert (type(error), error.code) == (UncertainSubmitError, "TS309")


@pytest.mark.parametrize(
    ("code", "kind"),
    [(200, RejectedError), (201, RejectedError), (202, RejectedError), (203, UnavailableError)]
    + [(code, UncertainSubmitError) for code in (100, 101, 102, 103, 104, 999)],
)
def test_a_503_with_a_code_follows_the_code(code: int, kind: type[TwinSyncError]) -> None:
    """The answer is the service's own."""
    assert type(submit_error(answer({"result_code": code}, 503))) is kind


STATUS_KINDS: list[tuple[int, type[TwinSyncError]]] = [
    (200, UncertainSubmitError),
    (204, UncertainSubmitError),
    (301, RejectedError),
    (302, UncertainSubmitError),
    (304, UncertainSubmitError),
    (307, RejectedError),
    (400, RejectedError),
    (401, RejectedError),
    (403, RejectedError),
    (404, RejectedError),
    (405, RejectedError),
    (407, RejectedError),
    (408, UncertainSubmitError),
    (409, UncertainSubmitError),
    (406, UncertainSubmitError),
    (413, RejectedError),
    (418, UncertainSubmitError),
    (499, UncertainSubmitError),
    (460, UncertainSubmitError),
    (101, UncertainSubmitError),
    (600, UncertainSubmitError),
    (425, UncertainSubmitError),
    (429, UnavailableError),
    (500, UncertainSubmitError),
    (502, UncertainSubmitError),
    (503, UncertainSubmitError),
    (504, UncertainSubmitError),
    (520, UncertainSubmitError),
]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "x"}'])
@pytest.mark.parametrize(("status", "kind"), STATUS_KINDS)
def test_without_a_code_the_http_status_of_a_submit_decides(
    status: int, kind: type[TwinSyncError], body: bytes
) -> None:
    """A request that may have reached the service is uncertain; only 429 means that nothing was accepted."""
    codes = {UncertainSubmitError: "TS309", UnavailableError: "TS304"}
    code = codes.get(kind, "TS306" if status < 400 else "TS307")
    error = submit_error(Answered(status, body))
    assert (type(error), error.code) == (kind, code)
    assert f"HTTP {status}" in str(error)
    if isinstance(error, RejectedError):
        assert error.result_code is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b""),
        (429, b'{"result_code": 999}'),
        (429, b'{"result_code": 203}'),
        (503, b'{"result_code": 203}'),
    ],
)
def test_a_busy_service_says_when_to_come_back(status: int, body: bytes) -> None:
    """The error has its `Retry-After`, for the next attempt."""
    error = submit_error(Answered(status, body, retry_after_s=7.5))
    assert isinstance(error, UnavailableError)
    assert error.retry_after_s == 7.5


@pytest.mark.parametrize(
    ("sent", "kind", "code"), [(True, UncertainSubmitError, "TS309"), (False, UnavailableError, "TS305")]
)
def test_no_answer_is_uncertain_if_it_was_sent(sent: bool, kind: type[TwinSyncError], code: str) -> None:
    """Another submit is safe only if the service received nothing."""
    error = submit_error((Sent if sent else NotSent)("ConnectionReset: by peer"))
    assert (type(error), error.code) == (kind, code)
    assert "ConnectionReset: by peer" in str(error)


@pytest.mark.parametrize(
    "response",
    [Sent("timeout"), Answered(500, b""), answer({"result_code": 7})],
    ids=["no answer", "500", "a code in no table"],
)
def test_an_uncertain_submit_has_the_inputs_of_the_job(response: Outcome) -> None:
    """A person has to find the job in an account: the error has the time and the inputs, and not the key."""
    error = submit_error(response)
    assert [part for part in (TEXT, PHOTO, "2026-11-23T12:00:00+00:00") if part not in str(error)] == []
    assert KEY not in str(error)
    assert error.code == "TS309"
    assert error.retryable is False


@pytest.fixture
def in_shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with another time zone than UTC."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_shanghai")
def test_the_time_of_an_uncertain_submit_is_utc_to_the_second() -> None:
    """In any time zone of the machine: a person compares it with the account's."""
    lost = Sent("timeout")
    sent_at = datetime(2026, 11, 24, 1, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=8)))
    with pytest.raises(UncertainSubmitError, match=re.escape(" 2026-11-23T17:30:00+00:00 ")):
        parse_submit(SUBMIT, lost, sent_at=sent_at)


@pytest.mark.parametrize(
    ("attempts", "retry_after_s", "facts"),
    [(1, None, ["once"]), (4, None, ["4 times"]), (4, 90.0, ["4 times", " 90 s", "retry_delay"])],
)
def test_a_submit_that_was_given_up_has_its_attempts(
    attempts: int, retry_after_s: float | None, facts: list[str]
) -> None:
    """And the delay that the service asks for."""
    error = given_up(UnavailableError("TS304 busy", retry_after_s=retry_after_s), attempts)
    assert (type(error), error.code, error.retry_after_s) == (UnavailableError, "TS304", retry_after_s)
    assert [fact for fact in ("once", "4 times", " 90 s", "retry_delay") if fact in str(error)] == facts
    assert str(error).startswith("TS304 busy. ")
