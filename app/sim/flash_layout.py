"""The partition table at 0x8000, read as ESP-IDF's second-stage bootloader reads it."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

TABLE_AT = 0x8000
TABLE_BYTES = 0xC00
ENTRY_BYTES = 32
APP, DATA = 0x00, 0x01
FACTORY = 0x00
NVS = 0x02


class TableError(ValueError):
    """No partition table that a bootloader would take; the text is what it prints."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One row: where it is, in bytes from the start of the flash."""

    label: str
    kind: int
    subkind: int
    offset: int
    size: int
    flags: int


def read_partitions(table: bytes, flash_bytes: int) -> tuple[Partition, ...]:
    """Rows up to the MD5 row, which must be right; raises TableError."""
    rows: list[Partition] = []
    for at in range(0, min(len(table), TABLE_BYTES) - ENTRY_BYTES + 1, ENTRY_BYTES):
        row = bytes(table[at : at + ENTRY_BYTES])
        if row[:2] == b"\xaa\x50":
            rows.append(_row(row, flash_bytes, len(rows)))
        elif row[:2] == b"\xeb\xeb":
            if row[16:] != hashlib.md5(table[:at], usedforsecurity=False).digest():
                raise TableError("Partition table MD5 checksum failed")
            return tuple(rows)
        else:
            magic = int.from_bytes(row[:2], "little")
            if row == b"\xff" * ENTRY_BYTES and rows:
                raise TableError("No MD5 found in partition table")
            raise TableError(f"partition {len(rows)} invalid magic number {magic:#x}")
    raise TableError("partition table has not been terminated")


def _row(row: bytes, flash_bytes: int, number: int) -> Partition:
    _, kind, subkind, offset, size, label, flags = struct.unpack("<HBBII16sI", row)
    if offset + size > flash_bytes:
        raise TableError(
            f"partition {number} invalid - offset {offset:#x} size {size:#x} "
            f"exceeds flash chip size {flash_bytes:#x}"
        )
    text = label.split(b"\0")[0].decode("ascii", "replace")
    return Partition(text, kind, subkind, offset, size, flags)
