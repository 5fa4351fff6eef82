"""`./dev bench`: the figures, side by side in one run, so that a slow machine slows both sides.

* flash: installing through the program, against esptool's own command line writing the same parts
  to the same kind of virtual board over rfc2217; medians of interleaved rounds.
* talk: from `start` to the first sound at the board's speaker.
* window: from starting the process to the first painted window; beside it an interpreter that only
  imports Qt's modules.
* core tests: `pytest tests/core`, process included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.adapters import discovery  # noqa: F401  # warm: imports are no part of the flash figure
from app.compose import places
from app.compose.demo import Demo
from app.compose.program import Program, read_virtual_bundle
from app.core.events import Event, FlashStage, Stage

ROOT = Path(__file__).parents[2]


async def app_rounds(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of connect-to-verified, milliseconds of start-to-sound; a fresh world each round."""
    flash_s: list[float] = []
    talk_ms: list[float] = []
    for _ in range(rounds):
        told: list[Event] = []
        program = Program(told.append)
        demo = Demo(program)
        try:
            if not await demo.run():
                raise SystemExit("the demo did not work: run ./dev demo --check")
        finally:
            await program.close()
        stages = {event.stage: event.at for event in told if isinstance(event, FlashStage)}
        flash_s.append(stages[Stage.RESTART] - stages[Stage.CONNECT])
        assert demo.journey is not None
        assert demo.journey.first_audio_ms is not None
        talk_ms.append(demo.journey.first_audio_ms)
    return flash_s, talk_ms


def esptool_rounds(rounds: int) -> list[float]:
    """Seconds of `esptool write-flash` of the same parts, process start included."""
    from app.sim.board import VirtualBoard
    from app.sim.serve import serve_rfc2217

    seconds: list[float] = []
    bundle = read_virtual_bundle()
    with tempfile.TemporaryDirectory() as folder:
        targets: list[str] = []
        cfg = Path(folder, "cfg.bin")
        cfg.write_bytes(bytes([0xFF]) * 64 + os.urandom(bundle.cfg_bytes - 64))
        for part in bundle.parts:
            file = Path(folder, f"{part.name}.bin")
            file.write_bytes(part.data)
            targets += [hex(part.offset), str(file)]
        targets += [hex(bundle.cfg_offset), str(cfg)]
        for _ in range(rounds):
            board = VirtualBoard(f"bench-{uuid.uuid4()}", cores=places.virtual_cores())
            board.power_on()
            try:
                with serve_rfc2217(board) as served:
                    command = [sys.executable, "-m", "esptool", "--chip", "esp32s3"]
                    command += ["--port", served.url, "--baud", "921600"]
                    command += ["write-flash", *targets]
                    since = time.monotonic()
                    subprocess.run(command, check=True, capture_output=True)
                    seconds.append(time.monotonic() - since)
            finally:
                board.power_off()
    return seconds


def window_rounds(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds to the first paint of the window, and of importing Qt's modules alone."""
    shown = "from app.compose.desktop import run_window; run_window(leave_when_shown=True)"
    alone = "import PySide6.QtWidgets, PySide6.QtGui, PySide6.QtCore"
    times: dict[str, list[float]] = {shown: [], alone: []}
    for _ in range(rounds):
        for program, seconds in times.items():
            since = time.monotonic()
            subprocess.run(
                [sys.executable, "-c", program], check=True, capture_output=True, cwd=ROOT
            )
            seconds.append(time.monotonic() - since)
    return times[shown], times[alone]


def with_display(
    measure: Callable[[], tuple[list[float], list[float]]],
) -> tuple[list[float], list[float]]:
    """Measure on this display, or on an Xvfb of our own."""
    if os.environ.get("DISPLAY"):
        return measure()
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as line:
            os.environ["DISPLAY"] = f":{line.readline().strip()}"
        return measure()
    finally:
        os.environ.pop("DISPLAY", None)
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(5)


def core_tests_s() -> float:
    since = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/core"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return time.monotonic() - since


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    flash_s: list[float] = []
    talk_ms: list[float] = []
    esptool_s: list[float] = []
    for _ in range(given.rounds):
        ours, talk = asyncio.run(app_rounds(1))
        flash_s += ours
        talk_ms += talk
        esptool_s += esptool_rounds(1)
    window_s, qt_s = with_display(lambda: window_rounds(given.rounds))
    median = statistics.median
    rows = [
        ("flash, this program", median(flash_s), "s", ""),
        ("flash, esptool's command line", median(esptool_s), "s", ""),
        ("flash ratio", median(flash_s) / median(esptool_s), "x", "≤ 1.5"),
        ("start → first sound", median(talk_ms), "ms", "< 1500"),
        ("process → painted window", median(window_s), "s", "< 1.5"),
        ("process that imports Qt only", median(qt_s), "s", ""),
        ("tests/core, process included", core_tests_s(), "s", "< 2 in pytest"),
    ]
    if given.json:
        print(json.dumps({name: round(value, 3) for name, value, _, _ in rows}))
        return
    table = Table(title=f"medians of {given.rounds} rounds")
    for column in ("figure", "value", "aim"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, value, unit, aim in rows:
        table.add_row(name, f"{value:.2f} {unit}", aim)
    Console().print(table)


if __name__ == "__main__":
    main()
