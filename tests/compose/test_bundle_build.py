"""`parley bundle build`: a build folder as ESP-IDF leaves it becomes a bundle with symbols."""

from __future__ import annotations

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from app.compose import bundles
from app.core import image, partitions
from app.core.faults import Fault
from app.core.symbols import SymbolTable

ROOT = Path(__file__).parents[2]
PARTITIONS = (ROOT / "firmware/partitions.csv").read_text()
VERSION = "0.1.0"
SOURCE = """int door(int open) {
  return open + 1;
}

int _start(void) {
  return door(41);
}
"""

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc to make an ELF")


def elf_of(folder: Path, dwarf: int) -> Path:
    sources = folder.parent / "firmware/main"
    sources.mkdir(parents=True, exist_ok=True)
    (sources / "app_main.c").write_text(SOURCE)
    out = folder / "parley.elf"
    flags = ["-O0", f"-gdwarf-{dwarf}", "-ffreestanding", "-nostdlib", "-static", "-no-pie"]
    command = ["gcc", *flags, "-Wl,-Ttext=0x42000000", str(sources / "app_main.c"), "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return out


def build_folder(tmp_path: Path, board: str = "korvo2", dwarf: int = 4) -> Path:
    """What `idf.py build` of ESP-IDF 5.5 leaves, with real formats and small contents."""
    folder = tmp_path / "build"
    for name in ("bootloader", "partition_table", "config"):
        (folder / name).mkdir(parents=True)
    elf = elf_of(folder, dwarf)
    app = image.app_image(VERSION, "v5.5.5", sha256(elf.read_bytes()).digest())
    table = partitions.to_table(partitions.from_csv(PARTITIONS))
    (folder / "parley.bin").write_bytes(app)
    (folder / "bootloader/bootloader.bin").write_bytes(image.virtual_bootloader())
    (folder / "partition_table/partition-table.bin").write_bytes(table)
    parts = {
        "bootloader": ("0x0", "bootloader/bootloader.bin"),
        "partition-table": ("0x8000", "partition_table/partition-table.bin"),
        "app": ("0x20000", "parley.bin"),
    }
    write_json(
        folder / "flasher_args.json",
        {
            "write_flash_args": ["--flash_mode", "dio", "--flash_size", "8MB"],
            "flash_settings": {"flash_mode": "dio", "flash_size": "8MB", "flash_freq": "80m"},
            "flash_files": dict(parts.values()),
            **{
                name: {"offset": offset, "file": file, "encrypted": "false"}
                for name, (offset, file) in parts.items()
            },
            "extra_esptool_args": {"chip": "esp32s3", "stub": True},
        },
    )
    write_json(
        folder / "project_description.json",
        {
            "version": "1.3",
            "project_name": "parley",
            "project_version": VERSION,
            "project_path": str(tmp_path / "firmware"),
            "idf_path": "/opt/esp/idf",
            "build_dir": str(folder),
            "app_elf": "parley.elf",
            "app_bin": "parley.bin",
            "target": "esp32s3",
        },
    )
    options = {f"PARLEY_BOARD_{name}": name == board.upper() for name in ("KORVO2", "ATOMS3R")}
    write_json(folder / "config/sdkconfig.json", {"IDF_TARGET": "esp32s3", **options})
    return folder


def write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=4))


def change(file: Path, **values: object) -> None:
    write_json(file, json.loads(file.read_text()) | values)


