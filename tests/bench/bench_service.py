"""The realtime service under load: many calls at once, and many calls one after another.

* calls: CALLS at once for SECONDS, sound both ways: each caller speaks a sentence every few seconds
  and is answered. Lateness is that of the service's outgoing frames, each against its own call's
  clock (the earliest frame sets it); CPU and memory are the service process's alone, the callers
  live in this one, with ready-made Opus packets and without decoding, so that they take little.
* soak: SOAK short calls (offer, channel, session.created, close), eight at a time, after a warm-up;
  what is left of them in the service: tasks, file descriptors, memory.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import sys
import time
from array import array
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import aiohttp
import av
import numpy as np
import psutil
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
FRAME_S, FRAME = 0.02, 960
PAUSE_S = 4.0
SOAK_AT_ONCE = 8
WARM_UP_CALLS = 200
"""Pools and caches of the libraries fill up during the first ones."""

SESSION = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}},
}


# ---- the service, in a process of its own


async def serve() -> None:
    """Answers each line on stdin with a line of figures."""
    from app.sim.service import Service
    from app.sim.service.voice import Voice

    clocks: dict[int, array] = {}
    recv = Voice.recv

    async def timed(self):
        packet = await recv(self)
        offsets = clocks.setdefault(id(self), array("d"))
        offsets.append(time.monotonic() - len(offsets) * FRAME_S)
        return packet

    Voice.recv = timed
    service = Service()
    await service.start()
    print(service.base_url, flush=True)
    loop, me = asyncio.get_running_loop(), psutil.Process()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "clear":
            clocks.clear()
            _give_back()
        late = np.concatenate([_lateness_ms(c) for c in clocks.values() if len(c)] or [np.zeros(1)])
        cpu = me.cpu_times()
        print(
            json.dumps(
                {
                    "frames": len(late),
                    "late_p50": float(np.percentile(late, 50)),
                    "late_p99": float(np.percentile(late, 99)),
                    "late_max": float(late.max()),
                    "cpu_s": cpu.user + cpu.system,
                    "waited_s": _waited_s(),
                    "rss_mb": me.memory_info().rss / 2**20,
                    "fds": me.num_fds(),
                    "tasks": len(asyncio.all_tasks()),
                    "calls": len(service.calls),
                }
            ),
            flush=True,
        )
    await service.stop()


def _waited_s() -> float:
    """How long this thread was ready and no processor was free (Linux; else 0)."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def _give_back() -> None:
    """What is garbage, to the system: only what is really held shall count as memory.

    Without it the process levels out some 20 MB higher (cycles wait for the collector, and the
    allocator keeps what it has).
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _lateness_ms(offsets: array) -> np.ndarray:
    found = np.asarray(offsets)
    return (found - found.min()) * 1000


class ServiceProcess:
    """`async with ServiceProcess() as service: await service.figures()`."""

    async def __aenter__(self) -> ServiceProcess:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            "--serve",
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.base_url = (await self._process.stdout.readline()).decode().strip()
        return self

    async def __aexit__(self, *why) -> None:
        self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()

    async def figures(self, ask: str = "figures") -> dict[str, float]:
        self._process.stdin.write(f"{ask}\n".encode())
        await self._process.stdin.drain()
        return json.loads(await self._process.stdout.readline())


# ---- callers


@lru_cache
def packets() -> tuple[bytes, ...]:
    """A sentence and a pause as Opus, encoded once for all callers."""
    from app.sim.speech import speak

    sound = np.concatenate((speak("Light please."), np.zeros(int(PAUSE_S * 48_000), np.int16)))
    codec = av.CodecContext.create("libopus", "w")
    codec.format, codec.layout, codec.sample_rate = "s16", "mono", 48_000
    codec.time_base = Fraction(1, 48_000)
    found = []
    for start in range(0, len(sound) - FRAME, FRAME):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[None, start : start + FRAME]), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        found += [bytes(packet) for packet in codec.encode(frame)]
    return tuple(found)


class Mic(MediaStreamTrack):
    kind = "audio"

    def __init__(self, offset: int) -> None:
        super().__init__()
        self._sent, self._offset, self._began = 0, offset, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        await asyncio.sleep(max(0, self._began + self._sent * FRAME_S - loop.time()))
        packet = av.Packet(packets()[(self._sent + self._offset) % len(packets())])
        packet.pts, packet.time_base = self._sent * FRAME, Fraction(1, 48_000)
        self._sent += 1
        return packet


class Caller:
    """One call; counts what comes."""

    def __init__(self, base_url: str, number: int) -> None:
        self._base_url = base_url
        self.events: dict[str, int] = {}
        self.created = asyncio.Event()
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.addTrack(Mic(offset=number * 17))
        channel = self._peer.createDataChannel("oai-events")
        channel.on("message", self._came)

    def _came(self, text: str) -> None:
        kind = json.loads(text)["type"]
        self.events[kind] = self.events.get(kind, 0) + 1
        self.created.set()

    async def open(self, http: aiohttp.ClientSession) -> None:
        await self._peer.setLocalDescription(await self._peer.createOffer())
        form = aiohttp.FormData()
        form.add_field("sdp", self._peer.localDescription.sdp, content_type="application/sdp")
        form.add_field("session", json.dumps(SESSION), content_type="application/json")
        url, key = f"{self._base_url}/realtime/calls", {"Authorization": "Bearer sk-bench"}
        async with http.post(url, data=form, headers=key) as answer:
            sdp = await answer.text()
            assert answer.status == 201, sdp
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        async with asyncio.timeout(20):
            await self.created.wait()

    async def close(self) -> None:
        await self._peer.close()


def receive_without_decoding() -> list[int]:
    """Counts RTP packets instead: this process only has to be the other side."""
    count = [0]

    async def counted(self, packet, arrival_time_ms):
        count[0] += 1

    RTCRtpReceiver._handle_rtp_packet = counted
    return count


# ---- the two measurements


async def many_at_once(calls: int, seconds: float) -> dict[str, float]:
    received = receive_without_decoding()
    async with ServiceProcess() as service, aiohttp.ClientSession() as http:
        before = await service.figures()
        callers = [Caller(service.base_url, number) for number in range(calls)]
        for caller in callers:
            await caller.open(http)
        await asyncio.sleep(2)  # the first answers load what is loaded once
        opened, since = await service.figures("clear"), time.monotonic()
        mine = psutil.Process().cpu_times()
        received[0] = 0
        await asyncio.sleep(seconds)
        after, spent_s = await service.figures(), time.monotonic() - since
        left = await service.figures("clear")
        now = psutil.Process().cpu_times()
        events = [
            sum(c.events.get(kind, 0) for c in callers) for kind in ("response.done", "error")
        ]
        await asyncio.gather(*(caller.close() for caller in callers))
    return {
        "frames sent": after["frames"],
        "frames received by callers": received[0],
        "answers": events[0],
        "errors": events[1],
        "sender late, p50 (ms)": after["late_p50"],
        "sender late, p99 (ms)": after["late_p99"],
        "sender late, max (ms)": after["late_max"],
        "service CPU (cores)": (after["cpu_s"] - opened["cpu_s"]) / spent_s,
        "service waited for a CPU (%)": (after["waited_s"] - opened["waited_s"]) * 100 / spent_s,
        "callers' CPU (cores)": (now.user + now.system - mine.user - mine.system) / spent_s,
        "RSS without calls (MB)": before["rss_mb"],
        "RSS at the start (MB)": opened["rss_mb"],
        "RSS at the end (MB)": left["rss_mb"],
    }


async def soak(count: int) -> dict[str, float]:
    receive_without_decoding()
    async with ServiceProcess() as service, aiohttp.ClientSession() as http:
        await _short_calls(service, http, WARM_UP_CALLS)
        before = await _settled(service)
        since = time.monotonic()
        await _short_calls(service, http, count)
        spent_s = time.monotonic() - since
        after = await _settled(service)
    return {
        "short calls": count,
        "calls a second": count / spent_s,
        "service CPU a call (ms)": (after["cpu_s"] - before["cpu_s"]) * 1000 / count,
        "tasks before": before["tasks"],
        "tasks after": after["tasks"],
        "file descriptors before": before["fds"],
        "file descriptors after": after["fds"],
        "RSS before (MB)": before["rss_mb"],
        "RSS after (MB)": after["rss_mb"],
        "RSS growth a call (kB)": (after["rss_mb"] - before["rss_mb"]) * 1024 / count,
    }


async def _short_calls(service: ServiceProcess, http: aiohttp.ClientSession, count: int) -> None:
    numbers = iter(range(count))

    async def one_after_another() -> None:
        for number in numbers:
            caller = Caller(service.base_url, number)
            await caller.open(http)
            await caller.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(SOAK_AT_ONCE):
            group.create_task(one_after_another())


async def _settled(service: ServiceProcess) -> dict[str, float]:
    """The figures once every call is forgotten."""
    async with asyncio.timeout(30):
        while (await service.figures("clear"))["calls"]:  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.2)
    await asyncio.sleep(0.5)
    return await service.figures("clear")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--calls", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--soak", type=int, default=1000)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        asyncio.run(serve())
        return
    packets()
    found: dict[str, dict[str, float]] = {}
    if given.calls and given.seconds:
        title = f"{given.calls} calls at once, {given.seconds:g} s"
        found[title] = asyncio.run(many_at_once(given.calls, given.seconds))
    if given.soak:
        found["soak"] = asyncio.run(soak(given.soak))
    if given.json:
        print(json.dumps(found))
        return
    for title, rows in found.items():
        table = Table("figure", title=title)
        table.add_column("value", justify="right")
        for name, value in rows.items():
            table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}")
        Console().print(table)


if __name__ == "__main__":
    main()
