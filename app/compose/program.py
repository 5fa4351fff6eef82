"""The program without its view: one board, and the world of the demo when it is asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.adapters import discovery, files, journal
from app.adapters.board import Board
from app.adapters.console_log import ConsoleLog
from app.adapters.nvs_image import nvs_image
from app.adapters.threads import in_thread
from app.compose import bundles, places
from app.compose.moments import Moments
from app.compose.places import BoardKind
from app.compose.world import World, now
from app.core import provision
from app.core.bundle import Bundle
from app.core.console import Console
from app.core.events import Boot, Command, Event, LogIs, PortsAre, Tell
from app.core.export import console_line
from app.core.faults import Fault
from app.core.language import tr
from app.core.secret import Secret
from app.core.settings import Settings, nvs_rows
from app.core.stock import Stock
from app.core.wall_clock import WallClock
from app.core.wire import mirror


class Program:
    """What a view may ask for (core.ports.Actions, all but the demo), done with real parts.

    `tell` gets every event on the loop that made this object. The virtual board is in the list of
    ports like any other; choosing it makes its world.
    """

    def __init__(self, tell: Tell, *, kind: BoardKind = "korvo2") -> None:
        self.clock = WallClock(time.time() - now())
        self._log: ConsoleLog | None = None
        self._stock = Stock()
        self._console = Console(most_entries=64)  # what a log will say of an event
        self.moments = Moments(tell)
        self._tell = self._told
        self.world = World(kind=kind, changed=self.moments.wake)
        self.board = Board(self._tell)
        self.port = ""
        self._ports = PortsAre((self.world.port,))
        self._watch: asyncio.Task[None] | None = None

    def _told(self, event: Event) -> None:
        self.moments.tell(event)
        first = self._console.end
        if self._console.apply(event):
            self._log_new(first)
        for more in self._stock.take(event):
            self.moments.tell(more)
        self.board.plain = self._stock.active

    async def list_ports(self) -> None:
        """Tell the ports that are there, and each change of them until `close`."""
        if self._watch is not None:
            self._tell(self._ports)
            return
        self._watch = asyncio.create_task(
            discovery.watch(self._ports_are, extra=(self.world.port,)), name="ports"
        )

    def _ports_are(self, event: Event) -> None:
        if isinstance(event, PortsAre):
            self._ports = event
        self._tell(event)

    async def close(self) -> None:
        """Let go of the port, end the world. Idempotent."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self.board.close()
        await self._end_log()
        await self.world.stop()

    async def choose(self, port: str) -> None:
        await self._be_there(port)
        await self.board.open(port)
        self.port = port

    async def _be_there(self, port: str) -> None:
        if port == self.world.port.name:
            await self.world.start()

    async def install(self) -> Boot:
        """Flash and configure the virtual board; a real one gets its wizard."""
        if self.port != self.world.port.name:
            raise Fault(
                tr("Setting up a real board is not part of this version yet."),
                tr("Choose the virtual board to see how it goes."),
            )
        bundle = read_virtual_bundle()  # refused before the port is touched
        return await install(self.board, bundle, self.world.settings(), self._tell)

    async def restart(self) -> None:
        await self.board.restart()

    async def send(self, command: Command) -> None:
        first = self._console.end
        self._console.sent(mirror(command), now())
        self._log_new(first)
        await self.board.send(command)

    async def save(self, name: str, content: Callable[[], bytes]) -> None:
        await in_thread(lambda: files.save(Path(name), content()), name="save")

    async def log_console(self, name: str) -> None:
        await self._end_log()
        if name:
            loop = asyncio.get_running_loop()

            def failed(reason: str) -> None:
                with suppress(RuntimeError):  # the loop has ended: nobody wants to know any more
                    loop.call_soon_threadsafe(self._tell, LogIs(now(), "", reason))

            self._log = ConsoleLog(Path(name), failed)
            self._tell(LogIs(now(), name))

    async def _end_log(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            await in_thread(log.close, name="log")
            self._tell(LogIs(now(), ""))

    def _log_new(self, first: int) -> None:
        """Entries from `first` on go to the log, if there is one."""
        if self._log is not None:
            for index in range(first, self._console.end):
                self._log.write(console_line(self._console[index], self.clock))


def read_virtual_bundle() -> Bundle:
    return bundles.read(places.virtual_bundle())


async def install(board: Board, bundle: Bundle, settings: Settings, tell: Tell) -> Boot:
    """Bundle and settings onto the board in one action, proven. Raises Fault."""
    for value in settings.values():
        if isinstance(value, Secret):
            journal.hide(value)
    cfg = nvs_image(nvs_rows(settings), bundle.cfg_bytes)
    return await provision.install(board, bundle, cfg, tell, now, cfg_id=settings.text("cfg_id"))
