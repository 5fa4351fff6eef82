"""The serial loader in the ROM of an ESP32-S3: bytes in, bytes and at most one departure out.

Theory of operation. The host sends SLIP frames, each a command: direction 0, opcode, length,
checksum, body. Every well-formed command gets exactly one reply (SYNC gets eight) with the same
opcode, a 32-bit value, and data that ends with four status bytes. Three laws:

1. Nothing that arrives raises. A frame that is no command is dropped, a command that is wrong is
   refused with the ROM's own code.
2. The loader has no clock and no port. Leaving it is a value (`Leave`) that the board acts upon.
3. Code is never loaded: MEM_BEGIN, the way to upload a stub, is refused. esptool 5.6 does not fall
   back by itself then (`run_stub` raises FatalError at once); the connection stays usable, and the
   caller goes on with the ROM. Its command line needs `--no-stub`.

Source of formats: Espressif's "Serial Protocol" chapter of the esptool documentation.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from app.sim.registers import Registers
from app.sim.spi_flash import AddressError, SpiFlash

END, ESCAPE = b"\xc0", b"\xdb"
FRAME_LIMIT_BYTES = 0x8000
"""More than the largest command (16 KiB of data, every byte escaped); longer frames are noise."""

SYNC_BODY = b"\x07\x07\x12\x20" + 32 * b"\x55"
SYNC_VALUE = 0x2012_0707
"""Any value but zero: zero is how the RAM stub introduces itself."""

CHIP_ID = 9
ROM_FLASH_BYTES = 2 << 20
"""What the ROM believes the flash to be until SPI_SET_PARAMS."""

BLOCK_LIMIT_BYTES = 0x4000
SLOW_READ_BYTES = 64
WATCHDOG_S = 0.05
REBOOT_S = 0.02


class Code(IntEnum):
    """Why a command is refused."""

    INVALID = 5
    FAILED = 6
    CHECKSUM = 7
    WRITE = 8
    READ = 9
    READ_LENGTH = 10
    DEFLATE = 11


class Op(IntEnum):
    """Commands of the ROM."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    READ_FLASH_SLOW = 0x0E
    CHANGE_BAUDRATE = 0x0F
    FLASH_DEFL_BEGIN = 0x10
    FLASH_DEFL_DATA = 0x11
    FLASH_DEFL_END = 0x12
    SPI_FLASH_MD5 = 0x13
    GET_SECURITY_INFO = 0x14


@dataclass(frozen=True, slots=True)
class Leave:
    """The loader ends after so many seconds, and the chip starts from flash.

    A watchdog lets it answer until then.
    """

    after_s: float
    watchdog: bool


class RefusedError(Exception):
    """A command that the ROM answers with an error; never leaves this module."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


class Slip:
    """Frames out of bytes (RFC 1055). Anything between two END bytes is a candidate."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._too_long = False

    def receive(self, data: bytes) -> Iterator[bytes]:
        *closed, rest = data.split(END)
        for piece in closed:
            self._extend(piece)
            frame, too_long = bytes(self._pending), self._too_long
            self._pending.clear()
            self._too_long = False
            if frame and not too_long and (plain := unescape(frame)) is not None:
                yield plain
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        if self._too_long or len(self._pending) + len(piece) > FRAME_LIMIT_BYTES:
            self._too_long = True
            self._pending.clear()
        else:
            self._pending += piece


def escape(frame: bytes) -> bytes:
    return END + frame.replace(ESCAPE, b"\xdb\xdd").replace(END, b"\xdb\xdc") + END


def unescape(frame: bytes) -> bytes | None:
    """The frame's bytes, or None when an escape is broken."""
    head, *rest = frame.split(ESCAPE)
    plain = bytearray(head)
    for piece in rest:
        match piece[:1]:
            case b"\xdc":
                plain += END
            case b"\xdd":
                plain += ESCAPE
            case _:
                return None
        plain += piece[1:]
    return bytes(plain)


def checksum(data: bytes) -> int:
    """XOR of all bytes, seeded with 0xEF."""
    return 0xEF ^ int(np.bitwise_xor.reduce(np.frombuffer(data, np.uint8), initial=0))


