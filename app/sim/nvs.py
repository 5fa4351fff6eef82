"""Non-volatile storage of ESP-IDF: read from flash, written back to flash in the same format.

A partition is pages of 4 KiB: header, a map of 2 bits an entry, 126 entries of 32 bytes. Writing
rewrites the partition compactly, every live entry of every namespace included: a chip appends
instead, but what it finds after a restart is the same, and there is no wear to level here.

Format: ESP-IDF Programming Guide, "Non-Volatile Storage Library".
"""

from __future__ import annotations

import errno
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from app.sim.spi_flash import SECTOR_BYTES, SpiFlash

ENTRY_BYTES = 32
ENTRIES = 126
MAP_AT, ENTRIES_AT = 32, 64
ACTIVE, FULL, FREEING = 0xFFFF_FFFE, 0xFFFF_FFFC, 0xFFFF_FFF8
WRITTEN = 0b10
VERSION_2 = 0xFE
NUMBERS = {
    "u8": (0x01, "B"),
    "i8": (0x11, "b"),
    "u16": (0x02, "H"),
    "i16": (0x12, "h"),
    "u32": (0x04, "I"),
    "i32": (0x14, "i"),
    "u64": (0x08, "Q"),
    "i64": (0x18, "q"),
}
STRING, BLOB_V1, BLOB_DATA, BLOB_INDEX = 0x21, 0x41, 0x42, 0x48
TYPES = {code: name for name, (code, _) in NUMBERS.items()} | {STRING: "string"}
KEY_LIMIT_BYTES = 15
STRING_LIMIT_BYTES = 4000
NAMESPACE_LIMIT = 254
NO_CHUNK = 0xFF


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored thing: its head of 32 bytes, and what its `span - 1` further entries hold."""

    raw: bytes

    @property
    def namespace(self) -> int:
        return self.raw[0]

    @property
    def type_code(self) -> int:
        return self.raw[1]

    @property
    def span(self) -> int:
        return self.raw[2]

    @property
    def chunk(self) -> int:
        return self.raw[3]

    @property
    def key(self) -> str:
        return self.raw[8:24].split(b"\0")[0].decode("utf-8", "replace")

    @property
    def identity(self) -> tuple[int, str, int]:
        """Two entries with the same identity: the later one counts. Chunks of a blob differ."""
        is_chunk = self.type_code == BLOB_DATA
        return self.namespace, self.key, self.chunk if is_chunk else -1

    def value(self) -> int | str:
        """The number or the text; TypeError for a blob."""
        name = TYPES.get(self.type_code)
        if name is None:
            raise TypeError(f"{self.key} is a blob")
        if name == "string":
            (size,) = struct.unpack_from("<H", self.raw, 24)
            return self.raw[32 : 32 + size].rstrip(b"\0").decode("utf-8", "replace")
        number: int = struct.unpack_from(f"<{NUMBERS[name][1]}", self.raw, 24)[0]
        return number


def crc32(data: bytes | memoryview) -> int:
    """NVS starts from all ones."""
    return zlib.crc32(data, 0xFFFF_FFFF)


def read_entries(partition: bytes | memoryview) -> Iterator[Entry]:
    """Whole entries with right checksums, oldest first. Damaged pages and entries are left out."""
    pages: list[tuple[int, memoryview]] = []
    for at in range(0, len(partition) - SECTOR_BYTES + 1, SECTOR_BYTES):
        page = memoryview(partition)[at : at + SECTOR_BYTES]
        state, sequence = struct.unpack_from("<II", page)
        (checksum,) = struct.unpack_from("<I", page, 28)
        if state in (ACTIVE, FULL, FREEING) and checksum == crc32(page[4:28]):
            pages.append((sequence, page))
    for _, page in sorted(pages, key=lambda pair: pair[0]):
        yield from _page_entries(page)


def _page_entries(page: memoryview) -> Iterator[Entry]:
    states = int.from_bytes(page[MAP_AT:ENTRIES_AT], "little")
    number = 0
    while number < ENTRIES:
        span = 1
        if states >> number * 2 & 0b11 == WRITTEN:
            at = ENTRIES_AT + number * ENTRY_BYTES
            entry = _entry(bytes(page[at : at + max(1, page[at + 2]) * ENTRY_BYTES]), number)
            if entry is not None:
                yield entry
                span = entry.span
        number += span


def _entry(raw: bytes, number: int) -> Entry | None:
    (checksum,) = struct.unpack_from("<I", raw, 4)
    if checksum != crc32(raw[:4] + raw[8:32]):
        return None
    entry = Entry(raw)
    if entry.span == 0 or number + entry.span > ENTRIES:
        return None
    if entry.type_code in (STRING, BLOB_V1, BLOB_DATA):
        size, _, data_checksum = struct.unpack_from("<HHI", raw, 24)
        payload = raw[32 : 32 + size]
        if len(payload) != size or crc32(payload) != data_checksum:
            return None
    return entry


def number_entry(namespace: int, key: str, type_name: str, value: int) -> Entry:
    """ValueError when the number does not fit its type."""
    code, letter = NUMBERS[type_name]
    try:
        data = struct.pack(f"<{letter}", value).ljust(8, b"\xff")
    except struct.error as why:
        raise ValueError(f"{value} is no {type_name}") from why
    return Entry(_head(namespace, code, 1, key, data))


def string_entry(namespace: int, key: str, text: str) -> Entry:
    """ValueError when the text is too long for NVS or has a NUL inside."""
    payload = text.encode() + b"\0"
    if len(payload) > STRING_LIMIT_BYTES or b"\0" in payload[:-1]:
        raise ValueError(f"a text of {len(payload)} bytes cannot be stored")
    extra = -(-len(payload) // ENTRY_BYTES)
    data = struct.pack("<HHI", len(payload), 0xFFFF, crc32(payload))
    head = _head(namespace, STRING, 1 + extra, key, data)
    return Entry(head + payload.ljust(extra * ENTRY_BYTES, b"\xff"))


def _head(namespace: int, code: int, span: int, key: str, data: bytes) -> bytes:
    name = key.encode()
    if not 0 < len(name) <= KEY_LIMIT_BYTES:
        raise ValueError(f"a key has 1 to {KEY_LIMIT_BYTES} bytes, not {len(name)}")
    start = bytes([namespace, code, span, NO_CHUNK])
    rest = name.ljust(16, b"\0") + data
    return start + struct.pack("<I", crc32(start + rest)) + rest


def write_pages(entries: list[Entry], size: int) -> bytes:
    """A partition of `size` bytes with these entries; one page stays empty, as NVS needs it.

    Raises OSError (ENOSPC) when they do not fit.
    """
    pages: list[list[Entry]] = [[]]
    used = 0
    for entry in entries:
        if used + entry.span > ENTRIES:
            pages.append([])
            used = 0
        pages[-1].append(entry)
        used += entry.span
    if len(pages) * SECTOR_BYTES > size - SECTOR_BYTES:
        raise OSError(errno.ENOSPC, "no room left in NVS")
    images = [
        _page(content, number, ACTIVE if number == len(pages) - 1 else FULL)
        for number, content in enumerate(pages)
    ]
    return b"".join(images).ljust(size, b"\xff")


def _page(content: list[Entry], sequence: int, state: int) -> bytes:
    body = b"".join(entry.raw for entry in content)
    written = len(body) // ENTRY_BYTES
    states = (1 << 256) - 1
    for number in range(written):
        states ^= 1 << number * 2  # 11 becomes 10
    checked = struct.pack("<IB19s", sequence, VERSION_2, b"\xff" * 19)
    header = struct.pack("<I", state) + checked + struct.pack("<I", crc32(checked))
    return (header + states.to_bytes(32, "little") + body).ljust(SECTOR_BYTES, b"\xff")


class NvsStore:
    """One namespace of one partition; satisfies `chip.Store`. Writes are in flash on return."""

    def __init__(self, flash: SpiFlash, offset: int, size: int, namespace: str) -> None:
        self._flash = flash
        self._offset = offset
        self._size = size
        self._name = namespace
        self._live = {entry.identity: entry for entry in read_entries(flash.view(offset, size))}
        names = {key: entry.value() for (ns, key, _), entry in self._live.items() if ns == 0}
        self._index = names.get(namespace)

    def get(self, key: str, type_name: str) -> int | str:
        entry = self._live.get((int(self._index), key, -1)) if self._index is not None else None
        if entry is None:
            raise KeyError(key)
        if TYPES.get(entry.type_code) != type_name:
            raise TypeError(f"{key} is {TYPES.get(entry.type_code, 'a blob')}, not {type_name}")
        return entry.value()

    def set(self, key: str, type_name: str, value: int | str) -> None:
        """Raises ValueError for what NVS cannot hold, OSError (ENOSPC) when it is full."""
        live = dict(self._live)
        index = self._index
        if index is None:
            index = self._free_index()
            name = number_entry(0, self._name, "u8", index)
            live[name.identity] = name
        if type_name == "string":
            entry = string_entry(int(index), key, str(value))
        elif isinstance(value, int) and type_name in NUMBERS:
            entry = number_entry(int(index), key, type_name, value)
        else:
            raise ValueError(f"{key}: no {type_name}")
        for identity in [i for i in live if i[:2] == entry.identity[:2]]:
            del live[identity]  # a blob's chunks too
        live[entry.identity] = entry
        image = write_pages(list(live.values()), self._size)
        self._live, self._index = live, index
        self._flash.erase(self._offset, self._size)
        self._flash.program(self._offset, image)

    def _free_index(self) -> int:
        taken = {entry.value() for (ns, _, _), entry in self._live.items() if ns == 0}
        for index in range(1, NAMESPACE_LIMIT + 1):
            if index not in taken:
                return index
        raise OSError(errno.ENOSPC, "no namespace left in NVS")
