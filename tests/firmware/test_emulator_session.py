"""The judge of the emulated chip, tried on a board that is known: the virtual one."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core import image
from app.sim.board import MAKES, VirtualBoard
from app.sim.chip import Network
from app.sim.protocol_sim import boards
from app.sim.room import SilentRoom
from app.sim.serve import serve_pty
from app.sim.service import Service

ROOT = Path(__file__).parents[2]
JUDGE = ROOT / "firmware/tools/emulator_session.py"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs terminal devices")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import subprocess

    folder = tmp_path_factory.mktemp("core")
    for command in (
        ["cmake", "-S", ROOT / "firmware/host", "-B", folder, "-DPARLEY_TESTS=OFF"],
        ["cmake", "--build", folder, "--target", "parley_core"],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=100)
    return next(folder.glob("libparley_core.*"))


@pytest.fixture
def board(core: Path) -> VirtualBoard:
    library = ctypes.CDLL(str(core))
    library.parley_core_version.restype = ctypes.c_char_p
    version = library.parley_core_version().decode()
    table = (ROOT / "firmware/partitions.csv").read_text()
    flash = bytearray(b"\xff" * MAKES["korvo2"].flash_bytes)
    for part in image.virtual_bundle(core.read_bytes(), version, table).parts:
        flash[part.offset : part.end] = part.data
    networks = (Network("emulator", "", security="open"),)
    return VirtualBoard(
        "judged", "korvo2", flash=flash, cores=[core], networks=networks, room=SilentRoom()
    )


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    running = Service()
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


async def judge(board: VirtualBoard, *arguments: str) -> tuple[int, str]:
    await asyncio.to_thread(board.power_on)
    served = serve_pty(board)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(JUDGE), served.url, "--reboot", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, output.decode()
    finally:
        await asyncio.to_thread(served.close)
        await asyncio.to_thread(board.power_off)
        boards.pop(board.name, None)


async def test_a_conversation_passes(board: VirtualBoard, service: Service) -> None:
    code, output = await judge(board, "--base-url", service.base_url, "--text", "What time is it?")
    assert code == 0, output
    assert "PASSED" in output
    assert "What time is it?" in output
    assert "sk-emulator" not in output


async def test_no_service_is_told(board: VirtualBoard) -> None:
    code, output = await judge(board, "--base-url", "http://127.0.0.1:9/v1")
    assert code == 1
    assert "FAILED: the session ended: unreachable" in output


async def test_silence_is_told(board: VirtualBoard, service: Service) -> None:
    wishes = ("--talk-s", "2")
    code, output = await judge(board, "--base-url", service.base_url, *wishes)
    assert code == 1
    assert "FAILED: not within 2 s: in writing: assistant and user" in output


async def test_a_refused_setting_is_told(board: VirtualBoard) -> None:
    wishes = ("--base-url", "http://127.0.0.1:9/v1", "--set", "volume=900")
    code, output = await judge(board, *wishes)
    assert code == 1
    assert "FAILED: refused: set volume 900" in output
