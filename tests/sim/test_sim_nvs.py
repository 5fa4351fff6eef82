"""NVS against Espressif's generator, and against damage."""

from __future__ import annotations

import errno
import struct
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from esp_idf_nvs_partition_gen.nvs_partition_gen import Page, nvs_close, nvs_open, write_entry
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sim.nvs import NvsStore, number_entry, read_entries, string_entry, write_pages
from app.sim.spi_flash import SpiFlash

SIZE = 0x6000


def generated(*entries: tuple[str, str, str], size: int = SIZE) -> bytes:
    made = BytesIO()
    obj = nvs_open(made, size - 0x1000, Page.VERSION2, False, None)
    write_entry(obj, "other", "namespace", "", "")
    write_entry(obj, "volume", "data", "u8", "9")
    write_entry(obj, "thing", "data", "hex2bin", "00ff" * 300)
    write_entry(obj, "parley", "namespace", "", "")
    for key, encoding, value in entries:
        write_entry(obj, key, "data", encoding, value)
    nvs_close(obj)
    return made.getvalue()


def store(image: bytes, namespace: str = "parley") -> NvsStore:
    return NvsStore(flash_of(image), 0x10000, len(image), namespace)


def flash_of(image: bytes) -> SpiFlash:
    flash = SpiFlash.blank(1 << 17)
    flash.program(0x10000, image)
    return flash


def test_the_generators_image_reads_back():
    kept = store(
        generated(
            ("volume", "u8", "200"),
            ("gain", "i8", "-3"),
            ("port", "u16", "65535"),
            ("rgb", "u32", "4294967295"),
            ("name", "string", "Café pässword 日本"),
            ("empty", "string", ""),
            ("long", "string", "x" * 1999),
        )
    )
    assert kept.get("volume", "u8") == 200
    assert kept.get("gain", "i8") == -3
    assert kept.get("port", "u16") == 65535
    assert kept.get("rgb", "u32") == 4294967295
    assert kept.get("name", "string") == "Café pässword 日本"
    assert kept.get("empty", "string") == ""
    assert kept.get("long", "string") == "x" * 1999


def test_missing_keys_and_wrong_types():
    kept = store(generated(("volume", "u8", "200")))
    with pytest.raises(KeyError):
        kept.get("nothing", "u8")
    with pytest.raises(TypeError):
        kept.get("volume", "u16")
    with pytest.raises(TypeError):
        store(generated(), "other").get("thing", "string")
    with pytest.raises(KeyError):
        store(b"\xff" * SIZE).get("volume", "u8")


def test_several_pages_are_read_in_the_order_of_their_numbers():
    image = generated(*((f"k{n}", "string", f"{n}" * 900) for n in range(9)))
    pages = [image[at : at + 4096] for at in range(0, SIZE, 4096)]
    kept = store(b"".join(reversed(pages)))
    assert [kept.get(f"k{n}", "string") for n in range(9)] == [f"{n}" * 900 for n in range(9)]


def test_what_is_written_is_in_flash_and_the_rest_stays():
    flash = flash_of(generated(("volume", "u8", "200"), ("name", "string", "old")))
    kept = NvsStore(flash, 0x10000, SIZE, "parley")
    kept.set("name", "string", "new ü")
    kept.set("fresh", "u32", 7)
    kept.set("volume", "u16", 300)  # another type replaces it
    again = NvsStore(flash, 0x10000, SIZE, "parley")
    assert again.get("name", "string") == "new ü"
    assert again.get("fresh", "u32") == 7
    assert again.get("volume", "u16") == 300
    other = NvsStore(flash, 0x10000, SIZE, "other")
    assert other.get("volume", "u8") == 9
    blobs = [e for e in read_entries(flash.view(0x10000, SIZE)) if e.key == "thing"]
    assert {hex(entry.type_code) for entry in blobs} == {"0x42", "0x48"}
    assert flash.read(0xFFFF, 1) == flash.read(0x10000 + SIZE, 1) == b"\xff"


def test_a_blank_partition_gets_its_namespace():
    flash = flash_of(b"\xff" * SIZE)
    NvsStore(flash, 0x10000, SIZE, "parley").set("a", "u8", 1)
    NvsStore(flash, 0x10000, SIZE, "second").set("a", "u8", 2)
    assert NvsStore(flash, 0x10000, SIZE, "parley").get("a", "u8") == 1
    assert NvsStore(flash, 0x10000, SIZE, "second").get("a", "u8") == 2


