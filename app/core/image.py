"""ESP32-S3 application images, written and read; and the firmware of the virtual board.

Format: Espressif, "Firmware Image Format" (esptool's documentation) and `esp_app_desc_t` (ESP-IDF).
24-byte header, segments, an XOR checksum that ends on a multiple of 16, SHA-256 of all before it.

An image for the virtual board carries no Xtensa code. Its second segment is `PARLEYHC`, the SHA-256
of the host's `parley_core` library, and that library; the virtual chip runs the core it has with
exactly this digest. The same digest stands where ESP-IDF puts the ELF's, so the build id of the
running firmware is proven the same way on both.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from operator import xor

from app.core import partitions
from app.core.bundle import CHIP, Bundle, FlashPart

CORE_MAGIC = b"PARLEYHC"
CORE_ADDRESS = 0x3C10_0000
DESCRIPTION_ADDRESS = 0x3C00_0020
"""Where the linker puts it: first bytes of the first flash-mapped segment."""

_HEADER = struct.Struct("<BBBBI BBBB HBHH 4s B")
_SEGMENT = struct.Struct("<II")
_DESCRIPTION = struct.Struct("<II8s32s32s16s16s32s32s80s")
_MAGIC = 0xE9
_DESCRIPTION_MAGIC = 0xABCD5432
_CHIP_ID = 9
_DIO = 2  # the ROM starts in DIO also where the app switches to QIO
_8_MB_80_MHZ = 0x3F
_NO_WP_PIN = 0xEE
_ANY_REVISION = 0xFFFF
_MOST_SEGMENTS = 16
_FLASH_BYTES = 8 << 20
_IRAM = 0x4037_8000


class ImageError(ValueError):
    """These bytes are no ESP32-S3 image, or a damaged one; the text says what."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that the loader puts or maps at `address`."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Image:
    """A whole, checked image. `size` is what it takes of the flash, digest included."""

    entry: int
    segments: tuple[Segment, ...]
    size: int


@dataclass(frozen=True, slots=True)
class AppDescription:
    """What an application image says of itself."""

    version: str
    project: str
    time: str
    date: str
    idf: str
    elf_sha256: bytes

    @property
    def build(self) -> str:
        """Build id as the `boot` record has it: 16 hex digits."""
        return self.elf_sha256.hex()[:16]


# ---- writing


def image(segments: Iterable[Segment], entry: int = _IRAM) -> bytes:
    """The image with these segments, each padded to whole words. ValueError: none, or too many."""
    padded = [(part.address, part.data + bytes(-len(part.data) % 4)) for part in segments]
    if not 0 < len(padded) <= _MOST_SEGMENTS:
        raise ValueError(f"{len(padded)} segments, 1 to {_MOST_SEGMENTS} fit")
    header = _HEADER.pack(
        *(_MAGIC, len(padded), _DIO, _8_MB_80_MHZ, entry),
        *(_NO_WP_PIN, 0, 0, 0),
        *(_CHIP_ID, 0, 0, _ANY_REVISION, b"", 1),
    )
    body = header + b"".join(_SEGMENT.pack(at, len(data)) + data for at, data in padded)
    body += bytes(15 - len(body) % 16)
    body += bytes([_checksum(data for _, data in padded)])
    return body + sha256(body).digest()


def app_image(
    version: str, idf: str, elf_sha256: bytes, extra_segments: Iterable[Segment] = ()
) -> bytes:
    """An application image: its description first, then `extra_segments`.

    ValueError when a text does not fit its 31 bytes, or the digest is not 32 bytes.
    """
    if len(elf_sha256) != 32 or any(len(text.encode()) > 31 for text in (version, idf)):
        raise ValueError("version or IDF version over 31 bytes, or a digest not of 32")
    description = _DESCRIPTION.pack(
        *(_DESCRIPTION_MAGIC, 0, b"", version.encode(), b"parley"),
        *(b"00:00:00", b"Jan  1 1980", idf.encode(), elf_sha256, b""),
    )
    return image([Segment(DESCRIPTION_ADDRESS, description), *extra_segments])


