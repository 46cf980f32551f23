"""Whether a submit was sent: "not sent" takes a proof, so that a later urllib3 never makes a second job."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import urllib3
from support.drive import run_task
from support.senders import SUBMIT, settings_for
from support.servers import closed_port
from support.submits import posts, submit

from airflow_provider_twinsync._api.exchange import NotSent, Sent
from airflow_provider_twinsync._http.progress import Progress
from airflow_provider_twinsync._http.sync_client import send
from airflow_provider_twinsync.emulator.faults import AcceptThenReset

HOOKS = ("_new_conn", "connect", "request")
#: Each set of the methods that a later urllib3 may no longer call.
MISSING = [names for size in range(len(HOOKS) + 1) for names in itertools.combinations(HOOKS, size)]


@pytest.mark.parametrize("names", MISSING, ids=str)
def test_a_submit_that_may_have_arrived_is_never_not_sent(serve, hide, names) -> None:
    """With any of the reports missing."""
    hide(names)
    server = serve(lambda _: [])
    assert isinstance(send(settings_for(server.url, request_timeout_s=5), SUBMIT), Sent)
    assert len(server.requests) == 1


@pytest.mark.parametrize("names", MISSING, ids=str)
def test_a_connection_that_is_refused_is_not_sent_if_that_is_reported(hide, names) -> None:
    """Without the report of `connect` it is unknown."""
    hide(names)
    outcome = send(settings_for(f"http://127.0.0.1:{closed_port()}", request_timeout_s=5), SUBMIT)
    assert type(outcome) is (Sent if "connect" in names else NotSent)


@pytest.mark.parametrize("names", MISSING, ids=str)
def test_a_task_pays_once_with_any_of_the_reports_missing(emulator, connection, sleeps, hide, names) -> None:
    """The service accepts the job, and the connection ends."""
    hide(names)
    emulator.world.faults.add("submit", AcceptThenReset(times=None))
    assert run_task(submit(retries=3)).ended == "AirflowFailException"
    assert posts(emulator) == len(emulator.world.tasks) == 1


@pytest.mark.parametrize("error", [MemoryError(), TimeoutError("of a signal's handler")], ids=repr)
def test_an_error_that_is_not_of_the_socket_leaves_it_open(serve, monkeypatch, error) -> None:
    """For example, no memory is left after the last byte, or a signal's handler raises an error."""
    server = serve(lambda _: [b"HTTP/1.1 200 OK\r\n\r\n"])
    end = urllib3.connection.HTTPConnection.request

    def request(*args: Any, **kwargs: Any) -> None:
        end(*args, **kwargs)
        raise error

    monkeypatch.setattr(urllib3.connection.HTTPConnection, "request", request)
    assert isinstance(send(settings_for(server.url, request_timeout_s=5), SUBMIT), Sent)


STEPS = ("start", "not_connected", "hand_over", "cut", "complete")


@pytest.mark.parametrize("steps", [*itertools.product(STEPS, repeat=3)], ids=lambda steps: " ".join(steps))
def test_not_sent_needs_a_proof_after_the_last_doubt(steps: tuple[str, ...]) -> None:
    """In every order of the reports."""
    progress = Progress()
    for step in steps:
        getattr(progress, step)()
    assert (progress.sent_at is not None) is ("hand_over" in steps)
    if progress.was_sent is False:
        doubts, proofs = {"start", "hand_over", "complete"}, {"cut"}
        if "hand_over" in steps:  # no new connection makes that undone
            doubts -= {"start"}
        else:
            proofs |= {"not_connected"}
        decisive = [step for step in steps if step in doubts | proofs]
        assert decisive[-1] in proofs
    assert progress.was_sent is not True or "complete" in steps
