"""The address policy: which hosts and IP addresses a video may be fetched from.

Pure: the caller passes the function that resolves a name. A worker is inside a network and reaches hosts
that the author of an address cannot reach. The policy refuses such a host, unless the service is there too.
"""

from __future__ import annotations

import socket
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_twinsync._api.shown import shown_url
from airflow_provider_twinsync.exceptions import DownloadRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_twinsync._api.settings import Settings


class AddressKind(Enum):
    """The kind of an IP address; the value describes it in a message."""

    PUBLIC = "a public address"
    PRIVATE = "a private address (of an inner network)"
    LOOPBACK = "a loopback address (of the worker's own machine)"
    SPECIAL = "a special address (link-local, metadata of a cloud, multicast or reserved)"


#: Networks of one's own. Not Python's `is_private`, which has addresses of no network too, such as 192.0.2.1.
_PRIVATE = (
    IPv4Network("10.0.0.0/8"),  # RFC 1918, and the next two
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),  # RFC 6598: shared by the customers of a carrier, or of a cloud
    IPv4Network("198.18.0.0/15"),  # RFC 2544: the addresses of all names under some VPN clients
    IPv4Network("240.0.0.0/4"),  # RFC 1112: reserved, and used inside by some large networks
    IPv6Network("fc00::/7"),  # RFC 4193
    IPv6Network("fec0::/10"),  # RFC 3879: the private addresses before it
    IPv6Network("64:ff9b:1::/48"),  # RFC 8215: for gateways that translate to IPv4
)
#: Here a cloud serves credentials to its machines. Link-local addresses are refused anyway.
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
    if any(ip in net for net in _PRIVATE):
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
    if kind is AddressKind.SPECIAL:  # anybody can point a name there
        return literal is not None and _inner(literal) == _inner(address)
    # A service that also has a public address is not inside: anybody may add an address to such a name.
    kinds = {classify_address(one) for one in ([literal] if literal else resolve(api_host))}
    return kind in kinds and AddressKind.PUBLIC not in kinds


def check_host(settings: Settings, url: str) -> None:
    """Check that the connection allows the host of an address.

    :raises DownloadRefusedError: it does not.
    """
    host = urlsplit(url).hostname
    allowed = settings.allowed_result_hosts
    if host not in allowed:
        raise DownloadRefusedError(
            f"TS501 The video's address is on the host {host!r}, which is not allowed: {shown_url(url)}. "
            f"The allowed hosts are {', '.join(sorted(allowed))}. If you trust it, add it to "
            f"allowed_result_hosts in the extra of the connection {settings.conn_id!r}."
        )


def check_address(
    settings: Settings, url: str, address: str, resolve: Callable[[str], Iterable[str]]
) -> None:
    """Check that the policy allows the numeric address to which a request connects.

    The check sees the address of the connection: a second look-up of the name could return another one. A
    proxy looks up names itself, so behind a proxy the caller checks only hosts that are numeric addresses.

    :raises DownloadRefusedError: the address is inside a network, and the service is not.
    """
    api_host = urlsplit(settings.url).hostname or ""
    if not is_allowed(address, api_host, resolve):
        raise DownloadRefusedError(
            f"TS502 The video's host {urlsplit(url).hostname!r} is {address}, "
            f"{classify_address(address).value}, and the service at {api_host!r} is not in such a place. "
            f"Nothing was requested from {shown_url(url)}. allowed_result_hosts does not change that; only a "
            f"connection whose own host is in such a place does ({settings.conn_id!r} here)."
        )


#: Names that no public resolver knows: RFC 6762, ICANN's choice for inner networks, RFC 8375, RFC 6761, and
#: the names of routers and clusters.
_INNER_NAMES = (".local", ".internal", ".home.arpa", ".localhost", ".lan", ".intranet", ".corp", ".home")


def is_inside(host: str) -> bool:
    """Return whether the name of a host shows that the internet cannot reach it. Resolves nothing.

    For example ``10.0.0.5``, ``localhost``, ``fileserver`` and ``photos.internal``.
    """
    host = host.rstrip(".").lower()
    if literal := literal_address(host):
        return classify_address(literal) is not AddressKind.PUBLIC
    return "." not in host or host.endswith(_INNER_NAMES)


def photo_warning(photo_host: str, api_host: str) -> str | None:
    """Return a warning about a photo's host that the service cannot reach, or None.

    :param photo_host: the host of the photo.
    :param api_host: the host of the service. A service inside the network, such as the emulator, reaches it.
    """
    if not is_inside(photo_host) or is_inside(api_host):
        return None
    return (
        f"TS108 The photo is on the host {photo_host!r}, which TwinSync cannot open from the internet. It is "
        "submitted unchanged; if the job fails, see 'Photos' in the docs (docs/howto/photos.md)."
    )


def literal_address(host: str) -> str | None:
    """Return the numeric address of a host that is an address, or None for a name.

    For example ``127.1`` is ``127.0.0.1``.
    """
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        # A resolver, also that of a proxy, accepts `127.1`, `0x7f000001` and the like as addresses.
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _inner(address: str) -> IPv4Address | IPv6Address:
    ip = ip_address(address.partition("%")[0])  # a network card's name follows the %
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return IPv4Address(int(ip) & 0xFFFF_FFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip
