"""From packets to the speaker: decoding, and changes of length nobody should hear.

`core.audio` says what to play when; here it becomes sound. Packets come from the media thread,
pulls from the sound card's: one lock, held for one decode (30 us) at most twice.

Merging takes out one period of the voice where the sound is most like itself that much later
(WSOLA), so that neither pitch nor waveform breaks. Silence asked for (`hush`) fades within 5 ms,
and packets go on being decoded behind it, so that the sound after it starts where it should.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from app.adapters.opus import RATE_HZ, Decoder, Pcm
from app.core.audio import (
    Conceal,
    Counts,
    Decode,
    Drift,
    JitterBuffer,
    Merge,
    Meter,
    Recover,
    Step,
    Stretch,
    Wait,
)

SAMPLES_PER_MS = RATE_HZ // 1000
FADE = 5 * SAMPLES_PER_MS
HUSH_MOST_S = 1.0
"""Silence that nobody ends, ends: the service may have gone on speaking on purpose."""

QUIET_RMS = 60.0  # of 32,768: -55 dBFS
AUDIBLE_RMS = 100.0
HANG_OVER_S = 0.2
"""Pauses between words are shorter."""

_LEAST_PERIOD, _MOST_PERIOD = 10 * SAMPLES_PER_MS, 20 * SAMPLES_PER_MS
_OVERLAP = 5 * SAMPLES_PER_MS
_DRIFT_LEAST_PPM = 15.0


class Playout:
    """One call's sound from the service. `playing` is told on the thread that pulls."""

    def __init__(self, *, playing: Callable[[bool], None] = lambda playing: None) -> None:
        self.volume_percent = 100
        self.meter = Meter()
        self._playing = playing
        self._lock = threading.Lock()
        self._buffer = JitterBuffer()
        self._decoder = Decoder()
        self._drift = Drift()
        self._made = np.zeros(0, np.int16)
        self._hushed_until: float | None = None
        self._gain = 1.0
        self._is_quiet = True
        self._is_audible = False
        self._audible_at = 0.0
        self._owed = 0.0

    # ---- the media thread

    def arrived(self, sequence: int, timestamp: int, payload: bytes, at: float) -> None:
        """One packet, `at` monotonic seconds."""
        if payload:
            with self._lock:
                self._buffer.arrive(sequence, timestamp, payload, at)

    def hush(self, at: float) -> None:
        """Silence with the next pull, until `resume`."""
        self._hushed_until = at + HUSH_MOST_S

    def resume(self) -> None:
        """Sound again, from what is there on."""
        self._hushed_until = None

    def clear(self) -> None:
        """Forget what has come and is not played: it was cut. What comes is to be heard."""
        with self._lock:
            self._made = self._made[:0]
            self._buffer.clear()
        self._hushed_until = None

    @property
    def counts(self) -> Counts:
        return self._buffer.counts

    @property
    def delay_ms(self) -> float:
        return self._buffer.delay_ms

    @property
    def target_ms(self) -> float:
        return self._buffer.target_ms

    @property
    def drift_ppm(self) -> float:
        return self._drift.ppm

    # ---- the sound card's thread

    def pull(self, samples: int, at: float) -> Pcm:
        """The next samples for the speaker, int16 mono 48 kHz."""
        with self._lock:
            while len(self._made) < samples:
                more = self._sound(self._next_step(at))
                self._made = np.concatenate((self._made, more))
            out, self._made = self._made[:samples], self._made[samples:]
        out = self._shaped(out, at)
        self._note(out, at)
        return out

    def _next_step(self, at: float) -> Step:
        ahead_ms = len(self._made) / SAMPLES_PER_MS
        step = self._buffer.step(at, ahead_ms=ahead_ms, quiet=self._is_quiet)
        match step:
            case Decode():
                self._drift.note(at, self._buffer.delay_ms)
            case Stretch(ms):
                self._drift.changed(ms)
        return step

    def _sound(self, step: Step) -> Pcm:
        match step:
            case Wait():
                return np.zeros(10 * SAMPLES_PER_MS, np.int16)
            case Decode(payload):
                pcm = self._undrifted(self._decoder.decode(payload))
            case Recover(following, ms):
                pcm = self._decoder.recover(following, _whole(ms))
            case Conceal(ms) | Stretch(ms):
                pcm = self._decoder.conceal(_whole(ms))
            case Merge(first, second):
                parts = (self._decoder.decode(first), self._decoder.decode(second))
                pcm, removed = shortened(np.concatenate(parts))
                self._buffer.shortened(removed / SAMPLES_PER_MS)
                self._drift.changed(-removed / SAMPLES_PER_MS)
        self._is_quiet = rms(pcm) < QUIET_RMS
        return pcm

    def _undrifted(self, pcm: Pcm) -> Pcm:
        """One sample more or less now and then, spread over the frame: clocks differ by ppm."""
        if abs(self._drift.ppm) < _DRIFT_LEAST_PPM or not len(pcm):
            return pcm
        self._owed -= len(pcm) * self._drift.ppm / 1e6
        extra = int(self._owed)
        if not extra:
            return pcm
        self._owed -= extra
        self._drift.changed(extra / SAMPLES_PER_MS)
        self._buffer.shortened(-extra / SAMPLES_PER_MS)
        return stretched(pcm, len(pcm) + extra)

    def _shaped(self, pcm: Pcm, at: float) -> Pcm:
        hushed = self._hushed_until is not None and at < self._hushed_until
        target = 0.0 if hushed else self.volume_percent / 100
        if self._gain == target == 1.0:
            return pcm
        gains = np.full(len(pcm), target, np.float32)
        ramp = min(FADE, len(pcm))
        gains[:ramp] = np.linspace(self._gain, target, ramp)
        self._gain = float(gains[-1])
        return (pcm * gains).astype(np.int16)

    def _note(self, pcm: Pcm, at: float) -> None:
        loudness = rms(pcm)
        self.meter.add((loudness / 32768.0) ** 2)
        if loudness >= AUDIBLE_RMS:
            self._audible_at = at
            if not self._is_audible:
                self._is_audible = True
                self._playing(True)
        elif self._is_audible:
            hushed = self._hushed_until is not None
            if hushed or at - self._audible_at > HANG_OVER_S:
                self._is_audible = False
                self._playing(False)


