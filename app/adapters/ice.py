"""What this program's WebRTC does otherwise than aioice: notice a lost peer soon, and work on a
computer without any network (a local service is still there).

aioice reads its consent constants (RFC 7675) at each check: 5 silent answers, asked for each
second, are 6.5 to 8.5 s; its own values are half a minute of a dead conversation.
WORKAROUND until aioice 0.13 takes both as arguments of Connection.
"""

from __future__ import annotations

from aioice import ice

_host_addresses = ice.get_host_addresses


def prepare() -> None:
    """For the whole process; may be called again and again."""
    ice.CONSENT_INTERVAL = 1
    ice.CONSENT_FAILURES = 5
    ice.get_host_addresses = _addresses_or_loopback


def _addresses_or_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return _host_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6) or ["127.0.0.1"]
