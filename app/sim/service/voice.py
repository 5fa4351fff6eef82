"""The outgoing sound: one track of 20 ms Opus packets on an absolute clock, speech when there is
some and silence otherwise, so that the listener's clock always runs.

The track encodes itself: aiortc's own encoder upmixes to stereo, hops to a thread for each frame
and first computes a level in pure Python; a mono libopus packet made here costs a fraction of it
(facts: 59-198 us against 600) and gives a constant, known bit rate. For a peer that offers no
Opus, frames are handed over as they are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from app.sim.chip import FRAME, Pcm

RATE_HZ = 48_000
FRAME_S = FRAME / RATE_HZ
LATE_S = 0.2
"""Behind by more than this, the clock starts anew instead of sending a burst."""

BIT_RATE = 32_000


@dataclass(slots=True)
class _Piece:
    """Sound of one item, played up to sample `at`."""

    item_id: str
    pcm: Pcm
    at: int = 0


@dataclass(slots=True)
class _Speech:
    """All sound of one response, in order; `complete` when no more will come."""

    response_id: str
    pieces: deque[_Piece] = field(default_factory=deque)
    played: dict[str, int] = field(default_factory=dict)
    complete: bool = False
    started: bool = False
    current: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Speech that was stopped: which response, and how much of which item had been sent."""

    response_id: str
    item_id: str | None
    played_ms: int


class Voice(MediaStreamTrack):
    """The track. `started` and `stopped` are called with the response's id, on the loop."""

    kind = "audio"

    def __init__(self, *, started: Callable[[str], None], stopped: Callable[[str], None]) -> None:
        super().__init__()
        self.encodes = True
        """False: the peer offered no Opus, so frames go out raw for aiortc to encode."""

        self._started, self._stopped = started, stopped
        self._queue: deque[_Speech] = deque()
        self._codec = _opus()
        self._pts = 0
        self._due: float | None = None

    # ---- what the conversation asks for

    def say(self, response_id: str, item_id: str, pcm: Pcm) -> None:
        """Queues sound of an item behind what is already there."""
        speech = self._speech(response_id)
        if len(pcm):
            speech.pieces.append(_Piece(item_id, pcm))

    def no_more(self, response_id: str) -> None:
        """No more sound will come for this response: `stopped` follows when it is out."""
        if any(speech.response_id == response_id for speech in self._queue):
            self._speech(response_id).complete = True

    def cut(self) -> Cut | None:
        """Drops everything not yet sent, at once. None when nothing was being said."""
        if not self._queue:
            return None
        speech = self._queue[0]
        self._queue.clear()
        if not speech.started:
            return None
        played = speech.played.get(speech.current or "", 0)
        return Cut(speech.response_id, speech.current, played * 1000 // RATE_HZ)

    @property
    def speaking(self) -> bool:
        return bool(self._queue) and self._queue[0].started

    def _speech(self, response_id: str) -> _Speech:
        for speech in self._queue:
            if speech.response_id == response_id:
                return speech
        speech = _Speech(response_id)
        self._queue.append(speech)
        return speech

    # ---- what aiortc asks for

    async def recv(self) -> Any:
        """The next 20 ms, not before it is due: av.Packet (Opus) or av.AudioFrame."""
        if self.readyState != "live":
            raise MediaStreamError
        await self._wait_until_due()
        return self._sent(self._next_frame())

    async def _wait_until_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._due is None or now - self._due > LATE_S:
            missed = 0.0 if self._due is None else now - self._due
            # RTP time is the sender's sampling clock: it must not stand still meanwhile.
            self._pts += round(missed / FRAME_S) * FRAME
            self._due = now
        if self._due > now:
            await asyncio.sleep(self._due - now)
        self._due += FRAME_S

    def _next_frame(self) -> Pcm:
        frame = np.zeros(FRAME, np.int16)
        filled = 0
        while self._queue and filled < FRAME:
            speech = self._queue[0]
            if not speech.pieces:
                if not speech.complete:
                    break
                self._queue.popleft()
                if speech.started:
                    self._stopped(speech.response_id)
                continue
            filled += self._fill(frame, filled, speech)
        return frame

    def _fill(self, frame: Pcm, filled: int, speech: _Speech) -> int:
        piece = speech.pieces[0]
        count = min(FRAME - filled, len(piece.pcm) - piece.at)
        frame[filled : filled + count] = piece.pcm[piece.at : piece.at + count]
        piece.at += count
        speech.current = piece.item_id
        speech.played[piece.item_id] = speech.played.get(piece.item_id, 0) + count
        if piece.at == len(piece.pcm):
            speech.pieces.popleft()
        if not speech.started:
            speech.started = True
            self._started(speech.response_id)
        return count

    def _sent(self, pcm: Pcm) -> Any:
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts, frame.time_base = self._pts, Fraction(1, RATE_HZ)
        self._pts += FRAME
        if not self.encodes:
            return frame
        [packet] = self._codec.encode(frame)
        # The encoder counts from minus its look-ahead; RTP wants the frame's own time.
        packet.pts, packet.time_base = frame.pts, Fraction(1, RATE_HZ)
        return packet


def _opus() -> Any:
    codec = av.CodecContext.create("libopus", "w")
    codec.bit_rate = BIT_RATE
    codec.format = "s16"
    codec.layout = "mono"
    codec.sample_rate = RATE_HZ
    codec.time_base = Fraction(1, RATE_HZ)
    codec.options = {
        "application": "voip",
        "frame_duration": "20",
        "compression_level": "5",
        # Asks libopus for in-band FEC, which only helps a receiver that uses it.
        "fec": "1",
        "packet_loss": "5",
    }
    return codec
