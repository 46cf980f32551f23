"""The request and the outcome of one call, as the two HTTP clients carry them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_twinsync._api.photo import Photo


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the API, for example ``Request("GET", params={"taskID": "20230423_11_23_05_10279"})``.

    :param method: the HTTP method.
    :param params: the query.
    :param form: the form fields of a POST, the access key among them: never shown.
    :param headers: the headers that change the meaning of the answer.
    :param photo: the photo of a submit; its address is in the form too.
    """

    method: str
    params: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict)
    photo: Photo | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NotSent:
    """The service certainly received no complete request.

    :param problem: the error of the transport, for a person.
    """

    problem: str


@dataclass(frozen=True, slots=True)
class Sent:
    """No answer came, and the service may have received the request.

    :param problem: the error of the transport, for a person.
    """

    problem: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The HTTP answer to a request.

    :param status: the HTTP status.
    :param body: the body, up to ``answers.MAX_ANSWER_BYTES``.
    :param retry_after_s: the ``Retry-After`` header in seconds; None if there is none, or it is not valid.
    :param head: all headers of the answer to a POST, as a text.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None
    head: str = field(default="", repr=False)


Outcome = NotSent | Sent | Answered
