"""The meaning of answers: tables of codes, bodies and HTTP statuses, and properties of all other answers."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.submits import code_of

from airflow_provider_twinsync._api.answers import MAX_ANSWER_BYTES
from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._api.key_check import build_key_check, parse_key_check
from airflow_provider_twinsync._api.status import (
    JobState,
    build_status,
    describe,
    outage_of,
    parse_job,
    read_retry_after,
)
from airflow_provider_twinsync._api.submit import build_submit, fingerprint, parse_submit
from airflow_provider_twinsync.exceptions import (
    NoAddressError,
    RejectedError,
    StatusError,
    TwinSyncError,
    UnavailableError,
    UncertainSubmitError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "Sesame-7b1f9c"
TASK_ID = "20230423_11_23_05_10279"
VIDEO = f"http://api.twinsync.xyz:27323/example/{TASK_ID}.mp4"
URL = "http://api2.sam-sara.cn:17374/phototalking"
TEXT, PHOTO, VOICE = "Hello there", "https://example.com/a.jpg", "zh-CN-XiaohanNeural"
SUBMIT = build_submit(text=TEXT, image_url=PHOTO, pronouncer=VOICE, key=KEY)
MAX_MESSAGE_CHARACTERS = 1_000
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


def answer(payload: Any, status: int = 200, **kwargs: Any) -> Answered:
    return Answered(status, json.dumps(payload).encode(), **kwargs)


def submit_error(response: Outcome) -> TwinSyncError:
    with pytest.raises(TwinSyncError) as caught:
        parse_submit(SUBMIT, response, sent_at=NOW)
    return caught.value


def status_error(response: Outcome) -> StatusError:
    with pytest.raises(StatusError) as caught:
        parse_job(TASK_ID, response, key=KEY)
    return caught.value


# -------------------------------------------------------------------------------------------------- requests


def test_a_submit_is_a_post_of_the_four_documented_fields() -> None:
    """And nothing goes into the query, where a proxy would log it."""
    form = {"text": TEXT, "image_url": PHOTO, "pronouncer": VOICE, "key": KEY}
    assert Request("POST", params={}, form=form) == SUBMIT
    # The transport relies on it: a form that was cut has no complete key, so the service refuses it.
    assert list(SUBMIT.form or {})[-1] == "key"


def test_a_key_check_sends_only_the_key() -> None:
    """Without a text no job can be made of it."""
    assert build_key_check(KEY) == Request("POST", params={}, form={"key": KEY})


def test_a_status_request_holds_no_key() -> None:
    """The document asks for none, and an address is not secret."""
    asked = build_status(TASK_ID)
    assert (asked.method, asked.params, asked.form) == ("GET", {"taskID": TASK_ID}, None)


def test_a_status_request_wants_no_answer_from_a_cache() -> None:
    """An old status, or another job's, would be believed."""
    assert build_status(TASK_ID).headers == {"Cache-Control": "no-cache"}


@pytest.mark.parametrize("request_", [SUBMIT, build_key_check(KEY)], ids=["submit", "key check"])
def test_a_request_does_not_show_its_key(request_: Request) -> None:
    """Not in a log, not in a traceback with local variables."""
    assert KEY not in f"{request_!r} {request_}"


# ---------------------------------------------------------------------------------------------- submit: codes


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


@pytest.mark.parametrize("code", [100, 101, 102, 103, 104])
def test_a_code_of_a_job_is_no_refusal_with_any_http_status(code: int) -> None:
    """HTTP 429 means that nothing was accepted, and the code means that there is a job."""
    assert type(submit_error(answer({"result_code": code}, 429))) is UncertainSubmitError


