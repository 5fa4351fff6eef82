"""Espressif's flasher stub as it behaves once it runs in the RAM of the virtual chip.

The dialect of both versions that esptool 5.6 carries, seen from outside: two status bytes, SYNC
with the value zero, the MD5 as 16 raw bytes, erasing without writing, and reading the flash in
packets that the host acknowledges, a digest last. Unlike the real stub it erases and writes before
it replies, so that an error is told with its own block and not with the next one.

Sources: Espressif's "Serial Protocol" chapter of the esptool documentation; esp-flasher-stub, for
lengths and error numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5

from app.sim.loader import SYNC_BODY, Answer, Code, Leave, Loader, Op, RefusedError, unpack
from app.sim.ram import GREETING
from app.sim.registers import Registers
from app.sim.slip import escape
from app.sim.spi_flash import SECTOR_BYTES, SpiFlash

PACKET_LIMIT_BYTES = 0x1000
RUN_S = 0.02


@dataclass(slots=True)
class Reading:
    """A flash read under way. One packet at a time, whatever the host offers: both versions do."""

    data: memoryview
    packet_bytes: int
    sent: int = 0

    def next_packet(self) -> bytes:
        packet = bytes(self.data[self.sent : self.sent + self.packet_bytes])
        self.sent += len(packet)
        return packet

    def digest(self) -> bytes:
        """Of what was sent."""
        return md5(self.data[: self.sent], usedforsecurity=False).digest()


class Stub(Loader):
    """The stub between its start and the chip's reset."""

    def __init__(self, flash: SpiFlash, registers: Registers) -> None:
        super().__init__(flash, registers, flash.size)
        self._reading: Reading | None = None
        self._commands |= {
            Op.SPI_ATTACH: self._attach,
            Op.FLASH_END: self._end,
            Op.FLASH_DEFL_END: self._end,
            Op.SPI_FLASH_MD5: self._md5,
            Op.ERASE_FLASH: self._erase_flash,
            Op.ERASE_REGION: self._erase_region,
            Op.READ_FLASH: self._read_flash,
            Op.RUN_USER_CODE: self._run_user_code,
        }
        self._take_programs()

    def answer(self, frame: bytes) -> Iterator[Answer]:
        if self._reading is None:
            yield from super().answer(frame)
        else:
            yield from self._acknowledged(self._reading, frame)

    def _status(self, error: Code | None) -> bytes:
        return bytes(2) if error is None else bytes([error.stub, 0])

    def _sync(self, body: bytes, _: int) -> tuple[int, bytes]:
        if len(body) != len(SYNC_BODY):
            raise RefusedError(Code.INVALID)
        return 0, b""

    def _start_stub(self) -> None:
        """One more stub over this one: it greets, and begins anew."""
        self._download = None
        self._then.append(escape(GREETING))

    def _attach(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("I", body)
        return 0, b""

    def _end(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("I", body)  # the newer version stays, whatever the flag says
        if self._download is None:
            raise RefusedError(Code.NOT_BEGUN)
        self._download = None
        return 0, b""

    def _md5(self, body: bytes, _: int) -> tuple[int, bytes]:
        offset, size, _, _ = unpack("IIII", body)
        self._check_reach(offset, size)
        return 0, bytes.fromhex(self._flash.md5(offset, size))

    def _erase_flash(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("", body)
        self._flash.erase(0, self._flash.size)
        return 0, b""

    def _erase_region(self, body: bytes, _: int) -> tuple[int, bytes]:
        offset, size = unpack("II", body)
        if offset % SECTOR_BYTES or size % SECTOR_BYTES:
            raise RefusedError(Code.INVALID)
        self._check_reach(offset, size)
        self._flash.erase(offset, size)
        return 0, b""

    def _run_user_code(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("", body)
        self._then.append(Leave(RUN_S, watchdog=False))
        return 0, b""

    # reading

    def _read_flash(self, body: bytes, _: int) -> tuple[int, bytes]:
        offset, size, packet_bytes, _in_flight = unpack("IIII", body)
        if not 0 < packet_bytes <= PACKET_LIMIT_BYTES:
            raise RefusedError(Code.INVALID)
        self._check_reach(offset, size)
        reading = Reading(self._flash.view(offset, size), packet_bytes)
        if size:
            self._reading = reading
            self._then.append(escape(reading.next_packet()))
        else:
            self._then.append(escape(reading.digest()))
        return 0, b""

    def _acknowledged(self, reading: Reading, frame: bytes) -> Iterator[Answer]:
        """An acknowledgement is the number of bytes received; any other frame ends the reading."""
        whole = reading.sent == len(reading.data)
        if len(frame) == 4 and not whole:
            yield escape(reading.next_packet())
        elif len(frame) != 4 or int.from_bytes(frame, "little") >= reading.sent:
            self._reading = None
            yield escape(reading.digest())
