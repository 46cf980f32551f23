"""Ledgers on a disk and in S3."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from support.ledgers import NAME, RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
BUCKET = "videos"


@pytest.fixture(scope="module")
def aws(moto_port: int) -> Iterator[str]:
    """Return the id of a connection to an S3 on loopback; Airflow keeps a store for the life of a process."""
    extra = {
        "endpoint_url": f"http://127.0.0.1:{moto_port}",
        "region_name": "us-east-1",
        "config_kwargs": {"retries": {"max_attempts": 1}},
    }
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    with pytest.MonkeyPatch.context() as patched:
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patched.delenv(name, raising=False)
        patched.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patched.setenv("AWS_CONFIG_FILE", os.devnull)
        patched.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patched.setenv(f"AIRFLOW_CONN_AWS_{moto_port}", json.dumps(connection))
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
