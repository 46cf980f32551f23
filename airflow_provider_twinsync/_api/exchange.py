"""The request and the answer of one call, as the two HTTP clients carry them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the API, for a sender to carry.

    :param method: the HTTP method.
    :param params: the query.
    :param form: the form fields of a POST, the access key among them: never shown.
    :param headers: the headers that matter for what the answer means.
    """

    method: str
    params: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.

    :param status: the HTTP status.
    :param body: the body as it came, up to :data:`MAX_ANSWER_BYTES`.
    :param retry_after_s: the ``Retry-After`` header in seconds, if there was one that made sense.
    :param head: all headers of the answer to a POST, as a text.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None
    head: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing usable came back.

    :param sent: False only where it is certain that the service received nothing.
    :param problem: what the transport says, for a person.
    """

    sent: bool
    problem: str


Answer = Response | NoAnswer
