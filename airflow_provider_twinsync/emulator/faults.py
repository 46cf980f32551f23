"""Faults as data: each fails or delays a request between a client and TwinSync, such as ``http_error``.

Each class is one fault; its name in JSON is the class's name in snake_case. ``times`` is how many requests it
hits, ``None`` every one until the world is reset. Faults of one call are used in the order they were added.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from airflow_provider_twinsync.emulator.fault import CALLS, Fault, snake_case

#: The journal keeps a code for longer than the other texts.
_MAX_CODE_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class HttpError(Fault):
    """An HTTP error instead of an answer; the request is not processed.

    ``retry_after_s`` is sent as whole seconds, rounded up: the header knows no others (RFC 9110, 10.2.3).
    """

    status: int = field(metadata={"min": 400, "max": 599})
    retry_after_s: float | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class ResetBefore(Fault):
    """The connection is reset (a TCP RST); the request is not processed."""


@dataclass(frozen=True, slots=True)
class AcceptThenReset(Fault):
    """The request is processed, a submitted job accepted; then the connection is reset without an answer."""


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """The request is taken, not processed and never answered, until the client leaves."""


@dataclass(frozen=True, slots=True)
class AcceptThenHang(Fault):
    """The request is processed, a submitted job accepted; then it is never answered."""


@dataclass(frozen=True, slots=True)
class Slow(Fault):
    """The request is processed, a submitted job accepted; its answer begins ``delay_s`` seconds later."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class NotJson(Fault):
    """HTTP 200 with ``body`` as text/html, as from a proxy in between; the request is not processed."""

    body: str = "<html><body>Welcome to nginx!</body></html>"


@dataclass(frozen=True, slots=True)
class Body(Fault):
    """HTTP 200 with ``json`` (any JSON value) as the whole answer; the request is not processed."""

    json: Any


@dataclass(frozen=True, slots=True)
class ResultCode(Fault):
    """The normal answer, but with ``code`` (any JSON value) as its result_code.

    A submission that is answered with a documented error (200 to 203) makes no job, as with the service.
    """

    calls: ClassVar[tuple[str, ...]] = ("submit", "status")
    code: Any = field(metadata={"max_chars": _MAX_CODE_CHARS})


@dataclass(frozen=True, slots=True)
class FailJob(Fault):
    """The submitted job is accepted and ends with code 104."""

    calls: ClassVar[tuple[str, ...]] = ("submit",)
    reason: str = field(default="video conversion failure", metadata={"max_chars": _MAX_CODE_CHARS})


@dataclass(frozen=True, slots=True)
class AcceptThenHttpError(Fault):
    """An HTTP error as the answer to a request that was processed: a submitted job exists.

    ``{task_id}`` in ``body`` is the job's id. ``FRONT_ENDS`` has the pages of proxies that answer like that.
    """

    status: int = field(metadata={"min": 400, "max": 599})
    retry_after_s: float | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class AnotherJob(Fault):
    """An answer about another job, ``task_id``, as from a cache: its video is done, and has an address."""

    calls: ClassVar[tuple[str, ...]] = ("status",)
    task_id: str = field(default="20230423_11_23_05_10279", metadata={"max_chars": _MAX_CODE_CHARS})


@dataclass(frozen=True, slots=True)
class NoAddress(Fault):
    """An answer of success without the address of the video, in any state of the job."""

    calls: ClassVar[tuple[str, ...]] = ("status",)


@dataclass(frozen=True, slots=True)
class Padded(Fault):
    """The normal answer, but with ``padding`` around each of its values; the result_code is a text then."""

    calls: ClassVar[tuple[str, ...]] = ("submit", "status")
    padding: str = field(default=" \r\n", metadata={"max_chars": _MAX_CODE_CHARS})


@dataclass(frozen=True, slots=True)
class KeyInMessage(Fault):
    """An error (code 201 of a submit, 104 of a status) with the access key in its ``msg``.

    The key is there once in each of the escapes that web frameworks use (``escapes.py``). A submit makes no
    job.
    """

    calls: ClassVar[tuple[str, ...]] = ("submit", "status")


