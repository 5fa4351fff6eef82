"""Partition tables: the project's own, the format by hand, errors, both directions."""

from __future__ import annotations

import struct
from hashlib import md5
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.partitions import (
    Partition,
    PartitionError,
    find,
    from_csv,
    from_table,
    to_csv,
    to_table,
)

quick = settings(max_examples=40, deadline=None, database=None, derandomize=True)
CSV = (Path(__file__).parents[2] / "firmware" / "partitions.csv").read_text(encoding="utf-8")


def test_the_project_table():
    assert from_csv(CSV) == (
        Partition("nvs", 1, 2, 0x9000, 0x6000),
        Partition("phy_init", 1, 1, 0xF000, 0x1000),
        Partition("cfg", 1, 2, 0x10000, 0x6000),
        Partition("coredump", 1, 3, 0x16000, 0xA000),
        Partition("factory", 0, 0, 0x20000, 0x400000),
    )


def test_bytes_by_hand():
    entry = b"\xaa\x50\x01\x02" + struct.pack("<II", 0x9000, 0x6000) + b"nvs".ljust(16, b"\0")
    entry += struct.pack("<I", 2)
    table = to_table([Partition("nvs", 1, 2, 0x9000, 0x6000, 2)])
    assert table[:32] == entry
    assert table[32:64] == b"\xeb\xeb" + b"\xff" * 14 + md5(entry).digest()
    assert table[64:] == b"\xff" * (0xC00 - 64)


def test_round_trips():
    partitions = from_csv(CSV)
    assert from_table(to_table(partitions)) == partitions
    assert from_csv(to_csv(partitions)) == partitions
    assert from_table(to_table(partitions) + b"\xff" * 5000) == partitions


def test_empty_offsets_numbers_and_flags():
    partitions = from_csv(
        "a, data, nvs, , 24K,\nb, app, ota_1,, 1M, encrypted\n"
        "c, data, 0x99, , 4096, encrypted: readonly\nd, 0x40, 7, , 0x1000\n"
    )
    assert [(p.offset, p.size, p.flags) for p in partitions] == [
        (0x9000, 0x6000, 0),
        (0x10000, 0x100000, 1),
        (0x110000, 0x1000, 3),
        (0x111000, 0x1000, 0),
    ]
    assert from_csv(to_csv(partitions)) == partitions


def test_find():
    assert find(from_csv(CSV), "cfg").end == 0x16000
    with pytest.raises(PartitionError, match="no partition 'ota'"):
        find(from_csv(CSV), "ota")


@pytest.mark.parametrize(
    ("csv", "told"),
    [
        ("", "0 partitions"),
        ("# only words", "0 partitions"),
        ("a, data, nvs, 0x9000", "line 1: 4 columns"),
        ("\na, data, nvs, 0x9000, lots", "line 2: 'lots'"),
        ("a, date, nvs, 0x9000, 4K", "'date'"),
        ("a, data, nvs, 0x9000, 4K, pretty", "'pretty'"),
        ("a, data, nvs, 0x9000, 0", "no whole sectors"),
        ("a, data, nvs, 0x9001, 4K", "not aligned"),
        ("a, app, factory, 0x11000, 4K", "not aligned to 0x10000"),
        ("a, data, nvs, 0x8000, 4K", "inside the partition table"),
        ("a, data, nvs, 0xFFFFF000, 8K", "beyond"),
        ("a, 0xff, 1, 0x9000, 4K", "out of range"),
        (f"{'n' * 17}, data, nvs, 0x9000, 4K", "too long"),
        (", data, nvs, 0x9000, 4K", "empty"),
        ("a, data, nvs, 0x9000, 4K\na, data, nvs, 0xA000, 4K", "twice"),
        ("a, data, nvs, 0x9000, 8K\nb, data, nvs, 0xA000, 4K", "'a' and 'b' overlap"),
        ("\n".join(f"p{n}, data, nvs,, 4K" for n in range(96)), "96 partitions"),
    ],
)
def test_errors_say_where(csv, told):
    with pytest.raises(PartitionError, match=told):
        from_csv(csv)


def test_damaged_tables():
    table = to_table(from_csv(CSV))
    for damaged, told in (
        (b"", "no end"),
        (table[:64], "no end"),
        (b"\xff" * 0xC00, "no entry at 0x0"),
        (table[:5] + b"\x11" + table[6:], "MD5"),
        (table[:12] + b"\xff" + table[13:], "no text"),
    ):
        with pytest.raises(PartitionError, match=told):
            from_table(damaged)


def test_most_partitions_fit():
    table = to_table(Partition(f"p{n}", 1, 2, 0x9000 + n * 4096, 4096) for n in range(95))
    assert len(from_table(table)) == 95


@quick
@given(st.binary(max_size=200) | st.text(max_size=60))
def test_noise_never_raises_another_error(noise):
    with pytest.raises(PartitionError):
        from_table(noise) if isinstance(noise, bytes) else from_csv(noise + "\nbad")