#: Answers that name a job: as JSON, as JSON that is broken, in a text, in a page, under other names.
NAMING = {
    "task_id": '{"task_id": "%s", "result_code": CODE}',
    "a number": '{"task_id": 10279, "result_code": CODE}',
    "taskID": '{"taskID": "%s", "result_code": CODE}',
    "taskId": '{"data": {"taskId": "%s"}, "result_code": CODE}',
    "msg": '{"result_code": CODE, "msg": "taskID:%s is in the queue"}',
    "msg, no digits": '{"result_code": CODE, "msg": "taskID:abc"}',
    "a list": '{"result_code": CODE, "task_id": ["%s"]}',
    "two codes": '{"task_id": "%s", "result_code": CODE, "result_code": 100}',
    "two ids": '{"task_id": "", "task_id": "%s", "result_code": CODE}',
    "cut": '{"result_code": CODE, "task_id": "2023042',
    "cut in front": '"%s", "task_id" : "%s"}',
    "single quotes": "{'result_code': CODE, 'task_id': '%s'}",
    "no quotes": "task_id=%s&result_code=CODE",
    "JSON in JSON": r'{"result_code": CODE, "body": "{\"task_id\": \"abc\"}"}',
    "escaped": r'{"task\u005fid": "abc", "result_code": CODE}',
    "XML": "<r><task_id>%s</task_id><result_code>CODE</result_code></r>",
    "a page": "<pre>{&quot;task_id&quot;: &quot;abc&quot;}</pre>",
    "only an id": '{"result_code": CODE, "id": "%s"}',
    "the address of a video": '{"result_code": CODE, "result_url": "http://h/%s.mp4"}',
    "far behind": '{"result_code": CODE, "x": "' + "x" * 500_000 + '", "task_id": "%s"}',
    "after a wrong byte": '{"result_code": CODE, "x": "\udcff", "task_id": "%s"}',
}


@pytest.mark.parametrize(
    "status", [200, 202, 301, 302, 303, 307, 308, 400, 404, 408, 409, 425, 429, 500, 503]
)
@pytest.mark.parametrize("code", [200, 201, 202, 203, 777])
@pytest.mark.parametrize("body", NAMING.values(), ids=NAMING)
def test_an_answer_that_names_a_job_is_never_followed_by_another_submit(
    body: str, code: int, status: int
) -> None:
    """With any code and any HTTP status: there is a job."""
    text = body.replace("%s", TASK_ID).replace("CODE", str(code))
    error = submit_error(Answered(status, text.encode(errors="surrogateescape")))
    assert (type(error), error.code) == (UncertainSubmitError, "TS310")
    assert error.names_job
    assert error.advice.startswith("It is not submitted again. Ask the service for the job '")
    assert len(str(error)) < MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize(
    "body",
    [
        '{"result_code": CODE}',
        '{"result_code": CODE, "task_id": null, "msg": "busy"}',
        '{"result_code": CODE, "task_id": "", "msg": "busy"}',
        '{"result_code": CODE, "task_id": " ", "msg": "busy"}',
        '{"result_code": CODE, "task_id": "None"}',
        '{"task_id": [], "result_code": CODE}',
        '{"task_id": {}, "result_code": CODE}',
        '{"task_id": false, "result_code": CODE}',
        '{"result_code": CODE, "msg": "taskID missing, or not in the service queue"}',
        '{"result_code": CODE, "msg": "task id: the photo is missing"}',
        '{"result_code": CODE, "msg": "cannot open https://example.com/a.jpg"}',
    ],
)
def test_an_answer_that_names_no_job_is_read_by_its_code(body: str) -> None:
    """A busy service has accepted nothing, and a refusal is one."""
    for code, kind in [(203, UnavailableError), (200, RejectedError)]:
        assert type(submit_error(Answered(200, body.replace("CODE", str(code)).encode()))) is kind
    assert type(submit_error(Answered(429, body.replace("CODE", "null").encode()))) is UnavailableError


