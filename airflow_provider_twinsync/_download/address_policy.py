"""Which addresses a video may be fetched from.

Pure: the caller passes the function that resolves a name. A worker stands inside a network and reaches hosts
that the author of an address does not: such a host is not fetched from, unless the service itself is there.
"""

from __future__ import annotations

import socket
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class AddressKind(Enum):
    """The kind of an IP address, with its words for a message."""

    PUBLIC = "a public address"
    PRIVATE = "a private address (of an inner network)"
    LOOPBACK = "a loopback address (of the worker's own machine)"
    SPECIAL = "a special address (link-local, metadata of a cloud, multicast or reserved)"


#: Not in the `is_private` of every Python: RFC 6598, shared by the customers of a carrier or a cloud; RFC
#: 8215, for gateways that translate to IPv4; RFC 3879, the private IPv6 addresses before fc00::/7.
_ALSO_PRIVATE = (IPv4Network("100.64.0.0/10"), IPv6Network("64:ff9b:1::/48"), IPv6Network("fec0::/10"))
#: Where a cloud gives its machines their credentials, as far as the address is not link-local.
_METADATA = frozenset(
    ip_address(one)
    for one in (
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


def classify_address(address: str) -> AddressKind:
    """Classify an IP address; an embedded IPv4 address decides for IPv6.

    For example ``::ffff:10.0.0.1`` is private, as ``10.0.0.1`` is.
    """
    ip = _inner(address)
    if ip.is_loopback:
        return AddressKind.LOOPBACK
    if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return AddressKind.SPECIAL
    if ip.is_private or any(ip in net for net in _ALSO_PRIVATE):
        return AddressKind.PRIVATE
    return AddressKind.PUBLIC if ip.is_global and not ip.is_reserved else AddressKind.SPECIAL


def is_allowed(address: str, api_host: str, resolve: Callable[[str], Iterable[str]]) -> bool:
    """Return whether a video may be fetched from an address: a public one, or one of the service's kind.

    :param address: the numeric address.
    :param api_host: the host of the service, a name or an address.
    :param resolve: returns the addresses of a name; called only if the result depends on it.
    """
    kind = classify_address(address)
    if kind is AddressKind.PUBLIC:
        return True
    literal = literal_address(api_host)
    if kind is AddressKind.SPECIAL:  # a name could be made to lead there
        return literal is not None and _inner(literal) == _inner(address)
    # A service with a public address too is not inside: anybody may add another address to such a name.
    kinds = {classify_address(one) for one in ([literal] if literal else resolve(api_host))}
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
        return classify_address(literal) is not AddressKind.PUBLIC
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
    """Return the numeric address that a host is, or None for a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        # `127.1`, `0x7f000001` and the like, which a resolver, or a proxy's, takes for addresses.
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _inner(address: str) -> IPv4Address | IPv6Address:
    ip = ip_address(address.partition("%")[0])  # behind a % is the name of a network card
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return IPv4Address(int(ip) & 0xFFFF_FFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip
