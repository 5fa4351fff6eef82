"""Microphone and speaker of the virtual board: 20 ms frames by an absolute clock.

Both sides have their own clock, as a codec's DMA has: a stall of the loop is caught up frame by
frame, and beyond `STALL_S` the time is lost, like samples that overran the DMA. The speaker keeps a
short queue in front of its clock; what the queue lacks is silence and, inside sound, an underrun.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from fractions import Fraction

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from app.sim.board_load import AUDIO_IN, AUDIO_OUT
from app.sim.chip import FRAME, Pcm, Room
from app.sim.room import AUDIBLE_RMS, FRAME_S, RATE_HZ, loudness

Charged = Callable[[str], AbstractContextManager[None]]

SILENCE_CDB = -9600
STALL_S = 0.2
HANG_OVER_FRAMES = 10
"""200 ms without sound end it: pauses between words are shorter."""

START_FRAMES = 2
QUEUE_FRAMES = 25
QUEUE_KEEP_FRAMES = 5
"""A burst after a stall may queue half a second; of a longer queue only the newest is kept, for
latency once latched would stay for the rest of the call."""

RECEIVER_FRAMES = 4
"""Frames that aiortc's jitter buffer always holds back (its prefetch); they are part of what a
flush has to drop."""

_FULL_SCALE = 32768.0
_QUIET = np.zeros(FRAME, np.int16)


class Meter:
    """Loudness since it was last read, in hundredths of dBFS."""

    def __init__(self) -> None:
        self._power = 0.0
        self._frames = 0

    def add(self, rms: float) -> None:
        """One frame's root mean square."""
        self._power += rms * rms
        self._frames += 1

    def read_cdb(self) -> int:
        """-9600 for silence and for no frame at all."""
        power, frames = self._power, self._frames
        self._power, self._frames = 0.0, 0
        if not frames or power <= 0.0:
            return SILENCE_CDB
        decibel = 10.0 * math.log10(power / frames / _FULL_SCALE**2)
        return max(SILENCE_CDB, min(0, round(100.0 * decibel)))


class FrameClock:
    """Ticks every 20 ms of the loop's time without drift."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._next_at: float | None = None

    async def tick(self) -> None:
        """Returns when the next frame is due; at once, again and again, after a short stall."""
        now = self._loop.time()
        if self._next_at is None or now - self._next_at > STALL_S:
            self._next_at = now
        else:
            await asyncio.sleep(max(0.0, self._next_at - now))
        self._next_at += FRAME_S


class Microphone:
    """What the room sounds like to the board; silent to the other side while muted."""

    def __init__(self, room: Room, charged: Charged) -> None:
        self.muted = False
        self.meter = Meter()
        self._room = room
        self._charged = charged

    def frame(self) -> Pcm:
        """The next 20 ms. A muted room goes on living, unheard."""
        with self._charged(AUDIO_IN):
            heard = self._room.hear()
            if self.muted:
                heard = _QUIET
            self.meter.add(loudness(heard))
            return heard


class MicrophoneTrack(MediaStreamTrack):
    """The microphone as a track of one peer."""

    kind = "audio"

    def __init__(self, microphone: Microphone) -> None:
        super().__init__()
        self._microphone = microphone
        self._clock = FrameClock()
        self._samples = 0

    async def recv(self) -> av.AudioFrame:
        """The next frame when it is due, s16 mono 48 kHz. Raises MediaStreamError when stopped."""
        await self._clock.tick()
        if self.readyState != "live":
            raise MediaStreamError
        pcm = self._microphone.frame()
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = self._samples
        frame.time_base = Fraction(1, RATE_HZ)
        self._samples += FRAME
        return frame


class Speaker:
    """Plays what is fed, 20 ms at a time, at the volume that is set."""

    def __init__(self, room: Room, charged: Charged, playing: Callable[[bool], None]) -> None:
        self.volume_percent = 100
        self.underruns = 0
        self.meter = Meter()
        self._room = room
        self._charged = charged
        self._tell_playing = playing
        self._queue: Pcm = np.zeros(0, np.int16)
        self._is_flowing = False
        self._to_drop = 0
        self._silent_frames = HANG_OVER_FRAMES

    @property
    def is_playing(self) -> bool:
        """Sound left it within the last 200 ms."""
        return self._silent_frames < HANG_OVER_FRAMES

    def feed(self, pcm: Pcm) -> None:
        """Mono 48 kHz, any length."""
        with self._charged(AUDIO_OUT):
            dropped = min(self._to_drop, len(pcm))
            self._to_drop -= dropped
            self._queue = np.concatenate([self._queue, pcm[dropped:]])
            if len(self._queue) > QUEUE_FRAMES * FRAME:
                self._queue = self._queue[-QUEUE_KEEP_FRAMES * FRAME :]

    def flush(self) -> None:
        """Drops what was received and not played yet."""
        self._queue = self._queue[:0]
        self._is_flowing = False
        self._to_drop = RECEIVER_FRAMES * FRAME

    def reset(self) -> None:
        """A new peer: nothing queued, nothing counted, not playing."""
        self.flush()
        self._to_drop = 0
        self.underruns = 0
        self._silence()

    async def run(self) -> None:
        """Plays until cancelled; says then that the sound ended."""
        clock = FrameClock()
        try:
            while True:
                await clock.tick()
                with self._charged(AUDIO_OUT):
                    self._play(self._take())
        finally:
            self._silence()

    def _take(self) -> Pcm:
        enough = FRAME if self._is_flowing else START_FRAMES * FRAME
        if len(self._queue) >= enough:
            self._is_flowing = True
            frame, self._queue = self._queue[:FRAME], self._queue[FRAME:]
            return frame
        if self._is_flowing and self._silent_frames == 0:
            self.underruns += 1
        self._is_flowing = False
        return _QUIET

    def _play(self, frame: Pcm) -> None:
        # Whether something plays is asked before the volume: a turn at volume 0 is a turn.
        rms = loudness(frame)
        if rms >= AUDIBLE_RMS:
            if not self.is_playing:
                self._silent_frames = 0
                self._tell_playing(True)
            self._silent_frames = 0
        elif self.is_playing:
            self._silent_frames += 1
            if self._silent_frames == HANG_OVER_FRAMES:
                self._tell_playing(False)
        self.meter.add(rms * self.volume_percent / 100)
        if self.volume_percent < 100:
            frame = (frame.astype(np.int32) * self.volume_percent // 100).astype(np.int16)
        self._room.play(frame)

    def _silence(self) -> None:
        if self.is_playing:
            self._silent_frames = HANG_OVER_FRAMES
            self._tell_playing(False)


def mono(frame: av.AudioFrame) -> Pcm:
    """A decoded frame as mono samples; aiortc's Opus decoder gives 48 kHz packed stereo."""
    assert frame.sample_rate == RATE_HZ
    samples = frame.to_ndarray().reshape(-1, frame.layout.nb_channels)
    mixed: Pcm = samples.mean(axis=1).astype(np.int16)
    return mixed