@pytest.mark.parametrize(
    "body",
    [
        '{"result_code": 203, "msg": "video conversion of taskID 8f3a21 failed"}',
        '{"result_code": 203, "msg": "taskID: abcdef failed"}',
        '{"result_code": 203, "msg": "task id is abc"}',
        '{"result_code": 203, "msg": "taskID(abc) -> failed"}',
        '{"result_code": 203, "task_ids": ["8f3a21"]}',
        '{"result_code": 203, "job_id": "8f3a21"}',
        '{"result_code": 203, "data": {"id": "8f3a21"}}',
        '{"result_code": 203, "msg": "任务ID：8f3a21 视频转换失败"}',
        '{"result_code": 203, "msg": "task%5Fid%3D8f3a21"}',
    ],
)
@pytest.mark.parametrize("status", [200, 429, 503])
def test_an_answer_that_may_name_a_job_is_not_followed_by_another_submit(body: str, status: int) -> None:
    """In any words; a question to a person costs less than a second job."""
    without_code = body.replace('"result_code": 203, ', "")
    for response in (Answered(status, body.encode()), Answered(429, without_code.encode())):
        error = submit_error(response)
        assert (type(error), error.code in ("TS310", "TS312")) == (UncertainSubmitError, True)


@pytest.mark.parametrize("name", ["Location", "X-Task-Id"])
def test_a_head_may_name_a_job(name: str) -> None:
    """An answer is more than its body."""
    head = str({name: f"/phototalking?taskID={TASK_ID}"})
    assert type(submit_error(Answered(429, b"", head=head))) is UncertainSubmitError


@pytest.mark.parametrize("value", [0, -1, "0", "-", "N/A", "", None, [], "None"])
@pytest.mark.parametrize(
    ("code", "kind"), [(201, RejectedError), (203, UnavailableError)], ids=["refused", "busy"]
)
def test_a_word_for_nothing_is_no_job(value: Any, code: int, kind: type[TwinSyncError]) -> None:
    """A field that is there in every answer."""
    assert type(submit_error(answer({"result_code": code, "task_id": value}))) is kind


@pytest.mark.parametrize("status", [400, 404, 429])
@pytest.mark.parametrize("body", [b'{"result_code":100,"msg":"SUCC', b'["', b"\x1f\x8b\x08\x00\x00\x01"])
def test_a_body_that_was_cut_or_packed_may_have_named_a_job(status: int, body: bytes) -> None:
    """A complete body would have been a refusal."""
    assert type(submit_error(Answered(status, body))) is UncertainSubmitError
    assert type(submit_error(Answered(429, b'{"error": "slow down"}'))) is UnavailableError


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


def test_the_address_of_the_photo_names_no_job() -> None:
    """A refusal repeats it, and many photos are called by their time."""
    photo = f"https://example.com/{TASK_ID}.jpg"
    request = build_submit(text=TEXT, image_url=photo, pronouncer=VOICE, key=KEY)
    for body in (answer({"result_code": 202, "msg": f"cannot open {photo}"}),):
        for shown in (body, Answered(200, body.body.replace(b"/", rb"\/"))):
            with pytest.raises(RejectedError):
                parse_submit(request, shown, sent_at=NOW)


@pytest.mark.parametrize("status", [200, 404, 429, 503])
def test_an_answer_that_is_too_large_to_be_read_may_name_a_job(status: int) -> None:
    """The rest, after its first megabyte, is never read."""
    error = submit_error(Answered(status, b"x" * MAX_ANSWER_BYTES))
    assert (type(error), error.code) == (UncertainSubmitError, "TS312")


#: Ids that the wait refuses, and how the message shows them.
UNUSABLE_IDS = [
    ("None", "'None'"),
    ("null", "'null'"),
    ("undefined", "'undefined'"),
    ("{{ id }}", "'{{ id }}'"),
    ("1" * 251, f"'{'1' * 251}'"),
    ("1" * 100_000, f"'{'1' * 300}…'"),
    ("a\tb", r"'a\tb'"),
    ("a\nb", r"'a\nb'"),
    ("a\u200bb", r"'a\u200bb'"),
    ("a\u202eb", r"'a\u202eb'"),
    ("a\x85b", r"'a\x85b'"),
    ("a" + "\u0301" * 90, "'a\u0301\u0301\u0301\u0301'"),
    ("\ud800", r"'\ud800'"),
]


