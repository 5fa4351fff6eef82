"""Commands as processes: what they print, and the exit codes that scripts rely on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from app.compose import places


async def parley(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, output and error output of a command that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[str]:
    """A command that serves until interrupted; yields its first line. It must end with code 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "app", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            yield (await process.stdout.readline()).decode().strip()
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            await process.communicate()
    assert process.returncode == 0


async def test_a_whole_bundle_is_told_so_and_a_damaged_one_ends_with_code_one(
    tmp_path: Path,
) -> None:
    code, out, _ = await parley("bundle", "check", str(places.virtual_bundle()))
    assert (code, "whole" in out) == (0, True)
    damaged = bytearray(places.virtual_bundle().read_bytes())
    damaged[1000] ^= 1
    file = tmp_path / "firmware.zip"
    file.write_bytes(damaged)
    code, out, err = await parley("bundle", "show", str(file))
    assert (code, out) == (1, "")
    assert "firmware.zip" in err
    assert "expected" in err


async def test_a_command_written_wrongly_ends_with_code_two() -> None:
    code, _, err = await parley("demo", "--no-such-option")
    assert code == 2
    assert "no-such-option" in err


async def test_without_a_screen_the_window_says_what_to_do() -> None:
    code, _, err = await parley(DISPLAY="", WAYLAND_DISPLAY="")
    assert code == 1
    assert "demo --terminal" in err


async def test_texts_are_chinese_where_the_system_is() -> None:
    code, _, err = await parley(DISPLAY="", WAYLAND_DISPLAY="", PARLEY_LANGUAGE="zh_CN")
    assert code == 1
    assert any("\u4e00" <= letter <= "\u9fff" for letter in err)


async def test_the_service_answers_any_client_until_interrupted() -> None:
    async with serving("service") as line, aiohttp.ClientSession() as http:
        base_url = line.removeprefix("base_url ")
        headers = {"Authorization": "Bearer sk-anything"}
        async with http.post(
            f"{base_url}/realtime/client_secrets", headers=headers, json={}
        ) as got:
            assert got.status == 200
            assert (await got.json())["value"].startswith("ek_")


async def test_esptools_command_line_finds_the_served_board() -> None:
    async with serving("board", "--kind", "atoms3r") as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "esptool", "--before", "usb-reset",
            "--port", url, "flash-id",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode == 0
        assert b"ESP32-S3" in out
        assert b"8MB" in out


async def test_the_flash_of_a_served_board_is_kept_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "flash.bin"
    async with serving("board", "--flash", str(file)):
        pass
    assert file.read_bytes() == b"\xff" * (16 << 20)
    file.write_bytes(b"too short")
    code, _, err = await parley("board", "--flash", str(file))
    assert code == 1
    assert "flash.bin" in err
