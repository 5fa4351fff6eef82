"""The ESP32-S3 port compiles, as far as a machine without its tools can tell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
TYPECHECK = FIRMWARE / "tools" / "typecheck"
PORT = FIRMWARE / "components" / "parley_port"

pytestmark = pytest.mark.skipif(
    os.name != "posix" or shutil.which("gcc") is None, reason="needs a POSIX shell and gcc"
)


def typecheck(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(script), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_all_boards_are_clean() -> None:
    done = typecheck(TYPECHECK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^(\w+): \d+ files", done.stdout, re.M) == ["KORVO2", "ATOMS3R", "EMULATOR"]


def test_every_source_belongs_to_some_board() -> None:
    listed = set(re.findall(r"src/\w+\.c", (PORT / "CMakeLists.txt").read_text()))
    assert listed == {f"src/{path.name}" for path in (PORT / "src").glob("*.c")}


def test_a_wrong_signature_is_found(tmp_path: Path) -> None:
    # A copy with one vtable member taken out of its form: the check must see it, not only run.
    copy = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, copy, ignore=shutil.ignore_patterns("build*", "host", "test"))
    store = copy / "components" / "parley_port" / "src" / "store.c"
    text = store.read_text()
    assert "nvs_close(handle);" in text
    store.write_text(text.replace("nvs_close(handle);", "nvs_close(&handle);", 1))
    done = typecheck(copy / "tools" / "typecheck")
    assert done.returncode == 1
    assert "not clean: src/store.c for ATOMS3R" in done.stdout


@pytest.mark.parametrize("arguments", [("--idf",), ("--idf", "/nowhere"), ("surprise",)])
def test_wrong_use_is_told(arguments: tuple[str, ...]) -> None:
    done = typecheck(TYPECHECK, *arguments)
    assert done.returncode == 2
    assert "typecheck" in done.stderr


def test_every_vtable_member_is_set() -> None:
    header = (FIRMWARE / "components/parley_core/include/parley_core.h").read_text()
    vtable = header[: header.index("} parley_port_t;")].rpartition("typedef struct {")[2]
    members = set(re.findall(r"\(\*(\w+)\)\(void \*ctx", vtable))
    table = (FIRMWARE / "main/app_main.c").read_text().partition("parley_port_t port = {")[2]
    assert members
    assert members == set(re.findall(r"\.(\w+) = ", table[: table.index("};")]))


def test_the_clip_has_whole_samples() -> None:
    clip = (PORT / "clips" / "sentence.pcm").stat().st_size
    assert clip % 2 == 0
    assert 16_000 <= clip // 2 <= 3 * 16_000  # one to three seconds at 16 kHz
