"""The registers of an ESP32-S3 that a flashing tool looks at.

Addresses and fields: ESP32-S3 Technical Reference Manual, chapters eFuse, SPI, RTC and UART. All
other addresses read as the last value written, at first zero.
"""

from __future__ import annotations

from app.sim.spi_flash import SpiFlash

UART_CLOCK_DIVIDER = 0x6000_0014
UART_DATE = 0x6000_0080
SPI_COMMAND = 0x6000_2000
SPI_ADDRESS = SPI_COMMAND + 0x04
SPI_USER_2 = SPI_COMMAND + 0x20
SPI_MISO_BITS = SPI_COMMAND + 0x28
SPI_DATA_0 = SPI_COMMAND + 0x58
SPI_RUN = 1 << 18
STRAPS = 0x6000_4038
EFUSE = 0x6000_7000
WATCHDOG_0 = 0x6000_8098
WATCHDOG_LOCK = 0x6000_80B0
WATCHDOG_KEY = 0x50D8_3AA1
WATCHDOG_ON = 1 << 31
CHIP_MAGIC = 0x4000_1000

REVISION_MINOR = 2
"""v0.2: what the modules on both boards carry."""


def efuses(mac: bytes, *, package: int, flash_in_package: bool) -> dict[int, int]:
    """Block 1 (MAC, revision, package) and block 2 (block version) of the eFuse memory."""
    flash_size, flash_maker = (1, 2) if flash_in_package else (0, 0)  # 8 MB, GD
    psram_8_mb, psram_3v3 = 1, 1
    return {
        EFUSE + 0x44: int.from_bytes(mac[2:], "big"),
        EFUSE + 0x48: int.from_bytes(mac[:2], "big"),
        EFUSE + 0x50: REVISION_MINOR << 18 | package << 21 | 3 << 24 | flash_size << 27,
        EFUSE + 0x54: flash_maker | psram_8_mb << 3 | psram_3v3 << 7,
        EFUSE + 0x58: 0,
        EFUSE + 0x6C: 1,
    }


class Registers:
    """Register file with the two side effects that tools use: SPI commands and the watchdog."""

    def __init__(self, flash: SpiFlash, fuses: dict[int, int]) -> None:
        self._flash = flash
        self._fuses = fuses
        self._values = {
            UART_CLOCK_DIVIDER: 40_000_000 // 115_200,
            UART_DATE: 0x0202_1221,
            CHIP_MAGIC: 0x9,
            STRAPS: 0,  # GPIO0 was low: that is how the loader was reached
        }
        self.watchdog_fires = False

    def read(self, address: int) -> int:
        return self._fuses.get(address, self._values.get(address, 0))

    def write(self, address: int, value: int, mask: int) -> None:
        if address in self._fuses:
            return
        value = self.read(address) & ~mask | value & mask
        if address == SPI_COMMAND and value & SPI_RUN:
            self._run_spi()
            value &= ~SPI_RUN
        if address == WATCHDOG_0 and value & WATCHDOG_ON:
            self.watchdog_fires = self.read(WATCHDOG_LOCK) == WATCHDOG_KEY
        if len(self._values) < 4096 or address in self._values:  # a tool's typo is not our memory
            self._values[address] = value

    def _run_spi(self) -> None:
        got = self._flash.user_command(
            self.read(SPI_USER_2) & 0xFF,
            self.read(SPI_ADDRESS) & 0xFF_FFFF,
            self.read(SPI_DATA_0),
        )
        bits = min(32, (self.read(SPI_MISO_BITS) & 0x3FF) + 1)
        self._values[SPI_DATA_0] = got & ((1 << bits) - 1)
