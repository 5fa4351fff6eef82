"""What the two loaders of an ESP32-S3 have in common: the one in its ROM, and the stub in its RAM.

Theory of operation. The host sends SLIP frames, each a command: direction 0, opcode, length,
checksum, body. Every well-formed command gets exactly one reply with the same opcode, a 32-bit
value, and data that ends with the status (SYNC gets eight; the stub's RUN_USER_CODE gets none).
Three laws:

1. Nothing that arrives raises. A frame that is no command is dropped, a command that is wrong is
   refused with the loader's own code.
2. A loader has no clock and no port. Leaving it is a value (`Leave`) that the board acts upon.
3. Code that is loaded never runs; see `app.sim.ram`.

Source of formats: Espressif's "Serial Protocol" chapter of the esptool documentation.
"""

from __future__ import annotations

import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np

from app.sim.ram import Ram
from app.sim.registers import Registers
from app.sim.slip import escape
from app.sim.spi_flash import AddressError, SpiFlash

SYNC_BODY = b"\x07\x07\x12\x20" + 32 * b"\x55"
CHIP_ID = 9
BLOCK_LIMIT_BYTES = 0x4000
WATCHDOG_S = 0.05


class Code(Enum):
    """Why a command is refused, and the numbers that the ROM and the stub have for it."""

    INVALID = 5, 0xC0
    UNKNOWN = 5, 0xC3
    NOT_BEGUN = 5, 0xC6
    FAILED = 6, 0xC4
    CHECKSUM = 7, 0xC1
    WRITE = 8, 0xC4
    READ_LENGTH = 10, 0xC9
    DEFLATE = 11, 0xC7

    def __init__(self, rom: int, stub: int) -> None:
        self.rom = rom
        self.stub = stub


class Op(IntEnum):
    """Commands; those from ERASE_FLASH on are the stub's only."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
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
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    RUN_USER_CODE = 0xD3


@dataclass(frozen=True, slots=True)
class Leave:
    """The loader ends after so many seconds, and the chip starts from flash.

    A watchdog lets it answer until then.
    """

    after_s: float
    watchdog: bool


Answer = bytes | Leave
Command = Callable[[bytes, int], tuple[int, bytes]]
"""Body and checksum in, value and data out; may raise RefusedError or AddressError."""


class RefusedError(Exception):
    """A command that is answered with an error; never leaves the loaders."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


def checksum(data: bytes) -> int:
    """XOR of all bytes, seeded with 0xEF."""
    return 0xEF ^ int(np.bitwise_xor.reduce(np.frombuffer(data, np.uint8), initial=0))


def unpack(words: str, body: bytes) -> tuple[int, ...]:
    """Little-endian numbers that must fill the body; RefusedError when they do not."""
    try:
        return struct.unpack(f"<{words}", body)
    except struct.error:
        raise RefusedError(Code.INVALID) from None


def sent_block(body: bytes, check: int, limit: int) -> tuple[int, bytes]:
    """Number and data of a block of at most `limit` bytes; RefusedError when it is damaged."""
    if len(body) < 16:
        raise RefusedError(Code.INVALID)
    size, number, _, _ = struct.unpack_from("<IIII", body)
    data = body[16:]
    if size != len(data) or not 0 < size <= limit:
        raise RefusedError(Code.INVALID)
    if check & 0xFF != checksum(data):
        raise RefusedError(Code.CHECKSUM)
    return number, data


@dataclass(slots=True)
class Download:
    """A begun write to flash: `blocks` of `block_bytes` from `offset`, not beyond `limit`."""

    offset: int
    limit: int
    blocks: int
    block_bytes: int
    inflate: zlib._Decompress | None = None
    next_block: int = 0


@dataclass(slots=True)
class Upload:
    """A begun segment of RAM at `address`: `left` bytes are still to come."""

    address: int
    left: int
    block_bytes: int
    next_block: int = 0


