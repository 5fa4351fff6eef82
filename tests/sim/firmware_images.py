"""Flash contents for the tests of the virtual board, made here and nowhere else."""

from __future__ import annotations

import hashlib
import struct
from functools import reduce
from operator import xor

CORE_ADDRESS = 0x3C100000
ELF_SHA256 = bytes(range(32))


def image(*segments: tuple[int, bytes], hashed: bool = True, chip: int = 9) -> bytes:
    """An ESP32-S3 image: header, segments padded to words, checksum, SHA-256."""
    header = struct.pack("<BBBBI", 0xE9, len(segments), 2, 0x4F, 0x40374000)
    header += struct.pack("<B3sHBHH4sB", 0xEE, b"", chip, 0, 0, 0xFFFF, b"", hashed)
    body, checksum = header, 0xEF
    for address, data in segments:
        data += bytes(-len(data) % 4)
        body += struct.pack("<II", address, len(data)) + data
        checksum = reduce(xor, data, checksum)
    body += bytes(15 - len(body) % 16) + bytes([checksum])
    return body + hashlib.sha256(body).digest() if hashed else body


def description(version: str = "1.2.3", project: str = "parley") -> bytes:
    """esp_app_desc_t."""
    return struct.pack(
        "<IIII32s32s16s16s32s32s80s",
        0xABCD5432,
        0,
        0,
        0,
        version.encode(),
        project.encode(),
        b"12:00:00",
        b"Nov 22 2026",
        b"v5.5.1",
        ELF_SHA256,
        b"",
    )


def app(core: bytes, *, version: str = "1.2.3") -> bytes:
    carried = b"PARLEYHC" + hashlib.sha256(core).digest() + core
    return image((0x3C000020, description(version)), (CORE_ADDRESS, carried))


def bootloader() -> bytes:
    return image((0x3FCE2820, b"boot" * 100))


def partitions() -> bytes:
    rows = b"".join(
        struct.pack("<HBBII16sI", 0x50AA, kind, sub, offset, size, label, 0)
        for label, kind, sub, offset, size in (
            (b"nvs", 1, 2, 0x9000, 0x6000),
            (b"phy_init", 1, 1, 0xF000, 0x1000),
            (b"cfg", 1, 2, 0x10000, 0x6000),
            (b"factory", 0, 0, 0x20000, 0x400000),
        )
    )
    rows += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(rows).digest()
    return rows.ljust(0xC00, b"\xff")


def parts(core: bytes, **about: str) -> list[tuple[int, bytes]]:
    """What one writes: (offset, bytes)."""
    return [(0, bootloader()), (0x8000, partitions()), (0x20000, app(core, **about))]


def flash(core: bytes, size: int = 16 << 20) -> bytearray:
    """A whole flash that boots."""
    cells = bytearray(b"\xff") * size
    for offset, data in parts(core):
        cells[offset : offset + len(data)] = data
    return cells
