"""NOR flash of the virtual board: erasing makes ones in sectors of 4 KiB, programming only zeros.

The bytes are the caller's own `bytearray`, so that they can be looked at, kept in a file, or given
to another board.
"""

from __future__ import annotations

import hashlib

import numpy as np

SECTOR_BYTES = 0x1000
GIGADEVICE = 0xC8
SFDP = b"SFDP\x06\x01\x00\xff" + bytes([0x00, 0x06, 0x01, 0x10, 0x30, 0x00, 0x00, 0xFF, GIGADEVICE])
"""Head of the Serial Flash Discoverable Parameters; the maker's id is at 0x10 (JESD216)."""


class AddressError(ValueError):
    """An address or a length that this chip does not have."""


class SpiFlash:
    """Flash in the caller's memory: `cells` is used, not copied. ValueError on an odd size."""

    def __init__(self, cells: bytearray) -> None:
        size = len(cells)
        if size < SECTOR_BYTES or size & (size - 1):
            raise ValueError(f"no flash has {size} bytes")
        self.cells = cells
        self._bits = np.frombuffer(cells, np.uint8)
        self.status = [0, 0, 0]

    @classmethod
    def blank(cls, size: int) -> SpiFlash:
        return cls(bytearray(b"\xff") * size)

    @property
    def size(self) -> int:
        return len(self.cells)

    @property
    def jedec_id(self) -> int:
        """Maker, type and the power of two of the size, as RDID (0x9F) shifts them in."""
        return GIGADEVICE | 0x40 << 8 | (self.size.bit_length() - 1) << 16

    def read(self, offset: int, size: int) -> bytes:
        self._check(offset, size)
        return bytes(self.cells[offset : offset + size])

    def view(self, offset: int = 0, size: int | None = None) -> memoryview:
        """Read-only bytes without a copy."""
        size = self.size - offset if size is None else size
        self._check(offset, size)
        return memoryview(self.cells).toreadonly()[offset : offset + size]

    def erase(self, offset: int, size: int) -> None:
        """Erase every sector that `size` bytes from `offset` touch."""
        self._check(offset, size)
        if size:
            first = offset - offset % SECTOR_BYTES
            self._bits[first : -(-(offset + size) // SECTOR_BYTES) * SECTOR_BYTES] = 0xFF

    def program(self, offset: int, data: bytes) -> None:
        self._check(offset, len(data))
        self._bits[offset : offset + len(data)] &= np.frombuffer(data, np.uint8)

    def md5(self, offset: int, size: int) -> str:
        return hashlib.md5(self.view(offset, size), usedforsecurity=False).hexdigest()

    def user_command(self, opcode: int, address: int, sent: int) -> int:
        """One SPI transaction as the peripheral's USR command makes it: at most 32 bits back."""
        match opcode:
            case 0x9F:  # RDID
                return self.jedec_id
            case 0x5A:  # RDSFDP
                word = SFDP[address : address + 4].ljust(4, b"\xff")
                return int.from_bytes(word, "little")
            case 0x05 | 0x35 | 0x15:  # RDSR, RDSR2, RDSR3
                return self.status[(0x05, 0x35, 0x15).index(opcode)]
            case 0x01 | 0x31 | 0x11:  # WRSR, WRSR2, WRSR3
                self.status[(0x01, 0x31, 0x11).index(opcode)] = sent & 0xFF
        return 0  # write enable, reset, power down: nothing to see here

    def _check(self, offset: int, size: int) -> None:
        if offset < 0 or size < 0 or offset + size > self.size:
            raise AddressError(f"{size} bytes at {offset:#x} in a flash of {self.size}")
