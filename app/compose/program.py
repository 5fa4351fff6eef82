"""The program without its view: one board, and the world of the demo when it is asked for."""

from __future__ import annotations

import asyncio

from app.adapters import discovery, journal
from app.adapters.board import Board
from app.adapters.nvs_image import nvs_image
from app.compose import bundles, places
from app.compose.moments import Moments
from app.compose.places import BoardKind
from app.compose.world import World, now
from app.core import provision
from app.core.bundle import Bundle
from app.core.events import Boot, Command, Event, PortsAre, Tell
from app.core.faults import Fault
from app.core.language import tr
from app.core.secret import Secret
from app.core.settings import Settings, nvs_rows


class Program:
    """What a view may ask for (core.ports.Actions, all but the demo), done with real parts.

    `tell` gets every event on the loop that made this object. The virtual board is in the list of
    ports like any other; choosing it makes its world.
    """

    def __init__(self, tell: Tell, *, kind: BoardKind = "korvo2") -> None:
        self.moments = Moments(tell)
        self._tell = self.moments.tell
        self.world = World(kind=kind, changed=self.moments.wake)
        self.board = Board(self._tell)
        self.port = ""
        self._ports = PortsAre((self.world.port,))
        self._watch: asyncio.Task[None] | None = None

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
        await self.board.send(command)


def read_virtual_bundle() -> Bundle:
    return bundles.read(places.virtual_bundle())


async def install(board: Board, bundle: Bundle, settings: Settings, tell: Tell) -> Boot:
    """Bundle and settings onto the board in one action, proven. Raises Fault."""
    for value in settings.values():
        if isinstance(value, Secret):
            journal.hide(value)
    cfg = nvs_image(nvs_rows(settings), bundle.cfg_bytes)
    return await provision.install(board, bundle, cfg, tell, now, cfg_id=settings.text("cfg_id"))
