"""`parley bundle`: make, show and check firmware bundles."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.adapters import elf, files
from app.compose import places
from app.core import bundle as bundles
from app.core import idf_build, image, symbols
from app.core.bundle import Bundle


def build_virtual(core: Path, out: Path) -> None:
    """Pack the host build `core` of the firmware as the virtual board's bundle."""
    library = ctypes.CDLL(str(core.resolve()))
    library.parley_core_version.restype = ctypes.c_char_p
    version = library.parley_core_version().decode()
    made = image.virtual_bundle(core.read_bytes(), version, places.PARTITIONS.read_text())
    out.write_bytes(bundles.pack(made))


def build(folder: Path, out: Path) -> None:
    """Pack what `idf.py build` left in `folder`. Raises Fault when it is no finished build."""

    def contents(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as why:
            raise idf_build.unreadable(name, repr(why)) from why

    parsed = (idf_build.FLASHER_ARGS, idf_build.DESCRIPTION, idf_build.SDKCONFIG)
    plan = idf_build.plan(*(contents(name) for name in parsed))
    held = {name: contents(name) for name in (plan.elf, *(file for *_, file in plan.parts))}
    functions, rows = elf.read(held[plan.elf], plan.elf)
    renamed = (replace(row, file=idf_build.named(row.file, plan.roots)) for row in rows)
    made = idf_build.bundle(plan, held, symbols.pack(functions, renamed))
    files.write_bundle(out, bundles.pack(made))
    Console(highlight=False).print(
        f"{out.name}: {made.name} {made.version}, build {made.build},"
        f" {len(functions):,} functions, symbols of {len(made.symbols):,} bytes"
    )


def read(file: Path) -> Bundle:
    """The bundle in `file`, every byte checked. Raises Fault."""
    return bundles.read(files.read_bundle(file), file.name)


def show(file: Path) -> None:
    """Print what the bundle holds. Raises Fault when it is damaged."""
    held = read(file)
    console = Console(highlight=False)
    kind = "virtual board" if held.virtual else ", ".join(held.boards)
    console.print(f"{held.name} {held.version}, build {held.build}, {held.chip}, for {kind}")
    table = Table()
    for column in ("part", "offset", "bytes"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for part in held.parts:
        table.add_row(part.name, f"{part.offset:#x}", f"{len(part.data):,}")
    table.add_row("cfg (made when flashing)", f"{held.cfg_offset:#x}", f"{held.cfg_bytes:,}")
    console.print(table)


def check(file: Path) -> None:
    """Say that every byte is as packed. Raises Fault when not."""
    held = read(file)
    Console(highlight=False).print(f"{file.name}: whole, {held.name} {held.version}")
