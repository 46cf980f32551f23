"""Only `TwinSyncError` leaves the hook, and no secret, for any headers, addresses and proxies."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.environment import KEY
from support.servers import Received, answer, closed_port, mp4

from airflow_provider_twinsync.exceptions import (
    DownloadRefusedError,
    StatusError,
    TwinSyncError,
    UncertainSubmitError,
    UsageError,
)
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.servers import Server

    Serve = Callable[..., Server]

JOB = {"text": "Hello", "image_url": "https://host.invalid/a.jpg", "pronouncer": "en-US-AriaNeural"}
VIDEO = mp4(2_000)
PASSWORD, SIGNATURE = "proxy-pass-77aa", "signature-88bb"
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
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def boundary() -> Iterator[None]:
    """The block may raise only our own errors, without a secret."""
    try:
        yield
    except TwinSyncError as error:
        shown(str(error) + repr(error))


def shown(text: str) -> None:
    for secret in (KEY, PASSWORD, SIGNATURE):
        assert secret not in text
    assert "\n" not in text


def use_everything(url: str, destination: Path) -> None:
    """Each verb of the hook, and each sender, once."""
    hook = TwinSyncHook()
    with boundary():
        hook.submit(**JOB)
    with boundary():
        hook.get_job("1")
    with boundary():
        asyncio.run(hook.aget_job("1"))
    with boundary():
        hook.download(url, destination)
    works, message = hook.test_connection()
    assert isinstance(works, bool)
    shown(message)


@pytest.fixture(autouse=True)
def _quick(sleeps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """No delays, and one attempt of each download: the others would be the same."""
    monkeypatch.setattr("airflow_provider_twinsync._download.transfer._MAX_TRIES", 1)


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


HOSTS = [
    "127.0.0.1",
    "127.0.0.1.",
    "[::1]",
    "[::1%25lo]",
    "[::1%]",
    "[fe80::1%25x]",
    "[::1",
    "::1",
    "0x7f.1",
    "a..b",
    "xn--a.invalid",
    "\u00e9.invalid",
    "\u2100.invalid",
    "a" * 64 + ".invalid",
    "-.invalid",
    "%31.invalid",
    "",
    "*.invalid",
    "host_name.invalid",
    "twinsync.invalid.",
]
LOGINS = [
    "",
    f"ann:{PASSWORD}@",
    f"ann:{PASSWORD}\u20ac@",
    f"\u4f60:{PASSWORD}@",
    f"ann:{PASSWORD}%E2%82%AC@",
    f"a:{PASSWORD}%FF@",
    f":{PASSWORD}@",
    f"a@b:{PASSWORD}@",
    f"a:{PASSWORD}:c@",
    f"a:{PASSWORD}%0d%0aX@",
]
TAILS = [
    "",
    "/",
    "/a.mp4",
    f"/a?sig={SIGNATURE}",
    "/%",
    "/%zz",
    "/\u00e9",
    "/\u4f60.mp4",
    "//",
    "/..",
    "/a;b",
    "#a",
    "?",
    f"/\u00e9?sig={SIGNATURE}#\u4f60",
    "/a%00b",
    "/a%0d%0ab",
    "/" + "a" * 5000,
]


@FUZZ
@given(
    scheme=st.sampled_from(["http", "https", "HTTP"]),
    login=st.sampled_from(LOGINS),
    host=st.sampled_from(HOSTS),
    tail=st.sampled_from(TAILS),
    port=st.sampled_from(["", ":0", ":{port}", ":99999", ":x", ":-1"]),
)
def test_no_address_lets_an_error_of_a_library_out(
    connect: Callable[..., None],
    tmp_path: Path,
    scheme: str,
    login: str,
    host: str,
    tail: str,
    port: str,
) -> None:
    """As the connection's host, as that of a video, and as where one redirects to."""
    netloc = host + port.format(port=CLOSED)
    connect(host=f"{scheme}://{netloc}", port=None, request_timeout_s=1)
    use_everything(f"{scheme}://{login}{netloc}{tail}", tmp_path / "video.mp4")
    connect(port=CLOSED, request_timeout_s=1, allowed_result_hosts="twinsync.invalid.")
    with boundary():
        TwinSyncHook().download(f"{scheme}://{login}127.0.0.1:{CLOSED}{tail}", tmp_path / "video.mp4")


CLOSED = closed_port()


