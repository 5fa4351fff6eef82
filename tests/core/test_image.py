"""Images and the virtual bundle; esptool is the judge of the format."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from esptool.bin_image import LoadFirmwareImage
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import bundle as bundles
from app.core import image as images
from app.core.image import ImageError, Segment
from app.core.partitions import PartitionError, from_csv

quick = settings(max_examples=40, deadline=None, database=None, derandomize=True)
CSV = (Path(__file__).parents[2] / "firmware" / "partitions.csv").read_text(encoding="utf-8")
CORE = b"\x7fELF" + bytes(range(256)) * 40 + b"odd"
APP = images.virtual_app(CORE, "0.1.0")


def test_esptool_accepts_the_app():
    read = LoadFirmwareImage("esp32s3", APP)
    assert read.checksum == read.calculate_checksum()
    assert read.stored_digest == read.calc_digest == APP[-32:]
    assert read.chip_id == 9
    assert (read.flash_mode, read.flash_size_freq) == (2, 0x3F)
    description, core = read.segments
    assert (description.addr, core.addr) == (0x3C000020, 0x3C100000)
    assert core.data[:40] == b"PARLEYHC" + sha256(CORE).digest()
    assert core.data[40:].rstrip(b"\0") == CORE


def test_esptool_accepts_the_bootloader():
    read = LoadFirmwareImage("esp32s3", images.virtual_bootloader())
    assert read.stored_digest == read.calc_digest


@quick
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=16))
def test_what_is_written_is_read(parts):
    segments = [Segment(0x40378000 + 4096 * at, data) for at, data in enumerate(parts)]
    data = images.image(segments, entry=0x40378010)
    assert len(data) % 16 == 0
    judge = LoadFirmwareImage("esp32s3", data)
    assert judge.checksum == judge.calculate_checksum()
    read = images.read(data + b"\xff" * 100)
    assert (read.size, read.entry) == (len(data), 0x40378010)
    assert [s.data.rstrip(b"\0") for s in read.segments] == [p.rstrip(b"\0") for p in parts]


@quick
@given(st.integers(0, len(APP) - 1), st.integers(1, 255))
def test_any_damaged_byte_is_refused(at, flip):
    with pytest.raises(ImageError):
        images.read(APP[:at] + bytes([APP[at] ^ flip]) + APP[at + 1 :])


@quick
@given(st.binary(max_size=100), st.integers(0, len(APP) - 1))
def test_noise_and_cuts_are_refused(noise, cut):
    for data in (noise, b"\xe9" + noise, APP[:24] + noise, APP[:cut]):
        with pytest.raises(ImageError):
            images.read(data)


@pytest.mark.parametrize("count", [0, 17])
def test_a_number_of_segments_that_cannot_be(count):
    with pytest.raises(ImageError, match=f"{count} segments"):
        images.read(APP[:1] + bytes([count]) + APP[2:])


def test_the_checksum_has_its_own_word():
    body = bytearray(APP)
    body[400] ^= 1
    body[-32:] = sha256(body[:-32]).digest()
    with pytest.raises(ImageError, match="checksum"):
        images.read(bytes(body))
    other = bytearray(APP)
    other[12] = 0
    with pytest.raises(ImageError, match="chip id 0"):
        images.read(bytes(other))


def test_description():
    read = images.describe(APP)
    assert (read.version, read.project, read.idf) == ("0.1.0", "parley", "host")
    assert read.elf_sha256 == sha256(CORE).digest()
    assert read.build == sha256(CORE).hexdigest()[:16]
    at = APP.index((0xABCD5432).to_bytes(4, "little"))
    assert APP[at + 16 : at + 22] == b"0.1.0\0"
    assert APP[at + 112 : at + 117] == b"host\0"
    assert APP[at + 144 : at + 176] == sha256(CORE).digest()


@pytest.mark.parametrize("first", [b"short", b"\0" * 256])
def test_an_image_without_description(first):
    with pytest.raises(ImageError, match="description"):
        images.describe(images.image([Segment(0x3C000020, first)]))


def test_what_cannot_be_written():
    with pytest.raises(ValueError, match="segments"):
        images.image([])
    with pytest.raises(ValueError, match="segments"):
        images.image([Segment(0, b"x")] * 17)
    with pytest.raises(ValueError, match="31 bytes"):
        images.app_image("v" * 32, "host", bytes(32))
    with pytest.raises(ValueError, match="digest"):
        images.app_image("v", "host", bytes(31))


def test_the_virtual_bundle():
    bundle = images.virtual_bundle(CORE, "0.1.0", CSV)
    assert bundles.read(bundles.pack(bundle), "x") == bundle
    assert bundle.virtual
    places = [(part.name, part.offset) for part in bundle.parts]
    assert places == [("bootloader", 0), ("partition-table", 0x8000), ("app", 0x20000)]
    assert (bundle.cfg_offset, bundle.cfg_bytes) == (0x10000, 0x6000)
    assert bundle.build == images.describe(bundle.parts[2].data).build


def test_a_core_that_does_not_fit():
    small = CSV.replace("0x400000", "0x1000")
    assert len(from_csv(small)) == 5
    with pytest.raises(PartitionError, match="4096 fit"):
        images.virtual_bundle(CORE, "0.1.0", small)
