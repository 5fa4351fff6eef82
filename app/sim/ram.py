"""The chip's RAM as far as a program is loaded into it over the serial port.

Nothing that is loaded ever runs. All that is asked of it: is this Espressif's flasher stub? A stub
is known by its greeting, which every version of it carries in its code or its constants, and by an
entry point in the code that was loaded. A digest would refuse the stub of the next esptool.
"""

from __future__ import annotations

GREETING = b"OHAI"
"""What the stub says first (esptool documentation, "Flasher Stub")."""

CODE = range(0x4037_0000, 0x403E_0000)
DATA = range(0x3FC8_8000, 0x3FD0_0000)
"""Where programs go (ESP32-S3 Technical Reference Manual, "System and Memory")."""

TOTAL_BYTES = 512 << 10
SEGMENTS = 16


class Ram:
    """Segments by address. A segment that is begun again replaces what was there."""

    def __init__(self) -> None:
        self._segments: dict[int, bytearray] = {}

    def begin(self, address: int, size: int) -> bool:
        """Room for `size` bytes from `address`, empty; False where the chip has none."""
        self._segments.pop(address, None)
        taken = sum(map(len, self._segments.values()))
        whole = any(address in part and address + size <= part.stop for part in (CODE, DATA))
        if not whole or taken + size > TOTAL_BYTES or len(self._segments) >= SEGMENTS:
            return False
        self._segments[address] = bytearray()
        return True

    def append(self, address: int, data: bytes) -> None:
        """After what the segment begun at `address` has; its size is the caller's business."""
        self._segments[address] += data

    def is_stub(self, entry: int) -> bool:
        """Whether what lies here greets as a stub does and can start at `entry`."""
        code = any(
            entry in CODE and start <= entry < start + len(data)
            for start, data in self._segments.items()
        )
        return code and any(GREETING in data for data in self._segments.values())
