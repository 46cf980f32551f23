"""The signature in the address of a photo: neither part of its identity, nor of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twinsync._api.photo import Photo, http_photo, shown_photo
from airflow_provider_twinsync._api.signatures import signature_values, without_signature

PLAIN = "https://h.example/a%20b.jpg"
#: Addresses as the services sign them; the secret of each is in it once.
SIGNED = {
    "S3": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2026%2Fs3&X-Amz-Date=20261128T090000Z"
    "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Security-Token=FwoG&X-Amz-Signature=SECRET-5f3c",
    "S3, lower case": "x-amz-date=20261128T090000Z&x-amz-signature=SECRET-5f3c",
    "S3, SigV2": "AWSAccessKeyId=AKIA&Signature=SECRET-5f3c%3D&Expires=1795898161&x-amz-security-token=FwoG",
    "GCS": "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=a%40p&X-Goog-Date=20261128T090000Z"
    "&X-Goog-Expires=900&X-Goog-SignedHeaders=host&X-Goog-Signature=SECRET-5f3c",
    "GCS, V2": "GoogleAccessId=a%40p.example&Expires=1795898161&Signature=SECRET-5f3c",
    "Azure": "sv=2026-10-06&st=2026-11-28T09%3A00Z"
    "&se=2026-11-29T09%3A00Z&sr=b&sp=r&spr=https&sig=SECRET-5f3c",
    "Azure, by a user": "skoid=1&sktid=2&skt=3&ske=4&sks=b&skv=5&sv=6&se=7&sr=b&sp=r&sig=SECRET-5f3c",
    "OSS": "OSSAccessKeyId=LTAI&Expires=1795898161&Signature=SECRET-5f3c&security-token=CAIS",
    "OSS, V4": "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=LTAI&x-oss-date=20261128T090000Z"
    "&x-oss-expires=900&x-oss-signature=SECRET-5f3c&x-oss-security-token=CAIS&x-oss-additional-headers=host",
    "COS": "q-sign-algorithm=sha1&q-ak=AKID&q-sign-time=1%3B2&q-key-time=1%3B2&q-header-list=host"
    "&q-url-param-list=&q-signature=SECRET-5f3c&x-cos-security-token=CAIS",
    "CloudFront": "Expires=1795898161&Signature=SECRET-5f3c&Key-Pair-Id=K2JC",
    "CloudFront, with a policy": "Policy=eyJT&Signature=SECRET-5f3c&Key-Pair-Id=K2JC",
    "OBS": "AccessKeyId=HPUA&Expires=1795898161&Signature=SECRET-5f3c&x-obs-security-token=gQpj",
    "a token": "token=SECRET-5f3c&expires=1795898161",
}


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("?{}", ""),
        ("?{}#top", "#top"),
        ("?w=200&{}&x-oss-process=image/resize,w_200", "?w=200&x-oss-process=image/resize,w_200"),
        ("?versionId=7&{}", "?versionId=7"),
        ("?{}&response-content-type=image%2fjpeg&&a", "?response-content-type=image%2fjpeg&&a"),
    ],
)
def test_a_photo_with_another_signature_is_the_same_photo(query: str, written: str, wanted: str) -> None:
    """Real parameters stay, as they are written and in their order."""
    photo = http_photo(PLAIN + written.format(query))
    assert photo.identity == PLAIN + wanted
    assert photo.url == PLAIN + written.format(query)


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
def test_the_signature_of_a_photo_is_a_secret(query: str) -> None:
    """It is in no message; an answer may repeat it alone."""
    photo = http_photo(f"{PLAIN}?{query}")
    assert "SECRET-5f3c" not in f"{photo!r} {photo} {photo.shown} {photo.identity}"
    assert any(value.startswith("SECRET-5f3c") for value in signature_values(photo.url))


@pytest.mark.parametrize(
    "query",
    [
        "Expires=1795898161",
        "X-Amz-Date=20261128T090000Z",
        "se=2026&sp=r&sv=3",
        "x-oss-process=image/resize,w_200",
        "policy=wide",
        "q-ak=1",
        "Signature=&Expires=7",
        "token",
        "sig",
        "my-token=SECRET-5f3c",
        "",
        "&&",
        "?",
    ],
)
def test_an_address_without_a_signature_is_its_own_identity(query: str) -> None:
    """As in every release: another fingerprint would pay again."""
    url = f"{PLAIN}?{query}#a?token=b"
    assert without_signature(url) == url
    assert signature_values(url) == []


@given(
    st.text(), st.lists(st.tuples(st.sampled_from(["sig", "se", "token", "w", "", "Signature"]), st.text()))
)
def test_any_address_has_an_identity_that_stays(before: str, parameters: list[tuple[str, str]]) -> None:
    """The identity has no signature, and is a part of the address."""
    url = before + "?" + "&".join("=".join(one) for one in parameters)
    identity = without_signature(url)
    assert without_signature(identity) == identity
    assert len(identity) <= len(url)
    if not signature_values(url):
        assert signature_values(identity) == []


@pytest.mark.parametrize(
    ("image_url", "wanted"),
    [
        ("https://user:pw@h.example/a.jpg?sig=1", "https://h.example/a.jpg"),
        (" s3://aws_default@photos/a.jpg ", "s3://aws_default@photos/a.jpg"),
        ("file:///data/a@b:c?d.jpg", "/data/a@b:c?d.jpg"),
        ("/data/a@b:c?d.jpg", "/data/a@b:c?d.jpg"),
    ],
)
def test_a_photo_is_shown_by_its_place(image_url: str, wanted: str) -> None:
    """Only an address has secrets; the path of a file is shown unchanged."""
    assert shown_photo(image_url) == wanted


def test_a_photo_is_frozen_and_hides_its_address() -> None:
    """One photo serves all parts of a text."""
    photo = Photo("https://h/a.jpg?sig=SECRET-5f3c", "s3://photos/a.jpg sha256:00", "s3://photos/a.jpg")
    assert repr(photo) == "Photo(shown='s3://photos/a.jpg')"
    with pytest.raises(AttributeError):
        photo.url = "https://h/b.jpg"  # type: ignore[misc]
