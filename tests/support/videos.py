"""Answers of a server with a video, such as a cut one, and the files of a download."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from support.servers import answer, mp4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from support.servers import Received, Server

    Answering = bytes | Callable[[Received], Iterable[bytes]]

JOB = {"text": "Hello", "image_url": "https://host.invalid/a.jpg", "pronouncer": "en-US-AriaNeural"}
#: Larger than one read.
VIDEO, OTHER_VIDEO = mp4(700_000), mp4(650_000, seed=2)
CUT = 300_000


def files_beside(destination: Path) -> list[str]:
    """Return all names in the folder of the destination and in the temporary folder."""
    root = destination.parents[1]
    return sorted(str(path.relative_to(root)) for path in root.glob("*/**/*"))


def head(status: int = 200, data: bytes = VIDEO, /, **headers: str | int) -> bytes:
    headers = {"Content_Type": "video/mp4", "Content_Length": len(data), "ETag": '"v1"', **headers}
    return answer(status, **headers)


def complete(data: bytes = VIDEO, /, **headers: str | int) -> bytes:
    return head(200, data, **headers) + data


def cut(at: int = CUT, /, **headers: str | int) -> bytes:
    """Return the head of a complete video, and its bytes before a cut."""
    return head(**headers) + VIDEO[:at]


def rest(request: Received) -> list[bytes]:
    """Answer as a server that supports ranges and still has the same video."""
    assert request.headers["if-range"] == '"v1"'
    start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
    data = VIDEO[start:]
    content_range = f"bytes {start}-{len(VIDEO) - 1}/{len(VIDEO)}"
    return [head(206, data, Content_Range=content_range) + data]


def part_of(data: bytes, start: int, end: int, /, **headers: str | int) -> bytes:
    """Return an answer with a range of the video, without a length of its own."""
    content_range = f"bytes {start}-{end - 1}/{len(data)}"
    return answer(206, data[start:end], **{"Content_Range": content_range, "ETag": '"v1"', **headers})


def in_turn(*answers: Answering) -> Callable[[Received], Iterable[bytes]]:
    """Answer each request with the next answer; repeat the last answer for ever."""
    turns = itertools.chain(answers, itertools.repeat(answers[-1]))

    def respond(request: Received) -> Iterable[bytes]:
        turn = next(turns)
        return turn(request) if callable(turn) else [turn]

    return respond


def asked(server: Server) -> list[str | None]:
    """Return the requested ranges."""
    return [request.headers.get("range") for request in server.requests]


def reset(_: Received) -> Iterator[bytes]:
    """Reset the connection in the middle of the body."""
    yield cut()
    raise ConnectionResetError


def hang(_: Received) -> Iterator[bytes]:
    yield cut()
    threading.Event().wait(3)


def slowly(start: bytes, pieces: Iterable[bytes], every_s: float) -> Callable[[Received], Iterator[bytes]]:
    """Send the start at once, and then one piece after each delay, until the client has left."""

    def respond(_: Received) -> Iterator[bytes]:
        yield start
        for piece in pieces:
            threading.Event().wait(every_s)
            yield piece

    return respond