@dataclass(slots=True)
class Download:
    """A begun write: `blocks` of `block_bytes` from `offset`; `limit` is where it must end."""

    offset: int
    limit: int
    blocks: int
    block_bytes: int
    inflate: zlib._Decompress | None = None
    next_block: int = 0


class Rom:
    """The loader between two resets."""

    def __init__(self, flash: SpiFlash, registers: Registers) -> None:
        self._flash = flash
        self._registers = registers
        self._slip = Slip()
        self._attached = False
        self._limit = min(ROM_FLASH_BYTES, flash.size)
        self._download: Download | None = None
        self._leave: Leave | None = None
        self.baud = 115_200
        self._commands: dict[int, Callable[[bytes, int], tuple[int, bytes]]] = {
            Op.SYNC: self._sync,
            Op.READ_REG: self._read_reg,
            Op.WRITE_REG: self._write_reg,
            Op.GET_SECURITY_INFO: self._security,
            Op.SPI_ATTACH: self._attach,
            Op.SPI_SET_PARAMS: self._set_params,
            Op.FLASH_BEGIN: self._begin,
            Op.FLASH_DEFL_BEGIN: self._begin_deflated,
            Op.FLASH_DATA: self._data,
            Op.FLASH_DEFL_DATA: self._data_deflated,
            Op.FLASH_END: self._end,
            Op.FLASH_DEFL_END: self._end,
            Op.SPI_FLASH_MD5: self._md5,
            Op.READ_FLASH_SLOW: self._read_slow,
            Op.CHANGE_BAUDRATE: self._change_baud,
        }

    def receive(self, data: bytes) -> Iterator[bytes | Leave]:
        """Replies in order; after a reboot the rest of the input is not looked at."""
        for frame in self._slip.receive(data):
            yield from self._frame(frame)
            if self._leave is not None:
                leave, self._leave = self._leave, None
                yield leave
                if not leave.watchdog:
                    return

    def _frame(self, frame: bytes) -> Iterator[bytes]:
        if len(frame) < 8 or frame[0] != 0:
            return
        _, op, length, check = struct.unpack_from("<BBHI", frame)
        body = frame[8:]
        try:
            if length != len(body) or op not in self._commands:
                raise RefusedError(Code.INVALID)
            value, data = self._commands[op](body, check)
        except RefusedError as why:
            value, data, status = 0, b"", bytes([1, why.code, 0, 0])
        except AddressError:
            value, data, status = 0, b"", bytes([1, Code.FAILED, 0, 0])
        else:
            status = bytes(4)
        reply = escape(struct.pack("<BBHI", 1, op, len(data) + 4, value) + data + status)
        synced = op == Op.SYNC and not status[0]
        yield reply * 8 if synced else reply

    # who is there

    def _sync(self, body: bytes, _: int) -> tuple[int, bytes]:
        if body != SYNC_BODY:
            raise RefusedError(Code.INVALID)
        return SYNC_VALUE, b""

    def _security(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("", body)
        flags, crypt_count, key_purposes, api_version = 0, 0, bytes(7), 0
        return 0, struct.pack("<IB7sII", flags, crypt_count, key_purposes, CHIP_ID, api_version)

    def _read_reg(self, body: bytes, _: int) -> tuple[int, bytes]:
        (address,) = unpack("I", body)
        return self._registers.read(address), b""

    def _write_reg(self, body: bytes, _: int) -> tuple[int, bytes]:
        if not body or len(body) % 16:
            raise RefusedError(Code.INVALID)
        for address, value, mask, _delay_us in struct.iter_unpack("<IIII", body):
            self._registers.write(address, value, mask)
        if self._registers.watchdog_fires:
            self._leave = Leave(WATCHDOG_S, watchdog=True)
            self._registers.watchdog_fires = False
        return 0, b""

    def _change_baud(self, body: bytes, _: int) -> tuple[int, bytes]:
        self.baud, _old = unpack("II", body)
        return 0, b""

    # flash

    def _attach(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("II", body)
        self._attached = True
        return 0, b""

    def _set_params(self, body: bytes, _: int) -> tuple[int, bytes]:
        _id, total, _block, _sector, _page, _status = unpack("IIIIII", body)
        self._limit = min(total, self._flash.size)
        return 0, b""

    def _begin(self, body: bytes, _: int) -> tuple[int, bytes]:
        self._download = self._begun(body)
        return 0, b""

    def _begin_deflated(self, body: bytes, _: int) -> tuple[int, bytes]:
        self._download = self._begun(body)
        self._download.inflate = zlib.decompressobj()
        return 0, b""

    def _begun(self, body: bytes) -> Download:
        size, blocks, block_bytes, offset, encrypted = unpack("IIIII", body.ljust(20, b"\0"))
        self._download = None
        if encrypted or block_bytes > BLOCK_LIMIT_BYTES:
            raise RefusedError(Code.INVALID)
        if size:
            self._reach(offset, size)
            self._flash.erase(offset, size)
        return Download(offset, offset + size, blocks, block_bytes)

    def _data(self, body: bytes, check: int) -> tuple[int, bytes]:
        download, block, data = self._block(body, check)
        at = download.offset + block * download.block_bytes
        if download.inflate is not None or block >= download.blocks or at >= download.limit:
            raise RefusedError(Code.INVALID)
        self._write(at, data)
        return 0, b""

    def _data_deflated(self, body: bytes, check: int) -> tuple[int, bytes]:
        download, block, data = self._block(body, check)
        if download.inflate is None or block >= download.blocks:
            raise RefusedError(Code.INVALID)
        if block == download.next_block - 1:
            return 0, b""  # the host lost our reply and says it again
        if block != download.next_block:
            raise RefusedError(Code.INVALID)
        room = download.limit - download.offset
        try:
            plain = download.inflate.decompress(data, room + 1)
        except zlib.error:
            raise RefusedError(Code.DEFLATE) from None
        if len(plain) > room:
            raise RefusedError(Code.DEFLATE)
        self._write(download.offset, plain)
        download.offset += len(plain)
        download.next_block += 1
        return 0, b""

    def _block(self, body: bytes, check: int) -> tuple[Download, int, bytes]:
        if len(body) < 16 or self._download is None:
            raise RefusedError(Code.INVALID)
        size, block, _, _ = struct.unpack_from("<IIII", body)
        data = body[16:]
        if size != len(data) or not 0 < size <= self._download.block_bytes:
            raise RefusedError(Code.INVALID)
        if check & 0xFF != checksum(data):
            raise RefusedError(Code.CHECKSUM)
        return self._download, block, data

    def _write(self, offset: int, data: bytes) -> None:
        if offset + len(data) > self._flash.size:
            raise RefusedError(Code.WRITE)
        self._flash.program(offset, data)

    def _end(self, body: bytes, _: int) -> tuple[int, bytes]:
        unpack("I", body)  # 0: reboot, 1: run; both leave the loader
        self._download = None
        self._leave = Leave(REBOOT_S, watchdog=False)
        return 0, b""

    def _md5(self, body: bytes, _: int) -> tuple[int, bytes]:
        offset, size, _, _ = unpack("IIII", body)
        self._reach(offset, size)
        return 0, self._flash.md5(offset, size).encode()

    def _read_slow(self, body: bytes, _: int) -> tuple[int, bytes]:
        offset, size = unpack("II", body)
        if size > SLOW_READ_BYTES:
            raise RefusedError(Code.READ_LENGTH)
        self._reach(offset, size)
        return 0, self._flash.read(offset, size).ljust(SLOW_READ_BYTES, b"\0")

    def _reach(self, offset: int, size: int) -> None:
        if not self._attached or offset + size > self._limit:
            raise RefusedError(Code.FAILED)


def unpack(words: str, body: bytes) -> tuple[int, ...]:
    """Little-endian numbers that must fill the body; RefusedError when they do not."""
    try:
        return struct.unpack(f"<{words}", body)
    except struct.error:
        raise RefusedError(Code.INVALID) from None
