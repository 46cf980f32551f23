"""The event that ends a wait in the triggerer and crosses Airflow's database."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from support.polls import ID, VIDEO, end_of

from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync._wait.event import make_event, read_event
from airflow_provider_twinsync._wait.outcome import End, EndReason
from airflow_provider_twinsync.exceptions import StatusError

MAX_MESSAGE_CHARACTERS = 2_000
#: The event of version 0.1.0 in Airflow's database: each later version must read it.
GOLDEN_EVENT = {
    "reason": "succeeded",
    "twinsync_task_id": ID,
    "message": "what happened",
    "result_url": VIDEO,
}


@pytest.mark.parametrize("reason", EndReason)
def test_an_event_brings_the_end_of_a_wait_across_the_database(reason: EndReason) -> None:
    """As plain JSON, for any reason."""
    event = make_event(end_of(reason))
    assert read_event(json.loads(json.dumps(event))) == end_of(reason)


def test_an_event_of_the_first_release_is_read() -> None:
    """A task may be deferred over an upgrade; a later release may add fields."""
    assert make_event(end_of(EndReason.SUCCEEDED)) == GOLDEN_EVENT
    assert read_event(GOLDEN_EVENT) == end_of(EndReason.SUCCEEDED)
    assert read_event({**GOLDEN_EVENT, "more": 1}) == end_of(EndReason.SUCCEEDED)
    values = ["succeeded", "failed", "status_lost", "no_address", "unusable", "timeout", "execution_timeout"]
    assert [reason.value for reason in EndReason] == values


def event(**changes: Any) -> dict[str, Any]:
    return {**GOLDEN_EVENT, **changes}


@pytest.mark.parametrize(
    "rubbish",
    [
        None,
        "succeeded",
        5,
        [],
        [("reason", "succeeded")],
        {},
        {"status": "success"},
        {"reason": "succeeded"},
        event(reason="done"),
        event(reason="SUCCEEDED"),
        event(reason=None),
        event(reason=["succeeded"]),
        event(reason={}),
        event(result_url=None),
        event(result_url=""),
        event(result_url="ftp://h/a.mp4"),
        event(result_url=5),
        event(result_url=[VIDEO]),
        event(reason="failed"),
        event(reason="timeout"),
        *(
            pytest.param(changed)
            for changed in [
                event(reason="failed", result_url=""),
                event(reason="failed", result_url="None"),
                event(reason="timeout", result_url=5),
                event(reason="failed", result_url=None, message=None),
                event(twinsync_task_id=None),
                event(twinsync_task_id=["x"], message={}),
            ]
        ),
    ],
    ids=str,
)
def test_an_event_that_is_none_is_one_clear_error(rubbish: Any) -> None:
    """It never becomes a success; it leaves the retries, because the job goes on."""
    with pytest.raises(StatusError) as caught:
        read_event(rubbish)
    assert caught.value.code == "TS407"
    assert f": {shown_text(rubbish)}. " in str(caught.value)


@pytest.mark.parametrize(("field", "limit"), [("twinsync_task_id", 250), ("message", 2_000)])
def test_a_text_of_an_event_has_a_limit(field: str, limit: int) -> None:
    """On its way in, and on its way out."""
    for length, kept in [(limit, "x" * limit), (limit + 1, "x" * limit + "…")]:
        end = replace(end_of(EndReason.TIMEOUT), **{field: "x" * length})
        assert make_event(end)[field] == kept
        found = read_event({**make_event(end_of(EndReason.TIMEOUT)), field: "x" * length})
        assert getattr(found, field) == kept


def test_the_error_about_an_event_is_of_bounded_length() -> None:
    """For any event."""
    with pytest.raises(StatusError) as caught:
        read_event({"rubbish": "x" * 100_000})
    assert len(str(caught.value)) <= MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize("reason", EndReason)
def test_what_an_event_brings_is_bounded_printable_and_on_one_line(reason: EndReason) -> None:
    """On its way in, and again on its way out: others may write to the database."""
    strange = "a\r\nb\u202e\u2028\x85\x1b[31m" + "x\u0301" * 100 + "\u0301" * 900_000
    end = End(reason, strange, strange, VIDEO if reason is EndReason.SUCCEEDED else None)
    for made in (
        make_event(end),
        {**make_event(end_of(reason)), "twinsync_task_id": strange, "message": strange},
    ):
        found = read_event(json.loads(json.dumps(made)))
        for text in (found.twinsync_task_id, found.message):
            assert text.isprintable()
            assert len(text) <= MAX_MESSAGE_CHARACTERS + 1
            assert "\u0301" * 5 not in text


@pytest.mark.parametrize(
    "url", ["http://h/a\u202eb", "http://h/a\nb", "http://h/" + "a" * 900_000, "javascript:1"]
)
def test_an_event_with_an_address_that_is_none_is_no_success(url: str) -> None:
    """The address of an event is stored, logged and linked."""
    with pytest.raises(StatusError) as caught:
        read_event(event(result_url=url))
    assert caught.value.code == "TS407"
    assert str(caught.value).isprintable()
