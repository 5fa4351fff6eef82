"""Rooms for the virtual board: a silent one, and one with a person who waits for an answer.

A room lives in frames of 20 ms, not in wall time: `hear` and `play` are its clock, so a test of the
person's manners needs no waiting. The board's loop calls both; other threads read the counters, so
every change happens under one lock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.sim.chip import FRAME, Pcm

FRAME_S = 0.02
RATE_HZ = 48_000

AUDIBLE_RMS = 100.0
"""Root mean square (of 32,767) from which a frame counts as sound: -50 dBFS. Codec noise stays
below, speech of any synthesiser at a tenth of the volume stays above."""

PATIENCE_S = 0.7
"""Quiet after which a person takes the other's turn as over; pauses inside speech are shorter."""

NOISE_RMS = 6.0
"""The microphone's own noise, -75 dBFS: a real one never gives digital silence, and voice activity
detection must not rely on it."""

LONGEST_CAPTURE_S = 600.0


def loudness(frame: Pcm) -> float:
    """Root mean square of the samples, 0 to 32,768."""
    if not len(frame):
        return 0.0
    wide = frame.astype(np.float32)
    return float(np.sqrt(np.dot(wide, wide) / len(wide)))


@dataclass(frozen=True, slots=True)
class Echo:
    """What of the speaker comes back to the microphone: frames later, and quieter by `gain`."""

    delay_frames: int
    gain: float


class SilentRoom:
    """Nobody there: the microphone hears its own noise, the speaker is measured all the same.

    With `capture`, both sides are kept in memory (at most ten minutes) for tests to look at.
    """

    def __init__(self, *, seed: int = 1, capture: bool = False, echo: Echo | None = None) -> None:
        self._lock = threading.Lock()
        # Two seconds of noise in a ring: no random numbers at 50 frames a second.
        noise = np.random.default_rng(seed).normal(0.0, NOISE_RMS, 100 * FRAME)
        self._noise = noise.round().astype(np.int16).reshape(100, FRAME)
        self._noise_at = 0
        self._echo = echo
        self._on_the_way: deque[Pcm] = deque(maxlen=echo.delay_frames + 2 if echo else 0)
        self._capture = capture
        self._microphone: list[Pcm] = []
        self._speaker: list[Pcm] = []
        self._heard_s = 0.0
        self._first_heard_at: float | None = None

    def hear(self) -> Pcm:
        """The next 20 ms at the microphone."""
        with self._lock:
            frame = _mixed(self._next(), self._echoed())
            self._keep(self._microphone, frame)
        return frame

    def play(self, frame: Pcm) -> None:
        """20 ms that leave the speaker."""
        audible = loudness(frame) >= AUDIBLE_RMS
        with self._lock:
            self._keep(self._speaker, frame)
            self._on_the_way.append(frame)
            if audible:
                self._heard_s += len(frame) / RATE_HZ
                if self._first_heard_at is None:
                    self._first_heard_at = time.monotonic()
            self._heard(audible=audible)

    @property
    def heard_s(self) -> float:
        """Seconds of audible sound at the speaker so far."""
        with self._lock:
            return self._heard_s

    @property
    def first_heard_at(self) -> float | None:
        """time.monotonic() of the first audible frame, None before."""
        with self._lock:
            return self._first_heard_at

    def captured(self) -> tuple[Pcm, Pcm]:
        """(microphone, speaker) so far, 48 kHz each; empty without `capture`."""
        with self._lock:
            sides = list(self._microphone), list(self._speaker)
        empty = np.zeros(0, np.int16)
        microphone, speaker = (np.concatenate([empty, *side]) for side in sides)
        return microphone, speaker

    def _next(self) -> Pcm:
        self._noise_at = (self._noise_at + 1) % len(self._noise)
        frame: Pcm = self._noise[self._noise_at]
        return frame

    def _echoed(self) -> Pcm:
        if self._echo is None or len(self._on_the_way) <= self._echo.delay_frames:
            return np.zeros(0, np.int16)
        back: Pcm = (self._on_the_way.popleft() * self._echo.gain).astype(np.int16)
        return back

    def _heard(self, *, audible: bool) -> None:
        """One more frame at the speaker; the lock is held."""

    def _keep(self, side: list[Pcm], frame: Pcm) -> None:
        if self._capture and len(side) < LONGEST_CAPTURE_S / FRAME_S:
            side.append(frame)


def _mixed(frame: Pcm, part: Pcm) -> Pcm:
    if not len(part):
        return frame
    mixed = frame.astype(np.int32)
    mixed[: len(part)] += part
    return mixed.clip(-32768, 32767).astype(np.int16)


class Person(SilentRoom):
    """Says its sentences one by one, each when the board has spoken and is quiet again.

    With `speaks_first` the first sentence comes at once; every other one waits until the speaker
    was heard since the last sentence and has been quiet for `patience_s`.
    """

    def __init__(
        self,
        sentences: Sequence[Pcm],
        *,
        speaks_first: bool = False,
        patience_s: float = PATIENCE_S,
        seed: int = 1,
        capture: bool = False,
        echo: Echo | None = None,
    ) -> None:
        super().__init__(seed=seed, capture=capture, echo=echo)
        self._sentences = tuple(sentences)
        self._patience_frames = round(patience_s / FRAME_S)
        self._said: list[int] = []
        self._speaking: Pcm = np.zeros(0, np.int16)
        self._was_answered = speaks_first
        self._quiet_frames = self._patience_frames if speaks_first else 0

    @property
    def said(self) -> tuple[int, ...]:
        """Indices of the sentences begun so far."""
        with self._lock:
            return tuple(self._said)

    @property
    def is_speaking(self) -> bool:
        """A sentence is not over yet."""
        with self._lock:
            return bool(len(self._speaking))

    def _next(self) -> Pcm:
        noise = super()._next()
        if not len(self._speaking) and self._may_speak():
            self._speaking = self._sentences[len(self._said)]
            self._said.append(len(self._said))
            self._was_answered = False
        part, self._speaking = self._speaking[:FRAME], self._speaking[FRAME:]
        return _mixed(noise, part)

    def _may_speak(self) -> bool:
        return (
            len(self._said) < len(self._sentences)
            and self._was_answered
            and self._quiet_frames >= self._patience_frames
        )

    def _heard(self, *, audible: bool) -> None:
        if not audible:
            self._quiet_frames += 1
            return
        self._quiet_frames = 0
        # What the board still says while the person talks is no answer to it.
        if not len(self._speaking):
            self._was_answered = True
