"""Functions and source lines out of an ELF file, with pyelftools (DWARF 2 to 5)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from app.core.faults import Fault
from app.core.language import tr
from app.core.symbols import Function, Row


def read(data: bytes, name: str) -> tuple[list[Function], list[Row]]:
    """All functions and line rows of the ELF in `data`, in no order. Raises Fault when it is none.

    Rows without code behind them (sections that the linker threw away lie at 0) are left out.
    """
    try:
        elf = ELFFile(BytesIO(data))
        areas = _code(elf)
        return list(_functions(elf, areas)), list(_rows(elf, areas))
    except ELFError as why:
        raise Fault(
            tr("The file {name} cannot be read.", name=name),
            tr("Build the firmware again, then try once more."),
            f"{name}: {why!r}",
        ) from why


def _code(elf: Any) -> list[tuple[int, int]]:
    """Start and end of every section that holds code."""
    executable = 4  # SHF_EXECINSTR
    return [
        (section["sh_addr"], section["sh_addr"] + section["sh_size"])
        for section in elf.iter_sections()
        if section["sh_flags"] & executable and section["sh_size"]
    ]


def _is_code(address: int, areas: list[tuple[int, int]]) -> bool:
    return any(start <= address < end for start, end in areas)


def _functions(elf: Any, areas: list[tuple[int, int]]) -> Iterator[Function]:
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        for symbol in section.iter_symbols():
            if symbol["st_info"]["type"] == "STT_FUNC" and _is_code(symbol["st_value"], areas):
                yield Function(symbol["st_value"], symbol["st_size"], symbol.name)


def _rows(elf: Any, areas: list[tuple[int, int]]) -> Iterator[Row]:
    if not elf.has_dwarf_info():
        return
    dwarf = elf.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        top = unit.get_top_DIE()
        files = _files(program.header, _text(top, "DW_AT_comp_dir"), _text(top, "DW_AT_name"))
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            end = bool(state.end_sequence)
            # The end of a sequence lies one byte behind its code.
            if not _is_code(state.address - end, areas):
                continue
            yield Row(state.address, "" if end else files.get(state.file, ""), _line(state, end))


def _line(state: Any, end: bool) -> int:
    return 0 if end else max(int(state.line), 0)


def _files(header: Any, unit_folder: str, unit_name: str) -> dict[int, str]:
    """File number → path, whatever DWARF version numbers them."""
    own = posixpath.join(unit_folder, unit_name)
    modern = header["version"] >= 5
    folders = [folder.decode(errors="replace") for folder in header["include_directory"]]
    if not modern:
        folders.insert(0, unit_folder)
    files = {0: own}
    for number, entry in enumerate(header["file_entry"], 0 if modern else 1):
        folder = folders[entry.dir_index] if entry.dir_index < len(folders) else ""
        path = posixpath.join(unit_folder, folder, entry.name.decode(errors="replace"))
        files[number] = posixpath.normpath(path)
    return files


def _text(entry: Any, attribute: str) -> str:
    found = entry.attributes.get(attribute)
    return found.value.decode(errors="replace") if found else ""
