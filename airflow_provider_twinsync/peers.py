"""Where on the internet an address lies, and whether a video may be fetched from there.

Pure: what a name resolves to is asked through a function that is given. A worker stands inside a network, and
reaches what the one who names an address does not: an address that leads there is not fetched.
"""

from __future__ import annotations

import socket
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Address: TypeAlias = IPv4Address | IPv6Address


class AddressKind(Enum):
    """Where an address lies; the value says so in a message."""

    PUBLIC = "a public address"
    PRIVATE = "a private address (of an inner network)"
    LOOPBACK = "a loopback address (of the worker's own machine)"
    LINK_LOCAL = "a link-local address (of the worker's own network segment)"
    METADATA = "a metadata address (where a cloud gives its machines their credentials)"
    OTHER = "a reserved address (of no machine on the internet)"


_PRIVATE = (
    IPv4Network("10.0.0.0/8"),  # RFC 1918, and the next two
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),  # RFC 6598: shared by the customers of a carrier, or of a cloud
    IPv4Network("198.18.0.0/15"),  # RFC 2544: what some VPN clients give every name
    IPv4Network("240.0.0.0/4"),  # RFC 1112: reserved, and what some large networks use inside
    IPv6Network("fc00::/7"),  # RFC 4193
    IPv6Network("fec0::/10"),  # what was there before it (RFC 3879)
    IPv6Network("64:ff9b:1::/48"),  # RFC 8215: for gateways of one's own, which put the IPv4 where they like
)
_METADATA = frozenset(
    ip_address(one)
    for one in (
        "169.254.169.254",  # AWS, Azure, Google, Oracle, OpenStack and others
        "169.254.170.2",  # AWS: the credentials of a container
        "169.254.170.23",  # AWS: the credentials of a pod
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle, the older one
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS: the credentials of a pod
        "fd20:ce::254",  # Google
    )
)
#: An IPv4 address in the last 32 bits, for a gateway that translates (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")


def kind_of(address: str) -> AddressKind:
    """Say where an address lies; one of IPv6 that stands for one of IPv4 lies where that does."""
    ip = _inner(address)
    if ip in _METADATA:
        return AddressKind.METADATA
    if ip.is_loopback:
        return AddressKind.LOOPBACK
    if ip.is_link_local:
        return AddressKind.LINK_LOCAL
    if any(ip in net for net in _PRIVATE):
        return AddressKind.PRIVATE
    if ip.is_multicast or ip.is_unspecified or ip.is_reserved or not ip.is_global:
        return AddressKind.OTHER
    return AddressKind.PUBLIC


def is_admitted(address: str, api_host: str, resolve: Callable[[str], Iterable[str]]) -> bool:
    """Whether a video may be fetched from an address: a public one, or one where the service itself is.

    :param address: the address, in digits.
    :param api_host: the host of the service, a name or an address.
    :param resolve: gives the addresses of a name; asked only where the answer depends on it.
    """
    kind = kind_of(address)
    if kind in (AddressKind.PUBLIC, AddressKind.OTHER):
        return kind is AddressKind.PUBLIC
    literal = literal_address(api_host)
    if kind is AddressKind.METADATA:  # no name is trusted to lead there
        return literal is not None and _inner(literal) == _inner(address)
    # A service that has a public address too is not inside: whoever names its other ones may be anybody.
    kinds = {kind_of(one) for one in ([literal] if literal else resolve(api_host))}
    return kind in kinds and AddressKind.PUBLIC not in kinds


#: Names that no public resolver knows: RFC 6762, ICANN's choice for inner networks, RFC 8375, RFC 6761, and
#: what routers and clusters use.
_INNER_NAMES = (".local", ".internal", ".home.arpa", ".localhost", ".lan", ".intranet", ".corp", ".home")


def is_inside(host: str) -> bool:
    """Check for a host that the internet does not reach, as far as its name alone shows: nothing is resolved.

    For example ``10.0.0.5``, ``localhost``, ``fileserver`` and ``photos.internal``.
    """
    host = host.rstrip(".").lower()
    if literal := literal_address(host):
        return kind_of(literal) is not AddressKind.PUBLIC
    return "." not in host or host.endswith(_INNER_NAMES)


def photo_warning(photo_host: str, api_host: str) -> str | None:
    """Return a warning about a photo's host that the service cannot reach, or None.

    :param photo_host: the host of the photo.
    :param api_host: the host of the service: inside the network, as the emulator is, it reaches such a host.
    """
    if not is_inside(photo_host) or is_inside(api_host):
        return None
    return (
        f"The photo is on the host {photo_host!r}, which TwinSync cannot open from the internet. It is "
        "submitted as it is; if the job fails, see 'Photos' in the docs (docs/howto/photos.md)."
    )


def literal_address(host: str) -> str | None:
    """Give the address that a host is in itself, or None if it is a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        # `127.1`, `0x7f000001` and the like, which a resolver, or a proxy's, takes for addresses.
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _inner(address: str) -> _Address:
    ip = ip_address(address.partition("%")[0])  # behind a % is the name of a network card
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return IPv4Address(int(ip) & 0xFFFF_FFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip
