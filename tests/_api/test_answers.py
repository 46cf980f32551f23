"""Status answers: their job, the address of their video, and their text in messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airflow_provider_twinsync._api.answers import (
    MAX_ANSWER_BYTES,
    is_damaged,
    named_job,
    other_job,
    read_json,
)
from airflow_provider_twinsync._api.exchange import Answered
from airflow_provider_twinsync._api.status import JobState, parse_job
from airflow_provider_twinsync.exceptions import NoAddressError, StatusError

KEY = "Sesame-7b1f9c"
ID = "20230423_11_23_05_10279"
OTHER = "20230423_11_23_05_10280"
VIDEO = f"http://api.twinsync.xyz:27323/example/{ID}.mp4"


def answer(**payload: Any) -> Answered:
    return Answered(200, json.dumps(payload).encode())


#: Forms in which an answer may name the requested job.
SAME = [
    {},
    {"task_id": ID},
    {"taskID": ID},
    {"task_id": f" {ID}\n"},
    {"task_id": f'"{ID}"'},
    {"task_id": None},
    {"task_id": ""},
    {"task_id": "None"},
    {"task_id": True},
    {"task_id": []},
    {"msg": None},
    {"msg": f"taskID:{ID} has been completed, and the output video url is: {VIDEO}"},
    {"msg": f"taskID:{ID}"},
    {"msg": f"taskID: {ID}."},
    {"msg": f"taskID：{ID}已完成"},
    {"msg": f'task_id = "{ID}" is done'},
    {"msg": f"TaskId:{ID}, done"},
    {"msg": "taskID:20230423_11"},
    {"msg": "taskID:20230423_11..."},
    {"msg": "taskID:20230423_11…"},
    {"msg": "taskID:"},
    {"msg": "taskID: "},
    {"msg": "taskID:None has been completed"},
    {"msg": "taskID: the video is there"},
    {"msg": "taskID missing"},
    {"msg": f"taskID:{ID} has been completed, before taskID:{OTHER}"},
    {"msg": f"taskID:{OTHER} is next, taskID:{ID} has been completed"},
    # The address is no evidence: the service chooses the place of a video.
    {"result_url": f"http://h/{OTHER}.mp4"},
]
#: Forms in which an answer may name another job.
NOT_THE_SAME = [
    {"task_id": OTHER},
    {"taskID": OTHER},
    {"taskId": OTHER},
    {"task-id": OTHER},
    {"task-id": "abc"},
    {"task_id": 10279},
    {"task_id": ID + "0"},
    {"task_id": ID[:-1]},
    {"task_id": OTHER, "msg": f"taskID:{ID} has been completed"},
    {"task_id": "x" * 100_000},
    {"msg": f"taskID:{OTHER} has been completed"},
    {"msg": f"taskID: {OTHER} has been completed"},
    {"msg": f"taskID:{ID}0 has been completed"},
    {"msg": f"taskID:{ID}_1 has been completed"},
    {"msg": f"taskID:{ID}a has been completed"},
    {"msg": f"taskID:{ID}A has been completed"},
    {"msg": "taskID: 8f3a21 has been completed"},
    {"msg": "taskID:20230423_11 has been completed"},
    {"msg": "taskID:abc has been completed"},
    {"task_id": ID, "msg": f"taskID:{OTHER} has been completed"},
]
STATES = [(100, "succeeded"), (103, "succeeded"), (101, "waiting"), (102, "running"), (104, "failed")]


@pytest.mark.parametrize(("code", "state"), STATES)
@pytest.mark.parametrize("names", SAME, ids=str)
def test_an_answer_that_names_this_job_or_none_is_of_this_job(
    names: dict[str, Any], code: int, state: str
) -> None:
    """In any form of its id: a video that is paid for must not be refused for a space."""
    job = parse_job(ID, answer(**{"result_url": VIDEO, **names}, result_code=code), key=KEY)
    assert (job.id, job.state.value) == (ID, state)


@pytest.mark.parametrize("code", [100, 103, 101, 102, 104, 200])
@pytest.mark.parametrize("names", NOT_THE_SAME, ids=lambda names: str(names)[:60])
def test_an_answer_that_names_another_job_is_no_answer(names: dict[str, Any], code: int) -> None:
    """A cache or a proxy with an error would return another customer's video."""
    with pytest.raises(StatusError, match=r"\banother job\b") as caught:
        parse_job(ID, answer(**names, result_code=code, result_url=VIDEO), key=KEY)
    assert type(caught.value) is StatusError
    assert caught.value.retryable
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("10279", 10279),
        ("010279", 10279),
        ("10279", "010279"),
        ("a b", "a%20b"),
        ("a b", "a+b"),
        ("Ab", "aB"),
        ("1", "%31"),
        ("ab", "ab".rjust(120)),
    ],
)
def test_an_id_may_be_written_in_another_way(asked: str, named: Any) -> None:
    """As a number, with zeros in front, percent-encoded, in another case."""
    assert other_job({"task_id": named}, asked) is None
    if isinstance(named, str):
        assert other_job({"msg": f"taskID:{named} is done"}, asked) is None


def test_an_id_is_not_looked_for_in_a_long_text() -> None:
    """It has ten times the length of the id at most, and a hundred characters."""
    assert other_job({"task_id": "ab".rjust(121)}, "ab") == "ab".rjust(121)


