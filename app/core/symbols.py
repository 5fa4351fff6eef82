"""A firmware's code addresses → function, file and line, small enough to travel with every bundle.

`PSYM`, a version byte (1), then zlib of three runs, each after the number of its items:
texts (NUL-terminated, sorted, each once), functions (address step, size, index of the name) and
rows (address step, index of the file, zigzag step of the line). Numbers are LEB128. A row holds
until the next one; line 0 says that nothing is known from there on.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

_MAGIC = b"PSYM\x01"
_MOST_BYTES = 64 << 20
"""Unpacked; some ten times what the firmware needs, and an end for a hostile file."""


class SymbolError(ValueError):
    """These bytes are no symbol table; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Function:
    """Code from `address` on, `size` bytes; 0: up to the next function."""

    address: int
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """From `address` on the code comes from `line` of `file`; line 0: from nobody knows where."""

    address: int
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address lies. `offset`: bytes into the function; `line` 0: not known."""

    function: str
    offset: int
    file: str
    line: int


def pack(functions: Iterable[Function], rows: Iterable[Row]) -> bytes:
    """The table's bytes, the same for the same symbols in any order."""
    ordered = sorted(functions, key=lambda f: (f.address, -f.size, f.name))
    kept = list(_changes(sorted(rows, key=lambda r: (r.address, r.line > 0, r.file, r.line))))
    texts = sorted({f.name for f in ordered} | {r.file for r in kept})
    index = {text: number for number, text in enumerate(texts)}
    out = bytearray(_number(len(texts)))
    for text in texts:
        out += text.encode(errors="replace").replace(b"\0", b"?") + b"\0"
    out += _number(len(ordered))
    last = 0
    for function in ordered:
        out += _number(function.address - last) + _number(function.size)
        out += _number(index[function.name])
        last = function.address
    out += _number(len(kept))
    last = line = 0
    for row in kept:
        step = row.line - line
        out += _number(row.address - last) + _number(index[row.file])
        out += _number(step << 1 if step >= 0 else (-step << 1) - 1)
        last, line = row.address, row.line
    return _MAGIC + zlib.compress(bytes(out), 9)


def _changes(rows: Iterable[Row]) -> Iterator[Row]:
    """Of several rows for one address the last, of equal neighbours the first."""
    told = ("", 0)
    for _, same in groupby(rows, key=lambda row: row.address):
        *_, row = same
        if (row.file, row.line) != told:
            yield row
            told = (row.file, row.line)


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class SymbolTable:
    """A table as packed. Raises SymbolError when it is none."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(_MAGIC):
            raise SymbolError("no symbol table, or one of another version")
        unpacker = zlib.decompressobj()
        try:
            body = unpacker.decompress(data[len(_MAGIC) :], _MOST_BYTES)
        except zlib.error as why:
            raise SymbolError(str(why)) from None
        if not unpacker.eof:
            raise SymbolError("cut off, or far too large")
        try:
            self._read(body)
        except (IndexError, UnicodeDecodeError) as why:
            raise SymbolError(f"damaged: {why!r}") from None

    def _read(self, body: bytes) -> None:
        count, at = _read_number(body, 0)
        texts: list[str] = []
        for _ in range(count):
            end = body.find(b"\0", at)
            if end < 0:
                raise IndexError("a text has no end")
            texts.append(body[at:end].decode())
            at = end + 1
        count, at = _read_number(body, at)
        self._functions: list[Function] = []
        address = 0
        for _ in range(count):
            step, at = _read_number(body, at)
            size, at = _read_number(body, at)
            name, at = _read_number(body, at)
            address += step
            self._functions.append(Function(address, size, texts[name]))
        count, at = _read_number(body, at)
        self._rows: list[Row] = []
        address = line = 0
        for _ in range(count):
            step, at = _read_number(body, at)
            file, at = _read_number(body, at)
            change, at = _read_number(body, at)
            address += step
            line += -(change + 1 >> 1) if change & 1 else change >> 1
            self._rows.append(Row(address, texts[file], line))
        self._starts = [function.address for function in self._functions]
        self._steps = [row.address for row in self._rows]

    def place(self, address: int) -> Place | None:
        """Where `address` lies; None when it is in no function."""
        at = bisect_right(self._starts, address) - 1
        if at < 0:
            return None
        function = self._functions[at]
        # Of several names for one address the longest stands first, and its end is what counts.
        while at > 0 and self._functions[at - 1].address == function.address:
            at -= 1
            function = self._functions[at]
        if function.size and address >= function.address + function.size:
            return None
        row = bisect_right(self._steps, address) - 1
        known = row >= 0 and self._rows[row].line > 0
        return Place(
            function.name,
            address - function.address,
            self._rows[row].file if known else "",
            self._rows[row].line if known else 0,
        )


def _read_number(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError("a number has no end")
