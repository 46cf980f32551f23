"""Validators, such as an ETag: a range of another video is never appended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.servers import NO_LEAKS, answer
from support.videos import CUT, OTHER_VIDEO, VIDEO, asked, complete, cut, files_beside, head, in_turn

from airflow_provider_twinsync._download.validators import is_mismatch
from airflow_provider_twinsync.exceptions import DownloadRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.servers import Received, Serve

    from airflow_provider_twinsync.hooks import TwinSyncHook

pytestmark = NO_LEAKS


LONG_AGO = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "if_range"),
    [
        ({"Date": "Wed, 21 Oct 2015 07:28:01 GMT"}, LONG_AGO),
        # The video may have changed again in that second, or the answer has no date.
        ({"Date": LONG_AGO}, None),
        ({}, None),
        ({"Date": "rubbish"}, None),
        ({"Date": "Wed, 21 Oct 2015 07:28:01 GMT", "ETag": 'W/"v1"'}, LONG_AGO),
    ],
)
def test_a_date_is_the_validator_without_a_strong_etag(
    hook: TwinSyncHook, serve: Serve, destination: Path, headers: dict[str, str], if_range: str | None
) -> None:
    """`Last-Modified`, where RFC 9110 allows it in `If-Range` (8.8.2.2, 13.1.5)."""
    start = answer(200, VIDEO[:CUT], Content_Length=len(VIDEO), Last_Modified=LONG_AGO, **headers)
    server = serve(in_turn(start, complete()))
    hook.download(server.url, destination)
    assert [request.headers.get("if-range") for request in server.requests] == [None, if_range]
    assert destination.read_bytes() == VIDEO


@pytest.mark.parametrize(
    ("validator", "headers", "is_other"),
    [
        ('"1"', {"ETag": '"1"'}, False),
        ('"1"', {"ETag": '"2"'}, True),
        # RFC 9110, 15.3.7: a 206 repeats the ETag of the 200.
        ('"1"', {}, True),
        (LONG_AGO, {"Last-Modified": LONG_AGO}, False),
        (LONG_AGO, {"Last-Modified": "Wed, 21 Oct 2015 07:28:01 GMT"}, True),
        (LONG_AGO, {}, False),
        (None, {"ETag": '"1"'}, True),
    ],
)
def test_a_validator_does_not_match(validator: str | None, headers: dict[str, str], is_other: bool) -> None:
    """In doubt, it does not."""
    assert is_mismatch(validator, headers) is is_other


@pytest.mark.parametrize(
    ("etag", "total"),
    [({"ETag": '"v2"'}, 700_000), ({"ETag": 'W/"v1"'}, 700_000), ({}, 700_000), ({"ETag": '"v1"'}, 650_000)],
    ids=str,
)
def test_a_range_of_another_video_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path, etag: dict[str, str], total: int
) -> None:
    """Its ETag, the lack of an ETag, or the size of the video shows it."""
    other = answer(
        206, (OTHER_VIDEO * 2)[CUT:total], Content_Range=f"bytes {CUT}-{total - 1}/{total}", **etag
    )
    server = serve(in_turn(cut(), other, complete()))
    hook.download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    assert asked(server) == [None, "bytes=300000-", None]


def test_the_signature_is_checked_across_a_cut(hook: TwinSyncHook, serve: Serve, destination: Path) -> None:
    """The first four bytes of a picture, and then the rest: no single answer has the signature."""
    data = b"GIF89a--" + VIDEO[8:]

    def more(request: Received) -> list[bytes]:
        return [head(206, data[4:], Content_Range=f"bytes 4-{len(data) - 1}/{len(data)}") + data[4:]]

    with pytest.raises(DownloadRefusedError, match="TS512 "):
        hook.download(serve(in_turn(head() + data[:4], more)).url, destination)
    assert files_beside(destination) == []


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-699999/700000",
        "bytes 300001-699999/700000",
        "bytes */700000",
        "bytes 300000-699999/*",
        "300000-699999/700000",
        "bytes 300000-/700000",
        "",
    ],
)
def test_another_range_than_requested_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path, content_range: str, logged: Callable[[], str]
) -> None:
    """The video starts again."""
    wrong = head(206, VIDEO[CUT:], Content_Range=content_range) + VIDEO[CUT:]
    server = serve(in_turn(cut(), wrong, complete()))
    hook.download(server.url, destination)
    assert destination.read_bytes() == VIDEO
    assert asked(server) == [None, "bytes=300000-", None]
    assert "TS518 " in logged()


def test_a_range_with_another_validator_is_not_appended(
    hook: TwinSyncHook, serve: Serve, destination: Path
) -> None:
    """A server may support ranges and not `If-Range`; the ETag decides (RFC 9110, 15.3.7.3)."""
    part = OTHER_VIDEO[CUT:]
    content_range = f"bytes {CUT}-{len(OTHER_VIDEO) - 1}/{len(OTHER_VIDEO)}"
    other = head(206, part, ETag='"v2"', Content_Range=content_range) + part
    server = serve(in_turn(cut(), other, complete(OTHER_VIDEO, ETag='"v2"')))
    hook.download(server.url, destination)
    assert destination.read_bytes() == OTHER_VIDEO
