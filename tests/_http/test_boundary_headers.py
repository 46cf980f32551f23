"""Only `TwinSyncError` leaves the hook, and no secret, for any answer and any headers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.boundary import FUZZ, JOB, use_everything
from support.servers import Received, answer, mp4

from airflow_provider_twinsync.exceptions import StatusError, TwinSyncError, UncertainSubmitError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.servers import Serve

pytestmark = pytest.mark.usefixtures("quick")

VIDEO = mp4(2_000)

#: Parts of an answer on which libraries fail.
NAMES = [
    "Retry-After",
    "Last-Modified",
    "Date",
    "ETag",
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "Content-Range",
    "Transfer-Encoding",
    "Location",
    "Set-Cookie",
    "Connection",
    "Upgrade",
    "Link",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Content-Disposition",
    "Keep-Alive",
    "Trailer",
    "Age",
    "Expires",
]
VALUES = [
    b"Fri, 31 Dec 99999 23:59:59 GMT",
    b"Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
    b"Fri, 31 Dec 9999 23:59:59 -2359",
    b"Mon, 01 Jan 0001 00:00:00 +2359",
    b"Mon, 0 Jan 0 0:0:0 GMT",
    b"Wed, 21 Oct 2015 07:28:00 GMT",
    b"Wed, 21 Oct 2015 07:28:00 -9999999999",
    b", ",
    b"-1",
    b"1e400",
    b"9" * 400,
    b"18446744073709551616",
    b"0x10",
    b"\xb2",
    b"\xff\xfe",
    b"\xe9",
    b"",
    b" ",
    b"\0",
    b"a\0b",
    b"\t",
    b"gzip, gzip",
    b"identity",
    b"chunked, chunked",
    b"gzip, chunked",
    b"br",
    b"zstd",
    b"deflate",
    b"utf-8",
    b"http://[::1/",
    b"http://[fe80::1%25]/",
    b"http://[::1%eth0]:80/",
    b"//",
    b"///",
    b"http://",
    b"http:///a",
    b"http://a:b:c/",
    b"http://127.0.0.1:99999/",
    b"http://127.0.0.1:x/",
    b"ftp://127.0.0.1/",
    b"\\\\a\\b",
    b"?",
    b"http://\xe9.invalid/",
    b"http://" + b"a" * 300 + b".invalid/",
    b"http://a..invalid/",
    b"data:,",
    b"#",
    b"video/mp4; charset=\xff",
    b"text/html",
    b"bytes 0-1/2",
    b"bytes 9-0/*",
    b'W/"1"',
    b'"',
    b"a=b; Path=/; =;",
    b"a=\xff; expires=Fri, 31 Dec 99999 23:59:59 GMT",
    b"upgrade",
    b"h2c",
    b"close",
    b'Basic realm="',
    b"x" * 9000,
]
LINES = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.binary(max_size=20)).map(
    lambda pair: pair[0].encode() + b": " + pair[1].replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"
)
STATUSES = st.sampled_from(
    [100, 101, 103, 200, 204, 206, 301, 302, 304, 401, 404, 407, 416, 429, 500, 503, 999]
)


@FUZZ
@given(status=STATUSES, lines=st.lists(LINES, max_size=4), body=st.sampled_from([b"{}", VIDEO, b""]))
def test_no_header_lets_an_error_of_a_library_out(
    connect: Callable[..., None], serve: Serve, tmp_path: Path, status: int, lines: list[bytes], body: bytes
) -> None:
    """Of a status, a submit or a video."""
    head = answer(status)[:-2] + b"".join(lines) + b"\r\n"
    server = serve(lambda _: [head, body])
    connect(port=server.port, request_timeout_s=1)
    use_everything(server.url, tmp_path / "video.mp4")


@pytest.mark.parametrize("year", ["99999", "9" * 30])
def test_a_date_of_an_absurd_year_is_none(
    connect: Callable[..., None], serve: Serve, tmp_path: Path, year: str
) -> None:
    """It names no version of a video, and is no time to stay away."""
    date = f"Fri, 31 Dec {year} 23:59:59 GMT"

    def respond(request: Received) -> list[bytes]:
        dates = {"Last_Modified": date, "Date": date, "Retry_After": date}
        if request.method == "POST":
            return [answer(503, **dates)]
        return [answer(200, VIDEO, Content_Length=len(VIDEO), **dates)]

    server = serve(respond)
    connect(port=server.port)
    TwinSyncHook().download(server.url, tmp_path / "video.mp4")
    assert (tmp_path / "video.mp4").read_bytes() == VIDEO
    with pytest.raises(TwinSyncError):
        TwinSyncHook().submit(**JOB)


def test_a_packed_answer_to_a_submit_is_uncertain(connect: Callable[..., None], serve: Serve) -> None:
    """It may be that of a job, so it is sent once; of a status it is no answer."""
    import gzip

    packed = gzip.compress(json.dumps({"result_code": 203, "task_id": "1"}).encode())
    server = serve(lambda _: [answer(429, packed, Content_Encoding="gzip")])
    connect(port=server.port)
    with pytest.raises(UncertainSubmitError, match="Packed: HTTP 429"):
        TwinSyncHook().submit(**JOB)
    assert len(server.requests) == 1
    with pytest.raises(StatusError, match="Packed: HTTP 429") as caught:
        TwinSyncHook().get_job("1")
    assert caught.value.code == "TS404"