@pytest.mark.slow
@FUZZ
@given(
    name=st.sampled_from(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY", "the connection"]),
    scheme=st.sampled_from(
        [
            "http://",
            "https://",
            "socks4://",
            "socks5://",
            "socks5h://",
            "ftp://",
            "",
            "://",
            "//",
            "http:/",
            "x:",
        ]
    ),
    login=st.sampled_from(LOGINS),
    host=st.sampled_from([*HOSTS, f"127.0.0.1:{CLOSED}", "127.0.0.1:x", "127.0.0.1:99999"]),
    tail=st.sampled_from(["", "/", f"/?{SIGNATURE}"]),
    no_proxy=st.sampled_from(["", "10.0.0.0/99", "[::1", "\u00e9", "*.", "::1/x", ",,"]),
    service=st.sampled_from(["http://twinsync.invalid", "https://twinsync.invalid"]),
)
def test_no_proxy_lets_an_error_of_a_library_out(
    connect: Callable[..., None],
    tmp_path: Path,
    name: str,
    scheme: str,
    login: str,
    host: str,
    tail: str,
    no_proxy: str,
    service: str,
) -> None:
    """Of the connection, or of the environment, which a worker and a triggerer have each of their own."""
    proxy = f"{scheme}{login}{host}{tail}"
    if name == "the connection":
        connect(host=service, port=None, request_timeout_s=1, proxy=proxy)
        environment = {}
    else:
        connect(host=service, port=None, request_timeout_s=1)
        environment = {name: proxy, "NO_PROXY": no_proxy}
    with mock.patch.dict(os.environ, environment):
        use_everything(f"{service}/a.mp4", tmp_path / "video.mp4")


@pytest.mark.parametrize("verb", ["submit", "get_job", "aget_job", "download", "test_connection"])
@pytest.mark.parametrize(
    "proxy",
    [
        f"socks5://ann:{PASSWORD}@127.0.0.1:1080",
        f"ftp://ann:{PASSWORD}@127.0.0.1",
        f"http://ann:{PASSWORD}@127.0.0.1:x",
        f"http://ann:{PASSWORD}\u20ac@127.0.0.1:{CLOSED}",
    ],
    ids=["socks", "ftp", "port", "login"],
)
def test_a_proxy_that_cannot_be_asked_is_named(
    connect: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, proxy: str
) -> None:
    """Of the environment: by both senders alike, before anything is sent, and without its password."""
    connect(host="http://twinsync.invalid", port=None)
    monkeypatch.setenv("ALL_PROXY", proxy)
    hook = TwinSyncHook()
    call: dict[str, Callable[[], Any]] = {
        "submit": lambda: hook.submit(**JOB),
        "get_job": lambda: hook.get_job("1"),
        "aget_job": lambda: asyncio.run(hook.aget_job("1")),
        "download": lambda: hook.download("http://twinsync.invalid/a.mp4", tmp_path / "a.mp4"),
    }
    if verb == "test_connection":
        works, message = hook.test_connection()
        assert not works
    else:
        with pytest.raises(UsageError) as caught:
            call[verb]()
        message = str(caught.value)
    assert message.startswith("TS214 ")
    shown(message)


def test_a_tunnel_that_is_refused_shows_no_password(
    connect: Callable[..., None], serve: Serve, tmp_path: Path
) -> None:
    """Both libraries put the proxy's address into their errors."""
    proxy = serve(lambda _: [answer(407, Content_Length=0)])
    address = proxy.url.replace("//", f"//ann:{PASSWORD}@")
    connect(host="https://twinsync.invalid", port=None, proxy=address)
    use_everything("https://twinsync.invalid/a.mp4", tmp_path / "a.mp4")
    assert {request.method for request in proxy.requests} == {"CONNECT"}


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


def test_a_login_that_cannot_be_sent_is_refused(connect: Callable[..., None], tmp_path: Path) -> None:
    """Of a video's address; the message has neither it nor the signature."""
    connect(port=CLOSED)
    url = f"http://ann:{PASSWORD}\u20ac@127.0.0.1:{CLOSED}/a.mp4?sig={SIGNATURE}"
    with pytest.raises(DownloadRefusedError, match=r"cannot be requested: http://127\.0\.0\.1") as caught:
        TwinSyncHook().download(url, tmp_path / "video.mp4")
    shown(str(caught.value))


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