@pytest.mark.parametrize(("task_id", "shown"), UNUSABLE_IDS, ids=[repr(one[0][:9]) for one in UNUSABLE_IDS])
def test_an_id_that_the_wait_refuses_makes_the_submit_uncertain_and_is_shown(
    task_id: str, shown: str
) -> None:
    """The job is paid for, and a person may ask for it."""
    with pytest.raises(UsageError):
        build_status(task_id)
    error = submit_error(answer({"task_id": task_id, "result_code": 100}))
    assert (type(error), error.code) == (UncertainSubmitError, "TS311")
    names_nothing = task_id.isalpha() and task_id.isascii()
    assert error.names_job is not names_nothing
    assert names_nothing or f" {shown}, in HTTP 200" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 1_300


@hypothesis_settings(deadline=None)
@given(st.text(max_size=300) | st.integers())
def test_an_id_that_a_submit_takes_is_one_that_can_be_waited_for(task_id: str | int) -> None:
    """One rule for both, and no id is changed on the way but for white space around it."""
    found = outcome(
        lambda: parse_submit(SUBMIT, answer({"task_id": task_id, "result_code": 100}), sent_at=NOW)
    )
    if isinstance(found, TwinSyncError):
        assert type(found) is UncertainSubmitError
        with pytest.raises(UsageError):
            build_status(str(task_id))
    else:
        assert found == str(task_id).strip() == build_status(found).params["taskID"]


def test_an_id_that_has_the_key_in_it_is_not_handed_on() -> None:
    """It would be in addresses, XComs and logs."""
    error = submit_error(answer({"task_id": f"job-{KEY}", "result_code": 100}))
    assert (type(error), error.code) == (UncertainSubmitError, "TS311")
    assert "'job-***'" in str(error)
    assert KEY not in str(error)


@pytest.mark.parametrize("task_id", [None, "", "  ", True, 1.5, [], {}, [TASK_ID]])
def test_code_100_without_an_id_is_uncertain(task_id: Any) -> None:
    """There is a job, and its id is unknown."""
    for payload in ({"task_id": task_id, "result_code": 100}, {"result_code": 100}):
        error = submit_error(answer(payload))
        assert (type(error), error.code) == (UncertainSubmitError, "TS311")


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


# ------------------------------------------------------------------------------------ submit: without a code

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


def test_the_time_of_an_uncertain_submit_is_utc_to_the_second() -> None:
    """In any time zone of the machine: a person compares it with the account's."""
    lost = Sent("timeout")
    sent_at = datetime(2026, 11, 24, 1, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=8)))
    with pytest.raises(UncertainSubmitError, match=re.escape(" 2026-11-23T17:30:00+00:00 ")):
        parse_submit(SUBMIT, lost, sent_at=sent_at)


# -------------------------------------------------------------------------------------------- the Test button


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


# -------------------------------------------------------------------------------------------------- status


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


@pytest.mark.parametrize("code", [100, 103, "100"])
@pytest.mark.parametrize(
    "url",
    [None, "", " ", "None", "/a.mp4", "ftp://h/a.mp4", "file:///etc/passwd", "http://", 5, True, [VIDEO]],
)
def test_success_without_the_address_of_a_video_is_an_error(code: Any, url: Any) -> None:
    """No address but that of a video is handed on."""
    for payload in ({"result_code": code, "result_url": url}, {"result_code": code}):
        error = status_error(answer(payload))
        assert type(error) is NoAddressError
        assert error.code == "TS403"
        assert TASK_ID in str(error)


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


# ------------------------------------------------------------------------------------------------- encodings

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


# ---------------------------------------------------------------------------------------------- no key shown


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


