"""The serial loader in the ROM of an ESP32-S3: bytes in, bytes and at most one departure out.

It also is the chip's end of the line while the stub runs: frames then go to the stub, which stays
until the chip is reset. With `takes_stub=False` loading code is refused; esptool 5.6 does not fall
back by itself then (`run_stub` raises FatalError at once), its command line needs `--no-stub`.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.sim.loader import SYNC_BODY, Answer, Code, Leave, Loader, Op, RefusedError, unpack
from app.sim.ram import GREETING
from app.sim.registers import Registers
from app.sim.slip import Slip, escape
from app.sim.spi_flash import SpiFlash
from app.sim.stub import Stub

SYNC_VALUE = 0x2012_0707
"""Any value but zero: zero is how the stub introduces itself."""

ROM_FLASH_BYTES = 2 << 20
"""What the ROM believes the flash to be until SPI_SET_PARAMS."""

SLOW_READ_BYTES = 64
REBOOT_S = 0.02


class Rom(Loader):
    """The loader between two resets."""

    def __init__(self, flash: SpiFlash, registers: Registers, *, takes_stub: bool = True) -> None:
        super().__init__(flash, registers, min(ROM_FLASH_BYTES, flash.size))
        self._slip = Slip()
        self._attached = False
        self._talker: Loader = self
        self._commands |= {
            Op.SPI_ATTACH: self._attach,
            Op.FLASH_END: self._end,
            Op.FLASH_DEFL_END: self._end,
            Op.SPI_FLASH_MD5: self._md5,
            Op.READ_FLASH_SLOW: self._read_slow,
        }
        if takes_stub:
            self._take_programs()

    def receive(self, data: bytes) -> Iterator[Answer]:
        """Replies in order; after a reboot the rest of the input is not looked at."""
        for frame in self._slip.receive(data):
            for answer in self._talker.answer(frame):
                yield answer
                if isinstance(answer, Leave) and not answer.watchdog:
                    return

    def _status(self, error: Code | None) -> bytes:
        return bytes(4) if error is None else bytes([1, error.rom, 0, 0])

    def _sync(self, body: bytes, _: int) -> tuple[int, bytes]:
        if body != SYNC_BODY:
            raise RefusedError(Code.INVALID)
        return SYNC_VALUE, b""

    def _start_stub(self) -> None:
        self._talker = Stub(self._flash, self._registers)
        self._then.append(escape(GREETING))

    def _attach(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("II", body)
        self._attached = True
        return 0, b""

    def _end(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("I", body)  # 0: reboot, 1: run; both leave the loader
        self._download = None
        self._then.append(Leave(REBOOT_S, watchdog=False))
        return 0, b""

    def _md5(self, body: bytes, _: int) -> tuple[int, bytes]:
        offset, size, _, _ = unpack("IIII", body)
        self._check_reach(offset, size)
        return 0, self._flash.md5(offset, size).encode()

    def _read_slow(self, body: bytes, _: int) -> tuple[int, bytes]:
        offset, size = unpack("II", body)
        if size > SLOW_READ_BYTES:
            raise RefusedError(Code.READ_LENGTH)
        self._check_reach(offset, size)
        return 0, self._flash.read(offset, size).ljust(SLOW_READ_BYTES, b"\0")

    def _check_reach(self, offset: int, size: int) -> None:
        if not self._attached:
            raise RefusedError(Code.FAILED)
        super()._check_reach(offset, size)
