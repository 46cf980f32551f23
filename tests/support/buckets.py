"""A bucket of an S3 on loopback, and an Airflow connection to it."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_twinsync._api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "photos"
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


@contextmanager
def s3_connection(port: int, conn_id: str, **extra: str) -> Iterator[None]:
    """Define an Airflow connection to an S3 on loopback; the SDK reads no other configuration.

    :param conn_id: an id that no other target has, as Airflow keeps a store for the life of a process.
    :param extra: more fields of its extra.
    """
    fields = {
        "endpoint_url": f"http://127.0.0.1:{port}",
        "config_kwargs": {"retries": {"max_attempts": 1}},
        **extra,
    }
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": fields}
    with pytest.MonkeyPatch.context() as patched:
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patched.delenv(name, raising=False)
        patched.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patched.setenv("AWS_CONFIG_FILE", os.devnull)
        patched.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patched.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        yield


@contextmanager
def photo_bucket(port: int, conn_id: str) -> Iterator[Any]:
    """Yield a client of an empty bucket, to which an Airflow connection leads.

    :param port: the port of the S3.
    :param conn_id: as in :func:`s3_connection`.
    """
    import boto3

    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **KEYS)
    with s3_connection(port, conn_id):
        client.create_bucket(Bucket=BUCKET)
        try:
            yield client
        finally:
            for key in keys(client):
                client.delete_object(Bucket=BUCKET, Key=key)
            client.close()


def keys(client: Any) -> list[str]:
    """Return the keys of all objects of the bucket."""
    return [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def photo_settings(**fields: Any) -> Settings:
    """Return the settings of a connection, for example with another ``photo_staging``."""
    return Settings(**{"conn_id": "mine", "origin": "http://127.0.0.1:9", "key": "Sesame-7-open", **fields})