# ------------------------------------------------------------------------------------------------- messages


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


# ----------------------------------------------------------------------------------------------- Retry-After


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


# ------------------------------------------------------------------------------------------------ fingerprint


def test_the_same_inputs_have_the_same_fingerprint_in_every_release() -> None:
    """It is stored across tries, and a changed one would pay again, so this golden value must not change."""
    assert fingerprint(URL, TEXT, PHOTO, VOICE) == "9a70abe120962adde481c3154f99fe7c"


@pytest.mark.parametrize(
    "inputs",
    [
        (URL, TEXT + " ", PHOTO, VOICE),
        (URL, TEXT.upper(), PHOTO, VOICE),
        (URL, TEXT, PHOTO + "?", VOICE),
        (URL, TEXT, PHOTO, "en-US-JennyNeural"),
        (URL, PHOTO, TEXT, VOICE),
        (URL, TEXT + PHOTO, "", VOICE),
        (URL, f'{TEXT}", "{PHOTO}', "", VOICE),
        (URL, "", "", ""),
        ("http://127.0.0.1:17374/phototalking", TEXT, PHOTO, VOICE),
    ],
)
def test_other_inputs_have_another_fingerprint(inputs: tuple[str, str, str, str]) -> None:
    """Also where the inputs run together to the same text."""
    assert fingerprint(*inputs) != fingerprint(URL, TEXT, PHOTO, VOICE)


