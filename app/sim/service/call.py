"""One call: an answering peer connection, its tracks and data channel, and its end.

A call ends once, for one reason, whoever ends it: the caller hanging up, the peer closing or
vanishing, the time limit, or the service stopping. `close` may be awaited by all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError

from app.sim.chip import FRAME, Pcm
from app.sim.service.answer import real_shape
from app.sim.service.brain import Brain
from app.sim.service.dialogue import Dialogue
from app.sim.service.ears import Ears
from app.sim.service.refusal import Refusal, new_id
from app.sim.service.session import Json, Session

CHANNEL = "oai-events"
OPEN_WITHIN_S = 20.0
"""A caller that never gets through is forgotten after this."""

SILENT_AFTER_S = 0.1
"""A sender that pauses (muted, DTX) counts as silence, or speech would never be seen to end."""

DROP_AFTER_S = 1.0
EXPIRE_AFTER_S = 2.0
"""When the faults `drop` and `expire` strike a call opened under them."""

DROPPED, INVALID_OFFER = "dropped", "invalid_offer"

GARBLED_SDP = (ValueError, KeyError, IndexError, AttributeError, AssertionError, TypeError)
REFUSED_SDP = (InvalidAccessError, InvalidStateError, OperationError)
"""What aiortc 1.16 raises for an offer it cannot read or cannot accept."""

Tell = Callable[[str, dict[str, Any]], None]


class Call:
    """A call from its offer to its end. `ended` is called once, on the loop."""

    def __init__(
        self,
        *,
        session: Session,
        ears: Ears,
        brain: Brain,
        limit_s: float,
        fault: str,
        tell: Tell,
        ended: Callable[[Call], None],
    ) -> None:
        self.id = new_id("rtc_u0")
        self.session = session
        self._fault, self._limit_s = fault, limit_s
        self._tell, self._ended = tell, ended
        self._dialogue = Dialogue(session, ears, brain, self._send)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel: RTCDataChannel | None = None
        self._closing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._peer.on("datachannel", self._channel_opened)
        self._peer.on("track", self._track_came)
        self._peer.on("connectionstatechange", self._state_changed)

    # ---- opening

    async def answer(self, offer: str, *, ice_lite: bool) -> str:
        """The SDP answer. Raises Refusal (invalid_offer), and then the call is over."""
        try:
            _check_offer(offer)
            await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            self._dialogue.voice.encodes = "opus/48000" in offer.lower()
            self._peer.addTrack(self._dialogue.voice)
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        except (*GARBLED_SDP, *REFUSED_SDP) as why:
            await self.close(INVALID_OFFER)
            raise _invalid_offer("it could not be understood") from why
        except BaseException as why:
            self.end(INVALID_OFFER if isinstance(why, Refusal) else "failed")
            raise
        self._after(OPEN_WITHIN_S, self._never_opened)
        self._tell("call", {"call": self.id, "state": "answered"})
        return real_shape(self._peer.localDescription.sdp, ice_lite=ice_lite)

    def _never_opened(self) -> None:
        if self._channel is None:
            self.end("never_opened")

    def _track_came(self, track: Any) -> None:
        if track.kind == "audio":
            self._start(self._listen(track))

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL or self._channel is not None:
            return
        self._channel = channel
        channel.on("message", self._received)
        channel.on("close", lambda: self.end("channel_closed"))
        self._tell("call", {"call": self.id, "state": "open"})
        self._after(self._limit_s, self._expired)
        if self._fault != "no_session_created":
            self._dialogue.open()
        self.strike(self._fault, drop_after_s=DROP_AFTER_S, expire_after_s=EXPIRE_AFTER_S)

    # ---- in and out

    def _received(self, text: str | bytes) -> None:
        if self._fault != "no_session_created" and self._closing is None:
            self._dialogue.receive(text)

    def _send(self, event: Json) -> None:
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
            self._tell("event", {"call": self.id, "event": event})

    async def _listen(self, track: Any) -> None:
        """Feeds the ears frame by frame, with silence where the peer sends nothing."""
        pending = np.zeros(0, np.int16)
        while True:
            try:
                async with asyncio.timeout(SILENT_AFTER_S if self._channel else None):
                    heard = _mono(await track.recv())
            except TimeoutError:
                heard = np.zeros(round(SILENT_AFTER_S * 48_000), np.int16)
            except MediaStreamError:
                return
            pending = np.concatenate((pending, heard))
            while len(pending) >= FRAME:
                frame, pending = pending[:FRAME], pending[FRAME:]
                if self._channel is not None and self._closing is None:
                    self._dialogue.hear(frame)

    # ---- faults

    def strike(self, fault: str, *, drop_after_s: float = 0, expire_after_s: float = 0) -> None:
        """Lets `drop` or `expire` happen to this call; other names concern new calls only."""
        if fault == "drop":
            self._after(drop_after_s, lambda: self.end(DROPPED))
        elif fault == "expire":
            self._after(expire_after_s, self._expired)

    # ---- the end

    def _expired(self) -> None:
        self._dialogue.expire(self._limit_s)
        # The error has to leave before the channel is closed behind it.
        self._after(0.1, lambda: self.end("expired"))

    def _state_changed(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            # A goodbye (DTLS) comes while ICE still works; lost consent ends ICE first.
            said_goodbye = self._peer.iceConnectionState == "completed"
            self.end("peer_closed" if said_goodbye else "peer_lost")

    def end(self, reason: str) -> None:
        """Begins to close; returns at once. The first reason counts."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(reason))

    async def close(self, reason: str) -> None:
        """Everything the call had open is gone when this returns. May be awaited repeatedly."""
        self.end(reason)
        assert self._closing is not None
        await asyncio.shield(self._closing)

    async def _close(self, reason: str) -> None:
        for timer in self._timers:
            timer.cancel()
        await self._dialogue.close()
        if reason == DROPPED and self._peer.sctp is not None:
            # As if the computer were gone: ICE has no goodbye, and nothing can be sent after it.
            await self._peer.sctp.transport.transport.stop()
        # aiortc trips over its own loose ends when an offer stopped it half way; nothing was open.
        with contextlib.suppress(*(GARBLED_SDP if reason == INVALID_OFFER else ())):
            await self._peer.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tell("call", {"call": self.id, "state": "ended", "reason": reason})
        self._ended(self)

    # ---- tasks and timers

    def _after(self, delay_s: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, action))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _check_offer(offer: str) -> None:
    if not offer.startswith("v=0"):
        raise _invalid_offer("it is no SDP")
    if not offer.endswith("\n"):
        raise _invalid_offer("its last line does not end (EOF)")
    for wanted, what in (
        ("\nm=audio ", "audio section"),
        ("\na=fingerprint:", "fingerprint"),
        ("\na=ice-ufrag:", "ICE credentials"),
        ("\na=ice-pwd:", "ICE credentials"),
    ):
        if wanted not in offer:
            raise _invalid_offer(f"it has no {what}")
    lines = offer.splitlines()
    bundled = next((line.split()[1:] for line in lines if line.startswith("a=group:BUNDLE")), [])
    mids = [line.removeprefix("a=mid:") for line in lines if line.startswith("a=mid:")]
    if len(set(mids)) < len(mids) or not set(bundled) <= set(mids):
        raise _invalid_offer("its BUNDLE group does not fit its sections")


def _invalid_offer(reason: str) -> Refusal:
    return Refusal(f"Failed to parse SDP offer: {reason}.", code="invalid_offer", param="sdp")


def _mono(frame: Any) -> Pcm:
    """48 kHz int16 mono of what aiortc decoded: packed stereo for Opus, mono 8 kHz for G.711."""
    samples: Pcm = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
    if frame.sample_rate == 48_000:
        return samples
    # Linear interpolation does for a detector of speech; G.711 is a fall-back.
    factor = 48_000 // frame.sample_rate
    positions = np.arange(len(samples) * factor) / factor
    between: Pcm = np.interp(positions, np.arange(len(samples)), samples).astype(np.int16)
    return between
