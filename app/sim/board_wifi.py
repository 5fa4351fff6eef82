"""The virtual Wi-Fi station: joins what the chip has in reach, and can lose it.

One outcome for the join that counts: a newer join takes the place of one under way, a leave is
silent. Addresses come from 192.168.4.0/24, as from the little router they stand for.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from app.sim import core_abi
from app.sim.chip import Network
from app.sim.core_abi import Event, Kind, WifiReason

JOIN_S = 0.1
SCAN_S = 0.15

Post = Callable[[Event], None]


class BoardWifi:
    """A station on the board's loop; what happens is posted."""

    def __init__(self, networks: Sequence[Network], post: Post) -> None:
        self._networks = tuple(networks)
        self._post = post
        self._joining: asyncio.TimerHandle | None = None
        self._scanning: asyncio.TimerHandle | None = None
        self._joined: Network | None = None

    @property
    def is_up(self) -> bool:
        """The board has an address."""
        return self._joined is not None

    @property
    def rssi_dbm(self) -> int:
        """Strength of the joined network with the flicker of real air; 0 when there is none."""
        if self._joined is None:
            return 0
        return max(-127, min(-1, self._joined.rssi_dbm + random.choice((-2, -1, -1, 0, 0, 0, 1))))

    def join(self, ssid: str, password: str) -> None:
        """UP or DOWN follows."""
        self.leave()
        self._joining = asyncio.get_running_loop().call_later(
            JOIN_S, self._end_join, ssid, password
        )

    def leave(self) -> None:
        """Silent."""
        if self._joining is not None:
            self._joining.cancel()
            self._joining = None
        self._joined = None

    def scan(self) -> None:
        """NETWORK for each one that shows its name, strongest first, then SCANNED."""
        if self._scanning is None:
            self._scanning = asyncio.get_running_loop().call_later(SCAN_S, self._end_scan)

    def lose(self) -> bool:
        """The network goes out of reach for a moment. False when the board was not on one."""
        if self._joined is None:
            return False
        self._joined = None
        self._post(core_abi.wifi_down(WifiReason.LOST))
        return True

    def close(self) -> None:
        """Nothing is posted afterwards."""
        self.leave()
        if self._scanning is not None:
            self._scanning.cancel()
            self._scanning = None

    def _end_join(self, ssid: str, password: str) -> None:
        self._joining = None
        named = [network for network in self._networks if network.ssid == ssid]
        if not named:
            self._post(core_abi.wifi_down(WifiReason.NOT_FOUND))
            return
        network = max(named, key=lambda candidate: candidate.rssi_dbm)
        if network.security != "open" and network.password != password:
            self._post(core_abi.wifi_down(WifiReason.BAD_PASSWORD))
            return
        self._joined = network
        self._post(core_abi.wifi_up(f"192.168.4.{random.randint(2, 250)}", network.rssi_dbm))

    def _end_scan(self) -> None:
        self._scanning = None
        shown = [network for network in self._networks if not network.hidden]
        for network in sorted(shown, key=lambda one: -one.rssi_dbm):
            self._post(
                core_abi.wifi_network(
                    network.ssid, network.rssi_dbm, network.security, network.channel
                )
            )
        self._post(core_abi.plain(Kind.WIFI_SCANNED))
