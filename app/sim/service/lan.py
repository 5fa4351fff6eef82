"""The service for boards and computers of the same network (`--lan`): on which addresses it
listens, who may ask, and the token that stands in for a key.

Only private addresses count as the same network, on both sides: a port forwarded to the internet by
mistake answers nobody there.
"""

from __future__ import annotations

import ipaddress
import secrets

import psutil

PAIRING_PREFIX = "sk-parley-"
"""Looks like a key, because it is put where clients want one."""

_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Carriers' own network (RFC 6598): strangers, though not public."""


def private_addresses() -> tuple[str, ...]:
    """This computer's IPv4 addresses in private networks, without the loopback."""
    found = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family.name == "AF_INET"
    ]
    return tuple(dict.fromkeys(a for a in found if is_near(a) and not a.startswith("127.")))


def is_near(address: str | None) -> bool:
    """Whether an address, as a socket tells it, is of this computer or of a private network."""
    try:
        known = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    shared = isinstance(known, ipaddress.IPv4Address) and known in _SHARED
    return (known.is_private or known.is_loopback or known.is_link_local) and not shared


def is_this_computer(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def pairing_token() -> str:
    """A key for one run of the service: 80 random bits, short enough to be typed."""
    return PAIRING_PREFIX + secrets.token_hex(10)
