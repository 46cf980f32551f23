"""Status answers: their job, the address of their video, and their text in messages."""

from __future__ import annotations

import json
import time
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
    secrets_of,
    shown,
)
from airflow_provider_twinsync._api.exchange import Answered
from airflow_provider_twinsync._api.shown import one_line, shown_text, shown_url
from airflow_provider_twinsync._api.status import JobState, parse_job
from airflow_provider_twinsync._api.validation import is_http_url
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
    assert not caught.value.retryable
    assert not caught.value.job_goes_on
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1_000
    assert KEY not in str(caught.value)


def test_a_host_that_is_called_like_the_key_does_not_lose_a_video() -> None:
    """A name is no secret."""
    url = "http://api.twinsync.xyz/a.mp4"
    assert parse_job(ID, answer(result_code=103, result_url=url), key="twinsync").result_url == url


# ----------------------------------------------------------------------------------------- strangers' text

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
    ("url", "made"),
    [
        ("https://h/a.mp4?Signature=secret#x", "https://h/a.mp4"),
        ("https://user:secret@h:8/a.mp4", "https://h:8/a.mp4"),
        ("https://user:sec@ret@h/a", "https://h/a"),
        ("https://user:sec/ret@h/a", "https://***"),
        ("//user:secret@h/a", "//h/a"),
        ("user:secret@h/a", "***"),
        ("https://cdn/fetch/https://user:secret@h/a?secret", "https://cdn/fetch/https://h/a"),
        ("https://h/@anna/a@2x.jpg", "https://h/@anna/a@2x.jpg"),
        ("https://[::1]:8/@anna", "https://[::1]:8/@anna"),
        ("http://[::1", "http://[::1"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, made: str) -> None:
    """Also a malformed address, such as ``http://[::1``."""
    assert shown_url(url) == made


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
    ],
)
def test_addresses_in_a_text_of_the_service_are_shown_without_signatures(text: str, made: str) -> None:
    """In a msg, in a page, in an error of a transport."""
    assert shown(text, KEY) == made


def test_a_text_of_the_service_is_cut_at_a_limit() -> None:
    """At 300 characters, or fewer."""
    assert shown("x" * 301, KEY) == "x" * 300 + "…"
    assert shown("x" * 301, KEY, 10) == "x" * 10 + "…"


@pytest.mark.parametrize("length", [2_083, 8_000, 8_192, 8_193, 900_000])
def test_an_address_has_a_length_that_servers_take(length: int) -> None:
    """RFC 9110 requires at least 8,000 characters."""
    assert is_http_url("https://h/".ljust(length, "a")) is (length <= 8_192)


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


@pytest.mark.parametrize("text", ["/" * 6_000, "//a" * 2_000, r"\/\/" * 1_500, "//a?" * 1_500])
def test_slashes_cost_no_time(text: str) -> None:
    """A poll reads the text in the loop that all waits share: 6,000 slashes cost 176 ms once."""
    began = time.process_time()
    for _ in range(10):
        shown(text, KEY)
    assert time.process_time() - began < 1
