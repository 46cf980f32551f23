"""The address of a video: allowed hosts, redirects, and expired addresses, for example."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from support.servers import NO_LEAKS, answer, mp4
from support.videos import CUT, JOB, VIDEO, complete, cut, files_beside, in_turn, part_of

from airflow_provider_twinsync.emulator import Body, FailJob, HttpError
from airflow_provider_twinsync.exceptions import DownloadRefusedError, TwinSyncError, UsageError
from airflow_provider_twinsync.hooks import TwinSyncHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.servers import Received, Serve

    from airflow_provider_twinsync.emulator import Emulator

pytestmark = NO_LEAKS


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/a.mp4",
        "http://127.0.0.1.:{port}/a.mp4",
        "http://[::ffff:127.0.0.1]:{port}/a.mp4",
        "http://127.0.0.1@localhost:{port}/a.mp4",
        "http://localhost:{port}#@127.0.0.1/a.mp4",
    ],
)
@pytest.mark.parametrize("redirected", [False, True], ids=["address", "redirect"])
def test_a_host_that_is_not_allowed_gets_no_request(
    hook: TwinSyncHook, serve: Serve, destination: Path, address: str, redirected: bool
) -> None:
    """Also if it is the same machine, and also if an allowed host redirects to it."""
    server = serve(lambda _: [complete()])
    url = address.format(port=server.port)
    first = serve(lambda _: [answer(302, Location=url)]).url if redirected else url
    with pytest.raises(DownloadRefusedError, match="TS501 ") as caught:
        hook.download(first, destination)
    assert "allowed_result_hosts" in str(caught.value)
    assert "'twinsync_default'" in str(caught.value)
    assert server.requests == []
    assert files_beside(destination) == []


@pytest.mark.parametrize("redirected", [False, True], ids=["address", "redirect"])
def test_a_host_that_can_be_read_in_two_ways_gets_no_request(
    hook: TwinSyncHook, serve: Serve, destination: Path, redirected: bool
) -> None:
    """The checked host and the requested host must be the same."""
    server = serve(lambda _: [complete()])
    url = f"http://localhost:{server.port}\\@127.0.0.1/a.mp4"
    first = serve(lambda _: [answer(302, Location=url)]).url if redirected else url
    with pytest.raises((DownloadRefusedError, UsageError)):
        hook.download(first, destination)
    assert server.requests == []
    assert files_beside(destination) == []


def test_a_host_can_be_allowed(connect: Callable[..., None], serve: Serve, destination: Path) -> None:
    """By the connection."""
    connect(allowed_result_hosts="LocalHost, other.invalid")
    server = serve(lambda _: [complete()])
    TwinSyncHook().download(f"http://localhost:{server.port}/a.mp4", destination)
    assert destination.read_bytes() == VIDEO


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_a_redirect_to_an_allowed_host_is_followed(
    hook: TwinSyncHook, serve: Serve, destination: Path, status: int, absolute: bool
) -> None:
    """To another port, or to another path."""
    server = serve(lambda request: [complete() if request.target == "/new/b.mp4" else answer(404)])
    location = f"{server.url}/new/b.mp4" if absolute else "../new/b.mp4"
    first = serve(
        lambda request: [complete() if request.target == "/new/b.mp4" else answer(status, Location=location)]
    )
    hook.download(f"{first.url}/old/a.mp4", destination)
    assert destination.read_bytes() == VIDEO
    assert len(server.requests) == (1 if absolute else 0)
    assert len(first.requests) == (1 if absolute else 2)


@pytest.mark.parametrize("location", ["/a.mp4", "", "/a.mp4?again"])
def test_a_redirect_in_a_circle_ends(
    hook: TwinSyncHook, serve: Serve, destination: Path, location: str
) -> None:
    """After some rounds, and without a retry."""
    server = serve(lambda _: [answer(302, Location=location)])
    with pytest.raises(DownloadRefusedError, match=r"TS508 .* 5 times"):
        hook.download(f"{server.url}/a.mp4", destination)
    assert len(server.requests) == 6
    assert files_beside(destination) == []


@pytest.mark.parametrize(
    ("location", "data"),
    [
        ("ftp://127.0.0.1/a.mp4", "ftp://"),
        ("file:///etc/passwd", "file:///"),
        ("http://[::1/", "TS509 "),
        ("/\xe9.mp4", ""),
    ],
)
def test_a_redirect_to_no_web_address_is_refused(
    hook: TwinSyncHook, serve: Serve, destination: Path, location: str, data: str
) -> None:
    """With an error of this package."""
    server = serve(lambda _: [answer(302, Location=location)])
    with pytest.raises((DownloadRefusedError, UsageError)) as caught:
        hook.download(f"{server.url}/a.mp4", destination)
    assert data in str(caught.value)
    assert files_beside(destination) == []


@pytest.mark.parametrize("url", ["", None, "None", "a.mp4", "s3://bucket/a.mp4", "file:///etc/passwd", 7])
def test_an_invalid_address_is_refused(hook: TwinSyncHook, destination: Path, url: Any) -> None:
    """Before any file is created."""
    with pytest.raises(UsageError, match="result_url"):
        hook.download(url, destination)
    assert files_beside(destination) == []


def test_an_address_that_cannot_be_requested_is_refused(
    hook: TwinSyncHook, serve: Serve, destination: Path, sleeps: list[float]
) -> None:
    """A login outside Latin-1 cannot be in a header; the message does not repeat the login."""
    server = serve(lambda _: [complete()])
    with pytest.raises(DownloadRefusedError, match="TS516 ") as caught:
        hook.download(f"http://ann:密@127.0.0.1:{server.port}/a.mp4", destination)
    assert "密" not in str(caught.value)
    assert server.requests == []
    assert sleeps == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("after", [b"", cut()], ids=["at once", "in the middle"])
def test_an_expired_address_is_replaced(
    hook: TwinSyncHook, emulator: Emulator, serve: Serve, destination: Path, status: int, after: bytes
) -> None:
    """By the id of the job: the file is then the video of the new address."""
    import requests

    twinsync_task_id = hook.submit(**JOB)
    server = serve(in_turn(*([after] if after else []), answer(status)))
    got = hook.download(f"{server.url}/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    video = requests.get(f"{emulator.url}/example/{twinsync_task_id}.mp4", timeout=10).content
    assert destination.read_bytes() == video
    assert got["sha256"] == hashlib.sha256(video).hexdigest()
    assert [entry.call for entry in emulator.world.journal] == ["submit", "status", "result", "result"]


def test_an_expired_address_is_replaced_once(
    hook: TwinSyncHook, emulator: Emulator, destination: Path
) -> None:
    """If the new address has no video either, the download fails."""
    twinsync_task_id = hook.submit(**JOB)
    emulator.world.faults.add("result", HttpError(status=404, times=None))
    with pytest.raises(DownloadRefusedError, match=r"TS504 .*HTTP 404"):
        hook.download(f"{emulator.url}/example/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    assert [entry.call for entry in emulator.world.journal] == ["submit", "result", "status", "result"]
    assert files_beside(destination) == []


def test_an_expired_address_without_an_id_asks_for_the_id(
    hook: TwinSyncHook, emulator: Emulator, destination: Path
) -> None:
    """The message names the argument."""
    with pytest.raises(DownloadRefusedError, match=r"TS503 .*twinsync_task_id"):
        hook.download(f"{emulator.url}/example/old.mp4", destination)
    assert len(emulator.world.journal) == 1
    assert files_beside(destination) == []


@pytest.mark.parametrize(
    ("fault", "code", "data"),
    [
        (HttpError(status=503), "TS507", "HTTP 503"),
        (Body(json={"result_code": 102}), "TS506", "(running)"),
        (None, "TS505", ""),
    ],
    ids=["no status", "not finished", "failed"],
)
def test_an_expired_address_that_cannot_be_replaced_is_an_error(
    hook: TwinSyncHook, emulator: Emulator, destination: Path, fault: Any, code: str, data: str
) -> None:
    """The status is unavailable, the job is not finished, or it failed."""
    emulator.world.faults.add("submit", FailJob())
    twinsync_task_id = hook.submit(**JOB)
    if fault is not None:
        emulator.world.faults.add("status", fault)
    with pytest.raises(TwinSyncError) as caught:
        hook.download(f"{emulator.url}/example/old.mp4", destination, twinsync_task_id=twinsync_task_id)
    assert caught.value.retryable is (fault is not None)
    assert caught.value.code == code
    for part in ("(HTTP 404)", f"TwinSync job {twinsync_task_id}", data):
        assert part in str(caught.value)
    assert files_beside(destination) == []


def test_a_video_at_a_new_address_is_another_one(
    connect: Callable[..., None], serve: Serve, destination: Path
) -> None:
    """Two files may have the same ETag and the same size: a validator belongs to one address."""
    other = mp4(len(VIDEO), seed=2)
    old = iter([cut(), answer(404)])

    def respond(request: Received) -> list[bytes]:
        if request.target.startswith("/old.mp4"):
            return [next(old)]
        if request.target == "/new.mp4":
            return [part_of(other, CUT, len(other)) if "range" in request.headers else complete(other)]
        return [answer(200, json.dumps({"result_code": 103, "result_url": f"{server.url}/new.mp4"}).encode())]

    server = serve(respond)
    connect(port=server.port)
    TwinSyncHook().download(f"{server.url}/old.mp4", destination, twinsync_task_id="1")
    assert destination.read_bytes() == other
