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
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import serial

from app.compose import places
from app.compose.places import BoardKind
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


@dataclass(frozen=True, slots=True)
class Inhabitants:
    """What lives in a world while it lasts."""

    board: VirtualBoard
    person: Person
    service: Service
    thread: LoopThread


class World:
    """One virtual board at `port`, one service at a free port of this machine's loopback."""

    def __init__(
        self,
        *,
        kind: BoardKind = "korvo2",
        key: Secret | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`changed` is called on the loop of `start` when a call of the service began or ended."""
        self.kind = kind
        self.open_calls: frozenset[str] = frozenset()
        """Ids of the calls the service holds."""
        self._changed = changed
        self.key = key or Secret(f"sk-demo-{secrets.token_urlsafe(24)}")
        self.port = Port(f"sim://board{next(_numbers)}", tr("Virtual board (nothing to plug in)"))
        self._password = Secret(secrets.token_urlsafe(12))
        self._made: Inhabitants | None = None

    async def start(self) -> None:
        """Power the board and start the service. Once; does nothing when they run."""
        if self._made is not None:
            return
        self._loop = asyncio.get_running_loop()
        # Imports and speech synthesis take a while: off this thread, which may draw the window.
        made = await asyncio.to_thread(self._make)
        self._made = made
        await made.thread.run(made.service.start())
        made.board.power_on()

    def _make(self) -> Inhabitants:
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
        service = Service(keys=frozenset({self.key.reveal()}), tell=self._service_told)
        return Inhabitants(board, person, service, LoopThread("service"))

    def _service_told(self, kind: str, facts: dict[str, Any]) -> None:
        """In the service's thread: one hop, and no more."""
        if kind == "call":
            with suppress(RuntimeError):  # our loop has ended: nobody wants to know any more
                self._loop.call_soon_threadsafe(self._call_is, facts["call"], facts["state"])

    def _call_is(self, call: str, state: str) -> None:
        if state == "ended":
            self.open_calls -= {call}
        else:
            self.open_calls |= {call}
        self._changed()

    async def stop(self) -> None:
        """Board off, service gone, nothing left running."""
        made, self._made = self._made, None
        if made is None:
            return
        await asyncio.to_thread(made.board.power_off)
        await made.thread.run(made.service.stop())
        await asyncio.to_thread(made.thread.end)

    def settings(self) -> Settings:
        """What the board needs to live in this world: its Wi-Fi, its service, a key."""
        return Settings(
            {
                "cfg_id": str(uuid.uuid4()),
                "board": self.kind,
                "wifi_ssid": SSID,
                "wifi_psw": self._password,
                "api_key": self.key,
                "base_url": self._there.service.base_url,
                "auto_start": 0,
            }
        )

    @property
    def _there(self) -> Inhabitants:
        assert self._made is not None, "not started"
        return self._made

    @property
    def person(self) -> Person:
        return self._there.person

    @property
    def board(self) -> VirtualBoard:
        return self._there.board

    async def set_fault(self, name: str) -> None:
        """Let the service misbehave from now on; empty: behave."""
        service = self._there.service

        async def set_it() -> None:
            service.fault = name

        await self._there.thread.run(set_it())

    def heard_after_s(self, since: float) -> float | None:
        """Seconds from `since` (monotonic) to the first sound at the board's speaker."""
        first = self.person.first_heard_at
        return None if first is None else first - since


def now() -> float:
    """Monotonic seconds: the clock of every `at`."""
    return time.monotonic()