@pytest.mark.parametrize("dwarf", [4, 5])
def test_a_build_becomes_a_bundle(tmp_path: Path, dwarf: int) -> None:
    folder, out = build_folder(tmp_path, "atoms3r", dwarf), tmp_path / "out.zip"
    bundles.build(folder, out)
    made = bundles.read(out)
    assert (made.name, made.version, made.boards) == ("parley-atoms3r", VERSION, ("atoms3r",))
    assert made.build == sha256((folder / "parley.elf").read_bytes()).hexdigest()[:16]
    assert not made.virtual
    assert made.flash_bytes == 8 << 20
    assert (made.cfg_offset, made.cfg_bytes) == (0x10000, 0x6000)
    assert [(part.name, part.offset) for part in made.parts] == [
        ("bootloader", 0),
        ("partition-table", 0x8000),
        ("app", 0x20000),
    ]
    assert made.parts[2].data == (folder / "parley.bin").read_bytes()
    table = SymbolTable(made.symbols)
    at = table.place(0x42000001)
    assert at is not None
    assert (at.function, at.offset, at.file, at.line) == ("door", 1, "firmware/main/app_main.c", 1)
    lines = {p.line for a in range(0x42000000, 0x42000040) if (p := table.place(a))}
    assert {1, 2, 3, 5, 6, 7} <= lines


def test_the_folder_does_not_show(tmp_path: Path) -> None:
    made = []
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        out = tmp_path / name / "out.zip"
        bundles.build(build_folder(tmp_path / name), out)
        made.append(bundles.read(out).symbols)
    assert made[0] == made[1]


@pytest.mark.parametrize(
    "name", ["flasher_args.json", "config/sdkconfig.json", "parley.bin", "parley.elf"]
)
def test_an_unfinished_build_is_told(tmp_path: Path, name: str) -> None:
    folder = build_folder(tmp_path)
    (folder / name).unlink()
    with pytest.raises(Fault, match="not a finished build") as told:
        bundles.build(folder, tmp_path / "out.zip")
    assert name in told.value.what
    assert not (tmp_path / "out.zip").exists()


def _other_elf(folder: Path) -> None:
    (folder / "parley.elf").write_bytes((folder / "parley.elf").read_bytes() + b"\0")


def _no_cfg(folder: Path) -> None:
    csv = "\n".join(line for line in PARTITIONS.splitlines() if not line.startswith("cfg"))
    table = partitions.to_table(partitions.from_csv(csv))
    (folder / "partition_table/partition-table.bin").write_bytes(table)


def _two_boards(folder: Path) -> None:
    change(folder / "config/sdkconfig.json", PARLEY_BOARD_ATOMS3R=True)


def _other_chip(folder: Path) -> None:
    change(folder / "project_description.json", target="esp32")


def _other_version(folder: Path) -> None:
    change(folder / "project_description.json", project_version="9.9.9")


def _out_of_the_folder(folder: Path) -> None:
    change(
        folder / "flasher_args.json",
        app={"offset": "0x20000", "file": "../secret", "encrypted": "false"},
    )


def _wrong_place(folder: Path) -> None:
    change(
        folder / "flasher_args.json",
        app={"offset": "0x10000", "file": "parley.bin", "encrypted": "false"},
    )


def _encrypted(folder: Path) -> None:
    change(
        folder / "flasher_args.json",
        app={"offset": "0x20000", "file": "parley.bin", "encrypted": "true"},
    )


def _no_json(folder: Path) -> None:
    (folder / "flasher_args.json").write_text("[1, 2")


def _no_flash_size(folder: Path) -> None:
    change(folder / "flasher_args.json", flash_settings={"flash_size": "detect"})


def _cut_app(folder: Path) -> None:
    (folder / "parley.bin").write_bytes((folder / "parley.bin").read_bytes()[:-40])


@pytest.mark.parametrize(
    "spoil",
    [
        _other_elf,
        _no_cfg,
        _two_boards,
        _other_chip,
        _other_version,
        _out_of_the_folder,
        _wrong_place,
        _encrypted,
        _no_json,
        _no_flash_size,
        _cut_app,
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, spoil: object) -> None:
    folder = build_folder(tmp_path)
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(Fault, match="No firmware file can be made") as told:
        bundles.build(folder, tmp_path / "out.zip")
    assert told.value.detail
    assert not (tmp_path / "out.zip").exists()


def test_an_elf_that_is_none_is_a_fault(tmp_path: Path) -> None:
    folder = build_folder(tmp_path)
    (folder / "parley.elf").write_bytes(b"no ELF")
    with pytest.raises(Fault, match="cannot be read"):
        bundles.build(folder, tmp_path / "out.zip")