@pytest.mark.parametrize(
    ("body", "job"),
    [
        (b"task id: 8f3a21 failed", "8f3a21"),
        (b"task id: the photo is missing", None),
        (rb'{"task_id": "\u0061bc"}', "abc"),
    ],
)
def test_an_answer_to_a_submit_may_name_its_job_in_a_sentence(body: bytes, job: str | None) -> None:
    """An id has a digit, unless it is in quotes."""
    assert named_job(body) == job


@pytest.mark.parametrize(
    ("body", "damaged"),
    [
        (b'{"result_code": 203}', False),
        (b' {"result_code": 203', True),
        (b"\n[", True),
        (b"busy {", False),
        (b"", False),
        (b"\x1f\x8b\x08", True),
        (b"\t\r\n", False),
    ],
)
def test_a_body_that_was_cut_or_packed_is_damaged(body: bytes, damaged: bool) -> None:
    """The rest of it may name a job."""
    assert is_damaged(body) is damaged


def test_a_body_that_is_no_object_has_one_of_three_reasons() -> None:
    """An error shows it."""
    reasons = set()
    for body in (b" " * MAX_ANSWER_BYTES, b"{", b"[]"):
        with pytest.raises(ValueError, match="answer") as caught:
            read_json(body)
        reasons.add(str(caught.value))
    assert len(reasons) == 3


@hypothesis_settings(deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)),
    st.text(),
    st.from_regex(r"\A[A-Za-z0-9][\w.~-]{0,40}\Z"),
    st.binary(max_size=200),
)
def test_nothing_breaks_the_search_for_ids(value: Any, message: str, job: str, body: bytes) -> None:
    """For any answer."""
    assert isinstance(other_job({"task_id": value, "msg": message}, job), str | None)
    assert other_job({"task_id": job, "msg": f"taskID:{job} done"}, job) is None
    assert isinstance(named_job(body), str | None)
    assert isinstance(named_job(message.encode(errors="replace")), str | None)


@pytest.mark.parametrize("code", [103, "103", "103 ", " 103", "103\n", "\t100 "])
@pytest.mark.parametrize("url", [VIDEO, f" {VIDEO}", f"{VIDEO}\n", f"\r\n{VIDEO}\r\n", f"{VIDEO}\u00a0"])
def test_white_space_does_not_lose_a_video(code: Any, url: str) -> None:
    """Around its address, and around the code."""
    job = parse_job(ID, answer(result_code=code, result_url=url), key=KEY)
    assert (job.state, job.result_url) == (JobState.SUCCEEDED, VIDEO)


@pytest.mark.parametrize(
    "url",
    [
        *(None, "", " ", "None", "/a.mp4", "ftp://h/a.mp4", "http://", 5, True, [VIDEO]),
        f"{VIDEO} {VIDEO}",
        "http://h/a\u202eb.mp4",
        "http://h/a\u200bb.mp4",
        "http://h/a\x85b.mp4",
        "http://h/a\u2028b.mp4",
        "http://h/a\u3164b.mp4",
        "http://h/\ud800.mp4",
        "http://h/" + "a" * 900_000,
        f"http://h/a.mp4?key={KEY}",
        f"http://h/{KEY}/a.mp4",
        f"http://{KEY}@h/a.mp4",
        "http://h/a.mp4?key=%53esame%2D7b1f9c",
    ],
    ids=lambda url: str(url)[:40],
)
def test_success_without_a_usable_address_is_an_error_of_its_own(url: Any) -> None:
    """The job is finished: neither a retry nor another submit is right."""
    with pytest.raises(NoAddressError) as caught:
        parse_job(ID, answer(result_code=103, result_url=url), key=KEY)
    assert caught.value.code == "TS403"
    assert ID in str(caught.value)
    assert not caught.value.retryable
    assert not caught.value.job_goes_on
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1_000
    assert KEY not in str(caught.value)


def test_a_host_that_is_called_like_the_key_does_not_lose_a_video() -> None:
    """A name is no secret."""
    url = "http://api.twinsync.xyz/a.mp4"
    assert parse_job(ID, answer(result_code=103, result_url=url), key="twinsync").result_url == url


@pytest.mark.parametrize(
    "payload",
    [
        {"msg": f"taskID {OTHER} has been completed"},
        {"msg": f"task-id: {OTHER}"},
        {"task_id": [OTHER]},
        {"data": {"task_id": OTHER}},
    ],
)
def test_an_id_in_the_documented_form_is_seen_wherever_it_is(payload: dict[str, Any]) -> None:
    """If it is another job's, and this job's id is nowhere."""
    assert other_job(payload, ID) == OTHER
    assert other_job({**payload, "task": ID}, ID) is None


def test_the_name_of_a_file_names_no_job() -> None:
    """A service may give its files names of their own."""
    assert other_job({"result_url": f"http://example.com/{OTHER}.mp4", "msg": "done"}, ID) is None
    assert other_job({"msg": f"the video is at http://example.com/{OTHER}.mp4"}, ID) is None
    assert other_job({"result_url": f"{OTHER}.mp4"}, ID) is None


def test_what_is_said_twice_alike_is_read() -> None:
    """Two different codes count as none, and two equal ones as one."""
    body = b'{"result_code": 102, "msg": "m", "msg": "m"}'
    assert parse_job(ID, Answered(200, body), key=KEY).state is JobState.RUNNING
