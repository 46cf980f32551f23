"""Ledgers on a disk and in S3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.buckets import KEYS, s3_connection
from support.ledgers import NAME, RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUCKET = "videos"


@pytest.fixture(scope="module")
def aws(moto_port: int) -> Iterator[str]:
    """Return the id of a connection to an S3 on loopback; Airflow keeps a store for the life of a process."""
    with s3_connection(moto_port, f"aws_{moto_port}", region_name=KEYS["region_name"]):
        yield f"aws_{moto_port}"


@pytest.fixture
def bucket(aws: str, moto_port: int) -> Iterator[Any]:
    """Return a client of S3, with an empty bucket."""
    boto3 = pytest.importorskip("boto3", reason="the tests of S3 need the provider for it")
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{moto_port}", **KEYS)
    client.create_bucket(Bucket=BUCKET)
    yield client
    for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=one["Key"])
    client.close()


@pytest.fixture(params=["disk", "S3"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty ledger."""
    if request.param == "disk":
        return str(tmp_path / "ledger")
    request.getfixturevalue("bucket")
    return f"s3://{request.getfixturevalue('aws')}@{BUCKET}/ledger"


@pytest.fixture
def files(ledger: str) -> Callable[[], dict[str, str]]:
    """Return a function that reads all files of the ledger."""
    from airflow_provider_twinsync._records.ledger_folder import open_folder

    def files() -> dict[str, str]:
        folder = open_folder(ledger)
        return {name: (folder.read(name) or b"").decode() for name in sorted(folder.names())}

    return files


@pytest.fixture
def put(ledger: str) -> Callable[..., None]:
    """Return a function that writes a file of the ledger: a record with changes, or other content."""
    from airflow_provider_twinsync._records.ledger_folder import open_folder

    def put(file: str = f"{NAME}.json", content: str | None = None, **changes: Any) -> None:
        data = content or json.dumps({**RECORD, "inputs": file[:32], **changes})
        open_folder(ledger).write(file, data.encode())

    return put


@pytest.fixture
def run(ledger: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command: the exit status, the output, and the errors."""
    from airflow_provider_twinsync.__main__ import main

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (main(["ledger", ledger, *arguments]), *capsys.readouterr())

    return run
