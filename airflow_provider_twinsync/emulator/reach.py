"""Classify a photo's host by its name or IP address alone: on this machine, on the internet, or neither.

Pure, with no look-up.
"""

from __future__ import annotations

import socket
from enum import Enum
from ipaddress import IPv6Address, ip_address

# Names that no public DNS has: RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa), and ICANN's
# resolution 2024.07.29.06 (internal). Many routers use `lan`; it is not delegated either.
_LOCAL_DOMAINS = ("localhost", "local", "internal", "home.arpa", "lan")


class Reach(Enum):
    """Where a host is."""

    NEVER = "never"
    """Link-local, multicast, reserved: no photo is there, and the first may be a cloud's metadata service."""
    LOCAL = "local"
    """This machine or its own network; TwinSync itself cannot open it."""
    INTERNET = "internet"


def reach(host: str) -> Reach:
    """Return where a host is.

    :param host: a name or an IP address, without brackets or port.
    """
    name = host.lower().removesuffix(".")
    try:
        ip = ip_address(name)
    except ValueError:
        try:
            # `127.1`, `0x7f000001` and `2130706433` are 127.0.0.1 to the C library, and so to a client.
            ip = ip_address(socket.inet_aton(name))
        except (OSError, ValueError):
            return _reach_of_name(name)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_link_local or ip.is_multicast or (ip.is_reserved and ip.version == 4):
        return Reach.NEVER
    return Reach.INTERNET if ip.is_global else Reach.LOCAL


def _reach_of_name(name: str) -> Reach:
    if "." not in name or any(name.endswith(f".{domain}") for domain in _LOCAL_DOMAINS):
        return Reach.LOCAL
    return Reach.INTERNET
