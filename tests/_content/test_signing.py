"""The signature of a photo's address: its method, its lifetime, and stores that cannot sign."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from support.buckets import photo_settings
from support.drive import attach
from support.environment import CHECKOUT

from airflow_provider_twinsync._api.signatures import without_signature
from airflow_provider_twinsync._content.photos import open_photo
from airflow_provider_twinsync._content.signing import sign
from airflow_provider_twinsync.exceptions import TwinSyncError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PORTRAIT = (CHECKOUT / "example_dags" / "portrait.jpg").read_bytes()
DAY_S = 86_400


@pytest.fixture(autouse=True)
def no_other_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")


@pytest.fixture
def s3() -> Callable[..., Any]:
    """Return a function that makes an S3 of s3fs, as Airflow does: with a session. Signing sends nothing."""
    s3fs = pytest.importorskip("s3fs")
    from aiobotocore.credentials import AioCredentials, AioRefreshableCredentials
    from aiobotocore.session import AioSession

    class Offline(s3fs.S3FileSystem):  # type: ignore[misc,name-defined]
        """An S3 that asks nobody for the region of a bucket."""

        cachable = False

        def __init__(self, *arguments: Any, cache_regions: bool = False, **options: Any) -> None:
            super().__init__(*arguments, cache_regions=False, **options)
            self.asks_for_regions = cache_regions

    def s3(left_s: float | None = None, region: str | None = None, **options: Any) -> Any:
        session = AioSession()
        keys = ("AKIATESTING", "s3cret", "temporary")
        session._credentials = AioCredentials(*keys)
        if left_s is not None:
            ends = datetime.now(timezone.utc) + timedelta(seconds=left_s)

            async def refresh() -> dict[str, str]:
                names = ("access_key", "secret_key", "token")
                return {**dict(zip(names, keys, strict=True)), "expiry_time": ends.isoformat()}

            session._credentials = AioRefreshableCredentials(*keys, ends, refresh, "test")
        if region:
            session.set_config_variable("region", region)
        return Offline(session=session, **options)

    return s3


def names_of(url: str) -> dict[str, str]:
    return dict(re.findall(r"[?&]([^=]+)=([^&]*)", url))


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ({}, "https://photos.s3.amazonaws.com/a%20b.jpg?"),
        ({"region": "us-east-1"}, "https://photos.s3.amazonaws.com/a%20b.jpg?"),
        ({"region": "eu-west-1"}, "https://photos.s3.eu-west-1.amazonaws.com/a%20b.jpg?"),
        ({"region": "me-south-1"}, "https://photos.s3.me-south-1.amazonaws.com/a%20b.jpg?"),
        ({"endpoint_url": "http://minio.example:9000"}, "http://minio.example:9000/photos/a%20b.jpg?"),
        ({"config_kwargs": {"signature_version": "s3"}}, "https://photos.s3.amazonaws.com/a%20b.jpg?"),
        (
            {"config_kwargs": {"s3": {"addressing_style": "path"}}},
            "https://s3.amazonaws.com/photos/a%20b.jpg?",
        ),
    ],
    ids=str,
)
def test_s3_signs_by_the_method_of_today(s3: Callable[..., Any], options: Any, start: str) -> None:
    """Whatever the connection has: newer buckets refuse the old method, newer regions the host of all."""
    url = sign(s3(**options), "photos/a b.jpg", DAY_S, "The photo")
    assert url.startswith(start)
    assert without_signature(url) == start.rstrip("?")
    names = names_of(url)
    assert names["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert names["X-Amz-Expires"] == str(DAY_S)
    assert f"%2F{options.get('region', 'us-east-1')}%2Fs3%2F" in names["X-Amz-Credential"]


def test_a_public_bucket_needs_no_signature(s3: Callable[..., Any]) -> None:
    """Without a login nothing can be signed, and anybody can open what was read without one."""
    url = sign(s3(anon=True), "photos/a.jpg", DAY_S, "The photo")
    assert urlsplit(url).query == ""


def test_a_signer_of_airflow_stays(s3: Callable[..., Any]) -> None:
    """It signs instead of botocore, which is told not to."""
    from botocore import UNSIGNED

    assert "X-Amz-" not in sign(s3(config_kwargs={"signature_version": UNSIGNED}), "photos/a.jpg", 60, "It")


@pytest.mark.parametrize("left_s", [None, 2 * DAY_S])
def test_a_signature_lasts_for_the_time_of_the_connection(
    s3: Callable[..., Any], left_s: float | None, logged: Callable[[], str]
) -> None:
    """If the credentials do, or nothing is known of it."""
    url = sign(s3(left_s), "photos/a.jpg", DAY_S, "The photo")
    assert names_of(url)["X-Amz-Expires"] == str(DAY_S)
    assert "TS157" not in logged()


def test_a_signature_lasts_no_longer_than_the_credentials(
    s3: Callable[..., Any], logged: Callable[[], str]
) -> None:
    """A warning has both times."""
    url = sign(s3(3_600), "photos/a.jpg", DAY_S, "The photo 's3://photos/a.jpg'")
    assert 3_580 <= int(names_of(url)["X-Amz-Expires"]) <= 3_600
    assert "TS157 The photo 's3://photos/a.jpg' can be opened for 60 min only, and not for 24.0 h" in logged()


def test_credentials_that_are_over_sign_nothing(s3: Callable[..., Any]) -> None:
    """The library says so, and for :func:`open_photo` that is an error that may pass."""
    with pytest.raises(RuntimeError, match="expired"):
        sign(s3(-60), "photos/a.jpg", DAY_S, "The photo")


def test_an_s3_without_a_session_signs_with_its_own_login() -> None:
    """When their end is known to nobody."""
    s3fs = pytest.importorskip("s3fs")
    store = s3fs.S3FileSystem(key="AKIATESTING", secret="s3cret", endpoint_url="http://127.0.0.1:9")
    url = sign(store, "photos/a.jpg", DAY_S, "The photo")
    assert names_of(url)["X-Amz-Expires"] == str(DAY_S)


def test_google_signs(tmp_path: Path) -> None:
    """With the key of a service account; sends nothing."""
    gcsfs = pytest.importorskip("gcsfs", reason="the test of Google Cloud Storage needs gcsfs")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65_537, 2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    token = {
        "type": "service_account",
        "client_email": "a@p.example",
        "private_key": pem.decode(),
        "token_uri": "http://127.0.0.1:9/token",
    }
    store = gcsfs.GCSFileSystem(project="p", token=token)
    url = sign(store, "photos/a b.jpg", DAY_S, "The photo")
    assert without_signature(url) == "https://storage.googleapis.com/photos/a%20b.jpg"
    assert url != without_signature(url)


@pytest.mark.parametrize("can_sign", [True, False])
def test_azure_signs_with_the_key_of_an_account(can_sign: bool) -> None:
    """And with nothing else."""
    adlfs = pytest.importorskip("adlfs", reason="the test of Azure needs adlfs")
    login = {"account_key": "c2VjcmV0"} if can_sign else {"sas_token": "sv=1&sig=abc"}
    store = adlfs.AzureBlobFileSystem(account_name="acct", skip_instance_cache=True, **login)
    if not can_sign:
        with pytest.raises(UsageError, match=r"^TS155 "):
            sign(store, "photos/a b.jpg", DAY_S, "The photo")
        return
    url = sign(store, "photos/a b.jpg", DAY_S, "The photo")
    assert without_signature(url) == "https://acct.blob.core.windows.net/photos/a%20b.jpg"


class Store(MemoryFileSystem):  # type: ignore[misc]
    """A store that raises an error where it should read or sign, or signs so."""

    cachable = False
    fails: Exception | None = None
    signed: Exception | str = ""

    def info(self, path: str, **options: Any) -> Any:
        if self.fails:
            raise self.fails
        return super().info(path, **options)

    def sign(self, path: str, expiration: int = 100, **options: Any) -> str:
        if isinstance(self.signed, Exception):
            raise self.signed
        return self.signed


def error_of(store: Any, conn_id: str) -> TwinSyncError:
    attach("memory", conn_id, fs=store)
    store.pipe_file("/photos/anna.jpg", PORTRAIT)
    with pytest.raises(TwinSyncError) as caught:
        open_photo(photo_settings(), f"memory://{conn_id}@photos/anna.jpg")
    return caught.value


@pytest.mark.parametrize(
    ("signed", "kind", "code"),
    [
        (NotImplementedError("Sign is not implemented"), UsageError, "TS155"),
        (AttributeError("you need a private key to sign credentials"), UsageError, "TS155"),
        (ValueError("no account key"), UsageError, "TS155"),
        ("/not/an/address", UsageError, "TS155"),
        ("", UsageError, "TS155"),
        (PermissionError("may not sign"), UsageError, "TS155"),
        (OSError("connection reset"), UnavailableError, "TS156"),
        (RuntimeError("https://h/a?sig=s3cret and Sesame-7-open"), UnavailableError, "TS156"),
    ],
    ids=repr,
)
def test_a_store_that_does_not_sign_is_an_error_of_ours(
    folders: Path, signed: Exception | str, kind: type[TwinSyncError], code: str
) -> None:
    """A retry follows only if it may help, and neither a key nor a signature is in the message."""
    store = Store()
    store.signed = signed
    error = error_of(store, f"signs_{id(store)}")
    assert (type(error), error.code) == (kind, code)
    assert not re.search("s3cret|Sesame", str(error))


@pytest.mark.parametrize(
    ("fails", "kind", "code"),
    [
        (PermissionError("Forbidden"), UsageError, "TS153"),
        (FileNotFoundError("/photos/anna.jpg"), UsageError, "TS153"),
        (TimeoutError("timed out"), UnavailableError, "TS156"),
        (Exception("https://h/a?sig=s3cret and Sesame-7-open"), UnavailableError, "TS156"),
    ],
    ids=repr,
)
def test_a_store_that_does_not_answer_is_an_error_of_ours(
    folders: Path, fails: Exception, kind: type[TwinSyncError], code: str
) -> None:
    """The same for reading."""
    store = Store()
    store.fails = fails
    error = error_of(store, f"fails_{id(store)}")
    assert (type(error), error.code) == (kind, code)
    assert not re.search("s3cret|Sesame", str(error))


def test_the_memory_of_a_process_cannot_sign(folders: Path) -> None:
    """Neither can a disk; the message names the alternatives."""
    error = error_of(MemoryFileSystem(), "photo_memory")
    assert error.code == "TS155"
    assert "Azure Blob Storage" in str(error)
