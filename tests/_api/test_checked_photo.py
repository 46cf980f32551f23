"""The check of the address of a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.arguments import EXAMPLE, refused

from airflow_provider_twinsync._api.submit import build_submit
from airflow_provider_twinsync._api.validation import (
    check_constants,
    checked_photo,
    checked_url,
    is_http_url,
)
from airflow_provider_twinsync.exceptions import UsageError


class Signable:
    """An object in a store that is no path of the system, as an ObjectStoragePath."""

    def sign(self) -> str:
        return "https://store.example/anna.jpg?sig=1"

    def __str__(self) -> str:
        return "s3://aws_default@bucket/anna.jpg"


@pytest.mark.parametrize(
    "url",
    [
        EXAMPLE["image_url"],
        "http://example.com/a.jpg",
        "HTTPS://EXAMPLE.com/A.JPG",
        "http://example.com:8080/a.jpg?size=1&x=%20#top",
        "http://[::1]:8000/a.jpg",
        "http://[2001:db8::1]/a.jpg",
        "http://192.0.2.1/a.jpg",
        "https://example.com",
        "https://例子.测试/照片.jpg",
    ],
)
def test_the_address_of_a_photo_is_http_or_https(url: str) -> None:
    """It is sent unchanged, without the white space around it."""
    request = build_submit(**{**EXAMPLE, "image_url": f" {url}\n"}, key="k")
    assert request.form is not None
    assert request.form["image_url"] == url


BAD_URLS = [
    pytest.param(None, id="None"),
    pytest.param("", id="empty"),
    pytest.param("   ", id="spaces"),
    pytest.param("None", id="an empty template"),
    pytest.param("example.com/a.jpg", id="no scheme"),
    pytest.param("//example.com/a.jpg", id="only slashes"),
    pytest.param("/tmp/photo.jpg", id="a path"),
    pytest.param("file:///tmp/photo.jpg", id="file"),
    pytest.param("ftp://example.com/a.jpg", id="ftp"),
    pytest.param("s3://bucket/a.jpg", id="s3"),
    pytest.param("data:image/png;base64,AAAA", id="data"),
    pytest.param("http://", id="no host"),
    pytest.param("http:///a.jpg", id="no host, a path"),
    pytest.param("http://:80/a.jpg", id="no host, a port"),
    pytest.param("http:example.com", id="no slashes"),
    pytest.param("http://example.com/my photo.jpg", id="a space inside"),
    pytest.param("http://example.com/a\tb.jpg", id="a tab"),
    pytest.param("http://example.com/a\r\nHost: b", id="a line break"),
    pytest.param("http://example.com/a\x00.jpg", id="a zero byte"),
    pytest.param("http://example.com/a\x7f.jpg", id="delete"),
    pytest.param("http://example.com/a\u2028b.jpg", id="a line separator"),
    pytest.param("http://example.com/a\u3000b.jpg", id="an ideographic space"),
    pytest.param("http://example.com:port/a.jpg", id="a port that is no number"),
    pytest.param("http://example.com:99999/a.jpg", id="a port that is too large"),
    pytest.param("http://[::1/a.jpg", id="half an IPv6 address"),
    pytest.param(b"http://example.com/a.jpg", id="bytes"),
    pytest.param(["http://example.com/a.jpg"], id="a list"),
    pytest.param(5, id="a number"),
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_http_address_is_refused(url: Any) -> None:
    """The error names and shows the argument."""
    error = refused(image_url=url)
    shown = repr(url) if url is None or isinstance(url, (str, int)) else f"a {type(url).__name__}"
    assert str(error).startswith(f"{error.code} image_url is {shown}")
    assert error.code == ("TS103" if url == "None" else "TS111")


@pytest.mark.parametrize(
    "photo",
    [
        "/data/anna.jpg",
        "file:///data/anna.jpg",
        "s3://bucket/anna.jpg",
        "s3://aws_default@bucket/anna.jpg",
        "gs://my.bucket/anna.jpg",
        "S3://my.bucket/anna.jpg",
        "abfs://container@account.dfs.core.windows.net/anna.jpg",
        Path("/data/anna.jpg"),
        Signable(),
    ],
    ids=str,
)
def test_a_photo_may_be_an_object_or_a_file(photo: Any) -> None:
    """The connection decides when the task runs; the request itself has an http address."""
    assert checked_photo(photo) == str(photo)
    if isinstance(photo, str):
        check_constants(image_url=f" {photo} ")
    assert refused(image_url=photo).code == "TS111"


@pytest.mark.parametrize(
    "photo",
    [
        "anna.jpg",
        "./anna.jpg",
        "~/anna.jpg",
        "photos/anna.PNG",
        "C:\\photos\\anna.jpg",
        "\\\\server\\anna.jpg",
        "//server/anna.jpg",
        "file://server/anna.jpg",
        "s3:/bucket/anna.jpg",
        "s3://bucket/photos/",
        "s3://",
        "://anna.jpg",
        "/data/",
        "/data/a\0.jpg",
        "data:image/png;base64,AA/A",
        "example.com/anna.jpg",
        Path("photos/anna.jpg"),
    ],
    ids=repr,
)
def test_a_photo_is_no_relative_path_and_no_folder(photo: Any) -> None:
    """Another worker has another working folder."""
    with pytest.raises(UsageError) as caught:
        checked_photo(photo)
    assert caught.value.code == "TS111"
    assert "absolute path" in str(caught.value)


SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://user:s3cret@h.example:port/a.jpg?sig=s3cret", "TS111"),
        ("https://h.example/a b.jpg?sig=s3cret", "TS111"),
        ("https://[::1/a.jpg?sig=s3cret", "TS111"),
        ("https://h.example/{{ x }}?sig=s3cret", "TS104"),
        (b"https://h.example/a.jpg?sig=s3cret", "TS111"),
        ({"url": "https://h.example/a.jpg?sig=s3cret"}, "TS111"),
        (["https://user:s3cret@h.example/a.jpg"], "TS111"),
    ],
    ids=repr,
)
def test_a_message_about_an_address_shows_no_secret(url: Any, code: str) -> None:
    """A signature opens the photo to each reader of the log."""
    for check in (checked_photo, lambda value: checked_url("result_url", value, "an address")):
        with pytest.raises(UsageError) as caught:
            check(url)
        assert SECRET not in str(caught.value)
    assert refused(image_url=url).code == code


@pytest.mark.parametrize(
    "url", ["s3://key:s3cret@bucket/a.jpg", "s3://key:s3cret@bu@cket/a.jpg", "s3:/key:s3cret@b/a.jpg"]
)
def test_a_login_in_the_address_of_a_store_is_refused(url: str) -> None:
    """Airflow would take it for the id of a connection, and its errors quote that."""
    with pytest.raises(UsageError) as caught:
        checked_photo(url)
    assert caught.value.code in ("TS105", "TS111")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("length", [2_083, 8_000, 8_192, 8_193, 900_000])
def test_an_address_has_a_length_that_servers_take(length: int) -> None:
    """RFC 9110 requires at least 8,000 characters."""
    assert is_http_url("https://h/".ljust(length, "a")) is (length <= 8_192)
