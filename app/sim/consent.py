"""What this process's WebRTC peers do otherwise than aioice: notice a lost peer within ten seconds,
and find each other on a computer without any network.

aioice asks for consent (RFC 7675) every CONSENT_INTERVAL seconds (x 0.8-1.2) and gives up after
CONSENT_FAILURES silent answers. Its own 5 s x 6 means half a minute of a dead conversation; ours
has to notice within ten seconds. Each unanswered check also costs the STUN transaction's own
0.5 s, so 5 x (1.0 x 1.2 + 0.5) = 8.5 s at most and 6.5 s at least: more patience with a busy
computer than fewer, rarer checks would give in the same time. aioice reads the two module constants
at each check, so setting them is enough; they hold for the whole process, which is why one module
does it.

It also leaves the loopback out of its candidates, so that a laptop in a train has none at all.
WORKAROUND until aioice 0.13 takes both as arguments of Connection.
"""

from __future__ import annotations

from aioice import ice

INTERVAL_S = 1
FAILURES = 5
LOOPBACK = "127.0.0.1"

_host_addresses = ice.get_host_addresses


def notice_loss_soon() -> None:
    """Lowers aioice's consent constants for this process. May be called again and again."""
    ice.CONSENT_INTERVAL = INTERVAL_S
    ice.CONSENT_FAILURES = FAILURES


def work_without_network() -> None:
    """Lets peers of this process use the loopback when the computer has no other address.

    May be called again and again; both peers of a call need it.
    """
    ice.get_host_addresses = _addresses_or_loopback


def _addresses_or_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return _host_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6) or [LOOPBACK]
