"""Properties that hold for any answer."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.answers import KEY, NOW, SUBMIT, TASK_ID, VIDEO, outcome

from airflow_provider_twinsync._api.exchange import Answered, NotSent, Outcome, Sent
from airflow_provider_twinsync._api.key_check import parse_key_check
from airflow_provider_twinsync._api.status import parse_job
from airflow_provider_twinsync._api.submit import parse_submit
from airflow_provider_twinsync.exceptions import (
    NoAddressError,
    RejectedError,
    StatusError,
    TwinSyncError,
    UnavailableError,
    UncertainSubmitError,
)

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
