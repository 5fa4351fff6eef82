"""Images and partition tables as the bootloader reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import firmware_images as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sim.boot import Ready, Stuck, examine
from app.sim.flash_layout import TableError, read_partitions
from app.sim.image import ImageError, core_digest, find_core, read_description, read_image
from app.sim.spi_flash import AddressError, SpiFlash

CORE = b"\x7fELF the core" * 50
APP = made.app(CORE)


def read(data: bytes):
    return read_image(memoryview(data), digest_needed=True)


def test_an_image_tells_who_it_is_and_which_core_it_names():
    image = read(APP + b"\xff" * 100)
    assert image.size == len(APP)
    about = read_description(image)
    assert (about.version, about.project, about.idf) == ("1.2.3", "parley", "v5.5.1")
    assert about.elf_sha256 == made.ELF_SHA256.hex()
    assert core_digest(image) == hashlib.sha256(CORE).digest()


@given(st.integers(0, len(APP) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(at, flip):
    damaged = bytearray(APP)
    damaged[at] ^= flip
    with pytest.raises(ImageError):
        read(bytes(damaged))


@given(st.integers(0, len(APP) - 1))
def test_any_cut_is_noticed(length):
    with pytest.raises(ImageError):
        read(APP[:length])


@given(st.binary(max_size=200))
def test_noise_is_no_image(noise):
    with pytest.raises(ImageError):
        read(b"\xe9" + noise)


def test_another_chip_is_named():
    with pytest.raises(ImageError, match="expected 9, found 5"):
        read(made.image((0x3C000020, made.description()), chip=5))


def test_an_image_without_description_or_core():
    image = read(made.image((0x3C000020, bytes(256))))
    assert core_digest(image) is None
    with pytest.raises(ImageError, match="description"):
        read_description(image)


def test_the_core_is_found_by_its_digest(tmp_path):
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "core").write_bytes(CORE)
    files = [tmp_path / "missing", tmp_path / "other", tmp_path / "core"]
    assert find_core(hashlib.sha256(CORE).digest(), files) == tmp_path / "core"
    assert find_core(bytes(32), files) is None


def test_partitions_are_read():
    rows = read_partitions(made.partitions(), 8 << 20)
    assert [(row.label, row.offset, row.size) for row in rows][2:] == [
        ("cfg", 0x10000, 0x6000),
        ("factory", 0x20000, 0x400000),
    ]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"\xff" * 0xC00, "partition 0 invalid magic number 0xffff"),
        (made.partitions()[:64] + b"\xff" * 64, "No MD5"),
        (made.partitions()[:64], "not been terminated"),
        (made.partitions()[:40] + b"\x01" + made.partitions()[41:], "MD5"),
    ],
)
def test_a_damaged_table_is_refused(table, words):
    with pytest.raises(TableError, match=words):
        read_partitions(table, 16 << 20)


def test_a_partition_outside_the_flash_is_refused():
    with pytest.raises(TableError, match="exceeds flash chip size"):
        read_partitions(made.partitions(), 2 << 20)


@given(st.binary(max_size=256))
def test_noise_is_no_table(noise):
    with pytest.raises(TableError):
        read_partitions(noise, 16 << 20)


def booted(cells: bytearray, *cores: Path) -> Ready | Stuck:
    return examine(SpiFlash(cells), cores, "0x1 (POWERON)")


def test_boot_finds_core_and_settings(tmp_path):
    (tmp_path / "core").write_bytes(CORE)
    found = booted(made.flash(CORE), tmp_path / "core")
    assert isinstance(found, Ready)
    assert found.core == tmp_path / "core"
    assert found.config is not None
    assert found.config.offset == 0x10000
    assert "App version:      1.2.3" in found.text


def test_boot_without_the_core_names_its_digest_and_falls_silent():
    found = booted(made.flash(CORE))
    assert isinstance(found, Stuck)
    assert hashlib.sha256(CORE).hexdigest() in found.text
    assert not found.again


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0, "invalid header: 0x"),
        (40, "Checksum failed"),
        (0x8000, "Failed to verify partition table"),
        (0x20000 + 200, "Factory app partition is not bootable"),
    ],
)
def test_boot_complains_about_what_is_damaged(at, words):
    cells = made.flash(CORE)
    cells[at] ^= 0x5A
    found = booted(cells)
    assert isinstance(found, Stuck)
    assert words in found.text
    assert words in found.again


def test_flash_erases_sectors_and_programs_only_zeros():
    flash = SpiFlash.blank(1 << 16)
    flash.program(0x1001, b"\x0f")
    flash.program(0x1001, b"\xf3")
    flash.program(0x2000, b"\x00")
    assert flash.read(0x1000, 3) == b"\xff\x03\xff"
    flash.erase(0x1FFF, 1)
    assert flash.read(0x1000, 3) == b"\xff\xff\xff"
    assert flash.read(0x2000, 1) == b"\x00"


@given(st.integers(-9, 1 << 17), st.integers(-9, 1 << 17))
def test_flash_has_ends(offset, size):
    flash = SpiFlash(bytearray(b"\xff" * (1 << 16)))
    if offset < 0 or size < 0 or offset + size > flash.size:
        with pytest.raises(AddressError):
            flash.erase(offset, size)
    else:
        flash.erase(offset, size)


def test_no_flash_has_an_odd_size():
    with pytest.raises(ValueError, match="no flash"):
        SpiFlash(bytearray(5000))