def test_our_first_page_is_the_generators_byte_for_byte():
    made = BytesIO()
    obj = nvs_open(made, SIZE - 0x1000, Page.VERSION2, False, None)
    write_entry(obj, "parley", "namespace", "", "")
    write_entry(obj, "gain", "data", "i8", "-3")
    write_entry(obj, "rgb", "data", "u32", "77")
    write_entry(obj, "name", "data", "string", "Café")
    nvs_close(obj)
    flash = flash_of(b"\xff" * SIZE)
    ours = NvsStore(flash, 0x10000, SIZE, "parley")
    ours.set("gain", "i8", -3)
    ours.set("rgb", "u32", 77)
    ours.set("name", "string", "Café")
    assert flash.read(0x10000, SIZE) == made.getvalue()


KEYS = st.text("abcdefgh_", min_size=1, max_size=15)
VALUES = st.one_of(
    st.tuples(st.just("u8"), st.integers(0, 255)),
    st.tuples(st.just("i8"), st.integers(-128, 127)),
    st.tuples(st.just("u16"), st.integers(0, 65535)),
    st.tuples(st.just("u32"), st.integers(0, 2**32 - 1)),
    st.tuples(
        st.just("string"),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300),
    ),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=12))
def test_the_last_value_of_every_key_is_kept(writes):
    flash = flash_of(generated())
    kept = NvsStore(flash, 0x10000, SIZE, "parley")
    for key, (type_name, value) in writes:
        kept.set(key, type_name, value)
    again = NvsStore(flash, 0x10000, SIZE, "parley")
    for key, (type_name, value) in dict(writes).items():
        assert again.get(key, type_name) == value
    check_pages(flash.read(0x10000, SIZE))


def check_pages(image: bytes) -> None:
    """Every page header and every written entry has its right checksum; one page is empty."""
    pages = [image[at : at + 4096] for at in range(0, len(image), 4096)]
    assert any(page == b"\xff" * 4096 for page in pages)
    for page in pages:
        if page[:4] == b"\xff" * 4:
            continue
        assert zlib.crc32(page[4:28], 0xFFFFFFFF) == struct.unpack_from("<I", page, 28)[0]
        number = 0
        while number < 126 and page[32 + number // 4] >> number % 4 * 2 & 3 == 2:
            raw = page[64 + number * 32 : 96 + number * 32]
            crc = zlib.crc32(raw[:4] + raw[8:], 0xFFFFFFFF)
            assert crc == struct.unpack_from("<I", raw, 4)[0]
            number += raw[2]


def test_old_and_erased_entries_do_not_count():
    name = number_entry(0, "parley", "u8", 1)
    old, new = string_entry(1, "key", "old"), string_entry(1, "key", "new")
    gone = number_entry(1, "gone", "u8", 1)
    image = bytearray(write_pages([name, old, gone, new], SIZE))
    image[32] &= ~(0b11 << 6)  # the map of entry 3, `gone`: name, old (2 entries), gone
    kept = store(bytes(image))
    assert kept.get("key", "string") == "new"
    with pytest.raises(KeyError):
        kept.get("gone", "u8")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4096 * 2 - 1), st.integers(1, 255))
def test_damage_loses_entries_and_never_lies(at, flip):
    image = bytearray(generated(("volume", "u8", "200"), ("name", "string", "right")))
    image[at] ^= flip
    kept = store(bytes(image))
    for key, type_name, value in (("volume", "u8", 200), ("name", "string", "right")):
        with suppress(KeyError):
            assert kept.get(key, type_name) == value


@given(st.binary(max_size=5000))
def test_noise_holds_nothing(noise):
    assert list(read_entries(noise)) == []


def test_what_cannot_be_stored_is_refused_and_changes_nothing():
    flash = flash_of(generated(("volume", "u8", "1")))
    before = flash.read(0, flash.size)
    kept = NvsStore(flash, 0x10000, SIZE, "parley")
    for key, type_name, value in (
        ("sixteen_letters_", "u8", 1),
        ("", "u8", 1),
        ("volume", "u8", 256),
        ("volume", "float", 1),
        ("volume", "u8", "text"),
        ("text", "string", "x" * 4000),
        ("text", "string", "a\0b"),
    ):
        with pytest.raises(ValueError, match=r"key|u8|float|stored"):
            kept.set(key, type_name, value)
    assert flash.read(0, flash.size) == before
    for number in range(5):
        if number < 4:
            kept.set(f"big{number}", "string", "x" * 3900)
            continue
        with pytest.raises(OSError, match="no room") as full:
            kept.set("big", "string", "x" * 3900)
        assert full.value.errno == errno.ENOSPC
    assert kept.get("big3", "string") == "x" * 3900