@dataclass(frozen=True, slots=True)
class GzipBomb(Fault):
    """HTTP 200 with a small body that unpacks to ``mebibytes`` MiB, after ``layers`` layers of gzip.

    The request is not processed.
    """

    mebibytes: int = field(default=64, metadata={"min": 1, "max": 4096})
    layers: int = field(default=2, metadata={"min": 1, "max": 4})


@dataclass(frozen=True, slots=True)
class InterimResponse(Fault):
    """``count`` interim responses (RFC 9110, 15.2; 103 is Early Hints) come before the normal answer."""

    status: int = field(default=103, metadata={"min": 102, "max": 199})
    count: int = field(default=1, metadata={"min": 1, "max": 1000})


@dataclass(frozen=True, slots=True)
class Truncated(Fault):
    """The headers promise the whole video; the connection closes after ``after_bytes`` bytes of it."""

    calls: ClassVar[tuple[str, ...]] = ("result",)
    after_bytes: int


@dataclass(frozen=True, slots=True)
class WrongVideo(Fault):
    """HTTP 200 as video/mp4, but the bytes are no MP4."""

    calls: ClassVar[tuple[str, ...]] = ("result",)


@dataclass(frozen=True, slots=True)
class Redirect(Fault):
    """HTTP 302 to ``location``."""

    location: str


@dataclass(frozen=True, slots=True)
class SilentVideo(Fault):
    """The submitted job is accepted, and its video has no sound."""

    calls: ClassVar[tuple[str, ...]] = ("submit",)


@dataclass(frozen=True, slots=True)
class BlackVideo(Fault):
    """The submitted job is accepted, and its video is black."""

    calls: ClassVar[tuple[str, ...]] = ("submit",)


@dataclass(frozen=True, slots=True)
class FrozenVideo(Fault):
    """The submitted job is accepted, and the pictures of its video stand still."""

    calls: ClassVar[tuple[str, ...]] = ("submit",)


@dataclass(frozen=True, slots=True)
class ShortVideo(Fault):
    """The submitted job is accepted, and its video ends after a twentieth of the text."""

    calls: ClassVar[tuple[str, ...]] = ("submit",)


@dataclass(frozen=True, slots=True)
class GarbledVideo(Fault):
    """The submitted job is accepted; its video is a complete MP4 file, and cannot be decoded."""

    calls: ClassVar[tuple[str, ...]] = ("submit",)


FAULTS: dict[str, type[Fault]] = {snake_case(cls.__name__): cls for cls in Fault.__subclasses__()}
"""Every fault by its name in JSON."""

DEFECTS = tuple(
    snake_case(cls.__name__) for cls in (SilentVideo, BlackVideo, FrozenVideo, ShortVideo, GarbledVideo)
)
"""The faults of a submit that give its video a defect, for as long as there is the job."""


def parse_fault(data: object) -> tuple[str, Fault]:
    """Read one fault from JSON, for example ``{"call": "submit", "fault": "http_error", "status": 503}``.

    :return: the call it is for, and the fault.
    :raises ValueError: a name or a value is unknown; the message lists the known names.
    """
    if not isinstance(data, dict):
        raise ValueError("a fault must be a JSON object")
    given = dict(data)
    call, name = given.pop("call", None), given.pop("fault", None)
    if call not in CALLS:
        raise ValueError(f"unknown call {call!r}; known: {', '.join(CALLS)}")
    if not isinstance(name, str) or name not in FAULTS:
        raise ValueError(f"unknown fault {name!r}; known: {', '.join(sorted(FAULTS))}")
    known = [f.name for f in fields(FAULTS[name])]
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"unknown field {unknown[0]!r} of fault {name!r}; known: {', '.join(known)}")
    try:
        return call, FAULTS[name](**given)
    except TypeError as e:  # a field that has no default is missing; Python's words name it
        raise ValueError(f"fault {name!r}: {str(e).partition(' ')[2]}") from e
