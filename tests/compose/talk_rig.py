"""A local service on a thread of its own, and a Talker whose world is files and clocks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from aiortc import RTCRtpReceiver

from app.adapters.media_thread import MediaThread
from app.adapters.opus import Pcm
from app.adapters.sound import WavIn, WavOut
from app.compose.moments import Moments
from app.compose.talker import Talker
from app.core.events import Event, SessionIs, SessionState
from app.core.secret import Secret
from app.core.settings import Settings
from app.sim.service import Service, demo_brain

IDLE, LIVE, WAITING = SessionState.IDLE, SessionState.LIVE, SessionState.WAITING


class Mouth(WavIn):
    """A microphone that says what it is given."""

    def __init__(self) -> None:
        super().__init__(None)

    def say(self, sound: Pcm) -> None:
        self._sound, self._at = sound, 0


class Ear(WavOut):
    """A speaker that keeps all it played, in 10 ms blocks with their times."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[tuple[float, Pcm]] = []

    def start(self, pull: Callable[[int, float], Pcm]) -> None:
        def kept(samples: int, at: float) -> Pcm:
            block = pull(samples, at)
            self.blocks.append((at, block))
            return block

        super().start(kept)

    @property
    def sound(self) -> Pcm:
        return np.concatenate([block for _, block in self.blocks])

    def loud_since(self, at: float, rms: float = 300.0) -> list[float]:
        """Times of the blocks with speech in them."""
        return [
            when
            for when, block in self.blocks
            if when >= at and np.sqrt(np.mean(block.astype(np.float64) ** 2)) > rms
        ]


class Desk:
    """One Talker and all it told."""

    def __init__(self, base_url: str, *, key: str = "sk-test", greeting: bool = False, **more: Any):
        self.told: list[Event] = []
        self.moments = Moments(self.told.append)
        self.mouth, self.ear = Mouth(), Ear()

        async def ask() -> Secret | None:
            return Secret(key) if key else None

        settings = Settings({"base_url": base_url, "volume": 100, **more.pop("values", {})})
        more = {"make_in": lambda: self.mouth, "make_out": lambda: self.ear, **more}
        self.talker = Talker(self.moments.tell, settings, ask, greeting=greeting, **more)

    def of(self, kind: type[Any], since: int = 0) -> list[Any]:
        return [event for event in self.told[since:] if isinstance(event, kind)]

    async def until(self, condition: Callable[[], Any], within_s: float = 8.0) -> None:
        if not await self.moments.until(lambda: bool(condition()), within_s):
            last = "\n".join(map(repr, self.told[-12:]))
            raise AssertionError(f"did not happen within {within_s} s; last events:\n{last}")

    async def reach(
        self, *states: SessionState, since: int = 0, within_s: float = 8.0
    ) -> SessionIs:
        def found() -> list[SessionIs]:
            return [e for e in self.of(SessionIs, since) if e.state in states]

        await self.until(found, within_s)
        return found()[0]

    async def go_live(self) -> Desk:
        await self.talker.start()
        await self.reach(LIVE)
        return self


class Hall:
    """The service; everything of it happens on its own thread."""

    def __init__(self, **options: Any) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._thread = MediaThread("service")
        self._service = Service(
            brain=demo_brain(), tell=lambda kind, facts: self.heard.append((kind, facts)), **options
        )

    async def start(self) -> None:
        await self._thread.run(self._service.start())

    async def stop(self) -> None:
        await self._thread.run(self._service.stop())
        await asyncio.to_thread(self._thread.end)

    @property
    def base_url(self) -> str:
        return self._service.base_url

    @property
    def open_calls(self) -> int:
        return len(self._service.calls)

    async def set_fault(self, name: str) -> None:
        async def set_it() -> None:
            self._service.fault = name

        await self._thread.run(set_it())

    def events(self, kind: str) -> list[dict[str, Any]]:
        told = [facts["event"] for what, facts in self.heard if what == "event"]
        return [event for event in told if event["type"] == kind]


@asynccontextmanager
async def hall(**options: Any) -> AsyncIterator[Hall]:
    made = Hall(**options)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def desk(base_url: str, **options: Any) -> AsyncIterator[Desk]:
    made = Desk(base_url, **options)
    try:
        yield made
    finally:
        await made.talker.close()


@contextmanager
def lossy_line(share: float, talker: Talker, *, settle: int = 50, seed: int = 1) -> Iterator[None]:
    """Loses RTP on its way to `talker`, before aiortc sees it; the first packets get through."""
    whole, chance, count = RTCRtpReceiver._handle_rtp_packet, random.Random(seed), 0

    async def handle(self: RTCRtpReceiver, packet: Any, arrival_time_ms: int) -> None:
        nonlocal count
        if asyncio.get_running_loop() is talker._media.loop:
            count += 1
            if count > settle and chance.random() < share:
                return
        await whole(self, packet, arrival_time_ms)

    RTCRtpReceiver._handle_rtp_packet = handle
    try:
        yield
    finally:
        RTCRtpReceiver._handle_rtp_packet = whole


def wav(path: Path, sound: Pcm) -> Path:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(sound.tobytes())
    return path
