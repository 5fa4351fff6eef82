"""Where a call is reached: our side of ICE, as far as aioice has no say of ours in it.

aiortc hands no parameters through to aioice, so what differs is set on the connection between
`setRemoteDescription`, which makes it, and `setLocalDescription`, which gathers. Three private
names are used (`_connection`, `_local_username`, `_local_password`); a test fails when they move.
WORKAROUND until RTCConfiguration takes ICE credentials and addresses.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from typing import Any

from aiortc import RTCPeerConnection

LOOPBACK = "127.0.0.1"
NOWHERE = (LOOPBACK, 9)
"""The discard port: nobody answers there."""

_LETTERS = string.ascii_letters


def without_names(offer: str, *, keep: bool = True) -> str:
    """The offer without candidates we cannot or need not reach: mDNS names (browsers hide their
    addresses behind them, and asking the network for them takes seconds), or all if not `keep`.

    The caller's checks tell where it is (peer-reflexive candidate). aioice gives up at once without
    any candidate, so one that leads nowhere stands in then; it lasts for half a minute.
    """
    lines: list[str] = []
    kept = False
    for line in offer.splitlines(keepends=True):
        if line.startswith("a=candidate:"):
            if not keep or _host(line).endswith(".local"):
                continue
            kept = True
        lines.append(line)
    if kept:
        return "".join(lines)
    host, port = NOWHERE
    stand_in = f"a=candidate:1 1 udp 1 {host} {port} typ host\r\n"
    return "".join(
        stand_in + line if line.startswith("a=ice-ufrag:") else line
        for line in lines
        if not line.startswith("a=end-of-candidates")
    )


def _host(candidate: str) -> str:
    words = candidate.split()
    return words[4].lower() if len(words) > 4 else ""


def connections(peer: RTCPeerConnection) -> Iterable[Any]:
    """The aioice connections of a peer that knows its offer; one of them remains after BUNDLE."""
    transports = [entry.receiver.transport for entry in peer.getTransceivers()]
    if peer.sctp is not None:
        transports.append(peer.sctp.transport)
    return {id(entry.transport): entry.transport._connection for entry in transports}.values()


def prepare(peer: RTCPeerConnection, *, addresses: tuple[str, ...]) -> None:
    """Credentials in the real service's shape; `addresses` to listen on beside aioice's own."""
    for connection in connections(peer):
        # The real ones carry the relay's route behind a slash, which is an ice-char.
        connection._local_username = f"{_word(8)}/u{secrets.randbelow(9)}"
        connection._local_password = _word(32)
        if addresses:
            _listen_on(connection, addresses)


def _word(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _listen_on(connection: Any, ours: tuple[str, ...]) -> None:
    gather = connection.get_component_candidates

    async def everywhere(component: int, addresses: list[str], timeout: int = 5) -> Any:
        every = [*addresses, *(address for address in ours if address not in addresses)]
        return await gather(component=component, addresses=every, timeout=timeout)

    connection.get_component_candidates = everywhere
