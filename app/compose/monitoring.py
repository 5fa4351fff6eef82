"""`parley monitor` and `parley replay`: a board's session now, or one that was recorded."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.adapters import discovery, files
from app.adapters.console_log import RECORDING_MOST_BYTES, ConsoleLog
from app.adapters.threads import in_thread
from app.compose.program import Program
from app.compose.serving import interruption
from app.compose.world import now
from app.core import recording
from app.core.events import Command, Event
from app.core.faults import Fault
from app.core.language import tr
from app.core.recording import Recording
from app.core.wall_clock import WallClock
from app.ui.terminal import TerminalView

VIRTUAL = "virtual"
"""The name of the virtual board on the command line."""
# One loop turn for many events: an instant replay of a long session still answers Ctrl-C.
_AT_ONCE = 500


async def monitor(*, port: str, record: Path | None, as_json: bool) -> bool:
    """Show what the board at `port` tells until interrupted; empty: the one board there is.

    Raises Fault where there is no board to choose, or the file cannot be written.
    """
    ended = interruption()
    with TerminalView(as_json=as_json) as view:
        program = Program(view.show)
        try:
            with _recorded(program, record):
                await program.choose(await _port(program, port))
                await ended.wait()
        finally:
            await program.close()
    return True


async def _port(program: Program, port: str) -> str:
    if port:
        return program.world.port.name if port == VIRTUAL else port
    found = await in_thread(discovery.ports_now, name="ports")
    match found:
        case (only,):
            return only.name
        case ():
            raise Fault(
                tr("No board is plugged in."),
                tr("Plug one in, or name its port with --port. --port virtual needs none."),
            )
        case _:
            raise Fault(
                tr("There is more than one board."),
                tr("Name the port of one with --port."),
                "\n".join(each.title for each in found),
            )


@contextmanager
def _recorded(program: Program, path: Path | None) -> Iterator[None]:
    """Everything the program tells goes to `path` while the context lasts."""
    if path is None:
        yield
        return

    def failed(reason: str) -> None:
        sys.stderr.write(tr("The recording ended: {reason}", reason=reason) + "\n")

    log = ConsoleLog(path, failed, piece_most_bytes=RECORDING_MOST_BYTES, pieces_kept=0)
    log.write(recording.head(program.clock, _version()))
    try:
        with program.moments.heard_by(lambda event: log.write(recording.line(event))):
            yield
    finally:
        log.close()


def _version() -> str:
    from app import __version__

    return __version__


async def paced(
    events: Recording, speed: float, clock: Callable[[], float] = now
) -> AsyncIterator[Event]:
    """The events when it is their time; `speed` 0: at once. Pauses backwards are none."""
    began: float | None = None
    first = 0.0
    for number, event in enumerate(events):
        at = getattr(event, "at", None)
        if speed and at is not None:
            if began is None:
                began, first = clock(), at
            wait_s = (at - first) / speed - (clock() - began)
            if wait_s > 0:
                await asyncio.sleep(wait_s)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
        yield event


async def replay_in_terminal(file: Path, *, as_json: bool, speed: float) -> bool:
    """Show a recording as the terminal shows a board. Raises Fault."""
    opened = Recording(files.read_lines(file))
    ended = interruption()
    with TerminalView(as_json=as_json) as view:
        async for event in paced(opened, speed):
            view.show(event)
            if ended.is_set():
                break
    _tell_damaged(opened)
    return True


def _tell_damaged(opened: Recording) -> None:
    if opened.damaged:
        sys.stderr.write(tr("{count} damaged lines left out.", count=opened.damaged) + "\n")


class Replayed:
    """What a window may ask for while it shows a recording: to save what it shows."""

    async def choose(self, port: str) -> None:
        raise _only_a_recording()

    async def install(self) -> None:
        raise _only_a_recording()

    async def restart(self) -> None:
        raise _only_a_recording()

    async def send(self, command: Command) -> None:
        raise _only_a_recording()

    async def demo(self) -> None:
        raise _only_a_recording()

    async def log_console(self, name: str) -> None:
        raise _only_a_recording()

    async def save(self, name: str, content: Callable[[], bytes]) -> None:
        await in_thread(lambda: files.save(Path(name), content()), name="save")


def _only_a_recording() -> Fault:
    return Fault(
        tr("This window shows a recording; there is no board behind it."),
        tr("Start Parley without a recording to talk to a board."),
    )


def replay_in_window(file: Path, *, speed: float) -> int:
    """Show a recording in the window until it is closed; its exit code. Raises Fault."""
    from app.ui import application
    from app.ui.window import MainWindow

    opened = Recording(files.read_lines(file))
    application.make()

    async def show() -> int:
        closed = asyncio.Event()
        title = tr("Parley: recording {name}", name=file.name)
        window = MainWindow(Replayed(), title=title, clock=_clock_of(opened))
        window.closed.connect(closed.set)
        window.show()

        async def play() -> None:
            async for event in paced(opened, speed):
                window.handle(event)
            _tell_damaged(opened)

        playing = asyncio.ensure_future(play())
        try:
            await closed.wait()
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
            await window.finish()
        return 0

    return application.run(show)


def _clock_of(opened: Recording) -> WallClock:
    return opened.clock if opened.clock.epoch_s else WallClock(time.time() - now())
