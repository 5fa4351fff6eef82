"""Firmware images in flash, checked as the ROM and the second-stage bootloader check them.

Our own convention on top: a segment at 0x3C100000 names the host library that stands for the
compiled firmware. The board looks for a file with that digest; bytes out of the flash never run.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAGIC = 0xE9
CHIP_ID = 9
HEADER_BYTES = 24
SEGMENT_HEADER_BYTES = 8
SEGMENTS_MAX = 16
DESCRIPTION_MAGIC = 0xABCD_5432
CORE_ADDRESS = 0x3C10_0000
CORE_MAGIC = b"PARLEYHC"


class ImageError(ValueError):
    """Not an image that would be started; the text is what the chip prints."""


@dataclass(frozen=True, slots=True)
class Segment:
    """`size` bytes for `address`, from `at` in the image."""

    address: int
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """A checked image: its first `size` bytes of `flash`, checksum and digest included."""

    flash: memoryview
    entry: int
    segments: tuple[Segment, ...]
    size: int

    def data(self, segment: Segment) -> memoryview:
        return self.flash[segment.at : segment.at + segment.size]


@dataclass(frozen=True, slots=True)
class Description:
    """esp_app_desc_t: what the image says about itself."""

    version: str
    project: str
    time: str
    date: str
    idf: str
    elf_sha256: str


def read_image(flash: memoryview, *, digest_needed: bool) -> Image:
    """The image at the start of `flash`. Raises ImageError.

    The ROM looks at the checksum only; the bootloader also wants the appended SHA-256.
    """
    if len(flash) < HEADER_BYTES or flash[0] != MAGIC:
        raise ImageError("invalid magic byte (nothing flashed here?)")
    _, count, _, _, entry = struct.unpack_from("<BBBBI", flash)
    (chip,) = struct.unpack_from("<H", flash, 12)
    if chip != CHIP_ID:
        raise ImageError(f"mismatch chip ID, expected {CHIP_ID}, found {chip}")
    if not 0 < count <= SEGMENTS_MAX:
        raise ImageError(f"segment count {count} exceeds max {SEGMENTS_MAX}")
    segments = _segments(flash, count)
    checksum_at = (segments[-1].at + segments[-1].size) | 15
    if checksum_at >= len(flash):
        raise ImageError("image does not fit its place")
    found = _checksum(flash, segments)
    if found != flash[checksum_at]:
        raise ImageError(f"Checksum failed. Calculated {found:#x} read {flash[checksum_at]:#x}")
    size = checksum_at + 1
    if digest_needed:
        size = _digest_end(flash, size)
    return Image(flash, entry, segments, size)


def _segments(flash: memoryview, count: int) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    at = HEADER_BYTES
    for number in range(count):
        if at + SEGMENT_HEADER_BYTES > len(flash):
            raise ImageError(f"Segment {number} does not fit its place")
        address, size = struct.unpack_from("<II", flash, at)
        at += SEGMENT_HEADER_BYTES
        if size % 4 or at + size > len(flash):
            raise ImageError(f"Segment {number} has an invalid length {size:#x}")
        segments.append(Segment(address, at, size))
        at += size
    return tuple(segments)


def _checksum(flash: memoryview, segments: Iterable[Segment]) -> int:
    total = 0xEF
    for segment in segments:
        data = np.frombuffer(flash[segment.at : segment.at + segment.size], np.uint8)
        total ^= int(np.bitwise_xor.reduce(data, initial=0))
    return total


def _digest_end(flash: memoryview, size: int) -> int:
    if not flash[23]:
        raise ImageError("no SHA-256 appended")
    if flash[size : size + 32] != hashlib.sha256(flash[:size]).digest():
        raise ImageError("Image hash failed - image is corrupt")
    return size + 32


def read_description(image: Image) -> Description:
    """The description at the start of the first segment. Raises ImageError when it is not one."""
    data = bytes(image.data(image.segments[0])[:256])
    if len(data) < 256 or int.from_bytes(data[:4], "little") != DESCRIPTION_MAGIC:
        raise ImageError("image has no application description")

    def text(at: int, size: int) -> str:
        return data[at : at + size].split(b"\0")[0].decode("utf-8", "replace")

    return Description(
        version=text(16, 32),
        project=text(48, 32),
        time=text(80, 16),
        date=text(96, 16),
        idf=text(112, 32),
        elf_sha256=data[144:176].hex(),
    )


def core_digest(image: Image) -> bytes | None:
    """SHA-256 of the host library that this image stands for, or None: made for a real chip."""
    for segment in image.segments:
        data = image.data(segment)
        if segment.address == CORE_ADDRESS and data[:8] == CORE_MAGIC and segment.size >= 40:
            return bytes(data[8:40])
    return None


def find_core(digest: bytes, files: Iterable[Path]) -> Path | None:
    """The file whose bytes have this SHA-256; files that are missing do not match."""
    for path in files:
        if path.is_file() and hashlib.sha256(path.read_bytes()).digest() == digest:
            return path
    return None
