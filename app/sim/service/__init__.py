"""A Realtime service on this computer: the HTTP and WebRTC interface of OpenAI's Realtime API (GA),
with a brain that works offline. Clients need only another base URL.

    service = Service()
    await service.start()
    ... service.base_url ...
    await service.stop()

How other clients use it, what can go wrong on purpose and what it cannot do: README.md here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aiohttp import web

from app.sim.consent import notice_loss_soon, work_without_network
from app.sim.service import faults
from app.sim.service.brain import (
    Ask,
    Brain,
    EchoBrain,
    Say,
    Scripted,
    ScriptedBrain,
    Step,
    ToolOutput,
    Use,
    demo_brain,
)
from app.sim.service.call import Call
from app.sim.service.ears import Ears, EarsFailed, Expected, OfflineEars, ScriptedEars
from app.sim.service.forward import ForwardingBrain, ForwardingEars
from app.sim.service.http import Opened, application
from app.sim.service.offline import OfflineBrain
from app.sim.service.recording import Recorder, Recording
from app.sim.service.session import Json, Session
from app.sim.speech import speak

__all__ = [
    "Ask",
    "Brain",
    "Call",
    "Ears",
    "EarsFailed",
    "EchoBrain",
    "Expected",
    "ForwardingBrain",
    "ForwardingEars",
    "OfflineBrain",
    "OfflineEars",
    "Recording",
    "Say",
    "Scripted",
    "ScriptedBrain",
    "ScriptedEars",
    "Service",
    "Step",
    "ToolOutput",
    "Use",
    "demo_brain",
]

STOP_WITHIN_S = 2.0


class Service:
    """One service on one port; as many as one likes in a process. All on the loop of `start`.

    `keys` are the project keys it accepts (None: any that is not empty). `tell` hears what goes on:
    "request" (method, path, status), "call" (call, state, reason) and "event" (call, event); it is
    never told a key. `ice_lite` puts that line into the answers, as the real service does.
    `also` are further addresses to listen on (`lan.private_addresses`). `advertise` stands in the
    answers' candidates in place of this computer's addresses: for a service behind NAT, or a guest
    in an emulator. `record` is a folder that gets a file for each call; `replay` answers every
    call with that recording.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ears: Ears | None = None,
        brain: Brain | None = None,
        keys: frozenset[str] | None = None,
        session_limit_s: float = 3600.0,
        tell: Callable[[str, dict[str, Any]], None] | None = None,
        ice_lite: bool = True,
        also: tuple[str, ...] = (),
        advertise: str = "",
        record: Path | None = None,
        replay: Recording | None = None,
    ) -> None:
        self.base_url = ""
        """`http://127.0.0.1:PORT/v1` once started."""

        self.lan_urls: tuple[str, ...] = ()
        """The same at the further addresses."""

        self._host, self._port = host, port
        self._brain = brain or OfflineBrain()
        # A script says its own words; nobody has to speak them.
        scripted = self._brain if isinstance(self._brain, ScriptedBrain) else None
        self._ears = ears or scripted or OfflineEars()
        self._keys, self._limit_s, self._ice_lite = keys, session_limit_s, ice_lite
        self._tell = tell
        self._also, self._advertise = also, advertise
        self._record, self._replay = record, replay
        self.names = frozenset(name for name in (host, advertise, *also) if name)
        """What a Host header may say, beside the loopback's names."""

        self._fault = ""
        self._calls: dict[str, Call] = {}
        self._secrets: dict[str, tuple[float, Json]] = {}
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    @property
    def calls(self) -> Mapping[str, Call]:
        """The open calls by id."""
        return MappingProxyType(self._calls)

    @property
    def fault(self) -> str:
        """What goes wrong at present (`faults.MEANING`), "" for nothing.

        `drop` and `expire` strike open calls at once. Setting raises ValueError for other names.
        """
        return self._fault

    @fault.setter
    def fault(self, name: str) -> None:
        self._fault = faults.checked(name)
        for call in tuple(self._calls.values()):
            call.strike(name)

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken, SpeechMissing without espeak-ng."""
        assert self._runner is None, "already started"
        self._stopping.clear()
        notice_loss_soon()
        work_without_network()
        # The first sentence pays for loading espeak-ng and FFmpeg; better now than in a call.
        await asyncio.to_thread(speak, "Ready.")
        if isinstance(self._ears, OfflineEars):
            await asyncio.to_thread(self._ears.wake)
        runner = web.AppRunner(application(self), access_log=None, shutdown_timeout=STOP_WITHIN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            port = runner.addresses[0][1]
            for address in self._also:
                await web.TCPSite(runner, address, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.base_url = f"http://{self._host}:{port}/v1"
        self.lan_urls = tuple(f"http://{address}:{port}/v1" for address in self._also)

    async def stop(self) -> None:
        """Ends every call and closes the port. Nothing is left behind; idempotent."""
        runner, self._runner = self._runner, None
        self._stopping.set()
        if runner is not None:
            # The door first: no call may come in behind those that are being closed.
            await runner.cleanup()
        await asyncio.gather(*(call.close("stopped") for call in tuple(self._calls.values())))
        self._secrets.clear()

    # ---- what the requests ask (http.Desk)

    def accepts_key(self, key: str) -> bool:
        if self._keys is None:
            return bool(key)
        return any(secrets.compare_digest(key.encode(), known.encode()) for known in self._keys)

    def new_secret(self, session: Json | None, lifetime_s: int) -> Json:
        now = time.time()
        self._secrets = {ek: held for ek, held in self._secrets.items() if held[0] > now}
        value = f"ek_{secrets.token_hex(16)}"
        self._secrets[value] = (now + lifetime_s, session or {})
        shown = Session(session, expires_at=0).snapshot()
        return {"value": value, "expires_at": int(now + lifetime_s), "session": shown}

    def session_of_secret(self, secret: str) -> Json | None:
        expires_at, session = self._secrets.get(secret, (0.0, None))
        return session if expires_at > time.time() else None

    async def open_call(self, offer: str, session: Json | None, *, fault: str) -> Opened:
        expires = faults.kind_of(fault) == "expire"
        limit_s = faults.delay_s(fault) if expires else self._limit_s
        call = Call(
            session=Session(session, expires_at=time.time() + limit_s),
            ears=self._ears,
            brain=self._brain,
            limit_s=limit_s,
            fault=fault,
            tell=self.told,
            ended=self._call_ended,
            replay=self._replay,
        )
        self._calls[call.id] = call
        if self._record is not None:
            try:
                call.listeners.append(Recorder(self._record, call.id).heard)
            except OSError as why:  # a call is worth more than its recording
                self.told("error", {"call": call.id, "code": f"not recorded: {why}"})
        sdp = await call.answer(offer, ice_lite=self._ice_lite, advertise=self._advertise)
        return Opened(call.id, sdp)

    def call(self, call_id: str) -> Call | None:
        return self._calls.get(call_id)

    async def hang_up(self, call_id: str) -> bool:
        call = self._calls.get(call_id)
        if call is None:
            return False
        await call.close("hangup")
        return True

    async def wait_for_stop(self) -> None:
        await self._stopping.wait()

    def told(self, kind: str, facts: dict[str, Any]) -> None:
        if self._tell is not None:
            self._tell(kind, facts)

    def _call_ended(self, call: Call) -> None:
        self._calls.pop(call.id, None)
