"""The two HTTP clients, to send the same request from both."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from airflow_provider_twinsync._api.exchange import NotSent, Outcome, Request, Sent
from airflow_provider_twinsync._api.settings import Settings, parse_connection
from airflow_provider_twinsync._http.async_client import join
from airflow_provider_twinsync._http.sync_client import send
from support.environment import KEY

STATUS = Request("GET", params={"taskID": "20230423_11_23_05_10279"})
SUBMIT = Request("POST", form={"text": "Hello", "key": KEY})
DONE = {"result_code": 103, "result_url": "http://127.0.0.1/a.mp4", "task_id": "1"}
UNKNOWN_ID = {"result_code": 200, "msg": "taskID missing, or not in the service queue"}
LOST, NOT_SENT = Sent(""), NotSent("")


async def ask(settings: Settings, request: Request) -> Outcome:
    """Send one request from a triggerer in which nothing else waits."""
    pool = await join(settings)
    try:
        return await pool.ask(pool.address(request))
    finally:
        await pool.leave()


@dataclass(frozen=True)
class Sender:
    """One of the two clients; it checks every answer for secrets and length."""

    name: str

    def __call__(self, settings: Settings, request: Request) -> Outcome:
        got = send(settings, request) if self.name == "sync" else asyncio.run(ask(settings, request))
        if isinstance(got, (NotSent, Sent)):
            assert re.fullmatch(r"\w+(: .+)?", got.problem), "the error's name, and its text on one line"
            assert len(got.problem) < 300
            assert not re.search(r"0x[0-9a-f]{6}| object at |Traceback|" + KEY, got.problem)
            return got
        assert bool(got.head) == (request.method == "POST"), "a submit's headers may name its job"
        return replace(got, head="")

    def expects(self, wanted: Outcome) -> Outcome:
        """Return the expected answer of this client; only a submit depends on `sent`."""
        return LOST if wanted == NOT_SENT and self.name == "async" else wanted


#: A triggerer sends no submit.
WHAT_EACH_SENDS = pytest.mark.parametrize(
    ("sender", "request_"),
    [("sync", STATUS), ("sync", SUBMIT), ("async", STATUS)],
    ids=["sync-status", "sync-submit", "async-status"],
    indirect=["sender"],
)


def settings_for(url: str, **extra: Any) -> Settings:
    extra = {"request_timeout_s": 30, **extra}
    return parse_connection("c", host=url, port=None, schema=None, password=KEY, extra=json.dumps(extra))


def without_words(got: Outcome) -> Outcome:
    """An answer without the library's words, which are the only thing that may differ."""
    return type(got)("") if isinstance(got, (NotSent, Sent)) else got


def json_body(value: Any) -> bytes:
    return json.dumps(value).encode()
