"""The address policy as a table: for example, no download from 10.0.0.1."""

from __future__ import annotations

import pytest

from airflow_provider_twinsync._download.address_policy import (
    AddressKind,
    classify_address,
    is_allowed,
    is_inside,
    literal_address,
    photo_warning,
)

#: A public address that no test connects to.
PUBLIC = "93.184.216.34"

INSIDE = [
    "10.0.0.5",
    "192.168.1.20",
    "127.0.0.1",
    "127.1",
    "169.254.1.1",
    "0.0.0.0",
    "::1",
    "fd12:3456::1",
    "localhost",
    "fileserver",
    "photos.internal",
    "printer.local",
    "PRINTER.LOCAL.",
    "nas.home.arpa",
    "web.localhost",
    "router.lan",
]
OUTSIDE = [
    PUBLIC,
    "2606:4700:4700::1111",
    "h.example",
    "twinsync.oss-cn-hangzhou.aliyuncs.com",
    "internal.example",
]


@pytest.mark.parametrize("host", INSIDE)
def test_a_photo_inside_a_network_is_warned_of(host: str) -> None:
    """The service cannot open it, unless the service is inside too, as the emulator is."""
    assert is_inside(host)
    warning = photo_warning(host, "api2.sam-sara.cn")
    assert warning is not None
    assert warning.startswith("TS108 ")
    assert repr(host) in warning
    assert "docs/howto/photos.md" in warning
    for api in INSIDE:
        assert photo_warning(host, api) is None


@pytest.mark.parametrize("host", OUTSIDE)
def test_a_photo_on_the_internet_is_not_warned_of(host: str) -> None:
    """The check resolves no name."""
    assert not is_inside(host)
    assert photo_warning(host, "api2.sam-sara.cn") is None
    assert photo_warning(host, "127.0.0.1") is None


# --------------------------------------------------------------------------------------------- by a table


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        (AddressKind.PUBLIC, ["93.184.216.34", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1"]),
        (
            AddressKind.PUBLIC,
            ["2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"],
        ),
        (AddressKind.PRIVATE, ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"]),
        (AddressKind.PRIVATE, ["100.127.255.255", "198.18.0.7", "fd12:3456::1", "fc00::1", "fec0::1"]),
        (AddressKind.PRIVATE, ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1"]),
        (AddressKind.PRIVATE, ["64:ff9b:1::a00:1", "240.0.0.1", "250.1.2.3"]),
        (AddressKind.PRIVATE, ["64:ff9b:1::7f00:1", "64:ff9b:1:ffff::127.0.0.1", "64:ff9b:1::"]),
        (AddressKind.SPECIAL, ["192.0.2.1", "203.0.113.9", "2001:db8::1", "0.1.2.3", "100::1"]),
        (AddressKind.LOOPBACK, ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]),
        (AddressKind.SPECIAL, ["169.254.0.1", "169.254.170.3", "fe80::1", "fe80::1%eth0"]),
        (AddressKind.SPECIAL, ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16"]),
        (AddressKind.SPECIAL, ["fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]),
        (AddressKind.SPECIAL, ["0.0.0.0", "224.0.0.1", "224.0.1.1", "::", "ff02::1", "ff0e::1"]),
        (AddressKind.SPECIAL, ["4000::1", "::127.0.0.1"]),
    ],
)
def test_the_kind_of_an_address(kind: AddressKind, addresses: list[str]) -> None:
    """An embedded IPv4 address decides for IPv6."""
    assert {address: classify_address(address) for address in addresses} == dict.fromkeys(addresses, kind)


NAMES = {
    "in.example": ["10.1.1.1"],
    "both.example": [PUBLIC, "127.0.0.1"],
    "meta.example": ["169.254.169.254"],
}


@pytest.mark.parametrize(
    ("address", "api_host", "admitted"),
    [
        (PUBLIC, "10.0.0.1", True),
        (PUBLIC, "nowhere.example", True),
        ("10.0.0.9", PUBLIC, False),
        ("10.0.0.9", "192.168.0.1", True),
        ("10.0.0.9", "127.0.0.1", False),
        ("10.0.0.9", "in.example", True),
        ("10.0.0.9", "both.example", False),
        ("10.0.0.9", "nowhere.example", False),
        ("127.0.0.2", "127.1", True),
        ("::1", "127.0.0.1", True),
        # Not inside: anybody may add a second address to a name.
        ("127.0.0.1", "both.example", False),
        ("169.254.0.9", "169.254.1.1", False),
        ("169.254.1.1", "169.254.1.1", True),
        ("169.254.169.254", "169.254.1.1", False),
        ("169.254.169.254", "meta.example", False),
        ("169.254.169.254", "100.100.100.200", False),
        ("169.254.169.254", "169.254.169.254", True),
        ("::ffff:169.254.169.254", "169.254.169.254", True),
        ("224.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "127.0.0.1", False),
    ],
)
def test_an_address_is_allowed(address: str, api_host: str, admitted: bool) -> None:
    """A public address, or an address of the same kind as that of the service."""
    assert is_allowed(address, api_host, lambda host: NAMES.get(host, [])) is admitted


def test_a_name_is_resolved_only_if_the_result_depends_on_it() -> None:
    """Not for a video at a public address, nor if the host of the service is a numeric address."""

    def never(_: str) -> list[str]:
        raise AssertionError

    assert is_allowed(PUBLIC, "in.example", never)
    assert is_allowed("127.0.0.1", "127.0.0.1", never)


@pytest.mark.parametrize(
    ("host", "literal"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("localhost", None),
        ("a.example", None),
        ("你好.example", None),
        ("1.2.3.4.5", None),
    ],
)
def test_a_host_may_be_an_address_in_another_notation(host: str, literal: str | None) -> None:
    """As a resolver reads it."""
    assert literal_address(host) == literal