def _whole(ms: float) -> int:
    """Samples of `ms`, a multiple of 2.5 ms as Opus wants it."""
    return max(1, round(ms / 2.5)) * 120


def rms(pcm: Pcm) -> float:
    if not len(pcm):
        return 0.0
    sound = pcm.astype(np.float32)
    return float(np.sqrt(np.dot(sound, sound) / len(sound)))


def shortened(pcm: Pcm) -> tuple[Pcm, int]:
    """`pcm` without one period of 10 to 20 ms, and how many samples that was."""
    if len(pcm) < _MOST_PERIOD + 2 * _OVERLAP:
        return pcm, 0
    sound = pcm.astype(np.float32)
    start = (len(pcm) - _MOST_PERIOD - _OVERLAP) // 2
    here = sound[start : start + _OVERLAP]
    there = sound[start + _LEAST_PERIOD : start + _MOST_PERIOD + _OVERLAP]
    likeness = np.correlate(there, here, "valid")
    energy = np.convolve(there * there, np.ones(_OVERLAP, np.float32), "valid")
    best = int(np.argmax(likeness / np.sqrt(energy + 1.0)))
    period = _LEAST_PERIOD + best
    weight = np.linspace(1.0, 0.0, _OVERLAP, dtype=np.float32)
    joint = here * weight + sound[start + period : start + period + _OVERLAP] * (1 - weight)
    parts = (pcm[:start], joint.astype(np.int16), pcm[start + period + _OVERLAP :])
    return np.concatenate(parts), period


def stretched(pcm: Pcm, samples: int) -> Pcm:
    """`pcm` in so many samples, by straight lines between them."""
    places = np.linspace(0, len(pcm) - 1, samples)
    return np.interp(places, np.arange(len(pcm)), pcm).astype(np.int16)
