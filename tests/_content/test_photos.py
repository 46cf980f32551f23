"""Photos in a bucket and on a disk: read, checked and signed, before anything is paid."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
from airflow.providers.common.compat.sdk import ObjectStoragePath
from support.buckets import BUCKET, keys, photo_bucket, photo_settings
from support.drive import run_task
from support.environment import CHECKOUT
from support.submits import INPUTS, code_of, posts, submit

from airflow_provider_twinsync._api.photo import Photo
from airflow_provider_twinsync._content.photos import open_photo
from airflow_provider_twinsync.exceptions import TwinSyncError, UsageError

pytest.importorskip("s3fs", reason="the tests of S3 need the provider for it")
pytest.importorskip("moto", reason="the tests of S3 need an S3 on loopback")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_twinsync.emulator import Emulator
    from airflow_provider_twinsync.hooks import TwinSyncHook

CONN_ID = "photo_tests"
PORTRAIT = (CHECKOUT / "example_dags" / "portrait.jpg").read_bytes()
SHA256 = hashlib.sha256(PORTRAIT).hexdigest()
PHOTO = f"s3://{CONN_ID}@{BUCKET}/team/anna bee.jpg"
STAGING = f"s3://{CONN_ID}@{BUCKET}/staging"


@pytest.fixture(scope="module")
def bucket(moto_port: int) -> Iterator[Any]:
    with photo_bucket(moto_port, CONN_ID) as client:
        yield client


@pytest.fixture
def s3(bucket: Any) -> Any:
    """The bucket, with one photo in it."""
    for key in keys(bucket):
        bucket.delete_object(Bucket=BUCKET, Key=key)
    bucket.put_object(Bucket=BUCKET, Key="team/anna bee.jpg", Body=PORTRAIT)
    return bucket


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "anna bee.jpg"
    path.write_bytes(PORTRAIT)
    return path


def error_of(image_url: Any, **fields: Any) -> TwinSyncError:
    with pytest.raises(TwinSyncError) as caught:
        open_photo(photo_settings(**fields), image_url)
    return caught.value


@pytest.mark.parametrize("of", [str, ObjectStoragePath], ids=lambda of: of.__name__)
def test_a_photo_in_a_bucket_is_signed(s3: Any, of: Any) -> None:
    """By today's method, for a day, without a change of the connection."""
    photo = open_photo(photo_settings(), of(PHOTO))
    assert photo.identity == f"s3://photos/team/anna bee.jpg sha256:{SHA256}"
    assert photo.url.startswith("http://127.0.0.1:")
    assert {"X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Expires=86400"} <= set(re.split("[?&]", photo.url))
    assert requests.get(photo.url, timeout=10).content == PORTRAIT
    assert photo.shown.endswith("photos/team/anna bee.jpg")
    assert photo.url.partition("?")[2] not in repr(photo)


def test_the_lifetime_of_the_signature_is_a_field_of_the_connection(s3: Any) -> None:
    """In seconds."""
    assert "X-Amz-Expires=7200&" in open_photo(photo_settings(photo_expires_s=7200), PHOTO).url


def test_another_content_is_another_photo(s3: Any) -> None:
    """And another signature of the same content is not."""
    first = open_photo(photo_settings(), PHOTO)
    second = open_photo(photo_settings(photo_expires_s=7200), PHOTO)
    s3.put_object(Bucket=BUCKET, Key="team/anna bee.jpg", Body=PORTRAIT + b"\0")
    third = open_photo(photo_settings(), PHOTO)
    assert first.url != second.url
    assert first.identity == second.identity != third.identity


def test_an_open_photo_is_not_opened_again(s3: Any) -> None:
    """One photo serves all parts of a text."""
    photo = Photo("https://h/a.jpg", "identity", "s3://nowhere/a.jpg")
    assert open_photo(photo_settings(), photo) is photo


@pytest.mark.parametrize(
    ("key", "body", "words"),
    [
        ("a.pdf", b"%PDF-1.7", "TS154 .* is a PDF"),
        ("empty.jpg", b"", "TS154 .* is empty"),
        ("cut.jpg", PORTRAIT[:5_000], "TS154 .* cannot be decoded"),
        ("large.jpg", PORTRAIT + bytes(1_000_000), "TS154 .* has more than 1 MB"),
    ],
)
def test_an_object_that_is_no_photo_is_refused(s3: Any, key: str, body: bytes, words: str) -> None:
    """By its content: the service would bill it, or fail after a wait."""
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    error = error_of(f"s3://{CONN_ID}@{BUCKET}/{key}", max_photo_mb=1.0)
    assert isinstance(error, UsageError)
    assert re.match(words, str(error))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (f"{BUCKET}/none.jpg", "does not exist"),
        (f"{BUCKET}/team", "is a folder"),
        (BUCKET, "is a folder"),
        ("no-such-bucket/anna.jpg", "bucket does not exist"),
    ],
)
def test_an_object_that_cannot_be_read_is_named(s3: Any, place: str, words: str) -> None:
    """A retry would get the same answer."""
    error = error_of(f"s3://{CONN_ID}@{place}")
    assert isinstance(error, UsageError)
    assert error.code == "TS153"
    assert place in str(error)
    assert words in str(error)


