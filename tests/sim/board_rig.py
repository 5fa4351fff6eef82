"""What the board tests share: a chip around one firmware, its console as awaitable lines, and a
small WebRTC answerer."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from app.core.schema import BY_KEY
from app.sim.board_audio import FrameClock
from app.sim.chip import FRAME, Chip, Network, Room
from app.sim.firmware import Firmware
from app.sim.room import SilentRoom

FIRMWARE = Path(__file__).parents[2] / "firmware"
PROBE_SOURCE = Path(__file__).with_name("door_probe.c")


def build_library(out: Path, *sources: Path) -> Path:
    """C sources as a shared library at `out`."""
    include = FIRMWARE / "components/parley_core/include"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", f"-I{include}", "-o", out, *sources], check=True
    )
    return out


def build_probe(folder: Path) -> Path:
    """The probe of door_probe.c, with the layout of the header as it is now."""
    return build_library(folder / "libprobe.so", PROBE_SOURCE, FIRMWARE / "host/layout.c")


def build_core(folder: Path) -> Path:
    """The firmware core as it is now. A build of its own: the checkout's may be older, or be
    under way in another terminal."""
    for command in (
        ["cmake", "-S", FIRMWARE / "host", "-B", folder, "-DPARLEY_TESTS=OFF"],
        ["cmake", "--build", folder, "--target", "parley_core"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "libparley_core.so"


NETWORKS = (
    Network("home", "correct horse", rssi_dbm=-48),
    Network("cafe", "", rssi_dbm=-71, security="open", channel=11),
    Network("attic", "shh", rssi_dbm=-80, security="wpa3", hidden=True),
)


class MemoryStore:
    """NVS in a dict."""

    def __init__(self, **values: int | str) -> None:
        self.values: dict[str, tuple[str, int | str]] = {}
        for key, value in values.items():
            plain = "string" if isinstance(value, str) else "u8"
            type_name = BY_KEY[key].kind.value if key in BY_KEY else plain
            self.values[key] = (type_name, value)

    def get(self, key: str, type_name: str) -> int | str:
        kept_type, value = self.values[key]
        if kept_type != type_name:
            raise TypeError(key)
        return value

    def set(self, key: str, type_name: str, value: int | str) -> None:
        self.values[key] = (type_name, value)


class Desk:
    """One virtual board with its console: every write is one entry of `lines`."""

    def __init__(self, core: Path, *, room: Room | None = None, **settings: int | str) -> None:
        self.lines: list[str] = []
        self.restarts = 0
        self.restarted = asyncio.Event()
        self.store = MemoryStore(**settings)
        self.room = room or SilentRoom()
        self._written = asyncio.Event()
        self._seen = 0
        self.firmware = Firmware(
            core,
            Chip(
                board="korvo2",
                build="0123456789abcdef",
                reset="power_on",
                psram_bytes=8 << 20,
                flash_bytes=16 << 20,
                write_console=self._write,
                store=self.store,
                restart=self._restart,
                networks=NETWORKS,
                room=self.room,
            ),
        )

    def _write(self, data: bytes) -> None:
        self.lines.append(data.decode(errors="replace"))
        self._written.set()

    def _restart(self) -> None:
        self.restarts += 1
        self.restarted.set()

    def type(self, text: str) -> None:
        self.firmware.console_in(text.encode())

    async def line(self, wanted: Callable[[str], bool] | str, *, within_s: float = 5.0) -> str:
        """The next line, after the one returned last, that is wanted (or starts with a text)."""
        fits = (lambda line: line.startswith(wanted)) if isinstance(wanted, str) else wanted
        try:
            async with asyncio.timeout(within_s):
                while True:
                    while self._seen < len(self.lines):
                        line = self.lines[self._seen]
                        self._seen += 1
                        if fits(line):
                            return line
                    self._written.clear()
                    await self._written.wait()
        except TimeoutError:
            told = "".join(line[:300] for line in self.lines[-40:])
            raise AssertionError(
                f"waited {within_s} s for {wanted!r}; the board said:\n{told}"
            ) from None

    async def record(self, *, within_s: float = 5.0, **wanted: object) -> dict[str, object]:
        """The next record that has these keys and values."""

        def fits(line: str) -> bool:
            if not line.startswith("\x1e"):
                return False
            record = json.loads(line[1:])
            return all(record.get(key) == value for key, value in wanted.items())

        try:
            found: dict[str, object] = json.loads((await self.line(fits, within_s=within_s))[1:])
        except AssertionError as why:
            raise AssertionError(f"no record {wanted}: {why}") from None
        return found


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """What was done inside left no task and told the loop of no failure."""
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: failures.append(
            f"{context['message']}: {context.get('exception')!r}"
        )
    )
    before = asyncio.all_tasks()
    yield
    if left := asyncio.all_tasks() - before - {asyncio.current_task()}:
        # aiortc and aiohttp cancel tasks without waiting for them; they take a few turns to end.
        _, left = await asyncio.wait(left, timeout=0.5)
    assert not left, left
    assert not failures, failures


@asynccontextmanager
async def desk(
    core: Path, *, room: Room | None = None, **settings: int | str
) -> AsyncIterator[Desk]:
    """A started board; after its stop it says nothing more."""
    board = Desk(core, room=room, **settings)
    board.firmware.start()
    try:
        yield board
    finally:
        await board.firmware.stop()
        count = len(board.lines)
        await board.firmware.stop()
        assert len(board.lines) == count


class Tone(MediaStreamTrack):
    """440 Hz while `loud`, else digital silence."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.loud = True
        self._clock = FrameClock()
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        await self._clock.tick()
        at = np.arange(self._at, self._at + FRAME) / 48_000
        wave = np.sin(2 * math.pi * 440 * at) * (8_000 if self.loud else 0)
        frame = av.AudioFrame.from_ndarray(
            wave.astype(np.int16)[np.newaxis, :], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._at, Fraction(1, 48_000)
        self._at += FRAME
        return frame


class Answerer:
    """The other side of one call: sends a tone, echoes channel texts, measures what it hears."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tone = Tone()
        self.heard_rms: list[float] = []
        self.channel = None
        self._listening: asyncio.Task[None] | None = None

    async def answer(self, offer: str) -> str:
        self.connection.on("datachannel", self._channel_came)
        self.connection.on("track", self._track_came)
        self.connection.addTrack(self.tone)
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        sdp: str = self.connection.localDescription.sdp
        return sdp

    def _channel_came(self, channel) -> None:
        self.channel = channel
        channel.on("message", channel.send)

    def _track_came(self, track) -> None:
        self._listening = asyncio.create_task(self._listen(track))

    async def _listen(self, track) -> None:
        while True:
            samples = (await track.recv()).to_ndarray().astype(np.float64)
            self.heard_rms.append(float(np.sqrt(np.mean(samples**2))))

    async def __aenter__(self) -> Answerer:
        return self

    async def __aexit__(self, *_why: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.connection.close()
        await asyncio.sleep(0)

    def vanish(self) -> None:
        """As if its computer lost power: its sockets neither send nor hear any more."""
        for transceiver in self.connection.getTransceivers():
            ice = transceiver.receiver.transport.transport._connection
            for protocol in ice._protocols:
                protocol.transport.sendto = lambda *_a, **_k: None
                protocol.datagram_received = lambda *_a, **_k: None


@asynccontextmanager
async def web_server(*routes: web.RouteDef) -> AsyncIterator[str]:
    """An HTTP server on a free port of this machine; yields its base URL."""
    app = web.Application()
    app.add_routes(routes)
    # A handler that never answers ends with its client.
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = site._server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
