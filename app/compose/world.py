"""The demo's outside world: a virtual board in a room with a person, and the realtime service.

The service has a thread and a loop of its own, as it would have a machine of its own: a moving
window must not make it stutter. The board brings its own thread.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
import time
import uuid
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import serial

from app.compose import places
from app.core.events import Port
from app.core.language import tr
from app.core.secret import Secret
from app.core.settings import Settings

if TYPE_CHECKING:
    from app.sim.board import VirtualBoard
    from app.sim.room import Person
    from app.sim.service import Service

Result = TypeVar("Result")

SSID = "Demo network"
REQUESTS = ("Please turn the light blue.",)
"""What the person in the room says, one after another."""

_numbers = itertools.count(1)


class LoopThread:
    """A thread with an asyncio loop; coroutines are run on it from outside."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class World:
    """One virtual board at `port`, one service at a free port of this machine's loopback."""

    def __init__(self, *, kind: str = "korvo2", key: Secret | None = None) -> None:
        self.kind = kind
        self.key = key or Secret(f"sk-demo-{secrets.token_urlsafe(24)}")
        self.port = Port(f"sim://board{next(_numbers)}", tr("Virtual board (nothing to plug in)"))
        self._password = Secret(secrets.token_urlsafe(12))
        self._thread: LoopThread | None = None
        self._board: VirtualBoard | None = None
        self._service: Service | None = None
        self._person: Person | None = None

    async def start(self) -> None:
        """Power the board and start the service. Once; does nothing when they run."""
        if self._thread is not None:
            return
        self._thread = LoopThread("service")
        # Imports and speech synthesis take a while: off this thread, which may draw the window.
        self._board, self._person, self._service = await asyncio.to_thread(self._make)
        await self._thread.run(self._service.start())
        self._board.power_on()

    def _make(self) -> tuple[VirtualBoard, Person, Service]:
        from app.sim import protocol_sim
        from app.sim.board import VirtualBoard
        from app.sim.chip import Network
        from app.sim.room import Person
        from app.sim.service import Service
        from app.sim.speech import speak

        if "app.sim" not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.append("app.sim")
        person = Person([speak(request) for request in REQUESTS])
        networks = (
            Network(SSID, self._password.reveal()),
            Network("Neighbours", "unknown to us", rssi_dbm=-81),
        )
        name = self.port.name.removeprefix("sim://")
        board = VirtualBoard(
            name, self.kind, cores=places.virtual_cores(), networks=networks, room=person
        )
        protocol_sim.boards[name] = board
        return board, person, Service(keys=frozenset({self.key.reveal()}))

    async def stop(self) -> None:
        """Board off, service gone, nothing left running."""
        if self._thread is None:
            return
        if self._board is not None:
            await asyncio.to_thread(self._board.power_off)
        if self._service is not None:
            await self._thread.run(self._service.stop())
        await asyncio.to_thread(self._thread.end)
        self._thread = None

    def settings(self) -> Settings:
        """What the board needs to live in this world: its Wi-Fi, its service, a key."""
        assert self._service is not None
        return Settings(
            {
                "cfg_id": str(uuid.uuid4()),
                "board": self.kind,
                "wifi_ssid": SSID,
                "wifi_psw": self._password,
                "api_key": self.key,
                "base_url": self._service.base_url,
                "auto_start": 0,
            }
        )

    @property
    def service(self) -> Service:
        assert self._service is not None
        return self._service

    @property
    def person(self) -> Person:
        assert self._person is not None
        return self._person

    @property
    def board(self) -> VirtualBoard:
        assert self._board is not None
        return self._board

    async def open_calls(self) -> int:
        """Calls the service holds now."""
        assert self._thread is not None
        service = self.service

        async def count() -> int:
            return len(service.calls)

        return await self._thread.run(count())

    async def set_fault(self, name: str) -> None:
        """Let the service misbehave from now on; empty: behave."""
        assert self._thread is not None
        service = self.service

        async def set_it() -> None:
            service.fault = name

        await self._thread.run(set_it())

    def heard_after_s(self, since: float) -> float | None:
        """Seconds from `since` (monotonic) to the first sound at the board's speaker."""
        first = self.person.first_heard_at
        return None if first is None else first - since


def now() -> float:
    """Monotonic seconds: the clock of every `at`."""
    return time.monotonic()
