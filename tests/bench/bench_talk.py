"""The desktop's call beside stock aiortc, in one interleaved run: connect, first sound, gaps.

Both talk with the same local service, in a process of its own. Loss strikes RTP on its way to the
client, before aiortc sees it, with the same seed for both. Stock aiortc is its README's client
(without its STUN servers, which would only make it slower), a FIFO and a 10 ms card.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError
from rich.console import Console
from rich.table import Table

from app.adapters.sound import WavIn, WavOut
from app.compose.moments import Moments
from app.compose.talker import Talker
from app.core.events import Event, Role, SessionIs, SessionState, Turn, TurnState
from app.core.secret import Secret
from app.core.settings import Settings
from app.sim.speech import speak

GREETING = "Hello, I am Parley. How can I help you?"
SETTLE_PACKETS = 10
LOUD_RMS = 300.0


@dataclass
class Run:
    """One call: milliseconds from its start, and the share of the speech that was not heard."""

    connect_ms: float
    first_sound_ms: float
    missing: float


class Speaker(WavOut):
    """A 10 ms card that notes when it plays speech."""

    def __init__(self) -> None:
        super().__init__()
        self.loud: list[float] = []

    def start(self, pull: Any) -> None:
        def noted(samples: int, at: float) -> Any:
            block = pull(samples, at)
            if is_loud(block):
                self.loud.append(time.monotonic())
            return block

        super().start(noted)


def is_loud(block: Any) -> bool:
    return float(np.sqrt(np.mean(block.astype(np.float64) ** 2))) > LOUD_RMS


def spoken_blocks() -> int:
    sound = speak(GREETING, voice="en-us+f3")
    return sum(is_loud(sound[at : at + 480]) for at in range(0, len(sound) - 479, 480))


@dataclass(frozen=True)
class Line:
    """What happens to RTP on its way to us."""

    name: str
    loss: float = 0.0
    jitter_s: float = 0.0
    busy: bool = False
    """Another thread keeps the interpreter for 15 of every 33 ms, as a busy window does."""


LINES = (
    Line("clean"),
    Line("1 % lost", loss=0.01),
    Line("5 % lost", loss=0.05),
    Line("10 % lost", loss=0.1),
    Line("0-60 ms jitter", jitter_s=0.06),
    Line("busy window", busy=True),
)


@contextmanager
def on(line: Line, seed: int) -> Iterator[None]:
    """This process's receivers at the end of `line`; the service is in another one."""
    whole, chance, count, last = RTCRtpReceiver._handle_rtp_packet, random.Random(seed), 0, 0.0
    tasks: set[asyncio.Task[None]] = set()

    def late(self: RTCRtpReceiver, packet: Any, arrival_time_ms: int) -> None:
        task = asyncio.ensure_future(whole(self, packet, arrival_time_ms))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def handle(self: RTCRtpReceiver, packet: Any, arrival_time_ms: int) -> None:
        nonlocal count, last
        count += 1
        lost = chance.random() < line.loss and count > SETTLE_PACKETS
        loop = asyncio.get_running_loop()
        at = last = max(last, loop.time() + chance.random() * line.jitter_s)
        if not line.jitter_s and not lost:
            await whole(self, packet, arrival_time_ms)
        elif not lost:
            loop.call_at(at, late, self, packet, arrival_time_ms)

    RTCRtpReceiver._handle_rtp_packet = handle
    over = threading.Event()
    if line.busy:
        threading.Thread(target=keep_busy, args=(over,), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        RTCRtpReceiver._handle_rtp_packet = whole


def keep_busy(over: threading.Event) -> None:
    while not over.wait(0.018):
        end = time.monotonic() + 0.015
        while time.monotonic() < end:
            sum(range(200))


def missing(speaker: Speaker) -> float:
    return max(0.0, 1 - len(speaker.loud) / spoken_blocks())


async def ours(base_url: str) -> Run:
    told: list[Event] = []
    moments, speaker = Moments(told.append), Speaker()

    async def key() -> Secret:
        return Secret("sk-bench")

    settings = Settings({"base_url": base_url, "volume": 100})
    talker = Talker(
        moments.tell,
        settings,
        key,
        make_in=lambda: WavIn(None),
        make_out=lambda: speaker,
    )
    try:
        await talker.warm()
        began = time.monotonic()
        await talker.start()
        await moments.until(lambda: any(is_end(event) for event in told), 20)
        live = next(e for e in told if isinstance(e, SessionIs) and e.state is SessionState.LIVE)
        await asyncio.sleep(0.3)  # what is still in the buffer
    finally:
        await talker.close()
    return Run((live.at - began) * 1000, (speaker.loud[0] - began) * 1000, missing(speaker))


def is_end(event: Event) -> bool:
    is_turn = isinstance(event, Turn) and event.role is Role.ASSISTANT
    return is_turn and event.state is TurnState.ENDED


class Fifo:
    """What one writes first: decoded frames in, blocks out, silence when empty."""

    def __init__(self) -> None:
        self._sound = np.zeros(0, np.int16)
        self._lock = threading.Lock()

    def push(self, pcm: Any) -> None:
        with self._lock:
            self._sound = np.concatenate((self._sound, pcm))

    def pull(self, samples: int, at: float) -> Any:
        with self._lock:
            out, self._sound = self._sound[:samples], self._sound[samples:]
        return np.pad(out, (0, samples - len(out)))


async def stock(base_url: str) -> Run:
    speaker, fifo, opened, over = Speaker(), Fifo(), asyncio.Event(), asyncio.Event()
    speaker.start(fifo.pull)
    tasks: list[asyncio.Task[None]] = []
    async with aiohttp.ClientSession() as http:
        await (await http.head(base_url)).read()
        began = time.monotonic()
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.addTrack(AudioStreamTrack())
        channel = connection.createDataChannel("oai-events")

        async def listen(track: Any) -> None:
            while True:
                try:
                    frame = await track.recv()
                except MediaStreamError:
                    return
                pcm = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                fifo.push(np.ascontiguousarray(pcm))

        connection.on("track", lambda track: tasks.append(asyncio.ensure_future(listen(track))))

        def said(text: str) -> None:
            if json.loads(text)["type"] == "output_audio_buffer.stopped":
                over.set()

        channel.on("open", opened.set)
        channel.on("message", said)
        await connection.setLocalDescription(await connection.createOffer())
        form = aiohttp.FormData()
        form.add_field("sdp", connection.localDescription.sdp, content_type="application/sdp")
        form.add_field("session", '{"type":"realtime"}', content_type="application/json")
        async with http.post(
            f"{base_url}/realtime/calls", data=form, headers={"Authorization": "Bearer sk-bench"}
        ) as answer:
            sdp = await answer.text()
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        await asyncio.wait_for(opened.wait(), 10)
        live = time.monotonic()
        create = {"type": "response.create", "response": {"instructions": "Greet the user."}}
        channel.send(json.dumps(create))
        await asyncio.wait_for(over.wait(), 20)
        await asyncio.sleep(0.8)  # what is still in its buffers
        await connection.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.to_thread(speaker.close)
    first = speaker.loud[0] if speaker.loud else float("nan")
    return Run((live - began) * 1000, (first - began) * 1000, missing(speaker))


@contextmanager
def service() -> Iterator[str]:
    """The base URL of a service in a process of its own."""
    command = [sys.executable, "-u", "-m", "app", "service"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(10)


def measured(rounds: int) -> dict[tuple[str, str], list[Run]]:
    runs: dict[tuple[str, str], list[Run]] = {}
    with service() as base_url:
        asyncio.run(ours(base_url))  # imports and first sentences cost once
        asyncio.run(stock(base_url))
        for number in range(rounds):
            for line in LINES:
                for name, client in (("ours", ours), ("stock", stock)):
                    with on(line, seed=number):
                        runs.setdefault((name, line.name), []).append(asyncio.run(client(base_url)))
    return runs


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    logging.disable(logging.WARNING)
    runs = measured(given.rounds)
    table = Table(title=f"medians of {given.rounds} interleaved rounds; ours / stock aiortc")
    for column in ("line", "connect ms", "first sound ms", "speech missing %"):
        table.add_column(column, justify="left" if column == "line" else "right")
    figures: dict[str, float] = {}
    for line in LINES:
        row = [line.name]
        for field, scale in (("connect_ms", 1), ("first_sound_ms", 1), ("missing", 100)):
            ours_, stock_ = (
                statistics.median(getattr(run, field) * scale for run in runs[name, line.name])
                for name in ("ours", "stock")
            )
            figures[f"{field} ours, {line.name}"] = ours_
            figures[f"{field} stock, {line.name}"] = stock_
            ratio = f" = {ours_ / stock_:.2f}x" if stock_ else ""
            row.append(f"{ours_:.1f} / {stock_:.1f}{ratio}")
        table.add_row(*row)
    if given.json:
        print(json.dumps({name: round(value, 2) for name, value in figures.items()}))
    else:
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
