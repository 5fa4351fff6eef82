"""`parley bundle`: make, show and check firmware bundles."""

from __future__ import annotations

import ctypes
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.adapters import files
from app.compose import places
from app.core import bundle as bundles
from app.core import image
from app.core.bundle import Bundle


def build_virtual(core: Path, out: Path) -> None:
    """Pack the host build `core` of the firmware as the virtual board's bundle."""
    library = ctypes.CDLL(str(core.resolve()))
    library.parley_core_version.restype = ctypes.c_char_p
    version = library.parley_core_version().decode()
    made = image.virtual_bundle(core.read_bytes(), version, places.PARTITIONS.read_text())
    out.write_bytes(bundles.pack(made))


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
