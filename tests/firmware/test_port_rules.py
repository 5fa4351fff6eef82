"""What of the ESP32-S3 port needs no chip, run on this machine: firmware/test/port/main.c."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
PORT = FIRMWARE / "components" / "parley_port"
SOURCES = ("mailbox", "peer_orders", "peer_pulse", "rules")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers")
# Queues and tasks of the test live as long as its process: leaks are no news.
ENVIRONMENT = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}

pytestmark = pytest.mark.skipif(
    os.name != "posix" or shutil.which("gcc") is None, reason="needs a POSIX shell and gcc"
)


def test_mailbox_orders_pulse_and_rules(tmp_path: Path) -> None:
    program = tmp_path / "port"
    folders = (FIRMWARE / "stubs", PORT / "include", PORT / "src")
    folders += (FIRMWARE / "components/parley_core/include",)
    command = ["gcc", "-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined", *WARNINGS]
    command += [f"-I{folder}" for folder in folders]
    command += [str(PORT / "src" / f"{name}.c") for name in SOURCES]
    command += [str(FIRMWARE / "test/port/main.c"), "-lm", "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert built.returncode == 0, built.stderr
    done = subprocess.run(
        [str(program)], capture_output=True, text=True, timeout=20, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout
