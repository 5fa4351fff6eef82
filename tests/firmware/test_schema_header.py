"""The firmware's copy of the settings table is the one the generator makes."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import core_door

GENERATOR = core_door.ROOT / "firmware/tools/generate_schema.py"


def _generate(generator: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(generator), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_header_is_current() -> None:
    done = _generate(GENERATOR, "--check")
    assert done.returncode == 0, done.stderr


def test_stale_header_is_noticed(tmp_path: Path) -> None:
    place = tmp_path / "firmware/tools" / GENERATOR.name
    header = tmp_path / "firmware/components/parley_core/parley_schema.h"
    core = tmp_path / "app/core"
    for folder in (place.parent, header.parent, core):
        folder.mkdir(parents=True)
    place.write_bytes(GENERATOR.read_bytes())
    (tmp_path / "app/__init__.py").touch()
    (core / "__init__.py").touch()
    schema = (core_door.ROOT / "app/core/schema.py").read_text(encoding="utf-8")
    (core / "schema.py").write_text(schema, encoding="utf-8")
    assert _generate(place, "--check").returncode == 1
    assert _generate(place).returncode == 0
    assert _generate(place, "--check").returncode == 0
    (core / "schema.py").write_text(schema.replace('"volume"', '"loudness"'), encoding="utf-8")
    assert _generate(place, "--check").returncode == 1
    assert _generate(place, "--wrong").returncode == 2


def test_this_door_fits_the_library() -> None:
    library = core_door.library()
    library.parley_host_layout.restype = ctypes.c_size_t
    numbers = (ctypes.c_uint32 * 128)()
    count = library.parley_host_layout(numbers, 128)
    told = list(numbers)[:count]
    wanted = [core_door.Text, core_door.Event, core_door.Port, core_door.Board, core_door.Request]
    wanted += [core_door.Device, core_door.Heap, core_door.Load, core_door.TaskLoad]
    assert {ctypes.sizeof(kind) for kind in wanted} <= set(told)
    assert told[-1] == len(core_door.KINDS)
