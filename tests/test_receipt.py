"""What a download task remembers: a video that is there is not fetched again, and any other is."""

from __future__ import annotations

import hashlib
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from conftest import answer, mp4
from drive import Run, Store, attach, run_task
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_twinsync.operators import TwinSyncDownloadOperator
from airflow_provider_twinsync.receipt import STORE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Server

attach("memory", fs=MemoryFileSystem())

VIDEO = mp4(10_000)
JOB = "20261123_1"
IN_BOTH_KINDS = pytest.mark.parametrize("destination", ["a.mp4", "memory://videos/a.mp4"])


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: str, sleeps: list[float]) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    MemoryFileSystem.store.clear()


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve(lambda _: [answer(200, VIDEO, Content_Type="video/mp4", Content_Length=len(VIDEO))])


def fetch(store: Store | None, server: Server, destination: Any, **more: Any) -> Run:
    """Make one run of the task; it succeeds."""
    arguments = {"result_url": f"{server.url}/a.mp4", "destination": destination, **more}
    run = run_task(TwinSyncDownloadOperator(task_id="fetch", **arguments), store=store)
    assert run.ended == "success", run.error
    return run


@IN_BOTH_KINDS
def test_what_is_there_is_not_fetched_again(
    server: Server, destination: str, logged: Callable[[], str]
) -> None:
    """The receipt is the same, the link is there, and the log says how to have it fetched."""
    store = Store()
    first = fetch(store, server, destination)
    second = fetch(store, server, destination)
    assert len(server.requests) == 1
    assert second.result == first.result
    assert second.result["sha256"] == hashlib.sha256(VIDEO).hexdigest()
    assert second.xcoms == first.xcoms
    assert "nothing is fetched. To fetch it anyway, give overwrite=True." in logged()
    assert store.rows == {STORE_KEY: {"fetched": f"{server.url}/a.mp4", "receipt": first.result}}


@IN_BOTH_KINDS
@pytest.mark.parametrize("spoil", ["other", "shorter", "longer", "gone", "empty"])
def test_another_file_is_replaced(server: Server, destination: str, spoil: str) -> None:
    """It is read through: a size that fits is not enough."""
    store = Store()
    fetch(store, server, destination)
    path = ObjectStoragePath(fetch(store, server, destination).result["path"])
    if spoil == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {"other": VIDEO[:-1] + b"\1", "shorter": VIDEO[:-1], "longer": VIDEO + b"\0", "empty": b""}[spoil]
        )
    fetch(store, server, destination)
    assert path.read_bytes() == VIDEO
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("again", "requests"),
    [
        ({"overwrite": True}, 2),
        ({"twinsync_task_id": "20261123_2"}, 2),
        ({"destination": "b.mp4"}, 2),
        ({"destination": "./a.mp4"}, 1),
        # The job is the same; its address may be another by now, and the old one may have expired.
        ({"result_url": "http://127.0.0.1:9/b.mp4"}, 1),
    ],
)
def test_what_is_the_same(server: Server, tmp_path: Path, again: dict[str, Any], requests: int) -> None:
    """The job and the file; and the user may want it fetched in any case."""
    (tmp_path / "b.mp4").write_bytes(VIDEO)
    store = Store()
    fetch(store, server, "a.mp4", twinsync_task_id=JOB)
    fetch(store, server, **{"destination": "a.mp4", "twinsync_task_id": JOB, **again})
    assert len(server.requests) == requests


def test_another_address_is_fetched_where_no_job_is_given(server: Server) -> None:
    """Nothing else names the video."""
    store = Store()
    fetch(store, server, "a.mp4")
    fetch(store, server, "a.mp4", result_url=f"{server.url}/b.mp4")
    assert [request.target for request in server.requests] == ["/a.mp4", "/b.mp4"]


def test_without_a_store_every_run_fetches(server: Server) -> None:
    """Airflow below 3.3."""
    fetch(None, server, "a.mp4")
    fetch(None, server, "a.mp4")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "rubbish",
    [
        "text",
        [],
        {},
        {"fetched": JOB},
        {"fetched": JOB, "receipt": None},
        {"fetched": JOB, "receipt": {"path": "{path}"}},
        {"fetched": JOB, "receipt": {"path": "{path}", "bytes": "many", "sha256": 5}},
    ],
    ids=str,
)
def test_what_is_stored_is_not_what_was_stored(server: Server, tmp_path: Path, rubbish: Any) -> None:
    """Rubbish in the store is no memory."""
    (tmp_path / "a.mp4").write_bytes(VIDEO)
    if isinstance(rubbish, dict) and isinstance(rubbish.get("receipt"), dict):
        rubbish = {**rubbish, "receipt": {**rubbish["receipt"], "path": str(tmp_path / "a.mp4")}}
    fetch(Store({STORE_KEY: rubbish}), server, "a.mp4", twinsync_task_id=JOB)
    assert len(server.requests) == 1


class AwayStore(Store):
    """A store of Airflow's whose server is away."""

    def get(self, key: str) -> Any:
        raise RuntimeError("the API server is away")

    def set(self, key: str, value: Any) -> None:
        raise RuntimeError("the API server is away")


def test_a_store_that_is_away_costs_nothing_but_a_warning(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The video is there, and that is what the task was for."""
    fetch(AwayStore(), server, "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == VIDEO
    assert "cannot be looked at (the API server is away)" in caplog.text
    assert "could not be remembered (the API server is away)" in caplog.text


def test_a_file_that_cannot_be_read_is_fetched_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the library of the store raises."""
    store = Store()
    fetch(store, server, "memory://videos/a.mp4")

    works = MemoryFileSystem.open

    def broken(self: Any, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "rb":
            raise RuntimeError("the bucket is being moved")
        return works(self, path, mode, **options)

    monkeypatch.setattr(MemoryFileSystem, "open", broken)
    fetch(store, server, "memory://videos/a.mp4")
    assert len(server.requests) == 2
    assert "cannot be looked at (the bucket is being moved)" in caplog.text


def test_a_download_that_fails_remembers_nothing(serve: Callable[..., Server]) -> None:
    """There is nothing to remember."""
    store = Store()
    server = serve(lambda _: [answer(400)])
    operator = TwinSyncDownloadOperator(task_id="fetch", result_url=server.url, destination="a.mp4")
    assert run_task(operator, store=store).ended == "AirflowFailException"
    assert store.rows == {}
