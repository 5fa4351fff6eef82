"""A firmware bundle: everything that is flashed, in one sealed zip, read and packed in memory.

| in the zip | what |
|---|---|
| `manifest.json` | `schema` (1), `name`, `version`, `build` (16 hex digits of the ELF's SHA-256), `chip`, `boards`, `virtual`, `flash_bytes`, `cfg` {`offset`, `bytes`}, `parts` [{`name`, `file`, `offset`, `bytes`, `sha256`}], `symbols` {`file`, `bytes`, `sha256`} or null |
| `parts/NAME.bin` | the bytes of each part, stored, so that a damaged byte belongs to one part |
| `symbols` | addresses → functions, files, lines (`core/symbols.py`), to read a crash; may be missing |

The zip's comment is `parley-sha256:` and 64 lower-case hex digits: SHA-256 over every byte of the
file before those digits. So no byte of the file can change unseen, zip structure included; the
digests in the manifest only say *which* part is damaged. Times and attributes are constant: the
same firmware gives the same file everywhere. Offsets and the room of `cfg` are whole flash sectors.
A bundle for the virtual board says so (`virtual`), and a real board refuses it.
"""  # noqa: E501 - a table row is one line

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from typing import Never

from app.core.faults import BundleDamaged
from app.core.language import tr

SCHEMA = 1
CHIP = "esp32s3"
SECTOR_BYTES = 0x1000
MOST_BYTES = 32 << 20
"""More than any ESP32-S3 flash holds twice over; also bounds what a hostile zip may unpack to."""

_SEAL = b"parley-sha256:"
_DIGITS = 64
_MANIFEST = "manifest.json"
_SYMBOLS = "symbols"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PART_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
# All that zipfile and its decompressor raise on bytes that are no zip.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class FlashPart:
    """Bytes and the flash address they belong at."""

    name: str
    offset: int
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One firmware with all that is needed to install it. `cfg_*`: the settings' partition."""

    name: str
    version: str
    build: str
    chip: str
    boards: tuple[str, ...]
    virtual: bool
    flash_bytes: int
    parts: tuple[FlashPart, ...]
    cfg_offset: int
    cfg_bytes: int
    symbols: bytes = b""


# ---- packing


def pack(bundle: Bundle) -> bytes:
    """The sealed file of `bundle`, the same bytes every time. ValueError if it makes no sense."""
    problem = _nonsense(bundle)
    if problem:
        raise ValueError(problem)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _store(archive, _MANIFEST, _manifest(bundle))
        for part in bundle.parts:
            _store(archive, _file_of(part.name), part.data)
        if bundle.symbols:
            _store(archive, _SYMBOLS, bundle.symbols)
        archive.comment = _SEAL + b"0" * _DIGITS
    sealed = buffer.getvalue()[:-_DIGITS]
    return sealed + sha256(sealed).hexdigest().encode()


def _manifest(bundle: Bundle) -> bytes:
    def entry(file: str, data: bytes) -> dict[str, object]:
        return {"file": file, "bytes": len(data), "sha256": sha256(data).hexdigest()}

    parts = [
        {"name": part.name, "offset": part.offset, **entry(_file_of(part.name), part.data)}
        for part in bundle.parts
    ]
    manifest = {
        "schema": SCHEMA,
        "name": bundle.name,
        "version": bundle.version,
        "build": bundle.build,
        "chip": bundle.chip,
        "boards": list(bundle.boards),
        "virtual": bundle.virtual,
        "flash_bytes": bundle.flash_bytes,
        "cfg": {"offset": bundle.cfg_offset, "bytes": bundle.cfg_bytes},
        "parts": parts,
        "symbols": entry(_SYMBOLS, bundle.symbols) if bundle.symbols else None,
    }
    return (json.dumps(manifest, indent=2) + "\n").encode()


def _file_of(part: str) -> str:
    return f"parts/{part}.bin"


def _store(archive: zipfile.ZipFile, file: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(file, _EPOCH)
    entry.create_system = 3  # else Windows and Linux would write different files
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


# ---- reading


def read(data: bytes, name: str) -> Bundle:
    """The bundle in the file's bytes `data`; `name` is what the user calls the file.

    Raises BundleDamaged: any byte changed, missing or added, or contents that make no sense.
    """
    if len(data) > MOST_BYTES:
        _refuse(name, f"{len(data)} bytes, more than {MOST_BYTES}")
    _check_seal(data, name)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            _check_sizes(archive, name)
            return _unpack(archive, name)
    except _UNREADABLE as why:
        _refuse(name, f"not readable: {why!r}")


def _check_seal(data: bytes, name: str) -> None:
    body, seal = data[:-_DIGITS], data[-_DIGITS:]
    found = sha256(body).hexdigest()
    if not body.endswith(_SEAL):
        whole = sha256(data).hexdigest()
        raise BundleDamaged(
            tr("The firmware file {name} is damaged or is not a firmware file.", name=name),
            tr("Get the file again, then try once more."),
            f"{name}: SHA-256 expected: none, the seal is missing; found: {whole}",
        )
    if seal == found.encode():
        return
    part = _damaged_entry(data)
    raise BundleDamaged(
        tr("The firmware file {name} is damaged in its part {part}.", name=name, part=part)
        if part
        else tr("The firmware file {name} is damaged.", name=name),
        tr("Get the file again, then try once more."),
        f"{name}: SHA-256 expected: {seal.decode('ascii', 'backslashreplace')}; found: {found}",
    )


def _check_sizes(archive: zipfile.ZipFile, name: str) -> None:
    """Before anything is unpacked: no file twice, and no more in all than `MOST_BYTES`."""
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) != len(entries):
        _refuse(name, "a file is in it twice")
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        _refuse(name, f"unpacks to more than {MOST_BYTES} bytes")


