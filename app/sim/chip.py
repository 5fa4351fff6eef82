"""The door between the virtual chip (flash, reset, console) and the firmware that runs on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
"""Mono samples, 48 kHz."""

FRAME = 960
"""Samples in 20 ms."""


@dataclass(frozen=True, slots=True)
class Network:
    """A Wi-Fi network in reach. `security` is open, wep, wpa, wpa2 or wpa3."""

    ssid: str
    password: str
    rssi_dbm: int = -52
    security: str = "wpa2"
    channel: int = 6
    hidden: bool = False


class Room(Protocol):
    """Where the board stands: its microphone hears, its speaker is heard. Called every 20 ms."""

    def hear(self) -> Pcm:
        """The next 20 ms at the microphone: 960 samples."""

    def play(self, frame: Pcm) -> None:
        """20 ms that leave the speaker, volume applied."""


class Store(Protocol):
    """NVS namespace `parley` of the partition `cfg`: numbers and texts by key.

    `type_name` is u8, i8, u16, u32 or string. Reading raises KeyError when the key is missing and
    TypeError when it has another type.
    """

    def get(self, key: str, type_name: str) -> int | str: ...

    def set(self, key: str, type_name: str, value: int | str) -> None: ...


@dataclass(frozen=True, slots=True)
class Chip:
    """What the running firmware can reach of the chip. All is used on the board's own loop."""

    board: str
    build: str
    reset: str
    psram_bytes: int
    flash_bytes: int
    write_console: Callable[[bytes], None]
    store: Store
    restart: Callable[[], None]
    networks: tuple[Network, ...]
    room: Room


class Program(Protocol):
    """Firmware that runs on the board's asyncio loop until the chip is reset."""

    def start(self) -> None: ...

    def console_in(self, data: bytes) -> None: ...

    async def stop(self) -> None:
        """Reset: everything the firmware had open is gone when this returns."""