def _checksum(parts: Iterable[bytes]) -> int:
    # XOR of bytes is XOR of big integers: one pass in C instead of a loop per byte.
    folded = 0xEF
    for data in parts:
        for start in range(0, len(data), 4096):
            folded ^= _folded(data[start : start + 4096])
    return folded


def _folded(data: bytes) -> int:
    while len(data) > 64:
        half = -(-len(data) // 2)
        left, right = (int.from_bytes(part, "little") for part in (data[:half], data[half:]))
        data = (left ^ right).to_bytes(half, "little")
    return reduce(xor, data, 0)


# ---- reading


def read(data: bytes) -> Image:
    """The image at the start of `data`; what follows it (flash) is ignored. Raises ImageError."""
    if len(data) < _HEADER.size or data[0] != _MAGIC:
        raise ImageError("invalid header: no image begins here")
    _, count, _, _, entry, _, _, _, _, chip, *_, hashed = _HEADER.unpack_from(data)
    if chip != _CHIP_ID:
        raise ImageError(f"made for chip id {chip}, the ESP32-S3 is {_CHIP_ID}")
    if not 0 < count <= _MOST_SEGMENTS or hashed != 1:
        raise ImageError(f"{count} segments, or no digest at the end")
    segments: list[Segment] = []
    at = _HEADER.size
    for _ in range(count):
        if at + _SEGMENT.size > len(data):
            raise ImageError("the image is cut off")
        address, length = _SEGMENT.unpack_from(data, at)
        at += _SEGMENT.size
        segments.append(Segment(address, data[at : at + length]))
        at += length
    end = at + 16 - at % 16
    if end + 32 > len(data):
        raise ImageError("the image is cut off")
    if data[end - 1] != _checksum(segment.data for segment in segments):
        raise ImageError("the checksum is another one")
    if data[end : end + 32] != sha256(data[:end]).digest():
        raise ImageError("the SHA-256 is another one")
    return Image(entry, tuple(segments), end + 32)


def describe(data: bytes) -> AppDescription:
    """What the application image in `data` says of itself. Raises ImageError."""
    first = read(data).segments[0].data
    if len(first) < _DESCRIPTION.size:
        raise ImageError("the image has no description")
    magic, _, _, version, project, time, date, idf, digest, _ = _DESCRIPTION.unpack_from(first)
    if magic != _DESCRIPTION_MAGIC:
        raise ImageError("the image has no description")
    version, project, time, date, idf = (
        text.split(b"\0", 1)[0].decode(errors="replace")
        for text in (version, project, time, date, idf)
    )
    return AppDescription(version, project, time, date, idf, digest)


# ---- the virtual board's firmware


def virtual_app(core: bytes, version: str) -> bytes:
    """The application image that makes the virtual board run the library `core`."""
    digest = sha256(core).digest()
    segment = Segment(CORE_ADDRESS, CORE_MAGIC + digest + core)
    return app_image(version, "host", digest, [segment])


def virtual_bootloader() -> bytes:
    """A small valid image for address 0; the virtual chip only checks it."""
    return image([Segment(_IRAM, b"Parley's virtual board starts without this code.")])


def virtual_bundle(core: bytes, version: str, partitions_csv: str) -> Bundle:
    """The bundle for the virtual board. PartitionError: no fit `factory` or `cfg` in the table."""
    table = partitions.from_csv(partitions_csv)
    app = partitions.find(table, "factory")
    cfg = partitions.find(table, "cfg")
    firmware = virtual_app(core, version)
    if len(firmware) > app.size:
        raise partitions.PartitionError(f"{len(firmware)} bytes of firmware, {app.size} fit")
    return Bundle(
        name="parley-virtual",
        version=version,
        build=sha256(core).hexdigest()[:16],
        chip=CHIP,
        boards=("korvo2", "atoms3r"),
        virtual=True,
        flash_bytes=_FLASH_BYTES,
        parts=(
            FlashPart("bootloader", 0, virtual_bootloader()),
            FlashPart("partition-table", partitions.TABLE_OFFSET, partitions.to_table(table)),
            FlashPart("app", app.offset, firmware),
        ),
        cfg_offset=cfg.offset,
        cfg_bytes=cfg.size,
    )
