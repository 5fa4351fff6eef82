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
from app.sim.service import faults, ice
from app.sim.service.answer import real_shape, shape_under
from app.sim.service.brain import Brain
from app.sim.service.dialogue import Dialogue
from app.sim.service.ears import Ears
from app.sim.service.meddling import Meddling
from app.sim.service.recording import Recording, Replay
from app.sim.service.refusal import Refusal, new_id
from app.sim.service.session import Json, Session

CHANNEL = "oai-events"
OPEN_WITHIN_S = 20.0
"""A caller that never gets through is forgotten after this."""

SILENT_AFTER_S = 0.1
"""A sender that pauses (muted, DTX) counts as silence, or speech would never be seen to end."""

DROPPED, INVALID_OFFER = "dropped", "invalid_offer"

GARBLED_SDP = (ValueError, KeyError, IndexError, AttributeError, AssertionError, TypeError)
REFUSED_SDP = (InvalidAccessError, InvalidStateError, OperationError)
"""What aiortc 1.16 raises for an offer it cannot read or cannot accept."""

Tell = Callable[[str, dict[str, Any]], None]
Listener = Callable[[str, str], None]
"""Told who spoke ("server", "client", "sideband") and the event as it travelled; when the call has
ended, "call" and the reason."""


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
        replay: Recording | None = None,
    ) -> None:
        self.id = new_id("rtc_u0")
        self.session = session
        self.opened = asyncio.Event()
        """Set when the data channel is there, and when the call ended before."""

        self.heard: Pcm = np.zeros(0, np.int16)
        """The last frame heard, for whoever shows a level."""

        self.listeners: list[Listener] = []
        self._fault, self._limit_s = fault, limit_s
        self._expires_at = asyncio.get_running_loop().time() + limit_s
        self._tell, self._ended = tell, ended
        self._meddling = Meddling(fault)
        self._dialogue: Dialogue | Replay = (
            Dialogue(session, ears, brain, self._send, fault=fault)
            if replay is None
            else Replay(replay, self._send)
        )
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel: RTCDataChannel | None = None
        self._closing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._peer.on("datachannel", self._channel_opened)
        self._peer.on("track", self._track_came)
        self._peer.on("connectionstatechange", self._state_changed)

    # ---- opening

    async def answer(self, offer: str, *, ice_lite: bool = True, advertise: str = "") -> str:
        """The SDP answer. Raises Refusal (invalid_offer), and then the call is over.

        `advertise` stands in every candidate, and the offer's candidates are not used: the caller
        is beyond a translation of addresses, and its checks tell where it is.
        """
        alone = bool(advertise) or self._fault == "no_ice"
        try:
            _check_offer(offer)
            reachable = ice.without_names(offer, keep=not alone)
            await self._peer.setRemoteDescription(RTCSessionDescription(reachable, "offer"))
            ice.prepare(self._peer, addresses=(ice.LOOPBACK,) if advertise else ())
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
        shape = shape_under(self._fault, ice_lite=ice_lite, advertise=advertise)
        return real_shape(self._peer.localDescription.sdp, shape)

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
        channel.on("close", self._channel_closed)
        self._tell("call", {"call": self.id, "state": "open"})
        self._after(self._expires_at - asyncio.get_running_loop().time(), self._expired)
        if self._fault != "no_session_created":
            self._dialogue.open()
        self.opened.set()
        self.strike(self._fault, at_once=False)

    def _channel_closed(self) -> None:
        if faults.kind_of(self._fault) != "channel_closes":
            self.end("channel_closed")

    # ---- in and out

    def _received(self, text: str | bytes) -> None:
        self.receive(text, origin="client")

    def receive(self, text: str | bytes, *, origin: str) -> None:
        """One client event, from the caller or from a second controller ("sideband")."""
        if self._fault != "no_session_created" and self._closing is None:
            self._overheard(
                origin, text if isinstance(text, str) else text.decode(errors="replace")
            )
            self._dialogue.receive(text)

    def _send(self, event: Json) -> None:
        for each in self._meddling.instead_of(event):
            text = json.dumps(each, ensure_ascii=False, separators=(",", ":"))
            if self._channel is not None and self._channel.readyState == "open":
                self._channel.send(text)
            self._overheard("server", text)
            self._tell("event", {"call": self.id, "event": each})

    def _overheard(self, origin: str, text: str) -> None:
        for listener in tuple(self.listeners):
            listener(origin, text)

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
                    self.heard = frame
                    self._dialogue.hear(frame)

    # ---- faults

    def strike(self, fault: str, *, at_once: bool = True) -> None:
        """Lets a fault happen to this open call; names that concern new calls only do nothing."""
        kind = faults.kind_of(fault)
        delay_s = faults.delay_s(fault) if kind in faults.TIMED and not at_once else 0.0
        match kind:
            case "drop":
                self._after(delay_s, lambda: self.end(DROPPED))
            case "expire" if at_once:  # a call opened under it has its limit from the start
                self._after(0, self._expired)
            case "channel_closes" if self._channel is not None:
                self._fault = fault
                self._after(delay_s, self._channel.close)

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
        self.opened.set()
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
        self._overheard("call", reason)
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
