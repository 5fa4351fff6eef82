"""Symbol tables: what was packed is found again; damage is refused, whatever it is."""

from __future__ import annotations

import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.symbols import Function, Place, Row, SymbolError, SymbolTable, pack

quick = settings(max_examples=60, deadline=None, database=None, derandomize=True)

FUNCTIONS = [
    Function(0x42000010, 0x20, "app_main"),
    Function(0x42000040, 0, "vector"),
    Function(0x42000100, 8, "ein_ö"),
    Function(0x42000100, 4, "alias"),
]
ROWS = [
    Row(0x42000010, "firmware/main.c", 10),
    Row(0x42000014, "firmware/main.c", 7),
    Row(0x42000018, "firmware/main.c", 7),
    Row(0x42000030, "", 0),
    Row(0x42000100, "esp-idf/x.c", 100_000),
]
TABLE = pack(FUNCTIONS, ROWS)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (0x4200000F, None),
        (0x42000010, Place("app_main", 0, "firmware/main.c", 10)),
        (0x42000013, Place("app_main", 3, "firmware/main.c", 10)),
        (0x4200001A, Place("app_main", 10, "firmware/main.c", 7)),
        (0x42000030, None),
        (0x42000050, Place("vector", 16, "", 0)),
        (0x42000105, Place("ein_ö", 5, "esp-idf/x.c", 100_000)),
        (0x42000108, None),
        (0xFFFFFFFF, None),
    ],
)
def test_an_address_is_found(address: int, place: Place | None) -> None:
    assert SymbolTable(TABLE).place(address) == place


def test_order_does_not_matter_and_nothing_is_allowed() -> None:
    assert pack(FUNCTIONS[::-1], ROWS[::-1]) == TABLE
    assert SymbolTable(pack([], [])).place(0) is None


@quick
@given(
    st.lists(st.integers(0, 1 << 32), unique=True, max_size=30),
    st.lists(st.integers(0, 1 << 20), max_size=30),
)
def test_every_row_is_found_again(addresses: list[int], lines: list[int]) -> None:
    addresses.sort()
    functions = [Function(address, 0, f"f{address}") for address in addresses]
    rows = [Row(a, f"{line % 3}.c", line) for a, line in zip(addresses, lines, strict=False)]
    table = SymbolTable(pack(functions, rows))
    for row in rows:
        place = table.place(row.address)
        assert place is not None
        assert place.function == f"f{row.address}"
        assert (place.file, place.line) == ((row.file, row.line) if row.line else ("", 0))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PSYM\x02" + TABLE[5:],
        TABLE[:-1],
        b"PSYM\x01" + zlib.compress(b"\x05abc"),
        b"PSYM\x01" + zlib.compress(b"\xff" * 40),
        b"PSYM\x01" + zlib.compress(b"\x01\xff\0\0\0"),
        b"PSYM\x01" + zlib.compress(b"\0\x01\x01\x01\x09\0"),
        b"PSYM\x01" + zlib.compress(bytes(65 << 20)),
    ],
)
def test_damage_is_refused(data: bytes) -> None:
    with pytest.raises(SymbolError):
        SymbolTable(data)


@quick
@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_refused(body: bytes) -> None:
    with suppress(SymbolError):
        SymbolTable(b"PSYM\x01" + zlib.compress(body)).place(1)
