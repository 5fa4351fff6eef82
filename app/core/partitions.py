"""ESP-IDF's partition table: the CSV people write ↔ the bytes at 0x8000.

Format: ESP-IDF, API guides, "Partition Tables". 32-byte entries (magic 0xAA 0x50, type, subtype,
offset, size, 16-byte name, flags), then an MD5 over them, then 0xFF up to 0xC00 bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import md5
from itertools import pairwise

TABLE_OFFSET = 0x8000
TABLE_BYTES = 0xC00

_SECTOR = 0x1000
_APP_ALIGNMENT = 0x10000
_ENTRY = struct.Struct("<2sBBLL16sL")
_MAGIC = b"\xaa\x50"
_MD5_MAGIC = b"\xeb\xeb" + b"\xff" * 14
_MOST_ENTRIES = TABLE_BYTES // _ENTRY.size - 1
_TYPES = {"app": 0, "data": 1}
_SUBTYPES = {
    0: {"factory": 0x00, "test": 0x20} | {f"ota_{n}": 0x10 + n for n in range(16)},
    1: {
        "ota": 0x00,
        "phy": 0x01,
        "nvs": 0x02,
        "coredump": 0x03,
        "nvs_keys": 0x04,
        "efuse": 0x05,
        "undefined": 0x06,
        "esphttpd": 0x80,
        "fat": 0x81,
        "spiffs": 0x82,
        "littlefs": 0x83,
    },
}
_FLAGS = {"encrypted": 1, "readonly": 2}


class PartitionError(ValueError):
    """This is no partition table, or one no chip would take; the text says where."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One area of the flash. `type`, `subtype` and `flags` are the table's numbers."""

    name: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size


def find(partitions: Iterable[Partition], name: str) -> Partition:
    """The partition `name`. Raises PartitionError."""
    for partition in partitions:
        if partition.name == name:
            return partition
    raise PartitionError(f"there is no partition {name!r}")


# ---- text


def from_csv(text: str) -> tuple[Partition, ...]:
    """The partitions of a CSV, empty offsets filled as ESP-IDF does. Raises PartitionError."""
    partitions: list[Partition] = []
    end = TABLE_OFFSET + _SECTOR
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.split("#", 1)[0].strip()
        if not stripped:
            continue
        try:
            partition = _row(stripped, end)
        except PartitionError as why:
            raise PartitionError(f"line {number}: {why}") from None
        partitions.append(partition)
        end = partition.end
    _check(partitions)
    return tuple(partitions)


def to_csv(partitions: Iterable[Partition]) -> str:
    """CSV text that `from_csv` reads back to the same partitions."""
    lines = ["# Name, Type, SubType, Offset, Size, Flags"]
    for partition in partitions:
        kind = _name_of(partition.type, _TYPES)
        subtype = _name_of(partition.subtype, _SUBTYPES.get(partition.type, {}))
        flags = ":".join(name for name, bit in _FLAGS.items() if partition.flags & bit)
        place = f"{partition.offset:#x}, {partition.size:#x}"
        lines.append(f"{partition.name}, {kind}, {subtype}, {place}, {flags}".rstrip())
    return "\n".join(lines) + "\n"


def _row(line: str, free: int) -> Partition:
    cells = [cell.strip() for cell in line.split(",")]
    if not 5 <= len(cells) <= 6:
        raise PartitionError(f"{len(cells)} columns, 5 or 6 expected")
    name, kind, subtype, offset, size, flags = [*cells, ""][:6]
    kind_number = _number(kind, _TYPES)
    alignment = _APP_ALIGNMENT if kind_number == 0 else _SECTOR
    return Partition(
        name=name,
        type=kind_number,
        subtype=_number(subtype, _SUBTYPES.get(kind_number, {})),
        offset=_number(offset) if offset else -(-free // alignment) * alignment,
        size=_number(size),
        flags=sum(_number(flag.strip(), _FLAGS) for flag in flags.split(":") if flag.strip()),
    )


def _number(text: str, names: dict[str, int] | None = None) -> int:
    if names and text.lower() in names:
        return names[text.lower()]
    found = re.fullmatch(r"(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})([kKmM]?)", text)
    if found is None:
        raise PartitionError(f"{text!r} is not a number or a known name")
    return int(found[1], 0) << {"": 0, "k": 10, "m": 20}[found[2].lower()]


def _name_of(number: int, names: dict[str, int]) -> str:
    return next((name for name, value in names.items() if value == number), f"{number:#x}")


# ---- bytes


def to_table(partitions: Iterable[Partition]) -> bytes:
    """The 0xC00 bytes for flash address 0x8000. Raises PartitionError."""
    partitions = tuple(partitions)
    _check(partitions)
    entries = b"".join(
        _ENTRY.pack(_MAGIC, p.type, p.subtype, p.offset, p.size, p.name.encode(), p.flags)
        for p in partitions
    )
    # MD5 is what the format has; it guards against damage, not against people.
    sealed = entries + _MD5_MAGIC + md5(entries, usedforsecurity=False).digest()
    return sealed.ljust(TABLE_BYTES, b"\xff")


def from_table(table: bytes) -> tuple[Partition, ...]:
    """The partitions of a table as flashed; it must be whole. Raises PartitionError."""
    partitions: list[Partition] = []
    for start in range(0, min(len(table), TABLE_BYTES) - _ENTRY.size + 1, _ENTRY.size):
        entry = table[start : start + _ENTRY.size]
        if entry.startswith(_MD5_MAGIC):
            if entry[16:] != md5(table[:start], usedforsecurity=False).digest():
                raise PartitionError("the MD5 of the table is another one")
            _check(partitions)
            return tuple(partitions)
        magic, kind, subtype, offset, size, name, flags = _ENTRY.unpack(entry)
        if magic != _MAGIC:
            raise PartitionError(f"no entry at {start:#x}")
        try:
            text = name.rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise PartitionError(f"the name at {start:#x} is no text") from None
        partitions.append(Partition(text, kind, subtype, offset, size, flags))
    raise PartitionError("the table has no end")


def _check(partitions: Iterable[Partition]) -> None:
    ordered = sorted(partitions, key=lambda partition: partition.offset)
    if not 0 < len(ordered) <= _MOST_ENTRIES:
        raise PartitionError(f"{len(ordered)} partitions, 1 to {_MOST_ENTRIES} expected")
    names = [partition.name for partition in ordered]
    for partition in ordered:
        where = f"partition {partition.name!r}"
        alignment = _APP_ALIGNMENT if partition.type == 0 else _SECTOR
        if not 0 < len(partition.name.encode()) <= 16 or names.count(partition.name) > 1:
            raise PartitionError(f"{where}: the name is empty, too long or there twice")
        if not 0 <= partition.type <= 0xFE or not 0 <= partition.subtype <= 0xFE:
            raise PartitionError(f"{where}: type or subtype is out of range")
        if partition.offset < TABLE_OFFSET + _SECTOR:
            raise PartitionError(f"{where}: {partition.offset:#x} is inside the partition table")
        if partition.offset % alignment or partition.size % _SECTOR or not partition.size:
            raise PartitionError(f"{where}: not aligned to {alignment:#x}, or of no whole sectors")
        if partition.end > 1 << 32:
            raise PartitionError(f"{where}: ends beyond any flash")
    for first, second in pairwise(ordered):
        if first.end > second.offset:
            raise PartitionError(f"{first.name!r} and {second.name!r} overlap")
