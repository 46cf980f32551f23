"""Fetching a video in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twinsync.emulator.ranges import RangeNotSatisfiableError, parse_range


def test_a_whole_video_and_its_head(client):
    """The same headers with and without the body."""
    task_id = client.submit()
    whole, head = client.video(task_id), client.video(task_id, method="HEAD")
    assert (whole.status_code, head.status_code, head.content) == (200, 200, b"")
    assert whole.headers["Content-Length"] == head.headers["Content-Length"] == str(len(whole.content))
    for name in ("Accept-Ranges", "Content-Type", "ETag", "Last-Modified"):
        assert whole.headers[name] == head.headers[name]
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["ETag"].startswith('"')  # strong: good for If-Range


def test_parts(client):
    """206 with the bytes asked for; 416 where there are none; all of it where it is no single range."""
    task_id = client.submit()
    whole = client.video(task_id).content
    size = len(whole)
    for header, part in {
        "bytes=0-9": slice(0, 10),
        "bytes=100-": slice(100, size),
        "bytes=-7": slice(size - 7, size),
        f"bytes=5-{size * 2}": slice(5, size),
    }.items():
        response = client.video(task_id, headers={"Range": header})
        assert (response.status_code, response.content) == (206, whole[part])
        assert response.headers["Content-Range"] == f"bytes {part.start}-{part.stop - 1}/{size}"
        assert response.headers["Content-Length"] == str(part.stop - part.start)
    behind = client.video(task_id, headers={"Range": f"bytes={size}-"})
    assert (behind.status_code, behind.headers["Content-Range"]) == (416, f"bytes */{size}")
    for header in ("bytes=0-1,5-6", "bytes=9-2", "bytes=-", "lines=1-2", "nonsense", f"bytes={'9' * 5000}-"):
        assert client.video(task_id, headers={"Range": header}).status_code == 200


@pytest.mark.parametrize(
    ("validator", "status"),
    [("ETag", 206), ("Last-Modified", 206), ('"other"', 200), ("Thu, 01 Jan 1970 00:00:00 GMT", 200)],
)
def test_if_range(client, validator, status):
    """A part only if the content is the same; else all of it."""
    task_id = client.submit()
    validator = client.video(task_id, method="HEAD").headers.get(validator, validator)
    response = client.video(task_id, headers={"Range": "bytes=10-", "If-Range": validator})
    assert response.status_code == status


@pytest.mark.parametrize("header", ["bytes=٣-٤", f"bytes=0-{'9' * 5000}", f"bytes=-{'9' * 19}"])
def test_a_number_that_is_none_is_no_range(header):
    """Digits are 0 to 9, and 18 digits are enough for any file."""
    assert parse_range(header, 1000) is None


@given(st.from_regex(r"bytes ?= ?\d{0,4} ?-\d{0,4},?", fullmatch=True))
def test_a_range_lies_within_the_whole(header):
    """For any header: existing bytes, all bytes, or 416."""
    try:
        part = parse_range(header, 1000)
    except RangeNotSatisfiableError:
        return
    assert part is None or 0 <= part.start < part.stop <= 1000
