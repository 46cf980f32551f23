"""The photo of a submit: its address for the service, its identity for a record, its text for a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_twinsync._api.shown import bare_url
from airflow_provider_twinsync._api.signatures import without_signature
from airflow_provider_twinsync._api.validation import checked_photo, checked_url


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that the service can open.

    >>> http_photo("https://example.com/anna.jpg?X-Amz-Signature=5f3c")
    Photo(shown='https://example.com/anna.jpg')

    :param url: the http(s) address that is submitted. It may have a signature, and is a secret then.
    :param identity: the text that two submits of the same photo have in common, for the fingerprint.
    :param shown: the address for messages, records and lineage, without login and query; of a local file its
        path.
    """

    url: str = field(repr=False)
    identity: str = field(repr=False)
    shown: str


def http_photo(value: Any) -> Photo:
    """Return the photo at an http(s) address; another signature is the same photo.

    :raises UsageError: the value is no such address.
    """
    url = checked_url("image_url", checked_photo(value), "the http or https address of a photo")
    return Photo(url, without_signature(url), bare_url(url))


def shown_photo(image_url: Any) -> str:
    """Return the argument ``image_url`` for a person, before the photo is open, as ``Photo.shown``.

    >>> shown_photo("s3://aws_default@photos/anna.jpg"), shown_photo("file:///data/anna.jpg")
    ('s3://aws_default@photos/anna.jpg', '/data/anna.jpg')
    """
    place = str(image_url).strip()
    scheme, colon, path = place.partition("://")
    if colon and scheme not in ("file", "local"):
        return bare_url(place)
    return path if colon else place
