"""Bundles: the same bytes every time, any damage refused and named, bounds."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from hashlib import sha256
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import bundle as bundles
from app.core.bundle import Bundle, FlashPart, pack, read
from app.core.faults import BundleDamaged

quick = settings(max_examples=60, deadline=None, database=None, derandomize=True)

GOOD = Bundle(
    name="parley-korvo2",
    version="0.1.0",
    build="0123456789abcdef",
    chip="esp32s3",
    boards=("korvo2", "atoms3r"),
    virtual=False,
    flash_bytes=8 << 20,
    parts=(
        FlashPart("bootloader", 0x0, b"\xe9boot" * 20),
        FlashPart("partition-table", 0x8000, b"\xaa\x50" * 32),
        FlashPart("app", 0x20000, bytes(range(256))),
    ),
    cfg_offset=0x10000,
    cfg_bytes=0x6000,
    symbols=b"symbols of the ELF",
)
FILE = pack(GOOD)


def sealed(files: dict[str, bytes]) -> bytes:
    """A bundle made by hand, with a right seal."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = b"parley-sha256:" + b"0" * 64
    body = buffer.getvalue()[:-64]
    return body + sha256(body).hexdigest().encode()


def contents() -> tuple[dict[str, bytes], dict[str, object]]:
    with zipfile.ZipFile(BytesIO(FILE)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return files, json.loads(files["manifest.json"])


def test_round_trip():
    assert read(FILE, "x.parley") == GOOD
    bare = replace(GOOD, symbols=b"", virtual=True)
    assert read(pack(bare), "x.parley") == bare


def test_the_same_firmware_gives_the_same_file():
    assert pack(GOOD) == FILE
    with zipfile.ZipFile(BytesIO(FILE)) as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.comment.startswith(b"parley-sha256:")


@quick
@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_any_damaged_byte_is_refused(at, flip):
    damaged = FILE[:at] + bytes([FILE[at] ^ flip]) + FILE[at + 1 :]
    with pytest.raises(BundleDamaged) as told:
        read(damaged, "demo.parley")
    assert "demo.parley" in str(told.value)
    assert sha256(damaged[:-64]).hexdigest() in told.value.detail or (
        sha256(damaged).hexdigest() in told.value.detail
    )


def test_every_byte_once():
    for at in range(len(FILE)):
        with pytest.raises(BundleDamaged):
            read(FILE[:at] + bytes([FILE[at] ^ 1 << at % 8]) + FILE[at + 1 :], "x")


def test_both_digests_and_the_part_are_named():
    at = FILE.index(bytes(range(256))) + 100
    damaged = FILE[:at] + b"\0" + FILE[at + 1 :]
    with pytest.raises(BundleDamaged, match=r"parts/app\.bin") as told:
        read(damaged, "demo.parley")
    assert FILE[-64:].decode() in told.value.detail
    assert sha256(damaged[:-64]).hexdigest() in told.value.detail


@pytest.mark.parametrize("cut", [0, 1, 64, 100, len(FILE) - 1])
def test_a_cut_file_is_refused(cut):
    with pytest.raises(BundleDamaged, match="not a firmware file"):
        read(FILE[:cut], "x")


def test_added_bytes_are_refused():
    with pytest.raises(BundleDamaged):
        read(FILE + b"\0", "x")
    with pytest.raises(BundleDamaged):
        read(b"\0" + FILE, "x")


def test_a_huge_file_is_refused(monkeypatch):
    monkeypatch.setattr(bundles, "MOST_BYTES", 1000)
    with pytest.raises(BundleDamaged) as told:
        read(FILE, "x")
    assert "more than 1000" in told.value.detail


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    files, _ = contents()
    monkeypatch.setattr(bundles, "MOST_BYTES", 1 << 20)
    bomb = sealed({**files, "symbols": b"\0" * (2 << 20)})
    assert len(bomb) < 10_000

    def must_not_unpack(*_):
        raise AssertionError

    monkeypatch.setattr(zipfile.ZipFile, "read", must_not_unpack)
    with pytest.raises(BundleDamaged) as told:
        read(bomb, "x")
    assert "unpacks to more" in told.value.detail


def test_a_bomb_with_a_wrong_seal_is_not_unpacked_for_a_diagnosis(monkeypatch):
    monkeypatch.setattr(bundles, "MOST_BYTES", 10_000)
    bomb = bytearray(sealed({"symbols": b"\0" * 20_000}))
    bomb[-1] ^= 1
    with pytest.raises(BundleDamaged, match="symbols"):
        read(bytes(bomb), "x")


def test_a_sealed_file_that_is_no_zip():
    body = b"hello parley-sha256:"
    with pytest.raises(BundleDamaged) as told:
        read(body + sha256(body).hexdigest().encode(), "x")
    assert "not readable" in told.value.detail
    with pytest.raises(BundleDamaged, match="is damaged"):
        read(body + b"0" * 64, "x")


def test_a_file_twice_in_the_zip():
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
        archive.comment = b"parley-sha256:" + b"0" * 64
    body = buffer.getvalue()[:-64]
    with pytest.raises(BundleDamaged) as told:
        read(body + sha256(body).hexdigest().encode(), "x")
    assert "twice" in told.value.detail


def test_a_part_that_is_not_what_the_manifest_says():
    files, _ = contents()
    files["parts/app.bin"] = b"something else"
    with pytest.raises(BundleDamaged, match=r"parts/app\.bin") as told:
        read(sealed(files), "x")
    assert sha256(b"something else").hexdigest() in told.value.detail


def test_a_newer_form():
    files, manifest = contents()
    files["manifest.json"] = json.dumps(manifest | {"schema": 2}).encode()
    with pytest.raises(BundleDamaged, match="does not know"):
        read(sealed(files), "x")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "1"},
        {"schema": True},
        {"name": None},
        {"virtual": 0},
        {"boards": "korvo2"},
        {"boards": [1]},
        {"boards": []},
        {"parts": {}},
        {"parts": [7]},
        {"parts": []},
        {"cfg": None},
        {"cfg": {"offset": 0x10000, "bytes": 100}},
        {"cfg": {"offset": 0x10000, "bytes": 0}},
        {"cfg": {"offset": 0x10000, "bytes": 1 << 40}},
        {"cfg": {"offset": 0x8000, "bytes": 0x6000}},
        {"chip": "esp32"},
        {"build": "0123"},
        {"version": ""},
        {"flash_bytes": 0x20000},
    ],
    ids=str,
)
def test_a_manifest_that_makes_no_sense(change):
    files, manifest = contents()
    files["manifest.json"] = json.dumps(manifest | change).encode()
    with pytest.raises(BundleDamaged, match="cannot be used"):
        read(sealed(files), "x")


@pytest.mark.parametrize("manifest", [b"[]", b"{", b"\xff", b"{}"])
def test_a_manifest_that_is_none(manifest):
    with pytest.raises(BundleDamaged, match="cannot be used"):
        read(sealed({"manifest.json": manifest}), "x")
    with pytest.raises(BundleDamaged, match="cannot be used"):
        read(sealed({"other": manifest}), "x")


@pytest.mark.parametrize(
    "part",
    [
        FlashPart("app2", 0x20000, b"x"),
        FlashPart("app", 0x40000, b"x"),
        FlashPart("../x", 0x40000, b"x"),
        FlashPart("late", 8 << 20, b"x"),
        FlashPart("odd", 0x40010, b"x"),
        FlashPart("before", -0x1000, b"x"),
        FlashPart("empty", 0x40000, b""),
        FlashPart("cfg", 0x40000, b"x"),
    ],
    ids=lambda part: part.name,
)
def test_parts_that_cannot_be_flashed(part):
    with pytest.raises(ValueError, match=r"part"):
        pack(replace(GOOD, parts=(*GOOD.parts, part)))