@hypothesis_settings(deadline=None)
@given(*[st.tuples(st.text(), st.text(), st.text(), st.text())] * 2)
def test_a_fingerprint_is_short_and_tells_apart(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    """32 hexadecimal digits for any texts."""
    assert re.fullmatch("[0-9a-f]{32}", fingerprint(*one))
    assert (fingerprint(*one) == fingerprint(*two)) is (one == two)


# ------------------------------------------------------------------------------------------------ properties

CODES = st.one_of(
    st.integers(-1, 210),
    st.sampled_from([100, 101, 102, 103, 104, 200, 201, 202, 203]),
    st.sampled_from(["100", "103", "104", "１００", " 100", "1e2", "100.0", "", "0100"]),
    st.booleans(),
    st.none(),
    st.floats(),
    st.just(100.0),
    st.lists(st.just(100), max_size=1),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
URLS = st.sampled_from([VIDEO, "https://h/a", "HTTP://h/a", "ftp://h/a", "http://", "", " http://h/a"]) | JSON
IDS = st.sampled_from([TASK_ID, "", " ", " x "]) | JSON
PAYLOADS = st.fixed_dictionaries(
    {}, optional={"result_code": CODES, "result_url": URLS, "task_id": IDS, "msg": JSON, "more": JSON}
)
BODIES = st.one_of(
    PAYLOADS.map(lambda payload: json.dumps(payload).encode()),
    PAYLOADS.map(lambda payload: json.dumps(payload, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
)
RESPONSES = st.builds(
    Answered,
    st.integers(100, 599) | st.sampled_from([200, 429, 500, 503]),
    BODIES,
    st.none() | st.floats(0, 1e9),
)


def read_by_hand(body: bytes) -> tuple[int | None, dict[str, Any]]:
    """The oracle: written from the design's table, with nothing of the package."""
    try:
        payload = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None, {}
    if type(payload) is not dict:
        return None, {}
    code = payload.get("result_code")
    if type(code) is str:
        code = code.strip()
    if type(code) is str and code != "" and all(character in "0123456789" for character in code):
        code = int(code)
    return (code if type(code) is int else None), payload


def outcome(parse: Callable[[], Any]) -> Any:
    """Return the result or the error of this package; any other error fails the test."""
    try:
        return parse()
    except TwinSyncError as error:
        return error


@hypothesis_settings(deadline=None)
@given(RESPONSES)
@example(Answered(200, b'{"result_code": true, "result_url": "http://h/a"}'))
def test_a_job_is_done_only_where_the_service_says_so(response: Answered) -> None:
    """For any answer: a state comes from its own code, success has an address, all else is an error."""
    code, payload = read_by_hand(response.body)
    url = payload.get("result_url")
    found = outcome(lambda: parse_job(TASK_ID, response, key=KEY))
    if isinstance(found, TwinSyncError):
        assert type(found) is (NoAddressError if found.code == "TS403" else StatusError)
        assert found.retry_after_s in (None, response.retry_after_s)
        if "about another job" not in str(found):
            assert code not in (101, 102, 104)
            assert code not in (100, 103) or url not in (VIDEO, "https://h/a", "HTTP://h/a", " http://h/a")
        else:
            assert str(payload["task_id"]).strip() not in ("", TASK_ID)
        return
    assert found.code == code
    states = {100: "succeeded", 101: "waiting", 102: "running", 103: "succeeded", 104: "failed"}
    assert code is not None
    assert found.state.value == states[code]
    if code in (100, 103):
        assert type(url) is str
        assert url.strip().lower().startswith(("http://", "https://"))
    assert found.result_url == (str(url).strip() if code in (100, 103) else None)
    named = payload.get("task_id")
    assert type(named) not in (str, int) or re.fullmatch(rf"\s*(0+|-\d+|{TASK_ID})?\s*", str(named))


@hypothesis_settings(deadline=None)
@given(RESPONSES)
@example(Answered(100, b'{"result_code": 100, "task_id": "\\u001f"}'))
@example(Answered(200, b'{"result_code": 103, "task_id": "x"}'))
def test_a_job_is_made_only_where_the_service_says_so(response: Answered) -> None:
    """For any answer: code 100 brings an id, a refusal and a busy service are sure, all else is uncertain."""
    code, payload = read_by_hand(response.body)
    found = outcome(lambda: parse_submit(SUBMIT, response, sent_at=NOW))
    busy = response.status == 429
    named = payload.get("task_id")
    # Zero and a negative number are no ids.
    names = (type(named) is int and named > 0) or (type(named) is str and named.strip().strip(" x-0"))
    if names and not isinstance(found, str):
        assert isinstance(found, UncertainSubmitError)
        assert code != 100
    elif isinstance(found, RejectedError):
        assert code in (200, 201, 202) or (code is None and 300 <= response.status < 500 and not busy)
        assert found.result_code == code
    elif isinstance(found, UnavailableError):
        assert code == 203 or (busy and code not in (100, 200, 201, 202))
    elif isinstance(found, UncertainSubmitError):
        assert found.code in ("TS309", "TS310", "TS311", "TS312")
        if not found.names_job and found.code != "TS312":
            assert code not in (200, 201, 202, 203)
            assert code in (100, 101, 102, 103, 104) or not busy
    else:
        assert code == 100
        assert found
        assert found == str(payload["task_id"]).strip()


@hypothesis_settings(deadline=None)
@given(st.one_of(RESPONSES, st.builds(Sent, st.text()), st.builds(NotSent, st.text())))
def test_nothing_but_our_own_errors_comes_out(response: Outcome) -> None:
    """And no error shows the key."""
    for found in (
        outcome(lambda: parse_submit(SUBMIT, response, sent_at=NOW)),
        outcome(lambda: parse_job(TASK_ID, response, key=KEY)),
    ):
        assert isinstance(found, TwinSyncError) is isinstance(found, Exception)
        assert KEY not in f"{found} {found!r}"
    works, message = parse_key_check(SUBMIT, response)
    assert type(works) is bool
    assert KEY not in message


def test_requests_are_small_and_frozen() -> None:
    """A request cannot be changed on its way, for example by a client."""
    assert [field.name for field in fields(Request)] == ["method", "params", "form", "headers"]
    with pytest.raises(AttributeError):
        SUBMIT.method = "GET"  # type: ignore[misc]