class Loader(ABC):
    """One dialect of the protocol. `reach` is how much of the flash it believes in."""

    def __init__(self, flash: SpiFlash, registers: Registers, reach: int) -> None:
        self._flash = flash
        self._registers = registers
        self._reach = reach
        self._ram = Ram()
        self._download: Download | None = None
        self._upload: Upload | None = None
        self._then: list[Answer] = []
        self.baud = 115_200
        self._commands: dict[int, Command] = {
            Op.SYNC: self._sync,
            Op.READ_REG: self._read_reg,
            Op.WRITE_REG: self._write_reg,
            Op.GET_SECURITY_INFO: self._security,
            Op.SPI_SET_PARAMS: self._set_params,
            Op.FLASH_BEGIN: self._begin,
            Op.FLASH_DEFL_BEGIN: self._begin_deflated,
            Op.FLASH_DATA: self._data,
            Op.FLASH_DEFL_DATA: self._data_deflated,
            Op.CHANGE_BAUDRATE: self._change_baud,
        }

    def answer(self, frame: bytes) -> Iterator[Answer]:
        """The reply to a frame from the host, and what the loader does after it."""
        if len(frame) < 8 or frame[0] != 0:
            return
        _, op, length, check = struct.unpack_from("<BBHI", frame)
        body = frame[8:]
        value, data, error = 0, b"", None
        try:
            if length != len(body):
                raise RefusedError(Code.INVALID)
            if op not in self._commands:
                raise RefusedError(Code.UNKNOWN)
            value, data = self._commands[op](body, check)
        except RefusedError as why:
            error = why.code
        except AddressError:
            error = Code.FAILED
        data += self._status(error)
        reply = escape(struct.pack("<BBHI", 1, op, len(data), value) + data)
        if op == Op.SYNC and error is None:
            reply *= 8
        if op != Op.RUN_USER_CODE or error is not None:
            yield reply
        then, self._then = self._then, []
        yield from then

    @abstractmethod
    def _status(self, error: Code | None) -> bytes:
        """How the end of a reply says it; None is success."""

    @abstractmethod
    def _sync(self, body: bytes, _: int) -> tuple[int, bytes]: ...

    @abstractmethod
    def _start_stub(self) -> None:
        """A stub has been loaded and started."""

    # who is there

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
            self._then.append(Leave(WATCHDOG_S, watchdog=True))
            self._registers.watchdog_fires = False
        return 0, b""

    def _change_baud(self, body: bytes, _: int) -> tuple[int, bytes]:
        self.baud, _old = unpack("II", body)
        return 0, b""

    # flash

    def _set_params(self, body: bytes, _: int) -> tuple[int, bytes]:
        _id, total, _block, _sector, _page, _status = unpack("IIIIII", body)
        self._reach = min(total, self._flash.size)
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
            self._check_reach(offset, size)
            self._flash.erase(offset, size)
        return Download(offset, offset + size, blocks, block_bytes)

    def _data(self, body: bytes, check: int) -> tuple[int, bytes]:
        download, block, data = self._block(body, check)
        at = download.offset + block * download.block_bytes
        if download.inflate is not None or block >= download.blocks or at >= download.limit:
            raise RefusedError(Code.INVALID)
        self._write(at, data[: download.limit - at])  # the last block is padded
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
        if self._download is None:
            raise RefusedError(Code.NOT_BEGUN)
        return self._download, *sent_block(body, check, self._download.block_bytes)

    def _write(self, offset: int, data: bytes) -> None:
        if offset + len(data) > self._flash.size:
            raise RefusedError(Code.WRITE)
        self._flash.program(offset, data)

    def _check_reach(self, offset: int, size: int) -> None:
        if offset + size > self._reach:
            raise RefusedError(Code.FAILED)

    # RAM

    def _take_programs(self) -> None:
        """From now on the RAM can be written."""
        self._commands |= {
            Op.MEM_BEGIN: self._mem_begin,
            Op.MEM_DATA: self._mem_data,
            Op.MEM_END: self._mem_end,
        }

    def _mem_begin(self, body: bytes, _: int) -> tuple[int, bytes]:
        size, _blocks, block_bytes, address = unpack("IIII", body)
        self._upload = None
        if not 0 < block_bytes <= BLOCK_LIMIT_BYTES:
            raise RefusedError(Code.INVALID)
        if not self._ram.begin(address, size):
            raise RefusedError(Code.FAILED)
        self._upload = Upload(address, size, block_bytes)
        return 0, b""

    def _mem_data(self, body: bytes, check: int) -> tuple[int, bytes]:
        upload = self._upload
        if upload is None:
            raise RefusedError(Code.NOT_BEGUN)
        block, data = sent_block(body, check, upload.block_bytes)
        if block != upload.next_block or len(data) > upload.left:
            raise RefusedError(Code.INVALID)
        self._ram.append(upload.address, data)
        upload.left -= len(data)
        upload.next_block += 1
        return 0, b""

    def _mem_end(self, body: bytes, _: int) -> tuple[int, bytes]:
        stay, entry = unpack("II", body)
        self._upload = None
        if not stay:
            if not self._ram.is_stub(entry):
                raise RefusedError(Code.FAILED)
            self._start_stub()
        return 0, b""
