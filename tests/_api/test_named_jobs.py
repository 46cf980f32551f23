"""The answer to a submit that names a job, or may name one, and the ids that a wait takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.answers import (
    KEY,
    MAX_MESSAGE_CHARACTERS,
    NOW,
    SUBMIT,
    TASK_ID,
    TEXT,
    VOICE,
    answer,
    outcome,
    submit_error,
)

from airflow_provider_twinsync._api.answers import MAX_ANSWER_BYTES
from airflow_provider_twinsync._api.exchange import Answered
from airflow_provider_twinsync._api.status import build_status
from airflow_provider_twinsync._api.submit import build_submit, parse_submit
from airflow_provider_twinsync.exceptions import (
    RejectedError,
    TwinSyncError,
    UnavailableError,
    UncertainSubmitError,
    UsageError,
)

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


@pytest.mark.parametrize("name", [TASK_ID, "task_id/8f3a21"])
@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [(202, 200, RejectedError), (203, 200, UnavailableError), (None, 429, UnavailableError)],
)
def test_the_address_of_the_photo_names_no_job(
    name: str, code: int | None, status: int, kind: type[TwinSyncError]
) -> None:
    """A refusal repeats it, and many photos are called by their time."""
    photo = f"https://example.com/{name}.jpg"
    request = build_submit(text=TEXT, image_url=photo, pronouncer=VOICE, key=KEY)
    body = answer({"result_code": code, "msg": f"cannot open {photo}"}).body
    for written in (body, body.replace(b"/", rb"\/")):
        with pytest.raises(kind):
            parse_submit(request, Answered(status, written), sent_at=NOW)
    with pytest.raises(UnavailableError):
        parse_submit(request, Answered(429, b"", head=str({"Location": photo})), sent_at=NOW)


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
