"""An ESP-IDF build folder → a firmware bundle. Which files are needed, and whether they fit.

Read are `flasher_args.json` (what goes where), `project_description.json` (name, version, ELF) and
`config/sdkconfig.json` (which board). The parts must agree with each other: the application with
the ELF its symbols come from, and all of them with the partition table.
Source: ESP-IDF 5.5, build system, `components/esptool_py` and `tools/cmake`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath, PureWindowsPath
from typing import Never

from app.core import image, partitions
from app.core.bundle import CHIP, Bundle, FlashPart
from app.core.faults import Fault
from app.core.language import tr

FLASHER_ARGS = "flasher_args.json"
DESCRIPTION = "project_description.json"
SDKCONFIG = "config/sdkconfig.json"

_BOARD_OPTION = re.compile(r"PARLEY_BOARD_([A-Z0-9]+)")
_PARTS = ("bootloader", "partition-table", "app")


@dataclass(frozen=True, slots=True)
class Plan:
    """What of the folder makes the bundle. `parts`: name, flash offset, file; files are relative.

    `roots`: folders of the machine that built it and what they are called in symbols instead, so
    that the same sources give the same bundle wherever they lie.
    """

    board: str
    version: str
    flash_bytes: int
    parts: tuple[tuple[str, int, str], ...]
    elf: str
    roots: tuple[tuple[str, str], ...]


def plan(flasher_args: bytes, description: bytes, sdkconfig: bytes) -> Plan:
    """The plan, from the contents of the three files. Raises Fault."""
    args = _table(flasher_args, FLASHER_ARGS)
    project = _table(description, DESCRIPTION)
    options = _table(sdkconfig, SDKCONFIG)
    chip = project.get("target")
    if chip != CHIP:
        _refuse(f"{DESCRIPTION}: made for {chip!r}, not for {CHIP}")
    boards = [
        found[1].lower()
        for name, value in options.items()
        if value is True and (found := _BOARD_OPTION.fullmatch(name))
    ]
    if len(boards) != 1:
        _refuse(f"{SDKCONFIG}: {len(boards)} boards are chosen, one is needed")
    settings = args.get("flash_settings")
    size = settings.get("flash_size") if isinstance(settings, dict) else None
    found = re.fullmatch(r"(\d{1,3})MB", size) if isinstance(size, str) else None
    if found is None:
        _refuse(f"{FLASHER_ARGS}: flash size {size!r}")
    return Plan(
        board=boards[0],
        version=_text(project, "project_version", DESCRIPTION),
        flash_bytes=int(found[1]) << 20,
        parts=tuple(_part(args, name) for name in _PARTS),
        elf=_inside(_text(project, "app_elf", DESCRIPTION), DESCRIPTION),
        roots=_roots(project),
    )


def bundle(made: Plan, files: Mapping[str, bytes], symbols: bytes) -> Bundle:
    """The bundle. `files`: contents of every file the plan names. Raises Fault."""
    parts = tuple(FlashPart(name, offset, files[file]) for name, offset, file in made.parts)
    by_name = {part.name: part for part in parts}
    app, elf = by_name["app"], files[made.elf]
    try:
        image.read(by_name["bootloader"].data)
        described = image.describe(app.data)
        table = partitions.from_table(by_name["partition-table"].data)
        factory, cfg = (partitions.find(table, name) for name in ("factory", "cfg"))
    except (image.ImageError, partitions.PartitionError) as why:
        _refuse(str(why))
    if described.elf_sha256 != sha256(elf).digest():
        _refuse(f"{made.elf} is not what the application was made from")
    if app.offset != factory.offset or len(app.data) > factory.size:
        _refuse(
            f"{len(app.data)} bytes for {app.offset:#x}, `factory` has {factory.size}"
            f" at {factory.offset:#x}"
        )
    if by_name["bootloader"].offset != 0 or (
        by_name["partition-table"].offset != partitions.TABLE_OFFSET
    ):
        _refuse("bootloader or partition table is not where the chip looks for it")
    if described.version != made.version[:31]:
        _refuse(f"the application says {described.version!r}, {DESCRIPTION} {made.version!r}")
    return Bundle(
        name=f"parley-{made.board}",
        version=made.version,
        build=described.build,
        chip=CHIP,
        boards=(made.board,),
        virtual=False,
        flash_bytes=made.flash_bytes,
        parts=parts,
        cfg_offset=cfg.offset,
        cfg_bytes=cfg.size,
        symbols=symbols,
    )


def named(file: str, roots: tuple[tuple[str, str], ...]) -> str:
    """A source file's name without the folders of the machine that built it."""
    plain = file.replace("\\", "/")
    for folder, name in roots:
        if plain.startswith(folder + "/"):
            return name + plain[len(folder) :]
    return plain


def unreadable(file: str, detail: str) -> Fault:
    """The fault for a file of the folder that is missing or cannot be read."""
    return Fault(
        tr("This is not a finished build of the firmware: {file} is missing.", file=file),
        tr("Choose the folder that idf.py build made, after it ended without an error."),
        detail,
    )


# ---- what the files say


def _part(args: dict[str, object], name: str) -> tuple[str, int, str]:
    entry = args.get(name)
    if not isinstance(entry, dict):
        _refuse(f"{FLASHER_ARGS}: {name} is missing")
    if entry.get("encrypted") not in (None, "false", False):
        _refuse(f"{FLASHER_ARGS}: {name} is encrypted for one chip")
    offset = _text(entry, "offset", f"{FLASHER_ARGS} {name}")
    if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", offset) is None:
        _refuse(f"{FLASHER_ARGS}: offset {offset!r}")
    return name, int(offset, 16), _inside(_text(entry, "file", name), FLASHER_ARGS)


def _roots(project: dict[str, object]) -> tuple[tuple[str, str], ...]:
    names = (("build_dir", "build"), ("project_path", "firmware"), ("idf_path", "esp-idf"))
    found = [
        (path.replace("\\", "/").rstrip("/"), name)
        for key, name in names
        if isinstance(path := project.get(key), str) and path.strip("/\\")
    ]
    return tuple(sorted(found, key=lambda root: -len(root[0])))


def _inside(file: str, place: str) -> str:
    if (
        PurePosixPath(file).is_absolute()
        or PureWindowsPath(file).drive
        or ".." in PureWindowsPath(file).parts
    ):
        _refuse(f"{place}: {file!r} is not in the folder")
    return file


def _table(data: bytes, place: str) -> dict[str, object]:
    try:
        found = json.loads(data)
    except ValueError as why:
        _refuse(f"{place}: {why}")
    if not isinstance(found, dict):
        _refuse(f"{place} is not an object")
    return found


def _text(table: Mapping[str, object], key: str, place: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        _refuse(f"{place}: {key!r} is missing")
    return value


def _refuse(detail: str) -> Never:
    raise Fault(
        tr("No firmware file can be made from this build."),
        tr("Build it again with idf.py, for one of Parley's boards, then try once more."),
        detail,
    )
