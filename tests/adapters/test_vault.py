"""The vault with a real Secret Service on a D-Bus of its own, with a locked one, and with none.

Each case is a process: D-Bus and the keyring daemon live in its environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import asyncio, json, threading
from app.adapters.vault import Vault
from app.core.faults import Fault
from app.core.secret import Secret

async def attempt(work):
    try:
        result = await work
    except Fault as fault:
        return {"fault": fault.what, "remedy": fault.remedy, "detail": fault.detail}
    return {"secret": result.reveal()} if isinstance(result, Secret) else {"result": result}

async def main():
    vault, other = Vault("Parley test"), Vault("Parley test")
    steps = [
        await attempt(vault.get("api_key")),
        await attempt(vault.put("api_key", Secret("sk-marked"))),
        await attempt(vault.get("api_key")),
        await attempt(other.get("api_key")),
        await attempt(vault.put("api_key", Secret("sk-second"))),
        await attempt(vault.get("api_key")),
        await attempt(other.delete("api_key")),
        await attempt(vault.get("api_key")),
        await attempt(vault.delete("api_key")),
        await attempt(vault.get("api_key")),
    ]
    print(json.dumps(steps))

asyncio.run(main())
"""

needs_dbus = pytest.mark.skipif(
    shutil.which("dbus-run-session") is None or shutil.which("gnome-keyring-daemon") is None,
    reason="dbus-run-session or gnome-keyring-daemon is not installed",
)


def run(tmp_path: Path, command: list[str]) -> list[dict[str, Any]]:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PYTHONPATH": str(ROOT),
        "SCRIPT": SCRIPT,
        "PYTHON": sys.executable,
    }
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "sk-marked" not in done.stderr
    steps: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return steps


@needs_dbus
def test_a_real_secret_service_keeps_finds_replaces_and_forgets(tmp_path: Path) -> None:
    shell = (
        'eval "$(printf "test\\n" | gnome-keyring-daemon --unlock --components=secrets '
        '--control-directory=$XDG_RUNTIME_DIR/keyring)"; exec "$PYTHON" -c "$SCRIPT"'
    )
    steps = run(tmp_path, ["dbus-run-session", "--", "sh", "-c", shell])
    assert steps == [
        {"result": None},
        {"result": None},
        {"secret": "sk-marked"},
        {"secret": "sk-marked"},
        {"result": None},
        {"secret": "sk-second"},
        {"result": None},
        {"result": None},
        {"result": None},
        {"result": None},
    ]


@needs_dbus
def test_a_locked_store_is_a_fault_and_the_session_remembers(tmp_path: Path) -> None:
    steps = run(tmp_path, ["dbus-run-session", "--", "sh", "-c", 'exec "$PYTHON" -c "$SCRIPT"'])
    assert "forgets" in steps[1]["fault"]
    assert steps[2] == {"secret": "sk-marked"}
    assert steps[5] == {"secret": "sk-second"}
    assert "marked" not in json.dumps([steps[1], steps[4]])


def test_without_a_bus_the_session_remembers_and_says_so(tmp_path: Path) -> None:
    steps = run(tmp_path, [sys.executable, "-c", SCRIPT])
    assert steps[0] == {"result": None}
    assert "no password store" in steps[1]["fault"]
    assert steps[2] == {"secret": "sk-marked"}
    assert steps[3] == {"result": None}
    assert steps[5] == {"secret": "sk-second"}
    assert steps[7:] == [{"secret": "sk-second"}, {"result": None}, {"result": None}]
