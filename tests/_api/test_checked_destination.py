"""The check of a destination, which reads its text alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_twinsync._api.validation import check_constants, checked_destination
from airflow_provider_twinsync.exceptions import UsageError


class StorePath:
    """A path in an object store that can be signed, as an ObjectStoragePath."""

    def sign(self) -> str:
        return "https://store.example/a.mp4?sig=s3cret"

    def __str__(self) -> str:
        return "s3://aws_default@bucket/a.mp4"


@pytest.mark.parametrize(
    ("destination", "checked"),
    [
        ("a.mp4", "a.mp4"),
        (" videos/a.mp4\n", "videos/a.mp4"),
        (Path("videos/a.mp4"), "videos/a.mp4"),
        (StorePath(), "s3://aws_default@bucket/a.mp4"),
        ("file:///data/a.mp4", "file:///data/a.mp4"),
        ("local:///data/a.mp4", "local:///data/a.mp4"),
        ("file", "file"),
        ("s3://bucket/a.mp4", "s3://bucket/a.mp4"),
        ("s3://bucket/10:30@noon.mp4", "s3://bucket/10:30@noon.mp4"),
        ("s3://bucket/https://h/a.mp4", "s3://bucket/https://h/a.mp4"),
        ("c:/videos/a.mp4", "c:/videos/a.mp4"),
    ],
    ids=str,
)
def test_the_path_or_address_of_a_file_is_a_destination(destination: Any, checked: str) -> None:
    """As a text, without the white space around it."""
    assert checked_destination(destination) == checked
    check_constants(destination=destination)


@pytest.mark.parametrize(
    ("destination", "code", "shown"),
    [
        (None, "TS124", "None"),
        ("", "TS124", "''"),
        (7, "TS124", "7 (int)"),
        (b"a.mp4", "TS124", "a bytes"),
        ("None", "TS103", "'None'"),
        ("{{ ds }}/a.mp4", "TS104", "'{{ ds }}/a.mp4'"),
        ("a\0b.mp4", "TS126", r"'a\x00b.mp4'"),
        ("videos/", "TS125", "'videos/'"),
        ("s3://a:b/", "TS125", "'s3://a:b/'"),
        ("s3://bucket/?sig=s3cret/", "TS125", "'s3://bucket/'"),
        (Path("s3://bucket/a.mp4"), "TS127", "'s3:/bucket/a.mp4'"),
        ("gs2+x.y-z:/a", "TS127", "'gs2+x.y-z:/a'"),
        ("file://data/a.mp4", "TS128", "'file://data/a.mp4'"),
        ("local://data/a.mp4", "TS128", "'local://data/a.mp4'"),
        ("s3://key:s3cret@bucket/a.mp4", "TS123", "'s3://bucket/a.mp4'"),
        ("s3://key:s3@cret@bucket/a.mp4", "TS123", "'s3://bucket/a.mp4'"),
        ("s3://key:x/s3cret@bucket/a.mp4", "TS123", "'s3://***'"),
    ],
    ids=str,
)
def test_a_destination_that_cannot_be_meant_is_refused(destination: Any, code: str, shown: str) -> None:
    """The error names the argument, and shows it without a secret."""
    with pytest.raises(UsageError) as caught:
        checked_destination(destination)
    assert caught.value.code == code
    assert str(caught.value).startswith(f"{code} destination ")
    assert f" {shown}" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    if isinstance(destination, (str, Path)) and code != "TS104":
        with pytest.raises(UsageError) as parsed:
            check_constants(destination=destination)
        assert str(parsed.value) == str(caught.value)
