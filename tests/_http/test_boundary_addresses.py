"""Only `TwinSyncError` leaves the hook, and no secret, for any addresses and proxies."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.boundary import FUZZ, JOB, PASSWORD, SIGNATURE, boundary, shown, use_everything
from support.servers import answer, closed_port

from airflow_provider_twinsync.exceptions import DownloadRefusedError, UsageError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.servers import Serve

pytestmark = pytest.mark.usefixtures("quick")

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


def test_a_login_that_cannot_be_sent_is_refused(connect: Callable[..., None], tmp_path: Path) -> None:
    """Of a video's address; the message has neither it nor the signature."""
    connect(port=CLOSED)
    url = f"http://ann:{PASSWORD}\u20ac@127.0.0.1:{CLOSED}/a.mp4?sig={SIGNATURE}"
    with pytest.raises(DownloadRefusedError, match=r"cannot be requested: http://127\.0\.0\.1") as caught:
        TwinSyncHook().download(url, tmp_path / "video.mp4")
    shown(str(caught.value))