def _unpack(archive: zipfile.ZipFile, name: str) -> Bundle:
    manifest = _Table(json.loads(archive.read(_MANIFEST).decode()), _MANIFEST)
    schema = manifest.number("schema")
    if schema != SCHEMA:
        raise BundleDamaged(
            tr("The firmware file {name} has a form this program does not know.", name=name),
            tr("Get the newest Parley, then try once more."),
            f"{name}: schema {schema}, known: {SCHEMA}",
        )
    cfg = manifest.table("cfg")
    parts = tuple(
        FlashPart(part.text("name"), part.number("offset"), _contents(archive, part, name))
        for part in manifest.tables("parts")
    )
    has_symbols = manifest.values["symbols"] is not None
    bundle = Bundle(
        name=manifest.text("name"),
        version=manifest.text("version"),
        build=manifest.text("build"),
        chip=manifest.text("chip"),
        boards=manifest.texts("boards"),
        virtual=manifest.flag("virtual"),
        flash_bytes=manifest.number("flash_bytes"),
        parts=parts,
        cfg_offset=cfg.number("offset"),
        cfg_bytes=cfg.number("bytes"),
        symbols=_contents(archive, manifest.table("symbols"), name) if has_symbols else b"",
    )
    problem = _nonsense(bundle)
    if problem:
        _refuse(name, problem)
    return bundle


def _contents(archive: zipfile.ZipFile, entry: _Table, name: str) -> bytes:
    file, digest = entry.text("file"), entry.text("sha256")
    data = archive.read(file)
    found = sha256(data).hexdigest()
    if found != digest or len(data) != entry.number("bytes"):
        raise BundleDamaged(
            tr("The firmware file {name} is damaged in its part {part}.", name=name, part=file),
            tr("Get the file again, then try once more."),
            f"{name}, {file}: SHA-256 expected: {digest}; found: {found}",
        )
    return data


def _damaged_entry(data: bytes) -> str:
    """Which file of a damaged zip no longer is what it was; empty when that cannot be told."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for entry in archive.infolist():
                if entry.file_size > MOST_BYTES:
                    return entry.filename
                try:
                    archive.read(entry)
                except _UNREADABLE:
                    return entry.filename
    except _UNREADABLE:
        pass
    return ""


def _nonsense(bundle: Bundle) -> str:
    """What is wrong with the contents, for an engineer; empty when nothing is."""
    if bundle.chip != CHIP:
        return f"made for the chip {bundle.chip!r}, not for {CHIP}"
    if not bundle.boards or not bundle.parts or not bundle.version:
        return "no boards, no parts or no version"
    if re.fullmatch(r"[0-9a-f]{16}", bundle.build) is None:
        return f"build {bundle.build!r} is not 16 hex digits"
    if bundle.cfg_bytes % SECTOR_BYTES:
        return f"cfg of {bundle.cfg_bytes} bytes is not whole sectors"
    areas = [(part.offset, part.end, part.name) for part in bundle.parts]
    areas.append((bundle.cfg_offset, bundle.cfg_offset + bundle.cfg_bytes, "cfg"))
    return _misplaced(sorted(areas), bundle.flash_bytes)


def _misplaced(areas: list[tuple[int, int, str]], flash_bytes: int) -> str:
    """What is wrong with these areas (start, end, name; sorted), or empty."""
    names = [name for _, _, name in areas]
    for start, end, name in areas:
        if _PART_NAME.fullmatch(name) is None or names.count(name) > 1:
            return f"part name {name!r} is odd or there twice"
        if end <= start or start < 0 or start % SECTOR_BYTES:
            return f"part {name} is empty or at an odd offset {start:#x}"
        if end > flash_bytes:
            return f"part {name} ends at {end:#x}, the flash at {flash_bytes:#x}"
    for (_, end, first), (start, _, second) in pairwise(areas):
        if end > start:
            return f"parts {first} and {second} overlap at {start:#x}"
    return ""


def _refuse(name: str, detail: str) -> Never:
    raise BundleDamaged(
        tr("The firmware file {name} cannot be used.", name=name),
        tr("Get the file again, or choose another one."),
        f"{name}: {detail}",
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A JSON object whose values have the type asked for, or ValueError."""

    values: dict[str, object]
    place: str

    def __post_init__(self) -> None:
        if not isinstance(self.values, dict):
            raise ValueError(f"{self.place} is not an object")

    def number(self, key: str) -> int:
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._misfit(key)
        return value

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str):
            raise self._misfit(key)
        return value

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if not isinstance(value, bool):
            raise self._misfit(key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._misfit(key)
        return tuple(value)

    def table(self, key: str) -> _Table:
        return _Table(self.values.get(key), f"{self.place} {key}")  # type: ignore[arg-type]

    def tables(self, key: str) -> tuple[_Table, ...]:
        value = self.values.get(key)
        if not isinstance(value, list):
            raise self._misfit(key)
        return tuple(_Table(item, f"{self.place} {key}") for item in value)

    def _misfit(self, key: str) -> ValueError:
        return ValueError(f"{self.place}: {key!r} is missing or of another type")
