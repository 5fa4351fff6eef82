"""The main job as a user runs it: the command as a process, judged by its output and exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from app.compose.demo import Demo
from app.compose.program import Program
from app.core.events import Event

WITHIN_S = 90


async def demo(*arguments: str, home: Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, JSON events and error output of `parley demo --check --json`."""
    environment = dict(os.environ, HOME=str(home), TMPDIR=str(home))
    environment.pop("XDG_STATE_HOME", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "demo", "--check", "--json", *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        limit=1 << 24,
    )  # fmt: skip
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    events = [json.loads(line) for line in out.decode().splitlines()]
    return process.returncode, events, err.decode()


def assert_all_happened(code: int, events: list[dict[str, Any]], err: str) -> None:
    lists = [event for event in events if event["event"] == "CheckList"]
    missing = [item["title"] for item in lists[-1]["items"] if item["evidence"] is None]
    assert (code, missing, err) == (0, [], "")
    assert events[-1]["event"] == "Verdict"
    assert events[-1]["done"] is True


@pytest.mark.parametrize("kind", ["korvo2", "atoms3r"])
async def test_every_step_of_the_job_happens(kind: str, tmp_path: Path) -> None:
    code, events, err = await demo("--kind", kind, home=tmp_path)
    assert_all_happened(code, events, err)
    kinds = {event["event"] for event in events}
    assert {
        "FlashWrote",
        "ConsoleLine",
        "Boot",
        "SessionIs",
        "Words",
        "ToolCalled",
        "LoadIs",
    } <= kinds
    assert "RecordsLost" not in kinds
    assert "WireGarbled" not in kinds


async def test_the_demo_can_be_had_again_in_the_same_program() -> None:
    told: list[Event] = []
    program = Program(told.append)
    try:
        for _ in range(2):
            assert await Demo(program).run()
    finally:
        await program.close()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for another process")
async def test_ctrl_c_ends_it_at_once_and_in_order(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "app", "demo", "--check", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ, HOME=str(tmp_path)), limit=1 << 24,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        async for line in process.stdout:
            if json.loads(line)["event"] == "FlashWrote":
                break
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")


async def test_two_demos_at_once_both_work(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()
    for result in await asyncio.gather(*(demo(home=home) for home in homes)):
        assert_all_happened(*result)
