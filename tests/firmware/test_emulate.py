"""What surrounds the emulated chip: its flash image, its command line, and what is told when it is
not there. That QEMU runs it is for the firmware workflow to show."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[2] / "firmware/tools/emulate.py"


@pytest.fixture(scope="module")
def emulate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("emulate", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_folder(folder: Path) -> Path:
    (folder / "config").mkdir(parents=True)
    parts = {"bootloader": "0x0", "partition-table": "0x8000", "app": "0x20000"}
    for name in parts:
        (folder / f"{name}.bin").write_bytes(name.encode())
    entries = {name: {"offset": at, "file": f"{name}.bin"} for name, at in parts.items()}
    args = {"flash_settings": {"flash_size": "8MB"}, **entries}
    project = {"target": "esp32s3", "project_version": "1", "app_elf": "parley.elf"}
    (folder / "flasher_args.json").write_text(json.dumps(args))
    (folder / "project_description.json").write_text(json.dumps(project))
    (folder / "config/sdkconfig.json").write_text('{"PARLEY_BOARD_EMULATOR": true}')
    return folder


def test_the_flash_has_every_part_in_its_place(emulate: ModuleType, tmp_path: Path) -> None:
    flash = emulate.flash_image(build_folder(tmp_path / "build"))
    assert len(flash) == 8 << 20
    assert flash.startswith(b"bootloader\xff")
    assert flash[0x8000:].startswith(b"partition-table\xff")
    assert flash[0x10000:0x16000] == b"\xff" * 0x6000  # settings: blank
    assert flash[0x20000:].startswith(b"app\xff")


def test_the_machine_is_the_one_that_was_measured(emulate: ModuleType) -> None:
    line = " ".join(emulate.machine("qemu", Path("/x/flash.bin"), 5555))
    assert "-machine esp32s3 -m 8M" in line
    assert "driver=ssi_psram,property=is_octal,value=true" in line
    assert "file=/x/flash.bin,if=mtd,format=raw -nic user,model=open_eth" in line
    assert "tcp:127.0.0.1:5555,server=on,wait=on" in line


def test_no_emulator_is_told(tmp_path: Path) -> None:
    bare = {key: os.environ[key] for key in ("LANG", "PYTHONPATH") if key in os.environ}
    done = subprocess.run(
        [sys.executable, str(TOOL), str(build_folder(tmp_path / "build"))],
        env={**bare, "PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if Path("/opt/esp/tools").exists():
        pytest.skip("ESP-IDF's container has one")
    assert done.returncode == 2
    assert "qemu-system-xtensa is missing" in done.stderr
