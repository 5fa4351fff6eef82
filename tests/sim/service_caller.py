"""A caller of the local service, written from the API's side with plain aiortc and aiohttp.

It shares nothing with the service: every event it receives is checked against the `openai`
package's own model of that type.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import typing
from fractions import Fraction
from functools import lru_cache

import aiohttp
import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

TOOLS = [
    {
        "type": "function",
        "name": name,
        "description": name,
        "parameters": {"type": "object", "properties": {}},
    }
    for name in ("SetLightState", "SetVolume", "OpenDoor")
]
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "tools": TOOLS,
    "audio": {
        "input": {
            "transcription": {"model": "gpt-4o-mini-transcribe"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 200},
        }
    },
}


@lru_cache
def models():
    """The openai package's server event classes by `type`."""
    from openai.types import realtime
    from openai.types.realtime import realtime_server_event

    found = {}
    for module in (realtime_server_event, realtime):
        for name, kind in vars(module).items():
            if not inspect.isclass(kind) or "Translation" in name:
                continue
            fields = getattr(kind, "model_fields", {})
            if "type" in fields and "event_id" in fields:
                for literal in typing.get_args(fields["type"].annotation):
                    found.setdefault(literal, kind)
    return found


def check_event(event):
    """Raises when an event is not what the openai package says it is."""
    kind = models()[event["type"]]
    read = kind.model_validate(event)
    assert not read.model_extra, f"{event['type']} has {read.model_extra}"
    assert event["event_id"].startswith("event_")


class Mic(MediaStreamTrack):
    """Plays what is put into it, then silence, 20 ms at a time."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.sound = np.zeros(0, np.int16)
        self._sent, self._began = 0, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        await asyncio.sleep(max(0, self._began + self._sent * 0.02 - loop.time()))
        frame, self.sound = self.sound[:960], self.sound[960:]
        packed = av.AudioFrame.from_ndarray(
            np.pad(frame, (0, 960 - len(frame)))[None], format="s16", layout="mono"
        )
        packed.sample_rate, packed.pts, packed.time_base = (
            48_000,
            self._sent * 960,
            Fraction(1, 48_000),
        )
        self._sent += 1
        return packed


class Caller:
    """One call. `events` grows; `until` waits."""

    def __init__(self, base_url: str, *, key: str = "sk-test", check=check_event) -> None:
        models()  # its import takes seconds, which must not fall into a call
        self.base_url, self.key, self._check = base_url, key, check
        self.events: list[dict] = []
        self.peaks: list[tuple[float, int]] = []
        self.call_id = ""
        self.answer = ""
        self.mic = Mic()
        self.opened, self.closed = asyncio.Event(), asyncio.Event()
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task] = set()
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peer.addTrack(self.mic)
        self.channel = self.peer.createDataChannel("oai-events")
        self.channel.on("open", self.opened.set)
        self.channel.on("message", self._arrived)
        self.channel.on("close", self.closed.set)
        self.peer.on("track", lambda track: self._start(self._listen(track)))
        self.peer.on("connectionstatechange", self._state)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *why):
        await self.peer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- opening

    async def offer(self) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def by_secret(self, session: dict | None = SESSION) -> Caller:
        """As the board does it: client secret, then the bare SDP."""
        async with aiohttp.ClientSession() as http:
            body = {} if session is None else {"session": session}
            async with http.post(
                f"{self.base_url}/realtime/client_secrets", json=body, headers=self._auth(self.key)
            ) as answer:
                assert answer.status == 200, await answer.text()
                secret = (await answer.json())["value"]
            async with http.post(
                f"{self.base_url}/realtime/calls",
                data=(await self.offer()).encode(),
                headers={**self._auth(secret), "Content-Type": "application/sdp"},
            ) as answer:
                await self._answered(answer)
        return self

    async def by_parts(self, session: dict = SESSION) -> Caller:
        """As the desktop does it: SDP and session in one request."""
        form = aiohttp.FormData()
        form.add_field("sdp", await self.offer(), content_type="application/sdp")
        form.add_field("session", json.dumps(session), content_type="application/json")
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"{self.base_url}/realtime/calls", data=form, headers=self._auth(self.key)
            ) as answer,
        ):
            await self._answered(answer)
        return self

    async def _answered(self, answer) -> None:
        assert answer.status == 201, await answer.text()
        assert answer.content_type == "application/sdp"
        assert answer.headers["x-request-id"].startswith("req_")
        self.call_id = answer.headers["Location"].split("/")[-1]
        self.answer = (await answer.read()).decode()
        await self.peer.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))

    @staticmethod
    def _auth(key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    # ---- talking

    def send(self, kind: str, **fields) -> None:
        self.channel.send(json.dumps({"type": kind, **fields}))

    def say_text(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self.send("conversation.item.create", item=item)
        self.send("response.create")

    def give_output(self, call_id: str, output: dict) -> None:
        item = {
            "type": "function_call_output",
            "call_id": call_id,
            "output": json.dumps(output),
        }
        self.send("conversation.item.create", item=item)
        self.send("response.create")

    async def until(self, kind: str, *, after: int = 0, within_s: float = 5.0, **match) -> dict:
        """The first event of a kind from position `after` on, with these fields."""

        def found():
            for event in self.events[after:]:
                if event["type"] == kind and all(event.get(k) == v for k, v in match.items()):
                    return event
            return None

        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: found() is not None)
        return found()

    def types(self, after: int = 0) -> list[str]:
        return [event["type"] for event in self.events[after:]]

    def first(self, kind: str) -> dict:
        return next(event for event in self.events if event["type"] == kind)

    def first_sound_at(self) -> float | None:
        """Loop time of the first loud frame received."""
        return next((at for at, peak in self.peaks if peak > 1_000), None)

    async def until_sound(self, within_s: float = 5.0) -> float:
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: self.first_sound_at() is not None)
        return self.first_sound_at()

    async def until_frames(self, count: int, within_s: float = 3.0) -> None:
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: len(self.peaks) >= count)

    async def vanish(self) -> None:
        """The computer is gone: sockets closed without a word."""
        await self.peer.sctp.transport.transport.stop()

    # ---- what comes

    def _arrived(self, text: str) -> None:
        self.events.append(json.loads(text))
        self._check(self.events[-1])
        self._start(self._notify())

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _listen(self, track) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            peak = int(np.abs(frame.to_ndarray().astype(np.int32)).max())
            self.peaks.append((asyncio.get_running_loop().time(), peak))
            await self._notify()

    def _state(self) -> None:
        if self.peer.connectionState in ("failed", "closed"):
            self.closed.set()

    def _start(self, work) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
