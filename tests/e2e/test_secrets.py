"""After a whole demo with marked secrets, no place a person or a file could show them has them."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from app.adapters import journal
from app.compose.demo import Demo
from app.compose.program import Program
from app.core.events import Event, GiveToken, JoinWifi, Reboot, StoreSecret
from app.core.faults import Fault
from app.core.secret import Secret
from app.ui.terminal import TerminalView

KEY = "sk-marked-7Qw9ZxB2LmP4vT8n"
OTHERS = ("sk-second-Hy6Tr3WqPz", "ek_marked_Nb5Vc8XsLk", "password-Jd7Gf2")
MARKS = tuple(text[-10:] for text in (KEY, *OTHERS))  # a cut secret is a secret, too


def assert_clean(text: str, where: str) -> None:
    found = [mark for mark in MARKS if mark in text]
    assert not found, f"a secret is in {where}"


async def test_the_key_is_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    told: list[Event] = []
    raw: list[bytes] = []
    screen = io.StringIO()
    log = journal.start(tmp_path / "log", logging.DEBUG)
    faults: list[str] = []
    try:
        view = TerminalView(Console(file=screen, width=200))

        def tell(event: Event) -> None:
            told.append(event)
            view.show(event)

        program = Program(tell)
        program.world.key = Secret(KEY)
        with view:
            try:
                assert await Demo(program).run()
                raw.append(bytes(program.world.board.flash.cells))
                faults += await speak_of_secrets(program)
            finally:
                await program.close()
    finally:
        log.close()
    await asyncio.sleep(0)
    gc.collect()

    assert KEY.encode() in raw[0], "the key did get onto the board: there was something to leak"
    assert_clean(screen.getvalue(), "the screen's text")
    assert_clean("\n".join(map(repr, told)), "an event")
    assert_clean("\n".join(faults), "an error")
    captured = capfd.readouterr()
    assert_clean(captured.out + captured.err, "the output")
    files = contents(tmp_path)
    assert any(name.endswith(".log") for name in files)
    for name, content in files.items():
        assert_clean(content, name)
    assert_clean(" ".join(sys.orig_argv), "the program's arguments")
    assert_clean(" ".join(thread.name for thread in threading.enumerate()), "a thread's name")


def contents(folder: Path) -> dict[str, str]:
    """Every file below `folder`: temporary ones, logs."""
    return {
        path.name: path.read_bytes().decode(errors="replace")
        for path in folder.rglob("*")
        if path.is_file()
    }


async def speak_of_secrets(program: Program) -> list[str]:
    """Send every command that carries a secret, good and bad; the texts of what was refused."""
    key, token, password = OTHERS
    refused = []
    for command in (
        StoreSecret("api_key", Secret(key)),
        StoreSecret("wifi_psw", Secret(password)),
        StoreSecret("no_such_key", Secret(key)),
        StoreSecret("api_key", Secret(key + "\n" + key)),
        GiveToken(Secret(token)),
        JoinWifi("Nobody's network", Secret(password)),
        Reboot(),
    ):
        try:
            await program.send(command)
        except Fault as fault:
            refused.append(f"{fault} {fault.detail} {fault!r}")
    return refused
