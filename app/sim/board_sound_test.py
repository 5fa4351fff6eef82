"""`sound` on the virtual board: a sweep out of the speaker, and what of it the microphone hears.

A sweep and not one tone: its correlation with what was heard has one peak, which is the delay of
the whole loop, from the speaker's queue over the room to the microphone. The virtual board cancels
no echo, so what is left of it is what was heard.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress

import numpy as np

from app.sim.board_audio import SILENCE_CDB, FrameClock, Meter, Microphone, Speaker
from app.sim.chip import FRAME, Pcm
from app.sim.core_abi import Sound
from app.sim.room import RATE_HZ, loudness

SWEEP_FRAMES = 25
LISTEN_FRAMES = 50
FROM_HZ, TO_HZ = 400.0, 3000.0
PEAK = 8000.0
HEARD_LIKENESS = 0.3
"""Share of the loudest stretch that is the sweep; noise alone stays under 0.05."""


def sweep() -> Pcm:
    """Half a second, 400 Hz to 3 kHz."""
    at_s = np.arange(SWEEP_FRAMES * FRAME) / RATE_HZ
    rise = (TO_HZ - FROM_HZ) / (2.0 * at_s[-1])
    wave = np.sin(2.0 * np.pi * (FROM_HZ + rise * at_s) * at_s)
    pcm: Pcm = (PEAK * wave).astype(np.int16)
    return pcm


async def listen(microphone: Microphone, speaker: Speaker) -> Sound:
    """Plays and listens for a second; nobody else may have microphone and speaker meanwhile."""
    sent = sweep()
    heard: list[Pcm] = []
    clock = FrameClock()
    playing = asyncio.create_task(speaker.run())
    try:
        for step in range(LISTEN_FRAMES):
            await clock.tick()
            speaker.feed(sent[step * FRAME : (step + 1) * FRAME])
            heard.append(microphone.frame())
    finally:
        playing.cancel()
        with suppress(asyncio.CancelledError):
            await playing
        speaker.reset()
    volume = speaker.volume_percent / 100
    return _result(sent, np.concatenate(heard), _cdb(sent) + _cdb_of_gain(volume))


def _result(sent: Pcm, heard: Pcm, tone_cdb: int) -> Sound:
    size = 1 << (len(sent) + len(heard)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size))
    likeness = np.fft.irfft(spectrum, size)[: len(heard) - len(sent) + 1]
    at = int(np.argmax(likeness))
    stretch = heard[at : at + len(sent)]
    most = loudness(sent) * loudness(stretch) * len(sent)
    microphone_cdb = _cdb(stretch)
    is_heard = most > 0.0 and float(likeness[at]) / most >= HEARD_LIKENESS
    delay_ms = round(1000 * at / RATE_HZ) if is_heard else -1
    return Sound(delay_ms, max(SILENCE_CDB, tone_cdb), microphone_cdb, microphone_cdb)


def _cdb(pcm: Pcm) -> int:
    meter = Meter()
    meter.add(loudness(pcm))
    return meter.read_cdb()


def _cdb_of_gain(gain: float) -> int:
    return round(2000 * math.log10(gain)) if gain > 0.0 else SILENCE_CDB
