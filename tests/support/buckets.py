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
_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@contextmanager
def photo_bucket(port: int, conn_id: str) -> Iterator[Any]:
    """Yield a client of an empty bucket, to which an Airflow connection leads.

    :param port: the port of the S3.
    :param conn_id: an id that no other file of tests has, as Airflow keeps a store for the life of a process.
    """
    import boto3

    endpoint = f"http://127.0.0.1:{port}"
    extra = {"endpoint_url": endpoint, "config_kwargs": {"retries": {"max_attempts": 1}}}
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **_KEYS)
    with pytest.MonkeyPatch.context() as patched:
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patched.delenv(name, raising=False)
        # The SDK reads no other configuration.
        patched.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patched.setenv("AWS_CONFIG_FILE", os.devnull)
        patched.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patched.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
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