@pytest.mark.parametrize("image_url", ["nostore://photos/anna.jpg", "s3://no_such_connection@photos/a.jpg"])
def test_a_store_or_a_connection_that_does_not_exist_is_an_error_of_ours(
    image_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow only warns about a missing connection to AWS, and tries without a login."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert error_of(image_url).code in ("TS153", "TS156")


@pytest.mark.parametrize("image_url", ["file", "path"])
def test_a_local_file_is_copied_to_the_folder_of_the_connection(
    s3: Any, file: Path, tmp_path: Path, image_url: str
) -> None:
    """Once: the name is the checksum. On another worker the same file is the same photo."""
    settings = photo_settings(photo_staging=STAGING)
    photo = open_photo(settings, f"file://{file}" if image_url == "file" else file)
    copy = f"staging/{SHA256}.jpg"
    assert copy in keys(s3)
    assert f"/{BUCKET}/{copy}?" in photo.url
    answer = requests.get(photo.url, timeout=10)
    assert (answer.content, answer.headers["Content-Type"]) == (PORTRAIT, "image/jpeg")
    assert photo.shown == str(file)
    written = s3.head_object(Bucket=BUCKET, Key=copy)["LastModified"]
    again = tmp_path / "other.name"
    again.write_bytes(PORTRAIT)
    assert open_photo(settings, str(again)).identity == photo.identity
    assert s3.head_object(Bucket=BUCKET, Key=copy)["LastModified"] == written


def test_a_copy_that_is_not_complete_is_replaced(s3: Any, file: Path) -> None:
    """Its size tells."""
    copy = f"staging/{SHA256}.jpg"
    s3.put_object(Bucket=BUCKET, Key=copy, Body=PORTRAIT[:100])
    open_photo(photo_settings(photo_staging=STAGING), file)
    assert s3.head_object(Bucket=BUCKET, Key=copy)["ContentLength"] == len(PORTRAIT)


def test_a_local_file_without_the_folder_is_refused(file: Path) -> None:
    """The message names the field."""
    error = error_of(file)
    assert error.code == "TS152"
    assert "photo_staging" in str(error)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.jpg", "does not exist"),
        (".", "is a folder"),
        ("pipe", "is no regular file"),
    ],
)
def test_a_local_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, words: str) -> None:
    """A pipe would block."""
    os.mkfifo(tmp_path / "pipe")
    error = error_of(str(tmp_path / name), photo_staging=STAGING)
    assert isinstance(error, UsageError)
    assert error.code == "TS153"
    assert words in str(error)


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"#!/bin/sh", "TS154 .*is no photo"), (PORTRAIT + bytes(1_000_000), "TS154 .*has more than 1 MB")],
)
def test_a_local_file_that_is_no_photo_is_not_copied(s3: Any, file: Path, body: bytes, words: str) -> None:
    """Only photos leave the machine."""
    file.write_bytes(body)
    assert re.match(words, str(error_of(file, photo_staging=STAGING, max_photo_mb=1.0)))
    assert keys(s3) == ["team/anna bee.jpg"]


def test_a_folder_for_copies_that_cannot_be_written_is_named(s3: Any, file: Path) -> None:
    """As its bucket is missing."""
    error = error_of(file, photo_staging=f"s3://{CONN_ID}@no-such-bucket/staging")
    assert error.code == "TS158"
    assert "bucket does not exist" in str(error)


def test_a_job_has_a_photo_from_a_bucket(
    s3: Any, emulator: Emulator, hook: TwinSyncHook, file: Path, connect: Any
) -> None:
    """The service opens it by the signed address; the operator, the hook and a local file."""
    run = run_task(submit(image_url=PHOTO))
    connect(photo_staging=STAGING)
    jobs = [run.result, hook.submit(**{**INPUTS, "image_url": ObjectStoragePath(PHOTO)})]
    hook._settings = None
    jobs.append(hook.submit(**{**INPUTS, "image_url": file}))
    assert list(emulator.world.tasks) == jobs
    for job in jobs:
        hook.get_job(job)
        assert "X-Amz-Signature=" in emulator.world.tasks[job].image_url
        assert emulator.world.tasks[job].failure is None
    assert run.xcoms["twinsync_inputs"]["photo"] == PHOTO
    assert "X-Amz-" not in str(run.xcoms)


@pytest.mark.parametrize("image_url", [f"s3://{CONN_ID}@{BUCKET}/none.jpg", "/no/such/photo.jpg"])
def test_a_photo_that_is_missing_costs_nothing(
    s3: Any, emulator: Emulator, connect: Any, image_url: str
) -> None:
    """The task fails before it submits, and skips its retries."""
    connect(photo_staging=STAGING)
    run = run_task(submit(image_url=image_url, retries=2))
    assert (run.ended, code_of(run.error)) == ("AirflowFailException", "TS153")
    assert posts(emulator) == 0


def test_a_retry_with_another_signature_pays_nothing(
    s3: Any, emulator: Emulator, connection: str, tmp_path: Path
) -> None:
    """With a ledger; a photo that changed is another job."""
    make = submit(image_url=PHOTO, ledger=str(tmp_path / "ledger"), reuse="runs")
    first = run_task(make).result
    assert run_task(submit(image_url=PHOTO, ledger=str(tmp_path / "ledger"), reuse="runs")).result == first
    assert posts(emulator) == 1
    records = "".join(path.read_text() for path in (tmp_path / "ledger").iterdir())
    assert PHOTO in records
    assert "X-Amz-" not in records
    s3.put_object(Bucket=BUCKET, Key="team/anna bee.jpg", Body=PORTRAIT + b"\0")
    assert run_task(make).result != first
    assert posts(emulator) == 2
