"""`parley service` as a program: what it prints, and that it ends when it is asked to."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager

import pytest
from service_caller import Caller

from app.sim.service.faults import MEANING


@asynccontextmanager
async def program(*options: str):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", "app", "service", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(process, text: str) -> str:
    async with asyncio.timeout(15):
        while line := (await process.stdout.readline()).decode():
            if text in line:
                return line.rstrip("\n")
    raise AssertionError(f"no line with {text!r}: {(await process.stderr.read()).decode()}")


async def test_plain_lines_tell_calls_and_words(tmp_path):
    async with program("--record", str(tmp_path / "calls")) as process:
        first = (await process.stdout.readline()).decode()
        assert first.startswith("base_url http://127.0.0.1:")
        async with Caller(first.split()[1]) as caller:
            await caller.by_secret()
            await caller.until("session.created")
            assert caller.call_id in await line_with(process, "state=open")
            caller.send("response.create")
            await line_with(process, "who=assistant text=")
        await line_with(process, "state=ended reason=")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await process.wait() == 0
        assert b"Traceback" not in await process.stderr.read()
    assert len(list((tmp_path / "calls").glob("*.jsonl"))) == 1


async def test_lan_prints_its_token_and_asks_for_it():
    async with program("--lan") as process:
        url = (await process.stdout.readline()).decode().split()[1]
        token = (await line_with(process, "pairing_token ")).split()[1]
        async with Caller(url, key=token) as caller:
            await caller.by_secret()
            await caller.until("session.created")
        async with Caller(url, key="sk-other") as caller:
            with pytest.raises(AssertionError, match="invalid_api_key"):
                await caller.by_secret()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--fault", "earthquake"), "There is no fault named earthquake."),
        (("--advertise", "here"), "here is not an address."),
        (("--replay", __file__), "cannot be replayed."),
        (("--port", "1", "--fault", "calls-earthquake"), "There is no fault named"),
    ],
)
async def test_wrong_wishes_are_told(options, says):
    async with program(*options) as process:
        async with asyncio.timeout(15):
            _, err = await process.communicate()
    assert process.returncode == 1
    assert says in err.decode().replace("\n", " ")
    assert "Traceback" not in err.decode()


async def test_help_lists_every_fault():
    async with program("--help") as process:
        async with asyncio.timeout(15):
            out, _ = await process.communicate()
    words = out.decode().split()
    assert [name for name in MEANING if name not in words] == []
