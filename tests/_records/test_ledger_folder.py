"""A folder of a ledger that cannot be one: one clear error each, and nothing is paid."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from support.drive import run_task
from support.submits import INPUTS, code_of, posts, submit

from airflow_provider_twinsync._records.ledger_folder import LocalFolder, open_folder, store_folder
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.hooks import TwinSyncHook


@pytest.fixture(autouse=True)
def _connected(connection, sleeps):
    """The delays between two submits are skipped."""


@pytest.mark.parametrize(
    ("ledger", "code"),
    [
        ("", "TS130"),
        (" ", "TS130"),
        (5, "TS130"),
        ("None", "TS103"),
        ("{{ nothing }}", "TS104"),
        ("a\0b", "TS130"),
        ("s3://user:s3cret@videos/ledger", "TS130"),
        ("s3:/videos/ledger", "TS130"),
        ("ledger", "TS131"),
        ("./ledger", "TS131"),
        ("file://host/ledger", "TS131"),
        ("~nobody-here/ledger", "TS131"),
        ("nosuchstore://videos/ledger", "TS327"),
    ],
)
def test_an_address_that_is_no_folder(emulator, ledger, code):
    """The message names the argument, and no secret."""
    run = run_task(submit(ledger=ledger, reuse="runs"))
    assert run.ended == "AirflowFailException"
    assert code_of(run.error) == code
    assert "s3cret" not in str(run.error)
    assert posts(emulator) == 0


def test_a_file_in_place_of_the_folder(emulator, tmp_path):
    """Or in place of a folder above it."""
    (tmp_path / "file").write_text("x")
    for ledger in (tmp_path / "file", tmp_path / "file" / "ledger"):
        run = run_task(submit(ledger=ledger))
        assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS327")
        assert str(ledger) in str(run.error)
    assert posts(emulator) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_to_write(emulator, tmp_path):
    """A folder of another user."""
    folder = tmp_path / "ledger"
    folder.mkdir(mode=0o500)
    run = run_task(submit(ledger=folder))
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS327")
    assert posts(emulator) == 0


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")]
)
def test_a_folder_that_cannot_be_written(emulator, tmp_path, monkeypatch, error):
    """For ever, or now: the second leaves the retries."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(os, "link", fail)
    run = run_task(submit(ledger=tmp_path))
    is_lasting = isinstance(error, PermissionError)
    kind = ("AirflowFailException", "TS327") if is_lasting else ("AirflowException", "TS329")
    assert (run.ended, code_of(run.error)) == kind
    assert posts(emulator) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_does_not_exist(emulator, aws):
    """Of a store that answers."""
    pytest.importorskip("s3fs", reason="the tests of S3 need the provider for it")
    run = run_task(submit(ledger=f"s3://{aws}@nobucket/ledger"))
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS327")
    assert "bucket" in str(run.error)
    assert posts(emulator) == 0


def test_runs_need_a_ledger(emulator):
    """Which outlives the run."""
    for task in ({}, {"durable": False, "ledger": "/srv/ledger"}):
        run = run_task(submit(reuse="runs", **task))
        assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS133")
    for use in (submit, partial(TwinSyncHook().submit_once, **INPUTS)):
        with pytest.raises(ValueError, match="TS132 "):
            use(reuse="always")
    assert posts(emulator) == 0


class Overwriting:
    """A store that ignores ``mode="create"``, as some that speak S3 do."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def pipe_file(self, path: str, data: bytes, mode: str = "overwrite") -> None:
        self.files[path] = data

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path][start:end]


def test_a_store_that_creates_one_object_twice_is_refused(emulator, monkeypatch):
    """Before the first submit."""
    from airflow_provider_twinsync._records import ledger_folder

    store = Overwriting()
    folder = ledger_folder.StoreFolder("s3://videos/ledger", store, "videos/ledger")
    monkeypatch.setattr(ledger_folder, "open_folder", lambda _: folder)
    run = run_task(submit(ledger="s3://videos/ledger"))
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS328")
    assert posts(emulator) == 0


def test_a_store_that_cannot_create_is_refused_by_name() -> None:
    """Fsspec's base class asks and writes then: two tasks would both submit."""
    with pytest.raises(UsageError, match=r"TS328 .* \(LocalFileSystem\) "):
        store_folder("smb://files/ledger", LocalFileSystem(), "files/ledger")
    assert store_folder("memory://ledger", MemoryFileSystem(), "ledger").address == "memory://ledger"


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_one_of_many_creates_a_file_on_a_disk(tmp_path, monkeypatch, links):
    """With all of its bytes, and no draft stays."""
    if not links:

        def fail(*_: Any) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", fail)
    folder, won, begin = LocalFolder(str(tmp_path / "ledger")), [], threading.Barrier(16)

    def create(number: int) -> None:
        begin.wait()
        try:
            folder.create("a.json", f"{number}".encode() * 1000)
            won.append(number)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=create, args=(number,)) for number in range(10, 26)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert folder.read("a.json") == f"{won[0]}".encode() * 1000
    assert folder.names() == ["a.json"]


def test_a_file_is_replaced_whole(ledger):
    """On a disk and in a store."""
    folder = open_folder(ledger)
    folder.write("a.json", b"old")
    folder.write("a.json", b"new")
    with pytest.raises(FileExistsError):
        folder.create("a.json", b"other")
    assert (folder.read("a.json"), folder.read("b.json"), folder.names()) == (b"new", None, ["a.json"])
    folder.delete("a.json")
    assert folder.read("a.json") is None


def test_an_empty_file_is_there(ledger):
    """S3 refuses to read the start of an empty object; it is damaged for ever, and not unavailable now."""
    folder = open_folder(ledger)
    folder.write("a.json", b"")
    assert folder.read("a.json") == b""


def test_forms_of_one_ledger(tmp_path):
    """A path, an address of a file and an object lead to one folder."""
    for ledger in (
        str(tmp_path),
        tmp_path,
        f"file://{tmp_path}",
        f"{tmp_path}/",
        ObjectStoragePath(f"file://{tmp_path}"),
    ):
        folder = open_folder(ledger)
        assert isinstance(folder, LocalFolder)
        assert Path(folder.address) == tmp_path
