"""Check an access key with a submit that makes no job, for the *Test* button of a connection."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_twinsync._api.answers import shown
from airflow_provider_twinsync._api.exchange import Answered, Outcome, Request
from airflow_provider_twinsync._api.status import describe
from airflow_provider_twinsync._api.submit import parse_submit
from airflow_provider_twinsync.exceptions import RejectedError, UnavailableError, UncertainSubmitError

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.settings import Settings

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def build_key_check(key: str) -> Request:
    """Build a submit without a text: the service answers it and makes no job (our reading)."""
    return Request("POST", form={"key": key})


def parse_key_check(request: Request, answer: Outcome) -> tuple[bool, str]:
    """Read the answer to a submit without a text.

    :return: whether the service answers and accepts the key, and a message for a person.
    """
    try:
        # The time is of no interest: a submit without a text makes no job.
        parse_submit(request, answer, sent_at=_NEVER)
    except RejectedError as error:
        if error.result_code == 200:
            return True, "The service is reached and does not object to the access key (no job was made)."
        if error.result_code == 201:
            return False, "TS302 The service is reached, but it rejects the access key."
        return False, str(error)
    except UnavailableError as error:
        return False, str(error)
    except UncertainSubmitError:
        # The message of that error is about a job that may have been paid.
        key = (request.form or {})["key"]
        seen = describe(answer, key) if isinstance(answer, Answered) else shown(answer.problem, key)
        return False, f"TS325 No usable answer: {seen}"
    return False, "TS326 The service accepted a job without a text: is this TwinSync?"


def describe_transport(settings: Settings, answer: Outcome) -> str:
    """Return a sentence on how the key travels, for example ``By http, within this machine.``"""
    travels = "travels" if isinstance(answer, Answered) else "would travel"
    if settings.sends_key_in_clear:
        return f"By http: the key {travels} unencrypted."
    if settings.url.startswith("http:"):
        return "By http, within this machine."
    unchecked = ", but to any server that answers: verify is false" if settings.verify is False else ""
    # A server that only speaks http fails at the first word of TLS, before there is any certificate.
    problem = "" if isinstance(answer, Answered) else answer.problem
    is_other = "SSL" in problem and "CERT" not in problem
    hint = " If the service has no https there, set the schema to http." if is_other else ""
    return f"By https: the key {travels} encrypted{unchecked}.{hint}"
