"""`parley monitor` and `parley replay`: a board over the network, recorded, shown again."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from test_commands import parley, serving

from app.compose.monitoring import paced
from app.core import recording
from app.core.events import ConsoleLine, Event, Role, Source, Words
from app.core.recording import Recording
from app.core.wall_clock import WallClock

HEAD = recording.head(WallClock(1_700_000_000.0), "0.1.0")
TALK: tuple[Event, ...] = (
    ConsoleLine(10.0, "I (1) main: up"),
    Words(Source.BOARD, 10.2, Role.ASSISTANT, "a", "Hello there.", 1, True),
)


def recorded(tmp_path: Path, *more: str) -> str:
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join([HEAD, *map(recording.line, TALK), *more]), encoding="utf-8")
    return str(file)


async def test_a_board_is_watched_and_recorded(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    async with serving("board") as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", "-m", "app", "monitor", "--json"),
            *("--port", url, "--record", str(file)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        told: list[dict[str, object]] = []
        async with asyncio.timeout(30):
            while not any(event["event"] == "ConsoleLine" for event in told):
                told.append(json.loads(await process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            await process.communicate()
        assert process.returncode == 0
    assert told[0]["event"] == "LinkOpened"
    kept = list(Recording(file.read_text(encoding="utf-8").splitlines()))
    assert [type(event).__name__ for event in kept][: len(told)] == [e["event"] for e in told]
    code, out, _ = await parley("replay", str(file), "--terminal", "--instantly")
    assert code == 0
    assert "Connected to rfc2217" in out


async def test_a_recording_reads_like_a_board(tmp_path: Path) -> None:
    code, out, err = await parley("replay", recorded(tmp_path, "damaged"), "--terminal")
    assert (code, err) == (0, "1 damaged lines left out.\n")
    assert "I (1) main: up" in out
    assert "Parley Hello there." in out


async def test_a_file_that_is_no_recording_says_so(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("something else")
    code, out, err = await parley("replay", str(file), "--terminal")
    assert (code, out) == (1, "")
    assert "no recording" in err


async def test_without_a_board_monitor_says_what_to_do() -> None:
    code, _, err = await parley("monitor")
    assert code == 1
    assert "--port" in err


async def test_the_pace_is_that_of_the_session() -> None:
    loop = asyncio.get_running_loop()
    for speed, least_s, most_s in ((0.0, 0.0, 0.1), (2.0, 0.1, 1.0)):
        began = loop.time()
        shown = [
            event async for event in paced(Recording([HEAD, *map(recording.line, TALK)]), speed)
        ]
        assert shown == list(TALK)
        assert least_s <= loop.time() - began < most_s
